//go:build unix

package aggregate_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

const (
	killFolder  = "PEERLEDGER_TEST_KILL_FOLDER"  // of the journal, and of the embedded ledger
	killRequest = "PEERLEDGER_TEST_KILL_REQUEST" // number of the ledger request at which the process kills itself; 0: none
	killSide    = "PEERLEDGER_TEST_KILL_SIDE"    // "before" or "after" the request
	killSeed    = "PEERLEDGER_TEST_KILL_SEED"

	killCallers    = 4       // goroutines of a process
	killCheckpoint = 8 << 10 // bytes of log between checkpoints: some 50 packets
)

// Processes with the ledger and the journal in a folder are killed while they fulfill packets, write
// archives and checkpoints, and start. PEERLEDGER_ROUND_KILLS sets their number.
func TestKilledProcesses(t *testing.T) {
	if folder := os.Getenv(killFolder); folder != "" {
		l, err := embedded.Open(filepath.Join(folder, "ledger"))
		require.NoError(t, err)
		fulfillUntilKilled(t, l, folder)
		return
	}
	t.Parallel()
	k := newKilling(t, "PEERLEDGER_ROUND_KILLS")
	k.runProcesses(t, "TestKilledProcesses")
	l, err := embedded.Open(filepath.Join(k.folder, "ledger"))
	require.NoError(t, err)
	k.check(t, l)
	require.NoError(t, l.Close())
}

// killing is what a test knows of the processes that it kills. A process prints each packet before it
// fulfills the packet, and again when the fulfill was acknowledged.
type killing struct {
	folder       string
	rnd          *rand.Rand
	kills        int
	env          []string // of the processes, beside that of the test
	tried        map[ledger.ID]triedPacket
	acknowledged map[ledger.ID]bool
	startsKilled int // kills at a request to the ledger
}

// triedPacket is a packet from a peer of the fixture to the next, both in USD.
type triedPacket struct {
	from    int
	in, out uint64
	expiry  int64 // ns since the Unix epoch
}

func newKilling(t *testing.T, variable string) *killing {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	k := &killing{
		folder: t.TempDir(), rnd: rand.New(rand.NewPCG(seed, 0)), kills: 3,
		tried: map[ledger.ID]triedPacket{}, acknowledged: map[ledger.ID]bool{},
	}
	if text := os.Getenv(variable); text != "" {
		var err error
		k.kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	return k
}

// runProcesses runs processes until enough of them were killed, and their packets have filled several
// checkpoints.
func (k *killing) runProcesses(t *testing.T, test string) {
	t.Helper()
	const leastPackets = 400
	least := k.kills
	k.kills = 0
	for ; k.kills < least || len(k.tried) < leastPackets; k.kills++ {
		life, request := k.kills, 0
		if life%3 == 2 {
			request = 1 + k.rnd.IntN(12)
			k.startsKilled++
		}
		k.runProcess(t, test, request)
	}
}

// runProcess runs a process until it is killed: by the test after some lines of output, or by itself at a
// request to the ledger.
func (k *killing) runProcess(t *testing.T, test string, request int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+test+"$")
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGQUIT) } // prints all stacks
	command.Env = append(append(os.Environ(), k.env...), killFolder+"="+k.folder,
		"TMPDIR="+k.folder, // a killed process leaves its temporary folders: they go with the test's
		fmt.Sprintf("%s=%d", killRequest, request),
		killSide+"="+[]string{"before", "after"}[k.rnd.IntN(2)], fmt.Sprintf("%s=%d", killSeed, k.rnd.Uint64()))
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	command.Stderr = os.Stderr
	require.NoError(t, command.Start())
	defer func() { _ = command.Process.Kill() }() // after a failure
	left := 1 + k.rnd.IntN(400)
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // a line that the kill has cut off tells nothing
		}
		k.readLine(t, line)
		if left--; left == 0 && request == 0 {
			require.NoError(t, command.Process.Kill())
		}
	}
	var exit *exec.ExitError
	require.ErrorAs(t, command.Wait(), &exit)
	status, _ := exit.Sys().(syscall.WaitStatus)
	require.NoError(t, ctx.Err(), "the process stood still")
	require.Equal(t, syscall.SIGKILL, status.Signal(), "the process failed by itself")
}

func (k *killing) readLine(t *testing.T, line string) {
	t.Helper()
	var word string
	var hi, lo uint64
	var p triedPacket
	_, err := fmt.Sscan(line, &word, &hi, &lo, &p.from, &p.in, &p.out, &p.expiry)
	require.NoError(t, err, "the process failed: %s", line)
	id := ledger.NewID(lo, hi)
	switch word {
	case "try":
		require.NotContains(t, k.tried, id)
		k.tried[id] = p
	case "acknowledged":
		require.Contains(t, k.tried, id)
		k.acknowledged[id] = true
	default:
		require.Fail(t, "the process failed", line)
	}
}

// check opens a last recorder. It has each acknowledged fulfill. It gets the others of the printed packets
// too, whose outcome the test does not know. So each printed packet is in the books once, or the sums differ.
func (k *killing) check(t *testing.T, l ledger.Ledger) {
	t.Helper()
	f, r := openKilled(t, l, k.folder)
	var sent, earned [3]uint64
	fees, found := uint64(0), 0
	for id, p := range k.tried {
		to := (p.from + 1) % 3
		result, err := r.Fulfill(t.Context(), transfers.Packet{
			ID: id, From: f.peers[p.from], To: f.peers[to], In: p.in, Out: p.out, Expiry: time.Unix(0, p.expiry),
		})
		require.NoError(t, err)
		if result.Outcome == ledger.OutcomeAlreadyApplied {
			found++
		} else {
			require.False(t, k.acknowledged[id], "packet %v was acknowledged, and is lost", id)
		}
		sent[p.from] += p.in
		earned[to] += p.out
		fees += p.in - p.out
	}
	archives, err := filepath.Glob(filepath.Join(k.folder, "journal", "archive", "packets-*"))
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	figures := f.figures(t)
	require.Equal(t, strconv.FormatUint(fees, 10), figures["revenue in USD"])
	for i, a := range f.peers[:3] {
		require.Equal(t, positionText(sent[i], earned[i]), figures[a.String()])
	}
	t.Logf("%d processes killed, %d of them at a request; %d packets, %d acknowledged and booked once, %d booked and not acknowledged, %d archives",
		k.kills, k.startsKilled, len(k.tried), len(k.acknowledged), found-len(k.acknowledged), len(archives))
	require.NotEmpty(t, archives)
}

// positionText is the figures' text of a peer that has sent and earned amounts.
func positionText(sent, earned uint64) string {
	payable, receivable := earned-min(sent, earned), sent-min(sent, earned)
	return fmt.Sprintf("owed %d owes %d arrears 0 sent %d earned %d held 0", payable, receivable, sent, earned)
}

func openKilled(t *testing.T, l ledger.Ledger, folder string) (*fixture, *aggregate.Recorder) {
	t.Helper()
	f := newFixture(t, l, 1_000_000_000)
	f.folder = filepath.Join(folder, "journal")
	f.ledger = newKillingLedger(t, l)
	r, err := aggregate.NewRecorderWithCheckpoints(t.Context(), f.ledger, f.book, aggregate.Config{
		JournalFolder: f.folder, RoundInterval: time.Millisecond, Horizon: 10 * time.Hour,
	}, killCheckpoint)
	require.NoError(t, err)
	return f, r
}

// killingLedger kills the process at a request.
type killingLedger struct {
	ledger.Ledger

	last  int64 // number of the fatal request; 0: none
	after bool
	count atomic.Int64
}

func newKillingLedger(t *testing.T, l ledger.Ledger) *killingLedger {
	t.Helper()
	k := &killingLedger{Ledger: l, after: os.Getenv(killSide) == "after"}
	if text := os.Getenv(killRequest); text != "" {
		var err error
		k.last, err = strconv.ParseInt(text, 10, 64)
		require.NoError(t, err)
	}
	return k
}

// begin counts a request, and returns the function to call when it is answered.
func (l *killingLedger) begin() (end func()) {
	isLast := l.count.Add(1) == l.last
	die := func() {
		if isLast {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal has arrived
		}
	}
	if !l.after {
		die()
	}
	return die
}

func (l *killingLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	defer l.begin()()
	return l.Ledger.CreateTransfers(ctx, events)
}

func (l *killingLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	defer l.begin()()
	return l.Ledger.LookupAccounts(ctx, ids)
}

func (l *killingLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	defer l.begin()()
	return l.Ledger.LookupTransfers(ctx, ids)
}

func (l *killingLedger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	defer l.begin()()
	return l.Ledger.QueryTransfers(ctx, filter)
}

// fulfillUntilKilled is the process.
func fulfillUntilKilled(t *testing.T, l ledger.Ledger, folder string) {
	t.Helper()
	f, r := openKilled(t, l, folder)
	seed, err := strconv.ParseUint(os.Getenv(killSeed), 10, 64)
	require.NoError(t, err)
	var callers sync.WaitGroup
	for n := range killCallers {
		rnd := rand.New(rand.NewPCG(seed, uint64(n)))
		callers.Go(func() {
			for {
				from, in := rnd.IntN(3), 1+rnd.Uint64N(1000)
				held, err := r.Prepare(t.Context(), f.packet(from, (from+1)%3, in, in-rnd.Uint64N(in)))
				if err != nil {
					panic(err)
				}
				p := held.Packet
				line := fmt.Sprintln(p.ID.Hi, p.ID.Lo, from, p.In, p.Out, p.Expiry.UnixNano())
				fmt.Print("try ", line)
				if _, err = r.Fulfill(t.Context(), p); err != nil {
					panic(err)
				}
				fmt.Print("acknowledged ", line)
			}
		})
	}
	callers.Wait()
}

const holdFolder = "PEERLEDGER_TEST_HOLD_FOLDER"

// A journal that another process has open is refused, until that process has gone.
func TestJournalInUseByAnotherProcess(t *testing.T) {
	if folder := os.Getenv(holdFolder); folder != "" {
		f := newFixture(t, embedded.New(), 1000)
		f.folder = folder
		f.open(t)
		fmt.Println("open")
		select {}
	}
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestJournalInUseByAnotherProcess$")
	command.Env = append(os.Environ(), holdFolder+"="+f.folder)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "open\n", line)
	_, err = f.openFolder(t, f.folder)
	require.ErrorIs(t, err, transfers.ErrJournal)
	require.ErrorIs(t, err, transfers.ErrJournalInUse)
	require.NotErrorIs(t, err, transfers.ErrJournalCorrupt)
	require.ErrorContains(t, err, f.folder)
	require.NoError(t, command.Process.Kill())
	require.Error(t, command.Wait())
	require.NoError(t, f.open(t).Close(t.Context()))
}
