package embedded

import (
	"iter"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// rowSource is a sequence of rows that contains the answer to a query: rows in the order of the
// answer, and their number.
type rowSource struct {
	size int
	rows iter.Seq[place]
}

// rowSpan is the rows at the places first to end-1 of a list.
type rowSpan struct{ first, end place }

func (s rowSpan) toSource(reversed bool) rowSource {
	return rowSource{int(s.end - s.first), func(yield func(place) bool) {
		for i := range s.end - s.first {
			pos := s.first + i
			if reversed {
				pos = s.end - 1 - i
			}
			if !yield(pos) {
				return
			}
		}
	}}
}

// cutList cuts an ascending list of rows to the span.
func (s rowSpan) cutList(list []place) []place {
	first, _ := slices.BinarySearch(list, s.first)
	end, _ := slices.BinarySearch(list, s.end)
	return list[first:end]
}

// mergeLists returns a source of the rows of ascending lists. No two lists share a row.
func mergeLists(reversed bool, lists ...[]place) rowSource {
	size := 0
	for _, list := range lists {
		size += len(list)
	}
	return rowSource{size, func(yield func(place) bool) {
		rest := slices.Clone(lists)
		for range size {
			if !yield(takeNext(rest, reversed)) {
				return
			}
		}
	}}
}

// takeNext removes and returns the smallest row of the lists, or the greatest if reversed. At least
// one list has a row.
func takeNext(lists [][]place, reversed bool) place {
	next := -1
	for i, list := range lists {
		if len(list) == 0 {
			continue
		}
		if next < 0 || reversed == (nextInList(list, reversed) > nextInList(lists[next], reversed)) {
			next = i
		}
	}
	list := lists[next]
	if reversed {
		lists[next] = list[:len(list)-1]
	} else {
		lists[next] = list[1:]
	}
	return nextInList(list, reversed)
}

func nextInList(list []place, reversed bool) place {
	if reversed {
		return list[len(list)-1]
	}
	return list[0]
}

// spanOf returns the rows from timestamp low to high, both inclusive; 0 is no bound. from finds the
// first row at or after a timestamp, among n rows.
func spanOf(low, high uint64, n place, from func(uint64) place) rowSpan {
	s := rowSpan{from(low), n}
	if high != 0 {
		s.end = max(s.first, from(high+1))
	}
	return s
}

// smallestSource returns the source with the fewest rows. all has every row.
func smallestSource(all rowSource, others ...rowSource) rowSource {
	return slices.MinFunc(append(others, all), func(a, b rowSource) int { return a.size - b.size })
}

// collectRows returns the first rows of the source accepted by accept, at most limit.
func collectRows(from rowSource, limit int, accept func(place) bool) []place {
	found := make([]place, 0, min(limit, from.size))
	for pos := range from.rows {
		if len(found) == limit {
			break
		}
		if accept(pos) {
			found = append(found, pos)
		}
	}
	return found
}

func (b *books) queryAccounts(filter *ledger.QueryFilter) []ledger.Account {
	if !filter.Valid() {
		return []ledger.Account{}
	}
	s := selectionOf(filter)
	fieldsAt := func(p place) queryFields { return accountFields(b.accounts.rowAt(p)) }
	span := spanOf(s.timestampMin, s.timestampMax, b.accounts.count, b.accountsFrom)
	sources := s.fieldSources(&b.accountIndex, span, b.accounts.count, fieldsAt)
	found := collectRows(smallestSource(span.toSource(s.reversed), sources...), int(filter.Limit), func(p place) bool {
		return s.want.matchesFields(fieldsAt(p))
	})
	answer := make([]ledger.Account, len(found))
	for i, pos := range found {
		answer[i] = *b.accounts.rowAt(pos)
	}
	return answer
}

// selectedTransfers returns the selected transfers, at most limit.
func (b *books) selectedTransfers(s *selection, limit int) ([]ledger.Transfer, error) {
	return inOrder(s.reversed, limit,
		func(limit int) ([]ledger.Transfer, error) { return b.cold.selectedTransfers(s, limit) },
		func(limit int) (rows []ledger.Transfer, err error) {
			account, known := b.accountPosition(s.account)
			if !known && !s.account.IsZero() {
				return nil, nil
			}
			for g := range b.generations(s.reversed) {
				found := g.selectRows(s, account, limit-len(rows))
				rows = slices.Grow(rows, len(found))
				for _, p := range found {
					rows = append(rows, g.transfers.rowAt(p).wholeTransfer(&b.accounts))
				}
			}
			return rows, nil
		})
}

// inOrder returns rows of the older part of the books and then of the newer part, or the other way
// if reversed, at most limit.
func inOrder[R any](reversed bool, limit int, older, newer func(limit int) ([]R, error)) ([]R, error) {
	if reversed {
		older, newer = newer, older
	}
	rows, err := older(limit)
	if err != nil || len(rows) == limit {
		return rows, err
	}
	more, err := newer(limit - len(rows))
	if len(rows) == 0 {
		return more, err
	}
	return append(rows, more...), err
}

// selectedBalances returns the balances of the selection's account, which is at the position, after
// the selected transfers, at most limit.
func (b *books) selectedBalances(account accountPosition, s *selection, limit int) ([]ledger.AccountBalance, error) {
	return inOrder(s.reversed, limit,
		func(limit int) ([]ledger.AccountBalance, error) { return b.cold.selectedBalances(account, s, limit) },
		func(limit int) (rows []ledger.AccountBalance, err error) {
			for g := range b.generations(s.reversed) {
				more, err := b.balancesIn(g, account, s, limit-len(rows))
				if err != nil {
					return nil, err
				}
				rows = append(rows, more...)
			}
			return rows, nil
		})
}

// balancesIn returns the balances of a generation after the selected transfers.
func (b *books) balancesIn(g *generation, account accountPosition, s *selection, limit int) ([]ledger.AccountBalance, error) {
	found := g.selectRows(s, account, limit)
	if len(found) == 0 {
		return nil, nil
	}
	if err := b.catchUp(g); err != nil {
		return nil, err
	}
	rows := make([]ledger.AccountBalance, len(found))
	for i, pos := range found {
		t, states := g.transfers.rowAt(pos), g.history.transferStates.rowAt(pos)
		state := &states.credit
		if t.debit == account {
			state = &states.debit
		}
		rows[i] = balanceAt(state, t.Timestamp)
	}
	return rows, nil
}

func balanceAt(s *accountState, timestamp uint64) ledger.AccountBalance {
	return ledger.AccountBalance{
		DebitsPending: s.debitsPending, DebitsPosted: s.debitsPosted,
		CreditsPending: s.creditsPending, CreditsPosted: s.creditsPosted,
		Timestamp: timestamp,
	}
}
