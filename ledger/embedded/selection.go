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

// positionSpan is the transfers at the positions first to end-1.
type positionSpan struct{ first, end position }

// cutSpan cuts a span to the transfers that the query may see. The result is a part of the span, maybe
// an empty one.
func (s *selection) cutSpan(span positionSpan) positionSpan {
	first := min(max(span.first, s.first), span.end)
	return positionSpan{first, max(first, min(span.end, s.end))}
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
	index *fieldIndex, span rowSpan, n place, fieldsAt func(place) queryFields,
) (sources []rowSource) {
	for _, list := range index.rowsByField(s.want, n, fieldsAt) {
		sources = append(sources, mergeLists(s.reversed, span.cutList(list)))
	}
	return sources
}

// acceptsStored is accepts of a transfer in memory. account is the position of the selection's account.
func (s *selection) acceptsStored(t *storedTransfer, account accountPosition) bool {
	onSide := s.account.IsZero() || (s.debits && t.debit == account) || (s.credits && t.credit == account)
	return onSide && s.want.matchesFields(t.fields())
}

// selectRows returns the places of the selected transfers of a generation, at most limit. account is the
// position of the selection's account, if it has one.
func (g *generation) selectRows(s *selection, account accountPosition, limit int) []place {
	if limit == 0 {
		return nil
	}
	n := g.transfers.count
	fieldsAt := func(p place) queryFields { return g.transfers.rowAt(p).fields() }
	span := g.cutSpan(s, spanOf(s.timestampMin, s.timestampMax, n, g.transfersFrom))
	sources := s.fieldSources(&g.index, span, n, fieldsAt)
	if !s.account.IsZero() {
		sources = append(sources, g.rowsOfSides(s, account, span))
	}
	return collectRows(smallestSource(span.toSource(s.reversed), sources...), limit, func(p place) bool {
		return s.acceptsStored(g.transfers.rowAt(p), account)
	})
}

// cutSpan cuts rows of the generation to those that the query may see.
func (g *generation) cutSpan(s *selection, span rowSpan) rowSpan {
	cut := s.cutSpan(positionSpan{g.positionOf(span.first), g.positionOf(span.end)})
	return rowSpan{g.placeOf(cut.first), g.placeOf(cut.end)}
}

// rowsOfSides returns the transfers of a generation on the sides of the account.
func (g *generation) rowsOfSides(s *selection, account accountPosition, span rowSpan) rowSource {
	var sides [][]place
	if s.debits {
		sides = append(sides, span.cutList(g.debits.findRows(keyOf(account), g.transfers.count,
			func(p place) accountKey { return keyOf(g.transfers.rowAt(p).debit) })))
	}
	if s.credits {
		sides = append(sides, span.cutList(g.credits.findRows(keyOf(account), g.transfers.count,
			func(p place) accountKey { return keyOf(g.transfers.rowAt(p).credit) })))
	}
	return mergeLists(s.reversed, sides...)
}
