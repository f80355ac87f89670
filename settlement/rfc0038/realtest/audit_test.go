//go:build unix

package realtest_test

import (
	"fmt"
	"io"
	"maps"
	"math/big"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// books are the books of a connector that has ended.
type books struct {
	ledger *embedded.Ledger
	book   *accounts.Book
	engine *settlement.Engine
	peer   string
}

func openBooks(t *testing.T, s setup) books {
	t.Helper()
	l, err := embedded.Open(s.ledgerFolder())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	book, err := accounts.NewBook(l, s.accountsConfig())
	require.NoError(t, err)
	engine, err := settlement.NewEngine(l, book, settlement.Config{Manual: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close(t.Context())) })
	ledgertest.RequireConserved(t, l)
	ledgertest.RequireNothingHeld(t, l)
	return books{l, book, engine, s.Peer}
}

func (b books) readBalance(t *testing.T, asset accounts.Asset) accounts.Balance {
	t.Helper()
	peer, err := b.book.PeerAccount(b.peer, asset)
	require.NoError(t, err)
	balance, err := b.book.Balance(t.Context(), peer)
	require.NoError(t, err)
	return balance
}

// readOrders reads the orders that are booked as paid, by key.
func (b books) readOrders(t *testing.T, asset accounts.Asset) amounts {
	t.Helper()
	peer, err := b.book.PeerAccount(b.peer, asset)
	require.NoError(t, err)
	filter := ledger.AccountFilter{
		AccountID: b.book.PeerIDs(peer).Settlement, Code: chart.CodeOrder, Limit: 1000, Flags: ledger.AccountFilterCredits,
	}
	orders := amounts{}
	for {
		rows, err := b.ledger.GetAccountTransfers(t.Context(), filter)
		require.NoError(t, err)
		for _, row := range rows {
			if row.Flags.Has(ledger.TransferPostPending) {
				orders.add(t, row.PendingID.String(), asset.Text(row.Amount))
			}
			filter.TimestampMin = row.Timestamp + 1
		}
		if len(rows) < int(filter.Limit) {
			return orders
		}
	}
}

// amounts are exact amounts in whole units of an asset, by the name of an order or of a payment.
type amounts map[string]*big.Rat

// add adds an amount, written as a decimal number and perhaps with the asset behind it.
func (a amounts) add(t *testing.T, name, amount string) {
	t.Helper()
	var number string
	_, err := fmt.Sscan(amount, &number)
	require.NoError(t, err)
	n, ok := new(big.Rat).SetString(number)
	require.True(t, ok, amount)
	require.NotContains(t, a, name)
	a[name] = n
}

func (a amounts) sum() *big.Rat {
	total := new(big.Rat)
	for _, n := range a {
		total.Add(total, n)
	}
	return total
}

// listDifferences lists the names whose amounts differ, with both amounts.
func (a amounts) listDifferences(b amounts) (list []string) {
	text := func(n *big.Rat) string {
		if n == nil {
			return "nothing"
		}
		return n.RatString()
	}
	union := maps.Clone(a)
	maps.Copy(union, b)
	for name := range union {
		if first, second := text(a[name]), text(b[name]); first != second {
			list = append(list, fmt.Sprintf("%s: %s and %s", name, first, second))
		}
	}
	return list
}

// flow is the money from one connector to the other in an asset, as each program on the way has recorded it.
type flow struct {
	ordered      amounts // the payer has booked as paid, by key
	acknowledged amounts // the payer's engine has accepted, by key
	queued       amounts // the payer's engine has accepted and still has
	asked        amounts // the payer's engine told the rail to pay, by payment
	paid         amounts // the rail has moved, by payment
	reported     amounts // the payee's engine has reported first, by payment
	repeats      int     // reports of a payment that was reported before
	booked       amounts // the payee has booked as received, by payment
	aside        amounts // the payee's engine takes for not booked
}

// readFlow reads the money from connector i.
func (p *pair) readFlow(i int, payer, payee books, asset accounts.Asset) flow {
	t := p.t
	t.Helper()
	// The account at the engine of the payer, and at the engine of the payee.
	ours, theirs := fmt.Sprintf("%d-%s", asset.Ledger, payer.peer), fmt.Sprintf("%d-%s", asset.Ledger, payee.peer)
	f := flow{
		ordered: payer.readOrders(t, asset), acknowledged: amounts{}, queued: amounts{}, asked: amounts{}, paid: amounts{},
		reported: amounts{}, booked: amounts{}, aside: amounts{},
	}
	for key, amount := range p.redis.readRequests(databaseOf(i), ours) {
		f.acknowledged.add(t, key, amount)
	}
	for n, amount := range p.redis.readList(databaseOf(i), ours, "queued-settlements") {
		f.queued.add(t, fmt.Sprint(n), amount)
	}
	for n, amount := range p.redis.readList(databaseOf(1-i), theirs, "uncredited-settlements") {
		f.aside.add(t, fmt.Sprint(n), amount)
	}
	for _, asked := range p.redis.readStream(payee.peer + ":asked") {
		if asked.account == ours {
			f.asked.add(t, asked.id, asked.amount)
		}
	}
	reports := readReports(p.engines[1-i].readLog(), theirs)
	account, err := payee.book.PeerAccount(payee.peer, asset)
	require.NoError(t, err)
	for _, payment := range p.redis.readStream(payer.peer + ":payments") {
		if payment.account != theirs {
			continue
		}
		f.paid.add(t, payment.id, payment.amount)
		if found, err := payee.engine.FindPayment(t.Context(), account, payment.id); err == nil {
			f.booked.add(t, payment.id, asset.Text(found.Amount))
		} else {
			require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
		}
		for n, amount := range reports[payment.id] {
			if n == 0 {
				f.reported.add(t, payment.id, amount)
			} else {
				f.repeats++
			}
		}
	}
	return f
}

// requireNothingOfOurs requires that the payer has booked what its engine has accepted, and the payee what its engine has
// reported, no unit more or less.
func (f flow) requireNothingOfOurs(t *testing.T, asset accounts.Asset, payer, payee accounts.Balance) {
	t.Helper()
	require.Empty(t, f.acknowledged.listDifferences(f.ordered), "accepted by the engine, and booked as paid")
	require.Empty(t, f.reported.listDifferences(f.booked), "reported by the engine, and booked as received")
	require.Equal(t, f.ordered.sum().RatString(), wholeUnits(asset, payer.SettledOut.Big()).RatString(), "booked as paid in all")
	require.Equal(t, f.booked.sum().RatString(), wholeUnits(asset, payee.SettledIn.Big()).RatString(), "booked as received in all")
}

// computeLost returns the amount that the payer's engine has accepted and lost, and the amount that the payee's engine has
// reported beyond what the rail paid.
func (f flow) computeLost() (lost, repeated *big.Rat) {
	lost = new(big.Rat).Sub(f.acknowledged.sum(), f.queued.sum())
	return lost.Sub(lost, f.paid.sum()), new(big.Rat).Sub(f.reported.sum(), f.paid.sum())
}

// requireShownByRail requires that the records show what the engines have lost. The payer's engine loses an amount between
// its queue and the rail, or between the rail's note and the payment, and only if it was killed. The payee's engine
// repeats an amount only after an answer that is no success, which we never give.
func (f flow) requireShownByRail(t *testing.T, engineKills int) {
	t.Helper()
	lost, repeated := f.computeLost()
	unpaid := new(big.Rat).Sub(f.asked.sum(), f.paid.sum())
	require.GreaterOrEqual(t, unpaid.Sign(), 0, "the rail paid more than it was asked for")
	require.GreaterOrEqual(t, lost.Cmp(unpaid), 0, "the rail was asked for more than the engine had accepted")
	if engineKills == 0 {
		require.Zero(t, lost.Sign(), "an engine that was not killed has lost %v", lost)
	}
	require.Zero(t, repeated.Sign(), "repeated by the engine: %v", repeated)
	require.Empty(t, f.aside, "the engine takes reports for not booked")
}

func wholeUnits(asset accounts.Asset, units *big.Int) *big.Rat {
	one := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(asset.Scale)), nil)
	return new(big.Rat).SetFrac(units, one)
}

// audit compares the books of both connectors with the records of the engines and of the rail.
func (p *pair) audit() {
	t := p.t
	t.Helper()
	both := [2]books{openBooks(t, p.setups[0]), openBooks(t, p.setups[1])}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "\tordered\taccepted\tqueued\tasked\tpaid\treported\tbooked\tlost by the engine\trepeated by the engine\t\n")
	for _, asset := range assets {
		balances := [2]accounts.Balance{both[0].readBalance(t, asset), both[1].readBalance(t, asset)}
		apart := new(big.Rat) // what the engines have done to the positions
		for i := range both {
			f := p.readFlow(i, both[i], both[1-i], asset)
			f.requireNothingOfOurs(t, asset, balances[i], balances[1-i])
			f.requireShownByRail(t, p.kills[p.engines[i].name])
			f.writeRow(table, p.setups[i], asset)
			apart.Add(apart, f.booked.sum())
			apart.Sub(apart, f.ordered.sum())
			require.Equal(t, balances[i].Earned, balances[1-i].Sent, "packets")
		}
		sum := new(big.Int).Add(balances[0].Position(), balances[1].Position())
		require.Equal(t, apart.RatString(), wholeUnits(asset, sum).RatString(), "the positions mirror each other, but for the engines")
	}
	require.NoError(t, table.Flush())
	t.Logf("0 units lost or doubled by us, whole units (number of payments):\n%s", text.String())
}

// writeRow writes the flow as a row of the table.
func (f flow) writeRow(out io.Writer, s setup, asset accounts.Asset) {
	text := func(n *big.Rat) string { return n.FloatString(int(min(asset.Scale, railScale))) }
	lost, repeated := f.computeLost()
	fmt.Fprintf(out, "%s %s to %s\t%s (%d)\t%s\t%s\t%s (%d)\t%s (%d)\t%s (+%d)\t%s\t%s\t%s\t\n",
		asset.Code, s.Name, s.Peer, text(f.ordered.sum()), len(f.ordered), text(f.acknowledged.sum()), text(f.queued.sum()),
		text(f.asked.sum()), len(f.asked), text(f.paid.sum()), len(f.paid), text(f.reported.sum()), f.repeats, text(f.booked.sum()),
		text(lost), text(repeated))
}
