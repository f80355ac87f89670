package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Standing says since when a peer is suspended, closed or in arrears. All times are by the ledger's
// clock; the zero time means that the peer is not.
type Standing struct {
	Balance Balance // as of [Book.LookUpBalances]
	// SuspendedSince is when the peer's suspension was written; zero if it is not suspended. A
	// suspension that was written again, for example with [WithFreeRevoked], begins anew.
	SuspendedSince time.Time
	// SuspendedByClosing is set if a [Book.ClosePeer] wrote the suspension, not an operator's SuspendPeer.
	SuspendedByClosing bool
	// ReasonCode is the number that the operator gave ([WithReasonCode]) with the closing of a closed peer, or
	// else with the suspension; 0 if there is none.
	ReasonCode  uint32
	ClosedSince time.Time
	// ArrearsSince is since when Balance.Arrears has been above 0 without a break. Arrears that a late
	// packet caused and its collection paid at once are no break and no beginning.
	ArrearsSince time.Time
}

// Standings reads since when peers are suspended, closed or in arrears, in the order of the accounts.
//
// It looks the balances up, some 2,000 in a request. Only for a peer that is suspended, closed or in arrears it
// sends one request more for each of the three. The rows of arrears are read from the newest on, some 8,000 in a
// request, back to the row that began them: bound that with the context. What an operator changes during the call
// may be in one part of a Standing and not in another.
//
// The errors are [ErrNotProvisioned], [ErrUnknownAsset], or of a request.
func (b *Book) Standings(ctx context.Context, accounts ...PeerAccount) ([]Standing, error) {
	balances, err := b.LookUpBalances(ctx, accounts...)
	if err != nil {
		return nil, fmt.Errorf("standings: %w", err)
	}
	standings := make([]Standing, len(balances))
	for i := range balances {
		standings[i].Balance = balances[i]
		if err := b.readStanding(ctx, &standings[i]); err != nil {
			return nil, fmt.Errorf("standing of %v: %w", balances[i].Account, err)
		}
	}
	return standings, nil
}

func (b *Book) readStanding(ctx context.Context, s *Standing) error {
	ids := b.PeerIDs(s.Balance.Account)
	if s.Balance.Suspended {
		row, err := b.newestClosing(ctx, ids.Line, chart.CodeSuspend)
		if err != nil {
			return err
		}
		if row.Flags.Has(ledger.TransferPending) { // not resumed since
			s.SuspendedSince, s.SuspendedByClosing, s.ReasonCode = timeOf(row.Timestamp), isByClosing(&row), row.UserData32
		}
	}
	if s.Balance.Closed {
		row, err := b.newestClosing(ctx, ids.Peer, chart.CodeClose)
		if err != nil {
			return err
		}
		if row.Flags.Has(ledger.TransferPending) {
			s.ClosedSince, s.ReasonCode = timeOf(row.Timestamp), row.UserData32
		}
	}
	if s.Balance.Arrears.IsZero() {
		return nil
	}
	since, err := b.arrearsSince(ctx, ids.Arrears)
	s.ArrearsSince = since
	return err
}

// arrearsSince returns when the arrears of an account last rose from 0; zero if they are 0 now.
func (b *Book) arrearsSince(ctx context.Context, arrears ledger.ID) (since time.Time, err error) {
	limit := ledger.QueryMax
	for last := ledger.TimestampMax; last > 0; {
		page, err := batch.Page(&limit, func() ([]ledger.AccountBalance, error) {
			filter := filterOf(arrears, 1, last, limit)
			filter.Flags |= ledger.AccountFilterReversed
			return b.ledger.GetAccountBalances(ctx, filter)
		})
		if err != nil {
			return time.Time{}, err
		}
		for i := range page {
			if page[i].DebitsPosted == page[i].CreditsPosted {
				return since, nil
			}
			since = timeOf(page[i].Timestamp)
		}
		if len(page) < limit {
			return since, nil
		}
		last = page[len(page)-1].Timestamp - 1
	}
	return since, nil
}
