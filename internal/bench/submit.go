package bench

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/transfers"
)

// All submitters together have three full requests per lane under way: one in flight, one queued,
// one whose answers are read. The upper bound is three quarters of the recorder's backlog.
const (
	windowOfLane = 3 * 8192
	windowMax    = 3 * 65536 / 4
)

// submitAll returns one worker per lane. A worker submits operations without waiting and reads two
// kinds of answers later: of prepares, because their fulfills follow, and of sampled operations.
// The books of all peers verify the rest.
func (r *recorderRun) submitAll(goroutines int) (workers []worker) {
	window := min(goroutines*windowOfLane, windowMax) / goroutines
	if r.phase == phaseSingle {
		window /= sampleEvery // only sampled answers are read: the number of operations under way stays the same
	}
	for i := range goroutines {
		s := &submitter{
			run: r, timer: callTimer{r.latencies.selectShard(i), sampleEvery},
			ring: make([]pendingOperation, window),
		}
		workers = append(workers, s.submitPackets)
	}
	return workers
}

// submitter is the state of one worker. The operations whose answers it reads are in a ring, oldest
// first.
type submitter struct {
	run   *recorderRun
	timer callTimer
	ring  []pendingOperation
	first int // index in the ring
	count int
}

// pendingOperation is a submitted operation whose answer is read later.
type pendingOperation struct {
	future transfers.Future
	packet int64
	began  time.Time // zero: not sampled
	hold   bool      // a prepare: its fulfill follows
}

func (s *submitter) submitPackets(ctx context.Context) error {
	for {
		if s.count < len(s.ring) {
			i, n := s.run.quota.takePackets(1)
			if n > 0 {
				if err := s.submitOperation(ctx, s.run.newFirstOperation(i), i, s.run.phase == phaseTwo); err != nil {
					return err
				}
				continue
			}
			if s.count == 0 {
				return s.run.recorder.Flush(ctx)
			}
		}
		if err := s.awaitOldest(ctx); err != nil {
			return err
		}
	}
}

func (s *submitter) submitOperation(ctx context.Context, op transfers.Op, i int64, hold bool) error {
	began := s.timer.startTimer(i)
	ticket, err := s.run.recorder.Submit(ctx, op)
	if err != nil || (!hold && began.IsZero()) {
		return err
	}
	s.ring[(s.first+s.count)%len(s.ring)] = pendingOperation{ticket, i, began, hold}
	s.count++
	return nil
}

// awaitOldest waits for the oldest answer. The fulfill of a hold is submitted only now: a connector
// may forward a packet only after its prepare was applied.
func (s *submitter) awaitOldest(ctx context.Context) error {
	u := &s.ring[s.first]
	result := u.future.Wait(ctx)
	if result.Err != nil {
		return result.Err
	}
	s.timer.stopTimer(u.began)
	packet, hold := u.packet, u.hold
	s.first, s.count = (s.first+1)%len(s.ring), s.count-1
	if !hold {
		return nil
	}
	if s.run.held != nil {
		s.run.held(packet, result.Packet)
	}
	return s.submitOperation(ctx, transfers.FulfillOp(result.Packet), packet, false)
}
