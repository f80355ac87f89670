package accounts

import (
	"context"
	"fmt"
	"iter"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// statementRow is a transfer in an account of a statement.
type statementRow struct {
	*ledger.Transfer
	// named is the transfer named in user_data_128, looked up only if the meaning of the row
	// depends on it; otherwise, and if there is no such transfer, zero.
	named ledger.Transfer
}

// accountIDs returns the accounts of a statement: the peer account and its arrears, or our own
// account.
func (s *Statement) accountIDs() []ledger.ID {
	if s.Account.IsOwn() {
		return []ledger.ID{s.Account.id}
	}
	return []ledger.ID{s.Account.id, s.ids.Arrears}
}

// isOurs reports whether an account is one of the statement's.
func (s *Statement) isOurs(id ledger.ID) bool {
	return id == s.Account.id || id == s.ids.Arrears && !s.Account.IsOwn()
}

// filterOf selects the rows of an account in a time.
func filterOf(id ledger.ID, first, last uint64, limit int) ledger.AccountFilter {
	return ledger.AccountFilter{
		AccountID: id, TimestampMin: first, TimestampMax: last, Limit: uint32(limit),
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	}
}

// readRows reads the transfers of the statement's accounts in a time, in order. A transfer
// between the two accounts comes once. Voids move nothing and are left out. After an error
// nothing follows.
func (s *Statement) readRows(ctx context.Context, first, last uint64) iter.Seq2[statementRow, error] {
	main := s.readAccountRows(ctx, s.Account.id, first, last)
	if s.Account.IsOwn() {
		return main
	}
	return mergeRows(main, s.readAccountRows(ctx, s.ids.Arrears, first, last))
}

// readAccountRows reads the transfers of one account, a page at a time.
func (s *Statement) readAccountRows(ctx context.Context, id ledger.ID, first, last uint64) iter.Seq2[statementRow, error] {
	return func(yield func(statementRow, error) bool) {
		size, first := s.pageSize, first // copies, since the sequence may be iterated again
		for first <= last {
			page, err := batch.Page(&size, func() ([]ledger.Transfer, error) {
				return s.book.ledger.GetAccountTransfers(ctx, filterOf(id, first, last, size))
			})
			var named map[ledger.ID]ledger.Transfer
			if err == nil {
				named, err = s.lookUpNamed(ctx, page)
			}
			if err != nil {
				yield(statementRow{}, err)
				return
			}
			for i := range page {
				row := statementRow{Transfer: &page[i], named: named[ledger.ID(page[i].UserData128)]}
				if !row.Flags.Has(ledger.TransferVoidPending) && !yield(row, nil) {
					return
				}
			}
			if len(page) < size {
				return
			}
			first = page[len(page)-1].Timestamp + 1
		}
	}
}

// mergeRows merges the rows of two accounts by time. The time identifies a transfer: a ledger
// never uses a nanosecond twice.
func mergeRows(a, b iter.Seq2[statementRow, error]) iter.Seq2[statementRow, error] {
	return func(yield func(statementRow, error) bool) {
		next, stop := iter.Pull2(b)
		defer stop()
		other, err, more := next()
		// yieldBefore yields the rows of b up to a moment; ok is false at the end.
		yieldBefore := func(moment uint64) (ok bool) {
			for more && (err != nil || other.Timestamp <= moment) {
				if err != nil || other.Timestamp < moment {
					if !yield(other, err) || err != nil {
						return false
					}
				}
				other, err, more = next()
			}
			return true
		}
		for row, failed := range a {
			if failed == nil && !yieldBefore(row.Timestamp) {
				return
			}
			if !yield(row, failed) || failed != nil {
				return
			}
		}
		yieldBefore(ledger.TimestampMax)
	}
}

// lookUpNamed looks up the transfers named by rows of a page, for the rows whose meaning depends
// on it.
func (s *Statement) lookUpNamed(ctx context.Context, page []ledger.Transfer) (map[ledger.ID]ledger.Transfer, error) {
	var ids []ledger.ID
	for i := range page {
		if s.namesOrder(&page[i]) || s.namesPayment(&page[i]) || s.namesEarnings(&page[i]) {
			ids = append(ids, ledger.ID(page[i].UserData128))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := batch.Each(ctx, ids, 1, s.book.ledger.LookupTransfers)
	if err != nil {
		return nil, fmt.Errorf("look up corrected transfers: %w", err)
	}
	named := make(map[ledger.ID]ledger.Transfer, len(found))
	for i := range found {
		named[found[i].ID] = found[i]
	}
	return named, nil
}

// namesOrder reports whether a row may be a charge for a rail's payment beyond an order, as
// booked by a version before arrears. Its charge for a late fulfill looks the same, but names a
// packet.
func (s *Statement) namesOrder(row *ledger.Transfer) bool {
	return row.Code == chart.CodeCorrection && row.DebitAccountID == s.Account.id && s.isSuspense(row.CreditAccountID)
}

// namesPayment reports whether a row may release a payment to a peer that was closed when it came
// in. A credit by hand looks the same, but names a key.
func (s *Statement) namesPayment(row *ledger.Transfer) bool {
	return row.Code == chart.CodeAdjust && row.CreditAccountID == s.Account.id && s.isSuspense(row.DebitAccountID) && !row.UserData128.IsZero()
}

// namesEarnings reports whether a row may release earnings of a round to a peer that was closed when
// the round was written. A release of a late packet looks the same, but names the packet.
func (s *Statement) namesEarnings(row *ledger.Transfer) bool {
	return row.Code == chart.CodeCorrection && row.CreditAccountID == s.Account.id && s.isSuspense(row.DebitAccountID)
}

// releasesRound reports whether a row releases earnings of a round.
func (s *Statement) releasesRound(row *statementRow) bool {
	_, releases := chart.ReceiverOfRound(&row.named, s.book.assets[s.Account.ledger].ids.Transit)
	return releases
}

func (s *Statement) isSuspense(id ledger.ID) bool {
	return id == s.book.assets[s.Account.ledger].ids.Suspense
}
