package embedded

import (
	"context"
	"iter"

	"github.com/peerledger/peerledger/ledger"
)

// BurntIDs are the ids that a transient refusal has burnt, in no order: a transfer with such an id is
// refused with [ledger.TransferIDAlreadyFailed] for ever. A server has no such list. Package migrate
// burns them again in another ledger.
//
// The ids of one moment are in it, each once if nothing else uses the ledger meanwhile. Ids that a
// request burns meanwhile may be missing, and ids that a checkpoint writes meanwhile may come twice. The
// ledger is not locked between two ids, and Close waits for the end of the loop.
//
// The sequence ends after its first error, which comes with a zero id: [ledger.ErrClosed], the
// context's, or as of a query that cannot read the disk. A context that has ended is an error even if
// there is no burnt id.
func (l *Ledger) BurntIDs(ctx context.Context) iter.Seq2[ledger.ID, error] {
	return func(yield func(ledger.ID, error) bool) {
		hot, cold, err := l.listHotBurnt()
		if err != nil {
			yield(ledger.ID{}, err)
			return
		}
		defer cold.release()
		for _, ids := range hot {
			if !yieldBurnt(ctx, ids, yield) {
				return
			}
		}
		if cold.isEmpty() {
			return
		}
		for id, err := range cold.index.BurntIDs(ctx) {
			if err != nil {
				yield(ledger.ID{}, translateReadError(err))
				return
			}
			if !yield(id, nil) {
				return
			}
		}
	}
}

// yieldBurnt yields the ids, and the context's error when it has ended, also before the first and behind
// the last id. It reports whether there was no error and yield wants more.
func yieldBurnt(ctx context.Context, ids rows[ledger.ID], yield func(ledger.ID, error) bool) bool {
	for i := range ids.count {
		if ctx.Err() != nil {
			break
		}
		if !yield(*ids.rowAt(i), nil) {
			return false
		}
	}
	if err := ctx.Err(); err != nil {
		yield(ledger.ID{}, err)
		return false
	}
	return true
}

// listHotBurnt returns the burnt ids in memory, a list for each generation, and lends the cold store
// with all others. The lists stay valid: a burnt id is never removed, and rows never move.
func (l *Ledger) listHotBurnt() (hot []rows[ledger.ID], cold *coldView, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, nil, ledger.ErrClosed
	}
	if err := l.journal.logError(); err != nil {
		return nil, nil, err
	}
	for g := range l.books.generations(false) {
		hot = append(hot, g.burnt.ids)
	}
	return hot, l.lendCold(), nil
}
