package transfers

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// newIdleLane returns a lane without goroutines and without a ledger.
func newIdleLane(limit int) *lane {
	r := &Recorder{admission: &admission{}, cfg: Config{}.withDefaults(), backlog: newBacklog(1<<20, 1<<19, nil)}
	ln := newLane(0, nil, r)
	ln.builder.transferLimit = limit
	return ln
}

// nextBatch takes a batch as the sender does, and returns its operations as if they were answered.
func (ln *lane) nextBatch() []*operation {
	select {
	case <-ln.inbox.wake: // as if it had waited
	default:
	}
	b, _ := ln.builder.tryNextBatch()
	if b == nil {
		return nil
	}
	ln.builder.reuseBatch(b)
	return append([]*operation(nil), b.remaining...)
}

// testOperation returns an operation on a packet with 1 or 2 legs.
func testOperation(t *testing.T, kind Kind, packet uint64, legs int) *operation {
	t.Helper()
	p := newParties(t)
	o := &operation{slot: new(resultSlot), kind: kind, phase: firstPhase(kind), legCount: uint8(legs), fromAsset: p.assets[1], toAsset: p.assets[1]}
	o.packet = Packet{ID: ledger.NewID(packet<<8, 1), From: p.alice, To: p.bob, In: uint64(legs), Out: 1}
	return o
}

// packetNumbers returns the numbers of the packets of a batch.
func packetNumbers(batch []*operation) (ids []uint64) {
	for _, o := range batch {
		ids = append(ids, o.packet.ID.Lo>>8)
	}
	return ids
}

func TestPromisedMoneyGoesFirst(t *testing.T) {
	t.Parallel()
	ln := newIdleLane(4)
	for i := range uint64(6) {
		ln.addOperation(testOperation(t, KindPrepare, 1+i, 1))
	}
	ln.addOperation(testOperation(t, KindFulfill, 11, 1))
	ln.addOperation(testOperation(t, KindReject, 12, 1))
	ln.addOperation(testOperation(t, KindForward, 13, 1))
	require.Equal(t, []uint64{11, 12, 13, 1}, packetNumbers(ln.nextBatch()))
	ln.addOperation(testOperation(t, KindFulfill, 14, 1)) // while prepares are left from before
	require.Equal(t, []uint64{14, 2, 3, 4}, packetNumbers(ln.nextBatch()))
	require.Equal(t, []uint64{5, 6}, packetNumbers(ln.nextBatch()))
	require.Nil(t, ln.nextBatch())
}

// Operations that fit into one batch keep their order.
func TestShortBacklogStaysInOrder(t *testing.T) {
	t.Parallel()
	ln := newIdleLane(4)
	ln.addOperation(testOperation(t, KindPrepare, 1, 1))
	ln.addOperation(testOperation(t, KindFulfill, 2, 1))
	ln.addOperation(testOperation(t, KindPrepare, 3, 1))
	require.Equal(t, []uint64{1, 2, 3}, packetNumbers(ln.nextBatch()))
}

// A fulfill overtakes neither the prepare nor an earlier reject of its own packet, however long
// the backlog is.
func TestPromisedMoneyDoesNotOvertakeItsPacket(t *testing.T) {
	t.Parallel()
	ln := newIdleLane(2)
	for i := range uint64(5) {
		ln.addOperation(testOperation(t, KindPrepare, 1+i, 1))
	}
	ln.addOperation(testOperation(t, KindFulfill, 5, 1))
	ln.addOperation(testOperation(t, KindReject, 5, 1))
	ln.addOperation(testOperation(t, KindFulfill, 9, 1))
	var got [][]uint64
	for batch := ln.nextBatch(); batch != nil; batch = ln.nextBatch() {
		got = append(got, packetNumbers(batch))
	}
	require.Equal(t, [][]uint64{{9, 1}, {2, 3}, {4, 5}, {5}, {5}}, got, "and a packet is resolved once in a batch")
	require.Empty(t, ln.builder.queue.deferredByPacket)
}

func TestMarksComeLast(t *testing.T) {
	t.Parallel()
	ln := newIdleLane(2)
	for i := range uint64(5) {
		ln.addOperation(testOperation(t, KindPrepare, 1+i, 1))
	}
	var mark resultSlot
	require.True(t, ln.addFlushMark(&mark))
	ln.addOperation(testOperation(t, KindPrepare, 6, 1))
	seen := map[uint64]bool{}
	for !seen[6] {
		b, _ := ln.builder.tryNextBatch()
		for _, o := range b.remaining {
			seen[o.packet.ID.Lo>>8] = true
		}
		b.answered = append(b.answered, b.remaining...)
		marked := len(b.flushMarks) > 0
		ln.publisher.publishBatch(b)
		if marked {
			require.Len(t, seen, 6, "5 before it, and 1 that went with the same batch")
		}
	}
	require.Equal(t, publishedWaiter, mark.waiter.Load())
}

// A mark is reached also if operations on promised money keep arriving.
func TestMarkIsReachedUnderLoad(t *testing.T) {
	t.Parallel()
	ln, packet := newIdleLane(2), uint64(0)
	more := func(n int) {
		for range n {
			packet++
			ln.addOperation(testOperation(t, KindForward, packet, 1))
		}
	}
	more(4)
	var mark resultSlot
	ln.addFlushMark(&mark)
	for range 3 {
		more(2)
		b, _ := ln.builder.tryNextBatch()
		b.answered = append(b.answered, b.remaining...)
		ln.publisher.publishBatch(b)
	}
	require.Equal(t, publishedWaiter, mark.waiter.Load())
}

// Random operations on few packets are added at random moments, with random transfer limits.
func TestCuttingKeepsItsRules(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 2))
	for range 300 {
		limit := 3 + random.IntN(20)
		ln := newIdleLane(limit)
		pushed := map[uint64][]*resultSlot{} // by packet, in order
		got := map[uint64][]*resultSlot{}
		total, taken := 0, 0
		for round := 0; round < 30 || taken < total; round++ {
			for range random.IntN(20) * max(0, 30-round) / 30 {
				packet := uint64(random.IntN(12))
				o := testOperation(t, KindPrepare+Kind(random.IntN(4)), packet, 1+random.IntN(2))
				pushed[packet] = append(pushed[packet], o.slot)
				ln.addOperation(o)
				total++
			}
			transfers, resolved := 0, map[uint64]bool{}
			before := ln.builder.queue.operationCount() + ln.inbox.waiting.operations
			batch := ln.nextBatch()
			for _, o := range batch {
				packet := o.packet.ID.Lo >> 8
				got[packet] = append(got[packet], o.slot)
				transfers += o.transferCount()
				taken++
				if !o.kind.beginsPacket() {
					require.False(t, resolved[packet], "resolved twice in one batch")
					resolved[packet] = true
				}
			}
			require.LessOrEqual(t, transfers, limit)
			require.Equal(t, before, ln.builder.queue.operationCount()+len(batch))
		}
		require.Equal(t, pushed, got, "each once, and those of a packet in order")
		require.Empty(t, ln.builder.queue.deferredByPacket)
		require.Zero(t, ln.builder.queue.transferCount())
	}
}

func TestExpiredPreparesAreNotSent(t *testing.T) {
	t.Parallel()
	ln, now := newIdleLane(10), time.Now()
	late, soon := testOperation(t, KindPrepare, 1, 1), testOperation(t, KindPrepare, 2, 2)
	late.packet.Expiry, soon.packet.Expiry = now.Add(time.Second), now.Add(2*time.Second)
	promised := testOperation(t, KindFulfill, 3, 1)
	promised.packet.Expiry = late.packet.Expiry
	for _, o := range []*operation{soon, late, promised, testOperation(t, KindPrepare, 4, 1)} {
		ln.addOperation(o)
	}
	b, _ := ln.builder.tryNextBatch()
	b.dropExpired(now)
	require.Len(t, b.remaining, 4)
	require.True(t, b.fullyEncoded)
	b.dropExpired(now.Add(time.Second))
	require.Equal(t, []uint64{2, 3, 4}, packetNumbers(b.remaining))
	require.Equal(t, []uint64{1}, packetNumbers(b.answered))
	require.ErrorIs(t, late.slot.err, ErrHoldTooShort)
	require.Equal(t, 3, b.encodeRequest(10))
	require.Len(t, b.transfers, 4)
}

// A full batch is prebuilt and goes next, whatever arrives later. A batch that is not full is left
// to grow.
func TestCutAhead(t *testing.T) {
	t.Parallel()
	ln := newIdleLane(3)
	ln.addOperation(testOperation(t, KindPrepare, 1, 1))
	ln.addOperation(testOperation(t, KindPrepare, 2, 1))
	ln.builder.prebuildBatch()
	require.Nil(t, ln.builder.prebuilt)
	ln.addOperation(testOperation(t, KindPrepare, 3, 1))
	ln.builder.prebuildBatch()
	require.NotNil(t, ln.builder.prebuilt)
	ln.addOperation(testOperation(t, KindFulfill, 3, 1))
	ln.builder.prebuildBatch()
	require.True(t, ln.builder.hasWork())
	require.Equal(t, []uint64{1, 2, 3}, packetNumbers(ln.nextBatch()))
	require.True(t, ln.builder.hasWork())
	require.Equal(t, []uint64{3}, packetNumbers(ln.nextBatch()))
	require.False(t, ln.builder.hasWork())
}

// Operations are reused without a trace of their last use.
func TestOperationsAreUsedAgain(t *testing.T) {
	t.Parallel()
	ln := newIdleLane(10)
	first := testOperation(t, KindFulfill, 1, 2)
	first.sent, first.voiding, first.unanswered, first.replayed, first.journalPos = true, true, true, true, 7
	ln.addOperation(first)
	used := ln.nextBatch()
	ln.publisher.releaseCallers(used)
	next := testOperation(t, KindPrepare, 2, 1)
	ln.addOperation(next)
	again := ln.nextBatch()
	require.Same(t, used[0], again[0])
	next.arrivedAt = again[0].arrivedAt // the lane's own
	require.Equal(t, next, again[0])
}

// New packets go to the lane with less load. Later operations on a packet go to its lane.
func TestLanesAreLevelled(t *testing.T) {
	t.Parallel()
	p := newParties(t)
	r := &Recorder{admission: &admission{}, cfg: Config{}.withDefaults()}
	for i := range 3 {
		r.lanes = append(r.lanes, newLane(i, nil, r))
	}
	counts := map[*lane]int{}
	count := func(n int) {
		clear(counts)
		for range n {
			counts[r.laneOf(r.newPacketID(time.UnixMilli(1)))]++
		}
	}
	count(3000)
	for _, ln := range r.lanes {
		require.InDelta(t, 1000, counts[ln], 200, "level lanes are used alike")
	}
	r.lanes[1].load.Store(maxLaneImbalance + 1)
	count(3000)
	require.LessOrEqual(t, counts[r.lanes[1]], 50, "16 draws in a row by chance: a third to the 16th")
	r.lanes[1].load.Store(maxLaneImbalance)
	count(3000)
	require.InDelta(t, 1000, counts[r.lanes[1]], 200)

	o := testOperation(t, KindForward, 1, 1)
	o.packet.From = p.alice
	r.lanes[0].addOperation(o)
	require.Equal(t, int64(1), r.lanes[0].load.Load())
	require.True(t, r.lanes[0].addFlushMark(new(resultSlot)))
	require.Equal(t, int64(1), r.lanes[0].load.Load())
}
