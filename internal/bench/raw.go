package bench

import (
	"context"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// holdSeconds is how long a packet is held, whoever writes it.
const holdSeconds = 60

// rawRun writes packets without the recorder: the same rows as the recorder, under
// ids of its own.
type rawRun struct {
	traffic   traffic
	phase     phase
	quota     *quota
	latencies *latencies
	ids       idSource
}

// begin is the first transfer of packet i.
func (r *rawRun) begin(i int64) ledger.Transfer {
	from, to := r.traffic.between(i)
	id := r.ids.next()
	t := ledger.Transfer{
		ID: id, DebitAccountID: from.ID(), CreditAccountID: to.ID(), Amount: ledger.NewAmount(unit),
		UserData128: uint128.Uint128(id), UserData64: tag(i), UserData32: uint32(tag(i) >> 16),
		Ledger: usd.Ledger, Code: chart.CodePacket,
	}
	if r.phase == phaseTwo {
		t.Flags, t.Timeout = ledger.TransferPending, holdSeconds
	}
	return t
}

// post is the second transfer of a packet in two phases.
func (r *rawRun) post(held *ledger.Transfer) ledger.Transfer {
	return ledger.Transfer{
		ID: r.ids.next(), DebitAccountID: held.DebitAccountID, CreditAccountID: held.CreditAccountID,
		Amount: ledger.AmountMax, PendingID: held.ID, Flags: ledger.TransferPostPending,
		Ledger: held.Ledger, Code: held.Code,
	}
}

// all sends a request, of which every transfer must be new to the ledger.
func (s send) all(ctx context.Context, events []ledger.Transfer) error {
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

// worker is what one goroutine of a measurement does.
type worker func(context.Context) error

// batched is a goroutine for each connection that builds batches as large as they can
// be: of two phases, first one of holds and then one of their posts.
func (r *rawRun) batched(conns []send, batchMax int) (workers []worker, size int64) {
	size = evenly(r.quota.total, int64(len(conns)), int64(batchMax))
	for i, conn := range conns {
		w := r.latencies.watch(i, 1)
		events := make([]ledger.Transfer, size)
		workers = append(workers, func(ctx context.Context) error {
			for {
				first, n := r.quota.take(size)
				if n == 0 {
					return nil
				}
				if err := r.batch(ctx, conn, w, events[:n], first); err != nil {
					return err
				}
			}
		})
	}
	return workers, size
}

// evenly is the largest batch that gives each of the connections as many batches as
// the others.
func evenly(total, conns, batchMax int64) int64 {
	batches := ceil(total, conns*batchMax) // of each
	return ceil(total, conns*batches)
}

func ceil(a, b int64) int64 { return (a + b - 1) / b }

func (r *rawRun) batch(ctx context.Context, conn send, w watch, events []ledger.Transfer, first int64) error {
	for i := range events {
		events[i] = r.begin(first + int64(i))
	}
	began := w.begin(0)
	if err := conn.all(ctx, events); err != nil {
		return err
	}
	w.end(began)
	if r.phase == phaseSingle {
		return nil
	}
	for i := range events {
		events[i] = r.post(&events[i])
	}
	began = w.begin(0)
	if err := conn.all(ctx, events); err != nil {
		return err
	}
	w.end(began)
	return nil
}

// mixed is as batched, but for what is in a request: the posts of what the one before it
// has held, and as many new holds, as in traffic that goes on.
func (r *rawRun) mixed(conns []send, batchMax int) (workers []worker, most int64) {
	size := evenly(r.quota.total, int64(len(conns)), int64(batchMax/2))
	for i, conn := range conns {
		w := r.latencies.watch(i, 1)
		events, held := make([]ledger.Transfer, 0, 2*size), make([]ledger.Transfer, 0, size)
		workers = append(workers, func(ctx context.Context) error {
			for {
				events = events[:0]
				for i := range held {
					events = append(events, r.post(&held[i]))
				}
				first, n := r.quota.take(size)
				held = held[:0]
				for i := range n {
					held = append(held, r.begin(first+i))
				}
				if events = append(events, held...); len(events) == 0 {
					return nil
				}
				began := w.begin(0)
				if err := conn.all(ctx, events); err != nil {
					return err
				}
				w.end(began)
			}
		})
	}
	return workers, 2 * size
}

// single is many goroutines that share the connections, and send one transfer each.
func (r *rawRun) single(conns []send, callers int) (workers []worker) {
	for i := range callers {
		conn, w := conns[i%len(conns)], r.latencies.watch(i, callers)
		events := make([]ledger.Transfer, 1)
		workers = append(workers, func(ctx context.Context) error {
			for {
				first, n := r.quota.take(1)
				if n == 0 {
					return nil
				}
				if err := r.one(ctx, conn, w, events, first); err != nil {
					return err
				}
			}
		})
	}
	return workers
}

func (r *rawRun) one(ctx context.Context, conn send, w watch, events []ledger.Transfer, i int64) error {
	events[0] = r.begin(i)
	began := w.begin(i)
	if err := conn.all(ctx, events); err != nil {
		return err
	}
	w.end(began)
	if r.phase == phaseSingle {
		return nil
	}
	events[0] = r.post(&events[0])
	began = w.begin(i)
	if err := conn.all(ctx, events); err != nil {
		return err
	}
	w.end(began)
	return nil
}
