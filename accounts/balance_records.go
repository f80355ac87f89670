package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/ledger"
)

// peerRecords are the ledger accounts of a peer, and the suspense account of its asset, as read
// in one request. A missing account is zero: the arrears account of a peer provisioned by an
// older version, or suspense of an asset that was never provisioned.
type peerRecords struct {
	peer, line, settlement, arrears, suspense ledger.Account
}

// isIncomplete reports whether an account is missing that every version provisions.
func (f *peerRecords) isIncomplete() bool {
	return f.peer.ID.IsZero() || f.line.ID.IsZero() || f.settlement.ID.IsZero()
}

// prepaymentSums returns the account totals from which Prepaid follows.
func (f *peerRecords) prepaymentSums() prepayment.Sums {
	return prepayment.Sums{
		Peer: prepayment.TotalsOf(&f.peer), Line: prepayment.TotalsOf(&f.line),
		Settlement: prepayment.TotalsOf(&f.settlement), Arrears: prepayment.TotalsOf(&f.arrears),
		Suspense: prepayment.TotalsOf(&f.suspense), History: f.peer.Flags.Has(ledger.AccountHistory),
	}
}

// peersPerRequest is how many peers' accounts fit into a request, beside one suspense account.
const peersPerRequest = (ledger.BatchMax - 1) / accountsPerPeer

// lookUpRecords reads the accounts of peers, in the order of the list, in requests as large as
// the ledger takes.
func (b *Book) lookUpRecords(ctx context.Context, list []PeerAccount) ([]peerRecords, error) {
	figures := make([]peerRecords, 0, len(list))
	limit := requestlimit.New(peersPerRequest, 1)
	for len(list) > 0 {
		n, ids := b.recordIDs(list[:min(limit.Max(), len(list))])
		rows, err := b.ledger.LookupAccounts(ctx, ids)
		switch {
		case errors.Is(err, ledger.ErrTooMuchData) && limit.Lower(n):
			continue
		case err != nil:
			return nil, fmt.Errorf("look up balances: %w", err)
		}
		figures = b.appendRecords(figures, list[:n], ids, rows)
		list = list[n:]
	}
	return figures, nil
}

// appendRecords appends the records of peers. ids come from recordIDs. rows are in the order of
// ids, without the missing accounts.
func (b *Book) appendRecords(figures []peerRecords, list []PeerAccount, ids []ledger.ID, rows []ledger.Account) []peerRecords {
	next := func() (row ledger.Account) {
		if len(rows) > 0 && rows[0].ID == ids[0] {
			row, rows = rows[0], rows[1:]
		}
		ids = ids[1:]
		return row
	}
	suspense := make(map[uint32]ledger.Account)
	for len(ids) > len(list)*accountsPerPeer {
		if row := next(); !row.ID.IsZero() {
			suspense[row.Ledger] = row
		}
	}
	for _, a := range list {
		figures = append(figures, peerRecords{
			peer: next(), line: next(), settlement: next(), arrears: next(), suspense: suspense[a.ledger],
		})
	}
	return figures
}

// recordIDs returns the ids of the assets' suspense accounts, and then of the accounts of the
// first n peers of a list. n is as many as a request takes.
func (b *Book) recordIDs(list []PeerAccount) (n int, ids []ledger.ID) {
	ids = make([]ledger.ID, 0, accountsPerPeer*len(list)+1)
	suspense := make(map[uint32]bool)
	for _, a := range list {
		if !suspense[a.ledger] {
			suspense[a.ledger] = true
			ids = append(ids, b.assets[a.ledger].ids.Suspense)
		}
	}
	n = min(len(list), (ledger.BatchMax-len(ids))/accountsPerPeer)
	for _, a := range list[:n] {
		p := b.PeerIDs(a)
		ids = append(ids, p.Peer, p.Line, p.Settlement, p.Arrears)
	}
	return n, ids
}

// lineOf returns the credit line kept in a line account.
func lineOf(line *ledger.Account) ledger.Amount {
	return line.DebitsPosted.SubFloor(line.CreditsPosted)
}

// newBalance computes a balance from the accounts of a peer.
//
// The ledger keeps the peer account's debits within its credits, and the credits of the line
// account and the arrears account within their debits. So no difference below is under 0, unless
// a foreign program books on these accounts; then it is cut at 0.
func newBalance(a PeerAccount, asset Asset, f *peerRecords) Balance {
	free := f.peer.CreditsPosted.SubFloor(f.peer.DebitsPosted)
	b := Balance{
		Account: a, Asset: asset, Opened: time.Unix(0, int64(f.settlement.Timestamp)),
		CreditLine:        lineOf(&f.line),
		Arrears:           f.arrears.DebitsPosted.SubFloor(f.arrears.CreditsPosted),
		Headroom:          free.SubFloor(f.peer.DebitsPending),
		Settling:          f.settlement.CreditsPending,
		HeldIn:            f.peer.DebitsPending.SubFloor(f.settlement.CreditsPending),
		HeldOut:           f.peer.CreditsPending,
		Announced:         f.settlement.DebitsPending,
		Suspended:         f.line.Closed(),
		Closed:            f.peer.Closed(),
		ids:               PeerIDs{Peer: f.peer.ID, Line: f.line.ID, Settlement: f.settlement.ID, Arrears: f.arrears.ID},
		totals:            f.prepaymentSums(),
		hasArrearsAccount: !f.arrears.ID.IsZero(),
	}
	owes, _ := b.CreditLine.Add(b.Arrears) // both are parts of booked sums, so the sum fits
	b.Payable = free.SubFloor(owes)
	b.Receivable = owes.SubFloor(free)
	return b
}
