//go:build unix

package realtest_test

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// waitForBalance waits until the node's own balance is the one that follows from what it was told: our packets, the
// reports that it booked, and the settlements that its engine has accepted with an answer that arrived. It books a
// little after it has answered.
func (p *rustPair) waitForBalance() {
	p.t.Helper()
	var theirs int64
	var expected *big.Int
	require.Eventually(p.t, func() bool {
		theirs = p.node.readBalance("ada")
		balance := p.readBalance()
		expected = new(big.Int).Sub(balance.Sent.Big(), balance.Earned.Big())
		expected.Add(expected, sumOf(p.reports.settlements(), isCredited))
		expected.Sub(expected, sumOf(p.orders.settlements(), isTakenAsPaid))
		return expected.IsInt64() && expected.Int64() == theirs
	}, patience, 20*time.Millisecond, "the node's balance")
	p.t.Logf("interledger-rs has %d, as its packets and settlements tell", theirs)
}

func (p *rustPair) readBalance() accounts.Balance {
	balance, err := p.ours.book.Balance(context.WithoutCancel(p.t.Context()), p.ours.peer[eur])
	require.NoError(p.t, err)
	return balance
}

// isCredited reports whether the node booked a report: the first one of a key that it answered with success.
func isCredited(call settlementCall, before []settlementCall) bool {
	return call.status == http.StatusCreated && !slices.ContainsFunc(before, func(earlier settlementCall) bool {
		return earlier.key == call.key && earlier.status == http.StatusCreated
	})
}

// isTakenAsPaid reports whether the node takes a settlement for paid.
func isTakenAsPaid(call settlementCall, _ []settlementCall) bool {
	return call.status/100 == 2 && call.fault != answerLost
}

// isPaidAgain reports whether the engine took a settlement, and the node got no answer. The node puts the amount back
// on its balance, and orders it again under another key.
func isPaidAgain(call settlementCall, _ []settlementCall) bool {
	return call.status/100 == 2 && call.fault == answerLost
}

// isPutAside reports whether the node booked a report, and settlement-core takes it for not booked: the answer to it has
// no Quantity, or it got lost and the repeat was answered with 409. settlement-core adds the amount to its next report.
func isPutAside(call settlementCall, before []settlementCall) bool {
	if call.fault == answerLost {
		return false // settlement-core repeats the report
	}
	if call.status == http.StatusCreated {
		return !call.told
	}
	return call.status == http.StatusConflict && slices.ContainsFunc(before, func(earlier settlementCall) bool {
		return earlier.key == call.key && earlier.status == http.StatusCreated
	})
}

// sumOfAside returns what settlement-core has put aside and not reported again yet.
func (p *rustPair) sumOfAside() *big.Int {
	aside := amounts{}
	for n, amount := range p.redis.readList(databaseOf(1), p.account, "uncredited-settlements") {
		aside.add(p.t, fmt.Sprint(n), amount)
	}
	units := aside.sum()
	units.Quo(units, wholeUnits(eur, big.NewInt(1)))
	require.True(p.t, units.IsInt())
	return units.Num()
}

// compare compares our books with those of interledger-rs: our position should be the opposite of its balance. It
// returns the differences that the peer's habits made, in units, and fails for any other.
func (p *rustPair) compare() (paidAgain, bookedAgain int64) {
	t := p.t
	t.Helper()
	again := sumOf(p.orders.settlements(), isPaidAgain)
	double := sumOf(p.reports.settlements(), isPutAside)
	double.Sub(double, p.sumOfAside())
	position := p.readBalance().Position()
	apart := new(big.Int).Add(position, big.NewInt(p.node.readBalance("ada")))
	named := new(big.Int).Add(again, double)
	require.Equal(t, named.String(), apart.String(), "a difference that no habit of interledger-rs explains")
	t.Logf("our position %v; interledger-rs paid %v again after a lost answer, and booked %v again", position, again, double)
	return again.Int64(), double.Int64()
}

// audit compares our books with the records of our engine and of the rail, payment by payment.
func (p *rustPair) audit() {
	t := p.t
	t.Helper()
	p.closing()
	ours := openBooks(t, p.setup)
	f := flow{ordered: ours.readOrders(t, eur), acknowledged: amounts{}, paid: amounts{}, booked: amounts{}}
	wire := fmt.Sprintf("%d-rust", eur.Ledger)
	for key, amount := range p.redis.readRequests(databaseOf(0), wire) {
		f.acknowledged.add(t, key, amount)
	}
	require.Empty(t, f.acknowledged.listDifferences(f.ordered), "accepted by our engine, and booked as paid")
	account, err := ours.book.PeerAccount("rust", eur)
	require.NoError(t, err)
	for _, payment := range p.redis.readStream("ada:payments") {
		f.paid.add(t, payment.id, payment.amount)
		found, err := ours.engine.FindPayment(t.Context(), account, payment.id)
		require.NoError(t, err)
		f.booked.add(t, payment.id, eur.Text(found.Amount))
	}
	require.Empty(t, f.paid.listDifferences(f.booked), "paid to us by the rail, and booked as received")
	balance := ours.readBalance(t, eur)
	require.Equal(t, f.ordered.sum().RatString(), wholeUnits(eur, balance.SettledOut.Big()).RatString(), "paid in all")
	require.Equal(t, f.booked.sum().RatString(), wholeUnits(eur, balance.SettledIn.Big()).RatString(), "received in all")
	sent := amounts{}
	for _, payment := range p.redis.readStream("rust:payments") {
		sent.add(t, payment.id, payment.amount)
	}
	require.Equal(t, f.ordered.sum().RatString(), sent.sum().RatString(), "paid by the rail to interledger-rs")
	t.Logf("0 units lost or doubled by us: paid %d times, %s EUR, and received %d times, %s EUR",
		len(f.ordered), f.ordered.sum().FloatString(2), len(f.booked), f.booked.sum().FloatString(2))
}
