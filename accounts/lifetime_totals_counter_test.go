package accounts_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// counter books everything that this version or an older version books for peers, and counts. It
// is the ledger under the tested books: when they look a peer up, it records the current counts,
// and books more.
type counter struct {
	ledger.Ledger
	t      *testing.T
	mu     sync.Mutex // several peers are looked up at once
	random *rand.Rand
	book   *accounts.Book // for the ids
	own    accounts.AssetIDs
	peers  []accounts.PeerAccount
	truth  []totals
	looked []totals
	parked [][]ledger.Transfer // payments in suspense, by peer
	late   [][]ledger.Transfer // late packets to a closed peer
	rounds [][]ledger.Transfer // earnings of rounds of a closed peer
	booked map[string]int      // number of bookings, by name
	still  bool                // no bookings during reading
}

// waiting returns the amounts that wait in suspense, by peer.
func (c *counter) waiting() []ledger.Amount {
	amounts := make([]ledger.Amount, len(c.peers))
	for i := range amounts {
		for _, row := range slices.Concat(c.parked[i], c.late[i], c.rounds[i]) {
			amounts[i], _ = amounts[i].Add(row.Amount)
		}
	}
	return amounts
}

func (c *counter) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows, err := c.Ledger.LookupAccounts(ctx, ids)
	for i, a := range c.peers {
		if slices.Contains(ids, a.ID()) {
			c.looked[i] = c.truth[i]
		}
	}
	for !c.still && c.random.IntN(3) == 0 {
		c.step()
	}
	return rows, err
}

func (c *counter) row(debit, credit ledger.ID, amount uint64, code uint16) ledger.Transfer {
	return ledger.Transfer{
		ID: randomID(), DebitAccountID: debit, CreditAccountID: credit, Amount: units(amount), Ledger: usd.Ledger, Code: code, UserData32: 1,
	}
}

// write books a chain, and reports whether the ledger took it.
func (c *counter) write(rows ...ledger.Transfer) bool {
	for i := range rows[:len(rows)-1] {
		rows[i].Flags |= ledger.TransferLinked
	}
	results, err := c.CreateTransfers(c.t.Context(), rows)
	require.NoError(c.t, err)
	return ledger.ChainOutcome(results).Outcome.Done()
}

// moved returns the amount of a row after the ledger cut it.
func (c *counter) moved(id ledger.ID) uint64 { return lookUp(c.t, c.Ledger, id).Amount.Big().Uint64() }

// ofPacket makes the row a row of a new packet, with these low bits of the id.
func ofPacket(t ledger.Transfer, low uint64) ledger.Transfer {
	t.ID.Lo &^= 0xff
	t.UserData128 = uint128.Uint128(t.ID)
	t.ID.Lo |= low
	return t
}

// event is a booking for a peer.
type event struct {
	*counter
	peer    int
	ids     accounts.PeerIDs
	sum     *totals
	amount  uint64
	collect ledger.Transfer
}

func (c *counter) step() {
	e := &event{counter: c, peer: c.random.IntN(len(c.peers)), amount: c.random.Uint64N(40) + 1}
	e.ids, e.sum = c.book.PeerIDs(c.peers[e.peer]), &c.truth[e.peer]
	e.collect = chart.Collect(e.ids.Peer, e.ids.Arrears, usd.Ledger)
	e.collect.ID = randomID()
	switch n := c.random.IntN(20); {
	case n < 9:
		e.packet(n)
	case n < 14:
		e.payment(n - 9)
	default:
		e.byHand(n - 14)
	}
}

// count adds the amount to totals if it was booked.
func (e *event) count(name string, booked bool, count ...*uint64) {
	if booked {
		e.booked[name]++
		for _, total := range count {
			*total += e.amount
		}
	}
}

// takeRow removes and returns the first of rows.
func (e *event) takeRow(rows *[]ledger.Transfer) (row ledger.Transfer, found bool) {
	if len(*rows) == 0 {
		return row, false
	}
	row, *rows = (*rows)[0], (*rows)[1:]
	e.amount = row.Amount.Big().Uint64()
	return row, true
}

// pickOne returns one of two at random.
func pickOne[T any](random *rand.Rand, a, b T) T {
	if random.IntN(2) == 0 {
		return a
	}
	return b
}

func (e *event) packet(n int) {
	p, r, x, market := e.ids.Peer, e.ids.Arrears, e.own.Suspense, e.own.Liquidity
	switch n {
	case 0, 1, 2:
		e.count("earned", e.write(e.row(market, p, e.amount, chart.CodePacket)), &e.sum.earned)
	case 3, 4:
		e.count("sent", e.write(e.row(p, market, e.amount, chart.CodePacket)), &e.sum.sent)
	case 5:
		late := ofPacket(e.row(r, market, e.amount, chart.CodeCorrection), 0x04)
		e.count("late", e.write(late, e.collect), &e.sum.sent)
	case 6:
		late := ofPacket(e.row(x, market, e.amount, chart.CodeCorrection), 0x04)
		charge := late
		charge.ID.Lo |= 0xf0
		charge.DebitAccountID, charge.CreditAccountID, charge.Flags = p, x, ledger.TransferBalancingDebit
		if e.write(late, charge) {
			e.amount = e.moved(charge.ID)
			e.count("late, of an older version", true, &e.sum.sent)
		}
	case 7:
		receiver := (e.peer + 1) % len(e.peers)
		if e.random.IntN(2) == 0 {
			e.roundWithClosedReceiver(receiver)
			return
		}
		row := ofPacket(e.row(r, x, e.amount, chart.CodeCorrection), pickOne[uint64](e.random, 0x0e, 0x0f))
		hold := e.row(market, e.peers[receiver].ID(), e.amount, chart.CodePacket)
		hold.ID, hold.Flags = row.ID, ledger.TransferPending
		hold.ID.Lo &^= 0xf
		require.True(e.t, e.write(hold))
		require.True(e.t, e.write(ledger.Transfer{ID: randomID(), PendingID: hold.ID, Flags: ledger.TransferVoidPending}))
		e.count("late packet to a closed peer", e.write(row), &e.sum.sent)
		e.late[receiver] = append(e.late[receiver], row)
	case 8:
		if waits, found := e.takeRow(&e.late[e.peer]); found {
			row := e.row(x, p, e.amount, chart.CodeCorrection)
			row.UserData128 = waits.UserData128
			e.count("late packet released", e.write(row), &e.sum.earned)
		} else if waits, found := e.takeRow(&e.rounds[e.peer]); found {
			row := e.row(x, p, e.amount, chart.CodeCorrection)
			row.UserData128 = uint128.Uint128(waits.ID)
			e.count("earnings of a round released", e.write(row), &e.sum.earned)
		}
	}
}

// roundWithClosedReceiver books a round whose sender has no reservation and whose receiver is closed.
func (e *event) roundWithClosedReceiver(receiver int) {
	charge, give := e.row(e.ids.Arrears, e.own.Transit, e.amount, chart.CodeCorrection), e.row(e.own.Transit, e.own.Suspense, e.amount, chart.CodeCorrection)
	give.ID.Lo &^= 0xf
	give.UserData128 = uint128.Uint128(e.peers[receiver].ID())
	e.count("round with a closed receiver", e.write(charge, give, e.collect), &e.sum.sent)
	e.rounds[receiver] = append(e.rounds[receiver], give)
}

// payment books a payment of the peer, waiting or returned ones included.
func (e *event) payment(n int) {
	p, s, r, x := e.ids.Peer, e.ids.Settlement, e.ids.Arrears, e.own.Suspense
	code := pickOne(e.random, chart.CodeIncoming, chart.CodeVoucher)
	switch n {
	case 0:
		e.count("received", e.write(e.row(s, p, e.amount, code)), &e.sum.in)
	case 1:
		row := e.row(s, x, e.amount, code)
		e.count("received while closed", e.write(row), &e.sum.in)
		e.parked[e.peer] = append(e.parked[e.peer], row)
	case 2:
		if waits, found := e.takeRow(&e.parked[e.peer]); found {
			row := e.row(x, p, e.amount, chart.CodeAdjust)
			row.UserData128 = uint128.Uint128(waits.ID)
			e.count("released", e.write(row))
		}
	case 3:
		if _, found := e.takeRow(&e.parked[e.peer]); found {
			e.count("returned from suspense", e.write(e.row(x, s, e.amount, chart.CodeReturned)))
		}
	case 4:
		e.count("returned", e.write(e.row(r, s, e.amount, chart.CodeReturned), e.collect))
	}
}

// byHand books an adjustment by an operator, or a payment to the peer.
func (e *event) byHand(n int) {
	p, s, r, x := e.ids.Peer, e.ids.Settlement, e.ids.Arrears, e.own.Suspense
	switch n {
	case 0:
		e.count("credited", e.write(e.row(x, p, e.amount, chart.CodeAdjust)))
	case 1:
		debited := pickOne(e.random, p, r)
		e.count(fmt.Sprint("debited beyond ", debited == r), e.write(e.row(debited, x, e.amount, chart.CodeAdjust), e.collect))
	case 2:
		off := e.row(x, r, e.amount, chart.CodeAdjust)
		off.Flags = ledger.TransferBalancingCredit
		e.count("written off", e.write(e.collect, off))
	case 3:
		from, to := e.ids.Line, p
		if e.random.IntN(2) == 0 {
			from, to = to, from
		}
		e.count("line", e.write(e.row(from, to, e.amount, chart.CodeGrant)))
	case 4:
		paid := pickOne(e.random, p, r) // an older version debited the peer account
		e.count(fmt.Sprint("paid beyond ", paid == r), e.write(e.row(paid, s, e.amount, chart.CodeOutgoing), e.collect), &e.sum.out)
	case 5:
		e.order()
	}
}

// order books an order, paid in part or beyond its amount.
func (e *event) order() {
	p, s, r, x := e.ids.Peer, e.ids.Settlement, e.ids.Arrears, e.own.Suspense
	switch e.random.IntN(3) {
	case 0:
		order := e.row(p, s, e.amount, chart.CodeOrder)
		order.Flags = ledger.TransferPending | ledger.TransferBalancingDebit
		if e.write(order) {
			e.amount = e.random.Uint64N(e.moved(order.ID) + 1)
			post := ledger.Transfer{ID: randomID(), PendingID: order.ID, Amount: units(e.amount), Flags: ledger.TransferPostPending}
			e.count("ordered", e.write(post), &e.sum.out)
		}
	case 1:
		e.count("overpaid", e.write(e.row(r, s, e.amount, chart.CodeOverpaid), e.collect), &e.sum.out)
	case 2:
		excess, charge := e.row(x, s, e.amount, chart.CodeCorrection), e.row(p, x, e.amount, chart.CodeCorrection)
		excess.UserData128 = uint128.Uint128(randomID()) // an order's id instead of a packet's
		charge.UserData128, charge.Flags = excess.UserData128, ledger.TransferBalancingDebit
		e.count("overpaid, of an older version", e.write(excess, charge), &e.sum.out)
	}
}

func newCounter(t *testing.T, l ledger.Ledger, seed, program uint64) *counter {
	t.Helper()
	c := &counter{
		Ledger: l, t: t, random: rand.New(rand.NewPCG(seed, program)), book: newBook(t, l), truth: make([]totals, 3),
		looked: make([]totals, 3), parked: make([][]ledger.Transfer, 3), late: make([][]ledger.Transfer, 3), rounds: make([][]ledger.Transfer, 3), booked: map[string]int{},
	}
	c.peers = provision(t, c.book, 100, "alice", "bob", "carol")
	c.own, _ = c.book.AssetIDs(usd.Ledger)
	require.NoError(t, c.book.EnsureTransit(t.Context()))
	return c
}
