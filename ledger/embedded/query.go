package embedded

import (
	"iter"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// source is a way to all the rows that a query may answer with, and perhaps more:
// rows in the order asked for, and how many there are.
type source struct {
	size int
	rows iter.Seq[position]
}

// span is a run of rows, first to end-1.
type span struct{ first, end position }

func (s span) source(reversed bool) source {
	return source{int(s.end - s.first), func(yield func(position) bool) {
		for i := range s.end - s.first {
			at := s.first + i
			if reversed {
				at = s.end - 1 - i
			}
			if !yield(at) {
				return
			}
		}
	}}
}

// within cuts an ascending list of rows to the span.
func (s span) within(list []position) []position {
	first, _ := slices.BinarySearch(list, s.first)
	end, _ := slices.BinarySearch(list, s.end)
	return list[first:end]
}

// merged is a source of the rows of ascending lists that have no row in common.
func merged(reversed bool, lists ...[]position) source {
	size := 0
	for _, list := range lists {
		size += len(list)
	}
	return source{size, func(yield func(position) bool) {
		rest := slices.Clone(lists)
		for range size {
			if !yield(takeNext(rest, reversed)) {
				return
			}
		}
	}}
}

// takeNext removes the smallest row, or the greatest if reversed, from the lists,
// not all of which are empty.
func takeNext(lists [][]position, reversed bool) position {
	next := -1
	for i, list := range lists {
		if len(list) == 0 {
			continue
		}
		if next < 0 || reversed == (foremost(list, reversed) > foremost(lists[next], reversed)) {
			next = i
		}
	}
	list := lists[next]
	if reversed {
		lists[next] = list[:len(list)-1]
	} else {
		lists[next] = list[1:]
	}
	return foremost(list, reversed)
}

func foremost(list []position, reversed bool) position {
	if reversed {
		return list[len(list)-1]
	}
	return list[0]
}

// spanOf is the run of rows from timestamp low to high, both inclusive; 0 leaves
// an end open. from finds the first row at or after a timestamp, among n rows.
func spanOf(low, high uint64, n position, from func(uint64) position) span {
	s := span{from(low), n}
	if high != 0 {
		s.end = max(s.first, from(high+1))
	}
	return s
}

// smallest picks the way with the fewest rows to look at; all is the last resort.
func smallest(all source, others ...source) source {
	return slices.MinFunc(append(others, all), func(a, b source) int { return a.size - b.size })
}

// collect returns the first rows of the source, at most limit, that accept lets
// through.
func collect(from source, limit uint32, accept func(position) bool) []position {
	found := make([]position, 0, min(int(limit), from.size))
	for at := range from.rows {
		if !accept(at) {
			continue
		}
		found = append(found, at)
		if len(found) == int(limit) {
			break
		}
	}
	return found
}

func (b *books) queryAccounts(filter *ledger.QueryFilter) []ledger.Account {
	fieldsAt := func(at position) fields { return accountFields(b.accounts.at(at)) }
	found := search(filter, &b.accountIndex, b.accounts.len, b.accountsFrom, fieldsAt)
	answer := make([]ledger.Account, len(found))
	for i, at := range found {
		answer[i] = *b.accounts.at(at)
	}
	return answer
}

func (b *books) queryTransfers(filter *ledger.QueryFilter) []ledger.Transfer {
	fieldsAt := func(at position) fields { return transferFields(&b.transfers.at(at).Transfer) }
	return b.transfersAt(search(filter, &b.transferIndex, b.transfers.len, b.transfersFrom, fieldsAt))
}

// search answers a query filter with rows of a list of n rows.
func search(
	filter *ledger.QueryFilter, index *fieldIndex, n position,
	from func(timestamp uint64) position, fieldsAt func(position) fields,
) []position {
	if !filter.Valid() {
		return nil
	}
	want := fields{filter.UserData128, filter.UserData64, filter.UserData32, filter.Ledger, filter.Code}
	reversed := filter.Flags&ledger.QueryFilterReversed != 0
	span := spanOf(filter.TimestampMin, filter.TimestampMax, n, from)
	var sources []source
	for _, list := range index.lists(want, n, fieldsAt) {
		sources = append(sources, merged(reversed, span.within(list)))
	}
	return collect(smallest(span.source(reversed), sources...), filter.Limit, func(at position) bool {
		return want.accept(fieldsAt(at))
	})
}

func (b *books) accountTransfers(filter *ledger.AccountFilter) []ledger.Transfer {
	return b.transfersAt(b.searchAccount(filter))
}

func (b *books) transfersAt(found []position) []ledger.Transfer {
	answer := make([]ledger.Transfer, len(found))
	for i, at := range found {
		answer[i] = b.transfers.at(at).Transfer
	}
	return answer
}

// accountBalances answers with the account as it was after each of its transfers.
func (b *books) accountBalances(filter *ledger.AccountFilter) []ledger.AccountBalance {
	account := b.findAccount(filter.AccountID)
	if account == nil || !account.Flags.Has(ledger.AccountHistory) {
		return []ledger.AccountBalance{}
	}
	found := b.searchAccount(filter)
	b.history.catchUp(b)
	answer := make([]ledger.AccountBalance, len(found))
	for i, at := range found {
		t, then := b.transfers.at(at), &b.history.moments.at(at).credit
		if t.DebitAccountID == filter.AccountID {
			then = &b.history.moments.at(at).debit
		}
		answer[i] = ledger.AccountBalance{
			DebitsPending: then.debitsPending, DebitsPosted: then.debitsPosted,
			CreditsPending: then.creditsPending, CreditsPosted: then.creditsPosted,
			Timestamp: t.Timestamp,
		}
	}
	return answer
}

// searchAccount answers an account filter with transfers.
func (b *books) searchAccount(filter *ledger.AccountFilter) []position {
	if !filter.Valid() {
		return nil
	}
	n := b.transfers.len
	want := fields{
		userData128: filter.UserData128, userData64: filter.UserData64, userData32: filter.UserData32,
		code: filter.Code,
	}
	reversed := filter.Flags&ledger.AccountFilterReversed != 0
	span := spanOf(filter.TimestampMin, filter.TimestampMax, n, b.transfersFrom)
	sources := []source{b.sidesOf(filter, span)}
	fieldsAt := func(at position) fields { return transferFields(&b.transfers.at(at).Transfer) }
	for _, list := range b.transferIndex.lists(want, n, fieldsAt) {
		sources = append(sources, merged(reversed, span.within(list)))
	}
	return collect(smallest(span.source(reversed), sources...), filter.Limit, func(at position) bool {
		t := &b.transfers.at(at).Transfer
		return onSide(filter, t) && want.accept(transferFields(t))
	})
}

// sidesOf is the transfers on the sides of the account that the filter asks for.
func (b *books) sidesOf(filter *ledger.AccountFilter, span span) source {
	var sides [][]position
	if filter.Flags&ledger.AccountFilterDebits != 0 {
		sides = append(sides, span.within(b.debits.find(filter.AccountID, b.transfers.len,
			func(at position) ledger.ID { return b.transfers.at(at).DebitAccountID })))
	}
	if filter.Flags&ledger.AccountFilterCredits != 0 {
		sides = append(sides, span.within(b.credits.find(filter.AccountID, b.transfers.len,
			func(at position) ledger.ID { return b.transfers.at(at).CreditAccountID })))
	}
	return merged(filter.Flags&ledger.AccountFilterReversed != 0, sides...)
}

// onSide reports whether the transfer has the account on a side asked for.
func onSide(filter *ledger.AccountFilter, t *ledger.Transfer) bool {
	return (filter.Flags&ledger.AccountFilterDebits != 0 && t.DebitAccountID == filter.AccountID) ||
		(filter.Flags&ledger.AccountFilterCredits != 0 && t.CreditAccountID == filter.AccountID)
}
