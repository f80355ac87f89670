package bench

import (
	"context"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// holdSeconds is the timeout of a hold in every mode.
const holdSeconds = 60

// rawRun writes packets without the recorder. The rows equal the recorder's, apart from their ids.
type rawRun struct {
	traffic   traffic
	phase     phase
	quota     *quota
	latencies *latencies
	ids       idSource
}

// firstTransfer returns the first transfer of packet i.
func (r *rawRun) firstTransfer(i int64) ledger.Transfer {
	from, to := r.traffic.choosePeers(i)
	id := r.ids.nextID()
	t := ledger.Transfer{
		ID: id, DebitAccountID: from.ID(), CreditAccountID: to.ID(), Amount: ledger.NewAmount(unit),
		UserData128: uint128.Uint128(id), UserData64: conditionTag(i), UserData32: uint32(conditionTag(i) >> 16),
		Ledger: usd.Ledger, Code: chart.CodePacket,
	}
	if r.phase == phaseTwo {
		t.Flags, t.Timeout = ledger.TransferPending, holdSeconds
	}
	return t
}

// postTransfer returns the second transfer of a packet in two phases.
func (r *rawRun) postTransfer(held *ledger.Transfer) ledger.Transfer {
	return ledger.Transfer{
		ID: r.ids.nextID(), DebitAccountID: held.DebitAccountID, CreditAccountID: held.CreditAccountID,
		Amount: ledger.AmountMax, PendingID: held.ID, Flags: ledger.TransferPostPending,
		Ledger: held.Ledger, Code: held.Code,
	}
}

// createNew sends a request. Every transfer of it must be new to the ledger.
func (s connection) createNew(ctx context.Context, events []ledger.Transfer) error {
	results, err := s(ctx, events)
	if err != nil {
		return err
	}
	if len(results) != len(events) {
		return fmt.Errorf("%w: %d answers to %d transfers", errBooks, len(results), len(events))
	}
	for i := range results {
		if results[i].Status != ledger.TransferCreated {
			return fmt.Errorf("%w: %w", errBooks, &ledger.TransferError{ID: events[i].ID, Status: results[i].Status})
		}
	}
	return nil
}

// worker is the function of one goroutine of a measurement.
type worker func(context.Context) error

// sendBatched returns one worker per connection. Each sends batches of the same size, as large as
// possible: in two phases a batch of holds and then a batch of their posts.
func (r *rawRun) sendBatched(conns []connection, batchMax int) (workers []worker, size int64) {
	size = evenBatchSize(r.quota.total, int64(len(conns)), int64(batchMax))
	for i, conn := range conns {
		w := r.latencies.newTimer(i, 1)
		events := make([]ledger.Transfer, size)
		workers = append(workers, func(ctx context.Context) error {
			for {
				first, n := r.quota.takePackets(size)
				if n == 0 {
					return nil
				}
				if err := r.sendBatch(ctx, conn, w, events[:n], first); err != nil {
					return err
				}
			}
		})
	}
	return workers, size
}

// evenBatchSize returns the largest batch size at which all connections send the same number of
// batches.
func evenBatchSize(total, conns, batchMax int64) int64 {
	batches := divideUp(total, conns*batchMax) // per connection
	return divideUp(total, conns*batches)
}

func divideUp(a, b int64) int64 { return (a + b - 1) / b }

func (r *rawRun) sendBatch(ctx context.Context, conn connection, w callTimer, events []ledger.Transfer, first int64) error {
	for i := range events {
		events[i] = r.firstTransfer(first + int64(i))
	}
	began := w.startTimer(0)
	if err := conn.createNew(ctx, events); err != nil {
		return err
	}
	w.stopTimer(began)
	if r.phase == phaseSingle {
		return nil
	}
	for i := range events {
		events[i] = r.postTransfer(&events[i])
	}
	began = w.startTimer(0)
	if err := conn.createNew(ctx, events); err != nil {
		return err
	}
	w.stopTimer(began)
	return nil
}

// sendMixed returns one worker per connection. Each request has the posts of the holds in the
// request before, and as many new holds, as in continuous traffic.
func (r *rawRun) sendMixed(conns []connection, batchMax int) (workers []worker, most int64) {
	size := evenBatchSize(r.quota.total, int64(len(conns)), int64(batchMax/2))
	for i, conn := range conns {
		w := r.latencies.newTimer(i, 1)
		events, held := make([]ledger.Transfer, 0, 2*size), make([]ledger.Transfer, 0, size)
		workers = append(workers, func(ctx context.Context) error {
			for {
				events = events[:0]
				for i := range held {
					events = append(events, r.postTransfer(&held[i]))
				}
				first, n := r.quota.takePackets(size)
				held = held[:0]
				for i := range n {
					held = append(held, r.firstTransfer(first+i))
				}
				if events = append(events, held...); len(events) == 0 {
					return nil
				}
				began := w.startTimer(0)
				if err := conn.createNew(ctx, events); err != nil {
					return err
				}
				w.stopTimer(began)
			}
		})
	}
	return workers, 2 * size
}

// sendSingle returns one worker per caller. The workers share the connections and send one transfer
// per request.
func (r *rawRun) sendSingle(conns []connection, callers int) (workers []worker) {
	for i := range callers {
		conn, w := conns[i%len(conns)], r.latencies.newTimer(i, callers)
		events := make([]ledger.Transfer, 1)
		workers = append(workers, func(ctx context.Context) error {
			for {
				first, n := r.quota.takePackets(1)
				if n == 0 {
					return nil
				}
				if err := r.sendOne(ctx, conn, w, events, first); err != nil {
					return err
				}
			}
		})
	}
	return workers
}

func (r *rawRun) sendOne(ctx context.Context, conn connection, w callTimer, events []ledger.Transfer, i int64) error {
	events[0] = r.firstTransfer(i)
	began := w.startTimer(i)
	if err := conn.createNew(ctx, events); err != nil {
		return err
	}
	w.stopTimer(began)
	if r.phase == phaseSingle {
		return nil
	}
	events[0] = r.postTransfer(&events[0])
	began = w.startTimer(i)
	if err := conn.createNew(ctx, events); err != nil {
		return err
	}
	w.stopTimer(began)
	return nil
}
