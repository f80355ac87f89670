package embedded

import "github.com/peerledger/peerledger/ledger"

// selection is a valid filter of a query, without its limit.
type selection struct {
	want                       queryFields
	account                    ledger.ID // 0 is any
	debits, credits            bool      // the sides of the account
	timestampMin, timestampMax uint64    // inclusive; 0 is no bound
	reversed                   bool
	first, end                 position // the transfers that the query may see
}

// cutSpan cuts the rows from a position on, in a list that begins there, to those that the query may
// see. The places in the result count from the beginning of the list.
func (s *selection) cutSpan(span rowSpan, from position) rowSpan {
	first, end := max(s.first, from)-from, max(s.end, from)-from
	cut := rowSpan{max(span.first, first), min(span.end, end)}
	cut.end = max(cut.first, cut.end)
	return cut
}

func selectionOf(f *ledger.QueryFilter) selection {
	return selection{
		want:         queryFields{f.UserData128, f.UserData64, f.UserData32, f.Ledger, f.Code},
		timestampMin: f.TimestampMin, timestampMax: f.TimestampMax,
		reversed: f.Flags&ledger.QueryFilterReversed != 0,
		end:      noPosition,
	}
}

func selectionOfAccount(f *ledger.AccountFilter) selection {
	return selection{
		want:         queryFields{userData128: f.UserData128, userData64: f.UserData64, userData32: f.UserData32, code: f.Code},
		account:      f.AccountID,
		debits:       f.Flags&ledger.AccountFilterDebits != 0,
		credits:      f.Flags&ledger.AccountFilterCredits != 0,
		timestampMin: f.TimestampMin, timestampMax: f.TimestampMax,
		reversed: f.Flags&ledger.AccountFilterReversed != 0,
		end:      noPosition,
	}
}

// accepts reports whether a transfer within the times of the selection is selected.
func (s *selection) accepts(t *ledger.Transfer) bool {
	return s.onSide(t) && s.want.matchesFields(transferFields(t))
}

// onSide reports whether the transfer has the account on a side of the selection.
func (s *selection) onSide(t *ledger.Transfer) bool {
	return s.account.IsZero() || (s.debits && t.DebitAccountID == s.account) || (s.credits && t.CreditAccountID == s.account)
}

// fieldSources returns, for each field of the selection, the rows of an index with its value.
func (s *selection) fieldSources(
	index *fieldIndex, span rowSpan, n position, fieldsAt func(position) queryFields,
) (sources []rowSource) {
	for _, list := range index.rowsByField(s.want, n, fieldsAt) {
		sources = append(sources, mergeLists(s.reversed, span.cutList(list)))
	}
	return sources
}

// selectRows returns the places of the selected transfers of a generation, at most limit.
func (g *generation) selectRows(s *selection, limit int) []position {
	if limit == 0 {
		return nil
	}
	n := g.transfers.count
	fieldsAt := func(pos position) queryFields { return transferFields(&g.transfers.rowAt(pos).Transfer) }
	span := s.cutSpan(spanOf(s.timestampMin, s.timestampMax, n, g.transfersFrom), g.first)
	sources := s.fieldSources(&g.index, span, n, fieldsAt)
	if !s.account.IsZero() {
		sources = append(sources, g.rowsOfSides(s, span))
	}
	return collectRows(smallestSource(span.toSource(s.reversed), sources...), limit, func(pos position) bool {
		return s.accepts(&g.transfers.rowAt(pos).Transfer)
	})
}

// rowsOfSides returns the transfers of a generation on the sides of the account.
func (g *generation) rowsOfSides(s *selection, span rowSpan) rowSource {
	var sides [][]position
	if s.debits {
		sides = append(sides, span.cutList(g.debits.findRows(s.account, g.transfers.count,
			func(pos position) ledger.ID { return g.transfers.rowAt(pos).DebitAccountID })))
	}
	if s.credits {
		sides = append(sides, span.cutList(g.credits.findRows(s.account, g.transfers.count,
			func(pos position) ledger.ID { return g.transfers.rowAt(pos).CreditAccountID })))
	}
	return mergeLists(s.reversed, sides...)
}
