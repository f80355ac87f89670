package transfers_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// recordingLedger is a ledger that records the executed batches. Its mood decides whether answers
// or requests are lost.
type recordingLedger struct {
	ledger.Ledger
	mu      sync.Mutex
	batches [][]ledger.Transfer
	mood    ledgerMood
}

type ledgerMood int

const (
	answers ledgerMood = iota
	losesAnswers
	losesRequests
)

func (n *recordingLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	n.mu.Lock()
	mood := n.mood
	if mood != losesRequests {
		n.batches = append(n.batches, slices.Clone(batch))
	}
	n.mu.Unlock()
	if mood == losesRequests {
		return nil, ledger.ErrOutcomeUnknown
	}
	results, err := n.Ledger.CreateTransfers(ctx, batch)
	if mood == losesAnswers {
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

func (n *recordingLedger) setMood(m ledgerMood) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mood = m
}

func (n *recordingLedger) batchCount() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.batches)
}

// crashPoint is a folder as a killed process leaves it, with the state of its time.
type crashPoint struct {
	folder   folderFiles
	booked   int // batches executed by the ledger
	promised map[ledger.ID]bool
	asked    map[ledger.ID]bool // promised, or being submitted
}

// crashRun is a random life of a journal, and the folders that a kill may leave behind.
type crashRun struct {
	*fixture
	random   *rand.Rand
	folder   string
	ledger   *recordingLedger
	recorder *transfers.Recorder
	packets  []transfers.Packet
	next     int
	now      crashPoint
	points   []crashPoint
}

const crashPackets = 40

// runLife runs random operations on a journaled recorder. The ledger holds crashPackets.
func (c *crashRun) runLife(t *testing.T, operations int) {
	t.Helper()
	c.recorder = c.newJournaled(t, c.folder, &eventLog{}, c.ledger)
	c.now = crashPoint{promised: make(map[ledger.ID]bool), asked: make(map[ledger.ID]bool)}
	c.recordPoint(t)
	for range operations {
		switch n := c.random.IntN(10); {
		case n < 6 && c.next < crashPackets:
			c.submitFulfills(t, 1+c.random.IntN(2))
		case n < 8:
			c.ledger.setMood(ledgerMood(c.random.IntN(3)))
			sleepVirtual(3 * time.Second) // for the resends
		default:
			c.restartRecorder(t)
		}
		c.recordPoint(t)
	}
	c.ledger.setMood(answers)
	require.NoError(t, c.recorder.Close(t.Context()))
}

// submitFulfills submits n fulfills at the same time.
func (c *crashRun) submitFulfills(t *testing.T, n int) {
	t.Helper()
	var futures []transfers.Future
	for ; n > 0 && c.next < crashPackets; n-- {
		future, err := c.recorder.TrySubmit(transfers.FulfillOp(c.packets[c.next]))
		require.NoError(t, err)
		c.next++
		futures = append(futures, future)
	}
	for _, future := range futures {
		require.NoError(t, future.Journaled(t.Context()))
		c.now.promised[future.Packet().ID] = true
		c.now.asked[future.Packet().ID] = true
	}
}

// restartRecorder closes the recorder, and starts the next one.
func (c *crashRun) restartRecorder(t *testing.T) {
	t.Helper()
	if err := c.recorder.Close(canceled(t.Context())); err != nil {
		require.ErrorAs(t, err, new(*transfers.CloseError))
		require.NotErrorIs(t, err, transfers.ErrJournal)
	}
	c.points = append(c.points, c.now.withState(readFiles(t, c.folder), c.ledger.batchCount())) // closed
	c.recorder = c.newJournaled(t, c.folder, &eventLog{}, c.ledger)
}

// recordPoint copies the folder when no goroutine is writing.
func (c *crashRun) recordPoint(t *testing.T) {
	t.Helper()
	synctest.Wait()
	c.points = append(c.points, c.now.withState(readFiles(t, c.folder), c.ledger.batchCount()))
}

func (c crashPoint) withState(folder folderFiles, booked int) crashPoint {
	copied := crashPoint{folder: folder, booked: booked, promised: make(map[ledger.ID]bool), asked: make(map[ledger.ID]bool)}
	for id := range c.promised {
		copied.promised[id] = true
	}
	for id := range c.asked {
		copied.asked[id] = true
	}
	return copied
}

// tornPoints returns the folders that a kill leaves between c and later: with a first part of the
// bytes that later has more in the same file.
func (c crashPoint) tornPoints(later crashPoint, every func() int) (all []crashPoint) {
	name := c.folder.newestLog()
	before, after := c.folder[name], later.folder[name]
	if len(after) <= len(before) || later.folder.newestLog() != name {
		return nil
	}
	for n := every(); n <= len(after)-len(before); n += every() {
		cut := c.withState(c.folder.withFile(name, slices.Concat(before, after[len(before):len(before)+n])), c.booked)
		cut.asked = later.asked
		all = append(all, cut)
	}
	return all
}

// requireReplayed opens the folder on a new ledger in the state of its time.
func (c *crashRun) requireReplayed(t *testing.T, at crashPoint) {
	t.Helper()
	f := newFixture(t, transfers.Config{}, nil)
	for _, batch := range c.ledger.batches[:at.booked] {
		_, err := f.embedded.CreateTransfers(t.Context(), batch)
		require.NoError(t, err)
	}
	h := &eventLog{}
	require.NoError(t, f.newJournaled(t, at.folder.writeFolder(t), h, nil).Close(t.Context()))
	require.Empty(t, h.journalErrors())
	for id, got := range resultsByID(t, h.takeReplayed()) {
		require.True(t, at.asked[id], id)
		require.NoError(t, got.Err)
		require.False(t, got.Late, "the holds last a minute")
	}
	var booked int64
	for _, p := range c.packets {
		_, err := f.recorder.Reject(t.Context(), p)
		if at.promised[p.ID] {
			require.ErrorIs(t, err, transfers.ErrPacketConflict, "it was promised")
		}
		if err != nil {
			require.True(t, at.asked[p.ID], p.ID)
			booked++
		}
	}
	require.Equal(t, booked, f.position(t, f.bob), "each once")
	require.Equal(t, -booked, f.position(t, f.alice))
	f.closeAndCheck(t)
}

// The process is killed after each operation, and after each byte written by an operation. The
// next recorder books every promised fulfill.
func TestEveryCrashPoint(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	for n := range uint64(4) {
		t.Run(strconv.FormatUint(n, 10), func(t *testing.T) {
			t.Parallel()
			requireEveryCrashPoint(t, rand.New(rand.NewPCG(seed, n)), n == 0 && !testing.Short())
		})
	}
}

// requireEveryCrashPoint tries some crash points of a journal's life, or with all set, every byte
// of one operation.
func requireEveryCrashPoint(t *testing.T, random *rand.Rand, all bool) {
	t.Helper()
	// The ledger's clock stands still. Otherwise the fixture's recorder, outside of the bubble,
	// reads real time and the life reads virtual time: 26 years apart, so that holds expire.
	moment := time.Now()
	clock := embedded.WithClock(func() time.Time { return moment })
	c := &crashRun{fixture: newFixture(t, transfers.Config{}, nil, clock), random: random, folder: newFolder(t)}
	c.ledger = &recordingLedger{Ledger: c.embedded}
	holder, err := transfers.NewRecorder(c.ledger, c.book, transfers.Config{})
	require.NoError(t, err)
	ops := make([]transfers.Op, crashPackets)
	for i := range ops {
		ops[i] = transfers.PrepareOp(c.packet(1, 1))
	}
	results, err := holder.RecordAll(t.Context(), ops...)
	require.NoError(t, err)
	for _, got := range results {
		c.packets = append(c.packets, got.Packet)
	}
	require.NoError(t, holder.Close(t.Context()))
	synctest.Test(t, func(t *testing.T) { c.runLife(t, 30) })

	folders := 0
	stride := func() int { return 1 + random.IntN(80) }
	for i, at := range c.points {
		folders++
		c.requireReplayed(t, at)
		if i+1 == len(c.points) {
			break
		}
		every := stride
		if all && i > 0 && len(at.tornPoints(c.points[i+1], stride)) > 0 {
			every, all = func() int { return 1 }, false
		}
		for _, cut := range at.tornPoints(c.points[i+1], every) {
			folders++
			c.requireReplayed(t, cut)
		}
	}
	t.Log(folders, "folders")
	c.settleAll(t, c.packets)
	c.closeAndCheck(t)
}

// Bytes behind the mark that were not synced may have any value.
func TestCrashWithASpoiledTail(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	f, packets, whole := leaveFulfills(t, 4)
	name := whole.newestLog()
	for range 20 {
		tail := bytes.Clone(whole[name][512:]) // records, of another place
		for range 1 + random.IntN(5) {
			tail[random.IntN(len(tail))] ^= byte(1 + random.IntN(255))
		}
		folder := whole.withFile(name, slices.Concat(whole[name], tail[:random.IntN(len(tail)+1)])).writeFolder(t)
		f.requireReplayed(t, folder, packets)
	}
	f.closeAndCheck(t)
}
