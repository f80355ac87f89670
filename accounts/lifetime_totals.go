package accounts

import (
	"context"
	"math/big"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// The lifetime totals of a peer follow from the sums of its accounts, but for what suspense is
// the other side of, and for payments that came back: there the sums do not tell one code
// from another. So the Book reads all rows of suspense once, and what came back of the
// payments of a peer that ever had arrears.

// readTotals works out the lifetime totals of balances, each at its own moment.
func (b *Book) readTotals(ctx context.Context, balances []*Balance) error {
	var everInArrears []*Balance
	for _, balance := range balances {
		if err := b.suspense[balance.Asset.Ledger].readUpTo(ctx, balance.totals.Suspense); err != nil {
			return err
		}
		if !balance.totals.Arrears.Debits.IsZero() {
			everInArrears = append(everInArrears, balance)
		}
	}
	err := readEach(everInArrears, func(balance *Balance) error {
		return b.returnedPayments.readUpTo(ctx, balance.ids.Arrears, &balance.totals)
	})
	if err != nil {
		return err
	}
	for _, balance := range balances {
		b.setTotals(balance)
	}
	return nil
}

// setTotals works out the totals of a balance, from what was read up to its moment.
//
//	earned       what the peer account was credited by neither the line, a payment nor an adjustment
//	sent         what the peer and the arrears account were debited for by neither the line, a
//	             payment, an adjustment nor a collection
//	settled in   the debits of the settlement account
//	settled out  the credits of the settlement account that are no payment which came back
func (b *Book) setTotals(balance *Balance) {
	s, ids := &balance.totals, &balance.ids
	suspense := b.suspense[balance.Asset.Ledger]
	flow := func(account ledger.ID, code uint16, kind flowKind) *big.Int {
		return suspense.flowSum(flowKey{account, code, kind}, s.Suspense).Big()
	}
	// What the peer account was credited for payments, and by hand or out of suspense.
	waiting := sumOf(flow(ids.Settlement, chart.CodeIncoming, flowIn), flow(ids.Settlement, chart.CodeVoucher, flowIn))
	received := subtractAll(s.Settlement.Debits.Big(), waiting)
	credited := flow(ids.Peer, chart.CodeAdjust, flowOut)
	// Payments that came back while they waited, or later.
	returnedWhileWaiting := flow(ids.Settlement, chart.CodeReturned, flowOut)
	returned := sumOf(returnedWhileWaiting, b.returnedPayments.sumAt(ids.Arrears, s).Big())
	// What the settlement account was credited for, the peer or its arrears were debited for,
	// but for what suspense paid: in an older version also the excess of a rail, for which it
	// then debited the peer.
	paid := subtractAll(s.Settlement.Credits.Big(), returnedWhileWaiting, flow(ids.Settlement, chart.CodeCorrection, flowOut))
	debited := sumOf(flow(ids.Peer, chart.CodeAdjust, flowIn), flow(ids.Arrears, chart.CodeAdjust, flowIn), flow(ids.Peer, chart.CodeCorrection, flowIn))
	collected := subtractAll(s.Arrears.Credits.Big(), flow(ids.Arrears, chart.CodeAdjust, flowOut))

	balance.Earned = ledger.ClampAmount(subtractAll(s.Peer.Credits.Big(), s.Line.Debits.Big(), received, credited))
	balance.Sent = ledger.ClampAmount(subtractAll(sumOf(s.Peer.Debits.Big(), s.Arrears.Debits.Big()), s.Line.Credits.Big(), paid, debited, collected))
	balance.SettledIn = s.Settlement.Debits
	balance.SettledOut = ledger.ClampAmount(subtractAll(s.Settlement.Credits.Big(), returned))
}

func sumOf(terms ...*big.Int) *big.Int {
	sum := new(big.Int)
	for _, t := range terms {
		sum.Add(sum, t)
	}
	return sum
}

func subtractAll(from *big.Int, terms ...*big.Int) *big.Int {
	return new(big.Int).Sub(from, sumOf(terms...))
}
