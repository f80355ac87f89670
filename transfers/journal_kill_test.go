package transfers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

const (
	killEnv = "PEERLEDGER_TEST_JOURNAL_KILL"

	killSubmitters = 4    // goroutines of the child
	killPackets    = 2000 // that each child may fulfill
)

// numbered returns a packet that the child and its parent derive from a number: from
// ourselves, so that no line limits how many there are.
func (f *fixture) numbered(t *testing.T, n int) transfers.Packet {
	t.Helper()
	us, err := f.book.OwnAccount(usd)
	require.NoError(t, err)
	return transfers.Packet{
		ID: ledger.NewID(uint64(n+1)<<8, 1), From: us, To: f.bob, In: 1, Out: 1, Hold: time.Hour,
	}
}

// Processes are killed one after the other at random moments. The next recorder that reaches
// the ledger books every fulfill accepted by Submit, once, and no fulfill that was never
// submitted.
func TestKilledWithPromises(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	kills := 24
	if testing.Short() {
		kills = 4
	}
	var open []transfers.Packet // held, and not seen fulfilled
	booked, promised, killed := 0, make(map[ledger.ID]bool), 0
	for n := range kills {
		first := n * killPackets
		for i := range killPackets {
			open = append(open, f.numbered(t, first+i))
		}
		f.prepareAll(t, open[len(open)-killPackets:])
		for _, i := range killSubmitting(t, random, first, folder) {
			promised[f.numbered(t, i).ID] = true
		}
		killed++
		if n < kills-1 && random.IntN(2) == 0 {
			continue // the next child finds the fulfills of this child, and cannot book them
		}
		h := &eventLog{}
		require.NoError(t, f.newJournaled(t, folder, h, nil).Close(t.Context()))
		require.Empty(t, h.journalErrors())
		replayed := resultsByID(t, h.takeReplayed())
		// Each submitter may have died with one fulfill on disk and its number not yet printed.
		require.GreaterOrEqual(t, len(replayed), len(promised))
		require.LessOrEqual(t, len(replayed), len(promised)+killed*killSubmitters)
		for id := range promised {
			_, isReplayed := replayed[id]
			require.True(t, isReplayed, id)
		}
		for _, got := range replayed {
			require.NoError(t, got.Err)
			require.Equal(t, ledger.OutcomeApplied, got.Outcome)
		}
		booked += len(replayed)
		require.Equal(t, int64(booked), f.position(t, f.bob))
		open = f.rejectAll(t, open, replayed)
		promised, killed = make(map[ledger.ID]bool), 0
	}
	t.Logf("%d fulfills booked over %d kills", booked, kills)
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}

func (f *fixture) prepareAll(t *testing.T, packets []transfers.Packet) {
	t.Helper()
	ops := make([]transfers.Op, len(packets))
	for i, p := range packets {
		ops[i] = transfers.PrepareOp(p)
	}
	_, err := f.recorder.RecordAll(t.Context(), ops...)
	require.NoError(t, err)
}

// rejectAll rejects the packets that were not booked: they are still held.
func (f *fixture) rejectAll(t *testing.T, packets []transfers.Packet, booked map[ledger.ID]transfers.Result) []transfers.Packet {
	t.Helper()
	var ops []transfers.Op
	for _, p := range packets {
		if _, is := booked[p.ID]; !is {
			ops = append(ops, transfers.RejectOp(p))
		}
	}
	results, err := f.recorder.RecordAll(t.Context(), ops...)
	require.NoError(t, err)
	for _, got := range results {
		require.Equal(t, ledger.OutcomeApplied, got.Outcome)
	}
	return nil
}

// killSubmitting starts a process that submits fulfills from number first on, kills it, and
// returns the fulfills accepted by Submit.
func killSubmitting(t *testing.T, random *rand.Rand, first int, folder string) (promised []int) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledWithPromisesChild$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", killEnv, first, folder))
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewReader(output)
	read := func() bool {
		line, err := lines.ReadString('\n')
		if err != nil {
			return false // the line was cut off by the kill: this fulfill is not known as promised
		}
		i, err := strconv.Atoi(strings.TrimSpace(line))
		require.NoError(t, err, "the child failed: %s", line)
		promised = append(promised, i)
		return true
	}
	for range random.IntN(200) {
		if !read() {
			break
		}
	}
	require.NoError(t, child.Process.Kill())
	for read() { // the numbers printed before the kill
	}
	_, _ = io.Copy(io.Discard, lines)
	require.Error(t, child.Wait(), "the child was killed")
	return promised
}

// TestKilledWithPromisesChild is the process killed by TestKilledWithPromises. It never
// reaches the ledger. The test does nothing in any other process.
func TestKilledWithPromisesChild(t *testing.T) { //nolint:paralleltest // alone in its process
	var first int
	var folder string
	if os.Getenv(killEnv) == "" {
		return
	}
	_, err := fmt.Sscanf(os.Getenv(killEnv), "%d %s", &first, &folder)
	require.NoError(t, err)
	f := newFixture(t, transfers.Config{}, nil)
	r := f.newJournaled(t, folder, &eventLog{}, newSilentLedger(f.embedded, false, 0))
	var next atomic.Int64
	var group sync.WaitGroup
	for range killSubmitters {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < killPackets; i = int(next.Add(1)) - 1 {
				if _, err := r.Submit(context.Background(), transfers.FulfillOp(f.numbered(t, first+i))); err != nil {
					fmt.Println(err)
					return
				}
				fmt.Println(first + i)
			}
		})
	}
	group.Wait()
	<-t.Context().Done() // until the kill
}
