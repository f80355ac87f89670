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
	rows iter.Seq[position]
}

// rowSpan is the rows first to end-1.
type rowSpan struct{ first, end position }

func (s rowSpan) toSource(reversed bool) rowSource {
	return rowSource{int(s.end - s.first), func(yield func(position) bool) {
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
func (s rowSpan) cutList(list []position) []position {
	first, _ := slices.BinarySearch(list, s.first)
	end, _ := slices.BinarySearch(list, s.end)
	return list[first:end]
}

// mergeLists returns a source of the rows of ascending lists. No two lists share a row.
func mergeLists(reversed bool, lists ...[]position) rowSource {
	size := 0
	for _, list := range lists {
		size += len(list)
	}
	return rowSource{size, func(yield func(position) bool) {
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
func takeNext(lists [][]position, reversed bool) position {
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

func nextInList(list []position, reversed bool) position {
	if reversed {
		return list[len(list)-1]
	}
	return list[0]
}

// spanOf returns the rows from timestamp low to high, both inclusive; 0 is no bound. from finds the
// first row at or after a timestamp, among n rows.
func spanOf(low, high uint64, n position, from func(uint64) position) rowSpan {
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
func collectRows(from rowSource, limit uint32, accept func(position) bool) []position {
	found := make([]position, 0, min(int(limit), from.size))
	for pos := range from.rows {
		if !accept(pos) {
			continue
		}
		found = append(found, pos)
		if len(found) == int(limit) {
			break
		}
	}
	return found
}

func (b *books) queryAccounts(filter *ledger.QueryFilter) []ledger.Account {
	fieldsAt := func(pos position) queryFields { return accountFields(b.accounts.rowAt(pos)) }
	found := searchRows(filter, &b.accountIndex, b.accounts.count, b.accountsFrom, fieldsAt)
	answer := make([]ledger.Account, len(found))
	for i, pos := range found {
		answer[i] = *b.accounts.rowAt(pos)
	}
	return answer
}

func (b *books) queryTransfers(filter *ledger.QueryFilter) []ledger.Transfer {
	fieldsAt := func(pos position) queryFields { return transferFields(&b.transfers.rowAt(pos).Transfer) }
	return b.transfersAt(searchRows(filter, &b.transferIndex, b.transfers.count, b.transfersFrom, fieldsAt))
}

// searchRows returns the rows selected by a query filter in a list of n rows.
func searchRows(
	filter *ledger.QueryFilter, index *fieldIndex, n position,
	from func(timestamp uint64) position, fieldsAt func(position) queryFields,
) []position {
	if !filter.Valid() {
		return nil
	}
	want := queryFields{filter.UserData128, filter.UserData64, filter.UserData32, filter.Ledger, filter.Code}
	reversed := filter.Flags&ledger.QueryFilterReversed != 0
	span := spanOf(filter.TimestampMin, filter.TimestampMax, n, from)
	var sources []rowSource
	for _, list := range index.rowsByField(want, n, fieldsAt) {
		sources = append(sources, mergeLists(reversed, span.cutList(list)))
	}
	return collectRows(smallestSource(span.toSource(reversed), sources...), filter.Limit, func(pos position) bool {
		return want.matchesFields(fieldsAt(pos))
	})
}

func (b *books) accountTransfers(filter *ledger.AccountFilter) []ledger.Transfer {
	return b.transfersAt(b.searchAccount(filter))
}

func (b *books) transfersAt(found []position) []ledger.Transfer {
	answer := make([]ledger.Transfer, len(found))
	for i, pos := range found {
		answer[i] = b.transfers.rowAt(pos).Transfer
	}
	return answer
}

// accountBalances returns the account's balances after each of its transfers.
func (b *books) accountBalances(filter *ledger.AccountFilter) []ledger.AccountBalance {
	account := b.findAccount(filter.AccountID)
	if account == nil || !account.Flags.Has(ledger.AccountHistory) {
		return []ledger.AccountBalance{}
	}
	found := b.searchAccount(filter)
	b.history.catchUp(b)
	answer := make([]ledger.AccountBalance, len(found))
	for i, pos := range found {
		t, state := b.transfers.rowAt(pos), &b.history.transferStates.rowAt(pos).credit
		if t.DebitAccountID == filter.AccountID {
			state = &b.history.transferStates.rowAt(pos).debit
		}
		answer[i] = ledger.AccountBalance{
			DebitsPending: state.debitsPending, DebitsPosted: state.debitsPosted,
			CreditsPending: state.creditsPending, CreditsPosted: state.creditsPosted,
			Timestamp: t.Timestamp,
		}
	}
	return answer
}

// searchAccount returns the transfers selected by an account filter.
func (b *books) searchAccount(filter *ledger.AccountFilter) []position {
	if !filter.Valid() {
		return nil
	}
	n := b.transfers.count
	want := queryFields{
		userData128: filter.UserData128, userData64: filter.UserData64, userData32: filter.UserData32,
		code: filter.Code,
	}
	reversed := filter.Flags&ledger.AccountFilterReversed != 0
	span := spanOf(filter.TimestampMin, filter.TimestampMax, n, b.transfersFrom)
	sources := []rowSource{b.rowsOfSides(filter, span)}
	fieldsAt := func(pos position) queryFields { return transferFields(&b.transfers.rowAt(pos).Transfer) }
	for _, list := range b.transferIndex.rowsByField(want, n, fieldsAt) {
		sources = append(sources, mergeLists(reversed, span.cutList(list)))
	}
	return collectRows(smallestSource(span.toSource(reversed), sources...), filter.Limit, func(pos position) bool {
		t := &b.transfers.rowAt(pos).Transfer
		return onSide(filter, t) && want.matchesFields(transferFields(t))
	})
}

// rowsOfSides returns the transfers on the sides of the account set in the filter.
func (b *books) rowsOfSides(filter *ledger.AccountFilter, span rowSpan) rowSource {
	var sides [][]position
	if filter.Flags&ledger.AccountFilterDebits != 0 {
		sides = append(sides, span.cutList(b.debits.findRows(filter.AccountID, b.transfers.count,
			func(pos position) ledger.ID { return b.transfers.rowAt(pos).DebitAccountID })))
	}
	if filter.Flags&ledger.AccountFilterCredits != 0 {
		sides = append(sides, span.cutList(b.credits.findRows(filter.AccountID, b.transfers.count,
			func(pos position) ledger.ID { return b.transfers.rowAt(pos).CreditAccountID })))
	}
	return mergeLists(filter.Flags&ledger.AccountFilterReversed != 0, sides...)
}

// onSide reports whether the transfer has the account on a side set in the filter.
func onSide(filter *ledger.AccountFilter, t *ledger.Transfer) bool {
	return (filter.Flags&ledger.AccountFilterDebits != 0 && t.DebitAccountID == filter.AccountID) ||
		(filter.Flags&ledger.AccountFilterCredits != 0 && t.CreditAccountID == filter.AccountID)
}
