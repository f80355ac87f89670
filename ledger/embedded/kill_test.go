//go:build unix

package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

const (
	killTimes = "PEERLEDGER_LEDGER_KILLS"     // number of kills of TestKilledUnderLoad
	killRows  = "PEERLEDGER_LEDGER_KILL_ROWS" // rows in the folder before the second kill; with them requests are large, and checkpoints are as usual

	killLoadEnv   = "PEERLEDGER_TEST_KILL_CHILD"
	killWriters   = 4
	killAccounts  = 12
	killEvery     = 64 << 10 // bytes of log between checkpoints, in a small folder
	killBatch     = 60
	killBatchMany = 4000
)

// killedFolder is a folder whose processes are killed, and what must be in it.
type killedFolder struct {
	t      *testing.T
	random *rand.Rand
	dir    string
	writers
	atLeast  [killWriters]int // answered requests of each writer
	found    [killWriters]int // requests of each writer that are part of balances
	balances map[ledger.ID]ledger.Account
	rows     int

	checks, unanswered int // unanswered requests that were found

	lastHolds [killWriters]struct { // of each writer, kept for holdOf
		request int
		holds   []ledger.Transfer
	}
}

// Processes are killed while several writers have requests under way, while checkpoints are
// written, and while they open the folder. After each kill every answered request is there once,
// whole, and nothing else is but requests that were under way.
func TestKilledUnderLoad(t *testing.T) {
	t.Parallel()
	kills, rows := readNumber(t, killTimes, 10), readNumber(t, killRows, 0)
	seed := ledgertest.Seed(t)
	k := &killedFolder{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), dir: t.TempDir(),
		writers: writers{seed: seed, most: killBatch}, balances: map[ledger.ID]ledger.Account{},
	}
	if rows > 0 {
		k.most = killBatchMany
	}
	for n := range kills {
		k.runProcess(rows, n == 0)
		if k.random.IntN(3) > 0 || n == 0 {
			k.checkFolder(k.random.IntN(2) == 0)
		}
	}
	k.checkFolder(true)
	k.checkAllRows()
	t.Logf("%d kills, %d checks, %d rows; %d requests were found that had no answer", kills, k.checks, k.rows, k.unanswered)
}

func readNumber(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, name)
	return n
}

// runProcess starts a process that writes, and kills it: after some answers, or after a time that
// may end before the folder is open. The first process writes so many rows before.
func (k *killedFolder) runProcess(rows int, first bool) {
	k.t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestKilledChild$")
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", killLoadEnv, k.seed, k.most, k.dir))
	for w := range killWriters {
		command.Env = append(command.Env, fmt.Sprintf("%s_%d=%d", killLoadEnv, w, k.atLeast[w]))
	}
	output, err := command.StdoutPipe()
	require.NoError(k.t, err)
	command.Stderr = os.Stderr
	require.NoError(k.t, command.Start())
	defer func() { _ = command.Process.Kill() }() // after a failure
	left := 1 + k.random.IntN(300)
	if !first && k.random.IntN(3) == 0 {
		timer := time.AfterFunc(time.Duration(k.random.IntN(400))*time.Millisecond, func() { _ = command.Process.Kill() })
		defer timer.Stop()
	}
	written := 0
	for lines := bufio.NewReader(output); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line that the kill has cut off tells nothing
		}
		var w, n int
		_, err = fmt.Sscanf(line, "answered %d %d", &w, &n)
		require.NoError(k.t, err, "the process failed: %s", line)
		require.GreaterOrEqual(k.t, n, k.atLeast[w])
		k.atLeast[w] = n + 1
		written += len(k.transfers(w, n))
		if left--; left <= 0 && (!first || written >= rows) {
			require.NoError(k.t, command.Process.Kill())
			left = 1 << 30
		}
	}
	_ = command.Wait() // the state says how it ended
	status, _ := command.ProcessState.Sys().(syscall.WaitStatus)
	require.Equal(k.t, syscall.SIGKILL, status.Signal(), "the process failed by itself")
}

// writers are endless rows of requests: request n of a writer depends on the seed, the writer and n.
type writers struct {
	seed uint64
	most int // transfers of a request
}

func killAccount(n uint64) ledger.ID { return ledger.NewID(n+1, 0) }

func killID(w, request, event int) ledger.ID {
	return ledger.NewID(uint64(request)<<16|uint64(event), uint64(w+1))
}

func (s writers) options() []embedded.Option {
	if s.most == killBatchMany {
		return nil
	}
	return []embedded.Option{embedded.WithCheckpointEvery(killEvery)}
}

// transfers returns request n of a writer: posts of the holds of the request before, and new holds.
func (s writers) transfers(w, n int) (events []ledger.Transfer) {
	if n > 0 {
		for i, hold := range s.holds(w, n-1) {
			if i%8 != 7 { // some holds stay open
				events = append(events, ledger.Transfer{
					ID: killID(w, n, len(events)), PendingID: hold.ID, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending,
				})
			}
		}
	}
	return append(events, s.holds(w, n)...)
}

// holds returns the holds of a request. Their ids are above those of the posts.
func (s writers) holds(w, n int) []ledger.Transfer {
	r := rand.New(rand.NewPCG(s.seed, uint64(n)<<8|uint64(w)))
	holds := make([]ledger.Transfer, 1+r.IntN(s.most))
	for i := range holds {
		debit := r.Uint64N(killAccounts)
		holds[i] = ledger.Transfer{
			ID: killID(w, n, killBatchMany+i), DebitAccountID: killAccount(debit),
			CreditAccountID: killAccount((debit + 1 + r.Uint64N(killAccounts-1)) % killAccounts), Amount: ledger.NewAmount(r.Uint64N(100)),
			UserData64: r.Uint64(), Ledger: 1, Code: 1, Flags: ledger.TransferPending,
		}
	}
	return holds
}

// TestKilledChild is the process that TestKilledUnderLoad kills. The test does nothing in any other
// process.
func TestKilledChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	var s writers
	var dir string
	if os.Getenv(killLoadEnv) == "" {
		return
	}
	_, err := fmt.Sscanf(os.Getenv(killLoadEnv), "%d %d %s", &s.seed, &s.most, &dir)
	require.NoError(t, err)
	l, err := embedded.Open(dir, s.options()...)
	require.NoError(t, err)
	accounts := make([]ledger.Account, killAccounts)
	for i := range accounts {
		accounts[i] = ledger.Account{ID: killAccount(uint64(i)), Ledger: 1, Code: 1, Flags: ledger.AccountHistory}
	}
	_, err = l.CreateAccounts(t.Context(), accounts) // they may exist
	require.NoError(t, err)
	failed := make(chan error, killWriters)
	var writing sync.WaitGroup
	for w := range killWriters {
		first, err := strconv.Atoi(os.Getenv(fmt.Sprintf("%s_%d", killLoadEnv, w)))
		require.NoError(t, err)
		writing.Go(func() { failed <- s.write(t.Context(), l, w, first) })
	}
	err = <-failed
	fmt.Println("failed:", err) // which ends the test that reads it
	writing.Wait()
}

// write sends the requests of a writer without end, and prints each answer.
func (s writers) write(ctx context.Context, l ledger.Ledger, w, first int) error {
	for n := first; ; n++ {
		results, err := l.CreateTransfers(ctx, s.transfers(w, n))
		if err != nil {
			return err
		}
		// The first request may have been under way when the last process was killed.
		again := n == first && results[0].Status == ledger.TransferExists
		for i := range results {
			if status := results[i].Status; status != ledger.TransferCreated && (!again || status != ledger.TransferExists) {
				return fmt.Errorf("writer %d, request %d, event %d: %v", w, n, i, status)
			}
		}
		fmt.Printf("answered %d %d\n", w, n)
	}
}
