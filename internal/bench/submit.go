package bench

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/transfers"
)

// How many operations the submitters have under way, all together: three full requests
// for each lane, one in flight, one that waits, and one whose answers they look at; as
// far as three quarters of the recorder's backlog allow.
const (
	windowOfLane = 3 * 8192
	windowMax    = 3 * 65536 / 4
)

// submitAll is goroutines that hand operations over without waiting. There is one for each
// lane. They look later at the answers that somebody needs: of prepares, whose fulfills
// follow, and of what is timed. That the others are in the books is verified with
// everything else, by what each peer has sent and earned.
func (r *recorderRun) submitAll(goroutines int) (workers []worker) {
	window := min(goroutines*windowOfLane, windowMax) / goroutines
	if r.phase == phaseSingle {
		window /= sampleEvery // only these are looked at: as many operations are under way
	}
	for i := range goroutines {
		s := &submitter{
			run: r, watch: watch{r.latencies.newShard(i), sampleEvery},
			ring: make([]underway, window),
		}
		workers = append(workers, s.submitPackets)
	}
	return workers
}

// submitter is one of these goroutines. The operations whose answers it looks at are a
// ring, oldest first.
type submitter struct {
	run   *recorderRun
	watch watch
	ring  []underway
	first int // of the ring
	count int
}

// underway is an operation that was handed over and is looked at.
type underway struct {
	ticket transfers.Future
	packet int64
	began  time.Time // zero if it is not timed
	hold   bool      // a prepare, whose fulfill is to follow
}

func (s *submitter) submitPackets(ctx context.Context) error {
	for {
		if s.count < len(s.ring) {
			i, n := s.run.quota.takePackets(1)
			if n > 0 {
				if err := s.submitOperation(ctx, s.run.firstOperation(i), i, s.run.phase == phaseTwo); err != nil {
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
	began := s.watch.startTimer(i)
	ticket, err := s.run.recorder.Submit(ctx, op)
	if err != nil || (!hold && began.IsZero()) {
		return err
	}
	s.ring[(s.first+s.count)%len(s.ring)] = underway{ticket, i, began, hold}
	s.count++
	return nil
}

// awaitOldest waits for the oldest answer. A hold's packet is fulfilled then and not sooner:
// a connector may forward it only when its prepare was applied.
func (s *submitter) awaitOldest(ctx context.Context) error {
	u := &s.ring[s.first]
	result := u.ticket.Wait(ctx)
	if result.Err != nil {
		return result.Err
	}
	s.watch.stopTimer(u.began)
	packet, hold := u.packet, u.hold
	s.first, s.count = (s.first+1)%len(s.ring), s.count-1
	if !hold {
		return nil
	}
	return s.submitOperation(ctx, transfers.FulfillOp(result.Packet), packet, false)
}
