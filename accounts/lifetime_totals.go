package accounts

import (
	"context"
	"math/big"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// The lifetime totals of a peer follow from the totals of its accounts, with two exceptions:
// bookings against suspense, and returned payments. There the account totals mix several codes.
// So the Book reads all rows of suspense once, and the returned payments of peers that ever had
// arrears.

// readTotals computes the lifetime totals of balances, each at its own moment.
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

// setTotals computes the totals of a balance from the rows up to its moment.
//
//	earned       credits of the peer account, except from the line, payments and adjustments
//	sent         debits of the peer and the arrears account, except to the line, payments,
//	             adjustments and collections
//	settled in   debits of the settlement account
//	settled out  credits of the settlement account, except returned payments
func (b *Book) setTotals(balance *Balance) {
	s, ids := &balance.totals, &balance.ids
	if s.Suspense == (prepayment.Totals{}) && s.Arrears == (prepayment.Totals{}) {
		// Almost every peer: all flows below are 0.
		balance.Earned = s.Peer.Credits.SubFloor(s.Line.Debits).SubFloor(s.Settlement.Debits)
		balance.Sent = s.Peer.Debits.SubFloor(s.Line.Credits).SubFloor(s.Settlement.Credits)
		balance.SettledIn, balance.SettledOut = s.Settlement.Debits, s.Settlement.Credits
		return
	}
	suspense := b.suspense[balance.Asset.Ledger]
	flow := func(account ledger.ID, code uint16, kind flowKind) *big.Int {
		return suspense.flowSum(flowKey{account, code, kind}, s.Suspense).Big()
	}
	// Credits of the peer account by payments, and by hand or out of suspense.
	waiting := sumOf(flow(ids.Settlement, chart.CodeIncoming, flowIn), flow(ids.Settlement, chart.CodeVoucher, flowIn))
	received := subtractAll(s.Settlement.Debits.Big(), waiting)
	credited := flow(ids.Peer, chart.CodeAdjust, flowOut)
	// Payments returned from suspense, and all returned payments.
	returnedWhileWaiting := flow(ids.Settlement, chart.CodeReturned, flowOut)
	returned := sumOf(returnedWhileWaiting, b.returnedPayments.sumAt(ids.Arrears, s).Big())
	// Credits of the settlement account paid by the peer account or arrears, so without those
	// paid by suspense. (In an older version suspense also paid a rail's excess, and the peer was
	// debited for it.)
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
