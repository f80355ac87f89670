package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/ledger"
)

// peerRecords are the ledger accounts of a peer, and the suspense account of its asset, as read
// in one request. A missing account is zero: the arrears account of a peer provisioned by an
// older version, or suspense of an asset that was never provisioned.
type peerRecords struct {
	peer, line, settlement, arrears, suspense *ledger.Account
}

// isIncomplete reports whether an account is missing that every version provisions.
func (r *peerRecords) isIncomplete() bool {
	return r.peer.ID.IsZero() || r.line.ID.IsZero() || r.settlement.ID.IsZero()
}

// prepaymentSums returns the account totals from which Prepaid follows.
func (r *peerRecords) prepaymentSums() prepayment.Sums {
	return prepayment.Sums{
		Peer: prepayment.TotalsOf(r.peer), Line: prepayment.TotalsOf(r.line),
		Settlement: prepayment.TotalsOf(r.settlement), Arrears: prepayment.TotalsOf(r.arrears),
		Suspense: prepayment.TotalsOf(r.suspense), History: r.peer.Flags.Has(ledger.AccountHistory),
	}
}

// peersPerRequest is how many peers' accounts fit into a request, beside one suspense account.
const peersPerRequest = (ledger.BatchMax - 1) / accountsPerPeer

// readRecords reads the accounts of peers, in requests as large as the ledger takes, and calls use
// for each peer in the order of the list. use may keep a copy of the records. batch.Each does not fit:
// besides the accounts of its peers, a request has one suspense account for each asset of these
// peers, so recordIDs decides how many peers fit.
func (b *Book) readRecords(ctx context.Context, list []PeerAccount, use func(i int, r peerRecords) error) error {
	limit := requestlimit.New(peersPerRequest, 1)
	for done := 0; done < len(list); {
		rest := list[done:]
		n, ids := b.recordIDs(rest[:min(limit.Max(), len(rest))])
		rows, err := b.ledger.LookupAccounts(ctx, ids)
		switch {
		case errors.Is(err, ledger.ErrTooMuchData) && limit.Lower(n):
			continue
		case err != nil:
			return fmt.Errorf("look up balances: %w", err)
		}
		if err := b.splitRecords(list[done:done+n], ids, rows, func(i int, r peerRecords) error { return use(done+i, r) }); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// splitRecords calls use with the records of each peer of a list. ids come from recordIDs. rows are
// in the order of ids, without the missing accounts.
func (b *Book) splitRecords(list []PeerAccount, ids []ledger.ID, rows []ledger.Account, use func(i int, r peerRecords) error) error {
	next := func() *ledger.Account {
		row := &b.missingAccount
		if len(rows) > 0 && rows[0].ID == ids[0] {
			row, rows = &rows[0], rows[1:]
		}
		ids = ids[1:]
		return row
	}
	suspense := rows
	for len(ids) > len(list)*accountsPerPeer {
		next()
	}
	suspense = suspense[:len(suspense)-len(rows)]
	for i, a := range list {
		r := peerRecords{peer: next(), line: next(), settlement: next(), arrears: next(), suspense: &b.missingAccount}
		if at := slices.IndexFunc(suspense, func(s ledger.Account) bool { return s.Ledger == a.ledger }); at >= 0 {
			r.suspense = &suspense[at]
		}
		if err := use(i, r); err != nil {
			return err
		}
	}
	return nil
}

// recordIDs returns the ids of the assets' suspense accounts, and then of the accounts of the
// first n peers of a list. n is as many as a request takes.
func (b *Book) recordIDs(list []PeerAccount) (n int, ids []ledger.ID) {
	ids = make([]ledger.ID, 0, accountsPerPeer*len(list)+1)
	for i, a := range list {
		if i > 0 && a.ledger == list[i-1].ledger { // almost always
			continue
		}
		if id := b.assets[a.ledger].ids.Suspense; !slices.Contains(ids, id) {
			ids = append(ids, id)
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
func newBalance(a PeerAccount, asset Asset, records *peerRecords) Balance {
	free := records.peer.CreditsPosted.SubFloor(records.peer.DebitsPosted)
	b := Balance{
		Account: a, Asset: asset, Opened: timeOf(records.settlement.Timestamp),
		CreditLine:        lineOf(records.line),
		Arrears:           records.arrears.DebitsPosted.SubFloor(records.arrears.CreditsPosted),
		Headroom:          free.SubFloor(records.peer.DebitsPending),
		Settling:          records.settlement.CreditsPending,
		HeldIn:            records.peer.DebitsPending.SubFloor(records.settlement.CreditsPending),
		HeldOut:           records.peer.CreditsPending,
		Announced:         records.settlement.DebitsPending,
		Suspended:         records.line.Closed(),
		Closed:            records.peer.Closed(),
		ids:               PeerIDs{Peer: records.peer.ID, Line: records.line.ID, Settlement: records.settlement.ID, Arrears: records.arrears.ID},
		totals:            records.prepaymentSums(),
		hasArrearsAccount: !records.arrears.ID.IsZero(),
	}
	owes, _ := b.CreditLine.Add(b.Arrears) // both are parts of booked sums, so the sum fits
	b.Payable = free.SubFloor(owes)
	b.Receivable = owes.SubFloor(free)
	return b
}
