package embedded

import (
	"context"
	"slices"

	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// A query runs like every request, but its cold rows are read after the ledger is unlocked: so a long
// query does not stop the others. It sees the books of the moment when it had the lock. The order of
// events:
//
//  1. Locked: the query notes the end of the transfers and the cold store, whose segments never
//     change, and takes the rows in memory if they come first.
//  2. Unlocked: it reads the cold rows.
//  3. Locked, if rows are missing that come later: it takes them, up to the noted end. Some may be
//     cold by now.
//
// [Ledger.Close] waits for the queries between the steps.

// coldView is a cold store of one moment, whose files stay open until release.
type coldView struct {
	coldStore
	release func()
}

// lendCold returns the cold store of this moment. The ledger is locked and not closed.
func (l *Ledger) lendCold() *coldView {
	l.reading.Add(1)
	c := l.books.cold
	c.segments = slices.Clip(c.segments)
	return &coldView{c, l.reading.Done}
}

// selectionQuery reads rows of a selection.
type selectionQuery[R any] interface {
	// begin is called first, with the ledger locked, and reports whether there can be rows.
	begin(b *books, s *selection) bool
	// readBooks reads all rows, with the ledger locked; readCold reads the rows in segments.
	readBooks(b *books, s *selection, limit int) ([]R, error)
	readCold(c *coldStore, s *selection, limit int) ([]R, error)
}

// transferQuery is a query for transfers.
type transferQuery struct{}

func (transferQuery) begin(*books, *selection) bool { return true }

func (transferQuery) readBooks(b *books, s *selection, limit int) ([]ledger.Transfer, error) {
	return b.selectedTransfers(s, limit)
}

func (transferQuery) readCold(c *coldStore, s *selection, limit int) ([]ledger.Transfer, error) {
	return c.selectedTransfers(s, limit)
}

// balanceQuery is a query for the balances of an account with history.
type balanceQuery struct{ account accountPosition }

func (q *balanceQuery) begin(b *books, s *selection) (ok bool) {
	q.account, ok = b.accountPosition(s.account)
	return ok && b.accountAt(q.account).Flags.Has(ledger.AccountHistory)
}

func (q *balanceQuery) readBooks(b *books, s *selection, limit int) ([]ledger.AccountBalance, error) {
	return b.selectedBalances(q.account, s, limit)
}

func (q *balanceQuery) readCold(c *coldStore, s *selection, limit int) ([]ledger.AccountBalance, error) {
	return c.selectedBalances(q.account, s, limit)
}

// runSelection answers a query for selected rows. The limit of the size is within the limits.
func runSelection[R any](
	ctx context.Context, l *Ledger, size requestSize, s selection, q selectionQuery[R],
) ([]R, error) {
	var view *coldView
	answer, err := runRead(ctx, l, size, func(b *books) ([]R, error) {
		s.end = b.transferEnd()
		switch {
		case !q.begin(b, &s):
			return nil, nil
		case !b.cold.hasSelected(&s):
			return q.readBooks(b, &s, size.n)
		}
		view = l.lendCold()
		if !s.reversed {
			return nil, nil
		}
		newer := s
		newer.first = view.end()
		return q.readBooks(b, &newer, size.n)
	})
	if view != nil {
		defer view.release()
	}
	if err == nil && view != nil {
		answer, err = finishSelection(l, view, answer, &s, size.n, q)
	}
	switch {
	case err != nil:
		return nil, err
	case answer == nil:
		return []R{}, nil
	default:
		return answer, nil
	}
}

// finishSelection reads what is missing in the answer: cold rows, and then newer rows unless the
// query is reversed.
func finishSelection[R any](
	l *Ledger, view *coldView, answer []R, s *selection, limit int, q selectionQuery[R],
) ([]R, error) {
	if len(answer) < limit {
		rows, err := q.readCold(&view.coldStore, s, limit-len(answer))
		if err != nil {
			return nil, translateReadError(err)
		}
		answer = append(answer, rows...)
	}
	if s.reversed || len(answer) == limit {
		return answer, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	newer := *s
	newer.first = view.end()
	rows, err := q.readBooks(&l.books, &newer, limit-len(answer))
	if err != nil {
		return nil, translateReadError(err)
	}
	return append(answer, rows...), nil
}

// emptyAnswer answers a request whose filter is invalid.
func emptyAnswer[R any](*books) ([]R, error) { return []R{}, nil }

// lookupTransfers looks transfers up, first in memory, and the rest in the cold store.
func (l *Ledger) lookupTransfers(ctx context.Context, ids []ledger.ID, size requestSize) ([]ledger.Transfer, error) {
	var view *coldView
	var missing []ledger.ID // in their order
	found, err := runRead(ctx, l, size, func(b *books) ([]ledger.Transfer, error) {
		found := make([]ledger.Transfer, 0, len(ids))
		for _, id := range ids {
			if t, _ := b.findInMemory(id); t != nil {
				found = append(found, t.wholeTransfer(&b.accounts))
			} else if !b.cold.isEmpty() {
				missing = append(missing, id)
			}
		}
		if len(missing) > 0 {
			view = l.lendCold()
		}
		return found, nil
	})
	if view == nil {
		return found, err
	}
	defer view.release()
	if err != nil {
		return nil, err
	}
	cold, err := view.findTransfers(missing)
	if err != nil {
		return nil, translateReadError(err)
	}
	return mergeFound(ids, found, cold), nil
}

// mergeFound returns the transfers in the order of the ids. found are those in memory, and cold those
// of the other ids, nil where there is none.
func mergeFound(ids []ledger.ID, found []ledger.Transfer, cold []*segment.Row) []ledger.Transfer {
	merged := make([]ledger.Transfer, 0, len(ids))
	for _, id := range ids {
		switch {
		case len(found) > 0 && found[0].ID == id:
			merged, found = append(merged, found[0]), found[1:]
		default:
			if cold[0] != nil {
				merged = append(merged, cold[0].Transfer)
			}
			cold = cold[1:]
		}
	}
	return merged
}

// changeEvents answers a query for change events.
func (l *Ledger) changeEvents(ctx context.Context, size requestSize, q eventQuery) ([]ledger.ChangeEvent, error) {
	var view *coldView
	answer, err := runRead(ctx, l, size, func(b *books) ([]ledger.ChangeEvent, error) {
		q.seeNow(b)
		if b.cold.isEmpty() || q.low > b.cold.newestTimestamp() {
			return b.changeEvents(&q)
		}
		view = l.lendCold()
		return nil, nil
	})
	if view == nil {
		return answer, err
	}
	defer view.release()
	if err != nil {
		return nil, err
	}
	events, whole, err := view.coldEvents(q)
	if err != nil {
		return nil, translateReadError(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if whole {
		return l.books.newChangeEvents(events), nil
	}
	if answer, err = l.books.changeEvents(&q); err != nil {
		return nil, translateReadError(err)
	}
	return answer, nil
}
