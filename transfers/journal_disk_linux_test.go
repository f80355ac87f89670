package transfers_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

const fullEnv = "PEERLEDGER_TEST_JOURNAL_FULL"

// inChild runs one test in a separate process and returns its output.
func inChild(t *testing.T, test, value string, env ...string) string {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v")
	child.Env = append(append(os.Environ(), env...), fullEnv+"="+value)
	output, err := child.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

// limitFiles limits the size of files until the test ends, like a full disk. It is for a
// separate process.
func limitFiles(t *testing.T, bytes uint64) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // a write fails instead
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	t.Cleanup(func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) })
	full := syscall.Rlimit{Cur: bytes, Max: before.Max}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full))
}

// gatedLedger does not answer before the gate is open.
type gatedLedger struct {
	ledger.Ledger
	open chan struct{}
}

func (g *gatedLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	select {
	case <-g.open:
		return g.Ledger.CreateTransfers(ctx, batch)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, ctx.Err())
	}
}

const fullPackets = 200

// The disk is full: promised fulfills are replayed, later fulfills are booked without a
// promise, and the recorder goes on.
func TestJournalOnAFullDisk(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{600, 700, 1500, 4096, 9999} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			t.Parallel()
			requireFullDisk(t, limit)
		})
	}
}

func requireFullDisk(t *testing.T, limit int) {
	t.Helper()
	folder := newFolder(t)
	output := inChild(t, "TestJournalOnAFullDiskChild", fmt.Sprintf("%d %s", limit, folder))
	var promised []int
	lines := bufio.NewScanner(strings.NewReader(output))
	for lines.Scan() {
		if said, is := strings.CutPrefix(lines.Text(), "promised "); is {
			i, err := strconv.Atoi(said)
			require.NoError(t, err)
			promised = append(promised, i)
		}
	}

	// The ledger of the child is gone, and was an own one. Here all is still held.
	f := newFixture(t, transfers.Config{}, nil)
	packets := make([]transfers.Packet, fullPackets)
	for i := range packets {
		packets[i] = f.numbered(t, i)
	}
	f.prepareAll(t, packets)
	h := &eventLog{}
	require.NoError(t, f.newJournaled(t, folder, h, nil).Close(t.Context()))
	replayed := resultsByID(t, h.takeReplayed())
	for _, i := range promised {
		require.Contains(t, replayed, packets[i].ID)
	}
	require.LessOrEqual(t, len(replayed), len(promised)+1, "one may be there that was not promised")
	require.Equal(t, int64(len(replayed)), f.position(t, f.bob))
	t.Logf("limit %d: %d promised, %d there", limit, len(promised), len(replayed))
	f.settleAll(t, packets)
	f.closeAndCheck(t)
}

// TestJournalOnAFullDiskChild is the process that runs out of space. The test does nothing in any other process.
func TestJournalOnAFullDiskChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	var limit uint64
	var folder string
	if os.Getenv(fullEnv) == "" {
		return
	}
	_, err := fmt.Sscanf(os.Getenv(fullEnv), "%d %s", &limit, &folder)
	require.NoError(t, err)
	ctx := t.Context()
	f := newFixture(t, transfers.Config{}, nil)
	packets := make([]transfers.Packet, fullPackets)
	for i := range packets {
		packets[i] = f.numbered(t, i)
	}
	f.prepareAll(t, packets)
	h, g := &eventLog{}, &gatedLedger{Ledger: f.embedded, open: make(chan struct{})}
	r := f.newJournaled(t, folder, h, g)
	limitFiles(t, limit)

	submitted := 0
	var future transfers.Future
	for ; err == nil; submitted++ {
		if future, err = r.Submit(ctx, transfers.FulfillOp(packets[submitted])); err == nil {
			fmt.Printf("\npromised %d\n", submitted)
		}
	}
	requireFull(t, err, folder)
	require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown, "no caller stopped waiting")
	requireFull(t, future.Journaled(ctx), folder)
	require.Len(t, h.journalErrors(), 1)
	for range 3 { // and those behind it
		_, err = r.Submit(ctx, transfers.FulfillOp(packets[submitted]))
		requireFull(t, err, folder)
		submitted++
	}
	other, err := r.TrySubmit(transfers.FulfillOp(packets[submitted]))
	require.NoError(t, err, "it does not wait")
	submitted++
	requireFull(t, other.Journaled(ctx), folder)
	waiting, cancel := context.WithCancel(ctx)
	cancel()
	_, err = r.Record(waiting, transfers.FulfillOp(packets[submitted]))
	require.ErrorIs(t, err, context.Canceled, "it was not handed over")

	close(g.open)
	for _, future := range []transfers.Future{future, other} {
		require.NoError(t, future.Wait(ctx).Err)
		require.Equal(t, ledger.OutcomeApplied, future.Wait(ctx).Outcome)
		require.NoError(t, future.Journaled(ctx), "the fulfill is in the ledger")
	}
	require.NoError(t, r.Flush(ctx))
	require.Equal(t, int64(submitted), f.position(t, f.bob))
	_, err = r.Fulfill(ctx, packets[submitted])
	require.NoError(t, err, "the recorder goes on")
	_, err = r.Forward(ctx, f.packet(1, 1))
	require.NoError(t, err)

	require.Len(t, h.journalErrors(), 1, "told once")
	requireFull(t, h.journalErrors()[0], folder)
	err = r.Close(ctx)
	requireFull(t, err, folder)
	require.NotErrorAs(t, err, new(*transfers.CloseError), "all was answered")
	require.Equal(t, err, r.Close(ctx))
	require.Len(t, h.journalErrors(), 1, "still")
	f.settleAll(t, packets)
	f.closeAndCheck(t)
}

func requireFull(t *testing.T, err error, folder string) {
	t.Helper()
	require.ErrorIs(t, err, transfers.ErrJournal)
	require.ErrorIs(t, err, syscall.EFBIG)
	require.NotErrorIs(t, err, transfers.ErrJournalCorrupt)
	require.ErrorContains(t, err, folder)
	require.NotContains(t, err.Error(), "none is configured")
}

// A new journal cannot be opened on a full disk.
func TestJournalOnAFullDiskAtTheStart(t *testing.T) {
	t.Parallel()
	inChild(t, "TestJournalOnAFullDiskAtTheStartChild", newFolder(t))
}

// TestJournalOnAFullDiskAtTheStartChild does nothing in any other process.
func TestJournalOnAFullDiskAtTheStartChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	folder := os.Getenv(fullEnv)
	if folder == "" {
		return
	}
	f := newFixture(t, transfers.Config{}, nil)
	t.Run("full", func(t *testing.T) {
		limitFiles(t, 100)
		for range 2 {
			_, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{JournalFolder: folder, Events: transfers.Events{Replayed: func([]transfers.Result) {}}})
			requireFull(t, err, folder)
			requireNoneOpen(t, folder)
		}
	})
	packets := f.prepareHeld(t, 2)
	f.leaveInJournal(t, folder, false, packets...)
	f.requireReplayed(t, folder, packets)
	f.closeAndCheck(t)
}

// RecordAll enqueues all operations before it waits, so its fulfills are synced in few groups.
// Each group takes two writes: the records, and the mark after their sync.
func TestRecordAllSyncsTogether(t *testing.T) {
	t.Parallel()
	// With one processor RecordAll keeps the processor until its first wait, so the journal's
	// writer cannot sync between two fulfills.
	inChild(t, "TestRecordAllSyncsTogetherChild", newFolder(t), "GOMAXPROCS=1")
}

// TestRecordAllSyncsTogetherChild does nothing in any other process.
func TestRecordAllSyncsTogetherChild(t *testing.T) { //nolint:paralleltest // counts the writes of its whole process
	folder := os.Getenv(fullEnv)
	if folder == "" {
		return
	}
	if _, err := os.Stat("/proc/self/io"); err != nil {
		t.Skipf("needs /proc/self/io: have a Linux kernel with CONFIG_TASK_IO_ACCOUNTING (%v)", err)
	}
	f := newFixture(t, transfers.Config{}, nil)
	packets := make([]transfers.Packet, 2000)
	ops := make([]transfers.Op, len(packets))
	for i := range packets {
		packets[i] = f.numbered(t, i)
		ops[i] = transfers.FulfillOp(packets[i])
	}
	f.prepareAll(t, packets)
	r := f.newJournaled(t, folder, &eventLog{}, nil)
	before := countWrites(t)
	_, err := r.RecordAll(t.Context(), ops...)
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	made := countWrites(t) - before
	t.Log(made, "writes")
	require.Less(t, made, len(packets)/4)
	require.NotZero(t, made)
	f.closeAndCheck(t)
}

// countWrites returns the number of write system calls of this process.
func countWrites(t *testing.T) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	require.NoError(t, err)
	_, count, _ := strings.Cut(string(text), "syscw: ")
	_, err = fmt.Sscan(count, &n)
	require.NoError(t, err)
	return n
}
