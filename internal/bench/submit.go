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

// submit is goroutines that hand operations over without waiting. There is one for each
// lane. They look later at the answers that somebody needs: of prepares, whose fulfills
// follow, and of what is timed. That the others are in the books is verified with
// everything else, by what each peer has sent and earned.
func (r *recorderRun) submit(goroutines int) (workers []worker) {
	window := min(goroutines*windowOfLane, windowMax) / goroutines
	if r.phase == phaseSingle {
		window /= sampleEvery // only these are looked at: as many operations are under way
	}
	for i := range goroutines {
		s := &submitter{
			run: r, watch: watch{r.latencies.caller(i), sampleEvery},
			ring: make([]underway, window),
		}
		workers = append(workers, s.work)
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

func (s *submitter) work(ctx context.Context) error {
	for {
		if s.count < len(s.ring) {
			i, n := s.run.quota.take(1)
			if n > 0 {
				if err := s.submit(ctx, s.run.begin(i), i, s.run.phase == phaseTwo); err != nil {
					return err
				}
				continue
			}
			if s.count == 0 {
				return s.run.recorder.Flush(ctx)
			}
		}
		if err := s.await(ctx); err != nil {
			return err
		}
	}
}

func (s *submitter) submit(ctx context.Context, op transfers.Op, i int64, hold bool) error {
	began := s.watch.begin(i)
	ticket, err := s.run.recorder.Submit(ctx, op)
	if err != nil || (!hold && began.IsZero()) {
		return err
	}
	s.ring[(s.first+s.count)%len(s.ring)] = underway{ticket, i, began, hold}
	s.count++
	return nil
}

// await waits for the oldest answer. A hold's packet is fulfilled then and not sooner:
// a connector may forward it only when its prepare was applied.
func (s *submitter) await(ctx context.Context) error {
	u := &s.ring[s.first]
	result := u.ticket.Wait(ctx)
	if result.Err != nil {
		return result.Err
	}
	s.watch.end(u.began)
	packet, hold := u.packet, u.hold
	s.first, s.count = (s.first+1)%len(s.ring), s.count-1
	if !hold {
		return nil
	}
	return s.submit(ctx, transfers.FulfillOp(result.Packet), packet, false)
}
