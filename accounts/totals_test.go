package accounts_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// totals are a peer's lifetime totals as a program counts them that knows what it books.
type totals struct{ sent, earned, out, in uint64 }

func totalsOf(b accounts.Balance) totals {
	number := func(a ledger.Amount) uint64 { return a.Big().Uint64() }
	return totals{sent: number(b.Sent), earned: number(b.Earned), out: number(b.SettledOut), in: number(b.SettledIn)}
}

// counter books everything that is ever booked for peers, as this version and older ones do, and
// counts. Its ledger is asked by the books under test: when they have looked a peer up, it
// keeps what it had counted then, and books on.
type counter struct {
	ledger.Ledger
	t      *testing.T
	random *rand.Rand
	book   *accounts.Book // for the ids
	own    accounts.AssetIDs
	peers  []accounts.Account
	truth  []totals
	looked []totals
	parked [][]ledger.Transfer // payments in suspense, by peer
	late   [][]ledger.Transfer // late packets to a closed peer
	booked map[string]int      // how often, by what it is
}

func (c *counter) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	rows, err := c.Ledger.LookupAccounts(ctx, ids)
	for i, a := range c.peers {
		if slices.Contains(ids, a.ID()) {
			c.looked[i] = c.truth[i]
		}
	}
	for c.random.IntN(3) == 0 {
		c.step()
	}
	return rows, err
}

func (c *counter) row(debit, credit ledger.ID, amount uint64, code uint16) ledger.Transfer {
	return ledger.Transfer{
		ID: randomID(), DebitAccountID: debit, CreditAccountID: credit, Amount: units(amount), Ledger: usd.Ledger, Code: code, UserData32: 1,
	}
}

// write books a chain, if the ledger takes it.
func (c *counter) write(rows ...ledger.Transfer) bool {
	for i := range rows[:len(rows)-1] {
		rows[i].Flags |= ledger.TransferLinked
	}
	results, err := c.Ledger.CreateTransfers(c.t.Context(), rows)
	require.NoError(c.t, err)
	return ledger.ChainOutcome(results).Outcome.Done()
}

// moved is the amount of a row that the ledger has cut.
func (c *counter) moved(id ledger.ID) uint64 { return lookUp(c.t, c.Ledger, id).Amount.Big().Uint64() }

// ofPacket makes the row one of a new packet, with these low bits of the id.
func ofPacket(t ledger.Transfer, low uint64) ledger.Transfer {
	t.ID.Lo &^= 0xff
	t.UserData128 = uint128.Uint128(t.ID)
	t.ID.Lo |= low
	return t
}

func (c *counter) step() {
	n := c.random.IntN(len(c.peers))
	ids, sum := c.book.PeerIDs(c.peers[n]), &c.truth[n]
	amount := c.random.Uint64N(40) + 1
	p, s, r, x, market := ids.Peer, ids.Settlement, ids.Arrears, c.own.Suspense, c.own.Liquidity
	collect := chart.Collect(p, r, usd.Ledger)
	collect.ID = randomID()
	note := func(what string, booked bool, count ...*uint64) {
		if booked {
			c.booked[what]++
			for _, total := range count {
				*total += amount
			}
		}
	}
	take := func(rows *[]ledger.Transfer) (row ledger.Transfer, found bool) {
		if len(*rows) == 0 {
			return row, false
		}
		row, *rows = (*rows)[0], (*rows)[1:]
		amount = row.Amount.Big().Uint64()
		return row, true
	}
	switch c.random.IntN(22) {
	case 0, 1, 2:
		note("earned", c.write(c.row(market, p, amount, chart.CodePacket)), &sum.earned)
	case 3, 4:
		note("sent", c.write(c.row(p, market, amount, chart.CodePacket)), &sum.sent)
	case 5:
		late := ofPacket(c.row(r, market, amount, chart.CodeCorrection), 0x04)
		note("late", c.write(late, collect), &sum.sent)
	case 6:
		late := ofPacket(c.row(x, market, amount, chart.CodeCorrection), 0x04)
		charge := late
		charge.ID.Lo |= 0xf0
		charge.DebitAccountID, charge.CreditAccountID, charge.Flags = p, x, ledger.TransferBalancingDebit
		if booked := c.write(late, charge); booked {
			amount = c.moved(charge.ID)
			note("late, of an older version", true, &sum.sent)
		}
	case 7:
		code := []uint16{chart.CodeIncoming, chart.CodeVoucher}[c.random.IntN(2)]
		note("received", c.write(c.row(s, p, amount, code)), &sum.in)
	case 8:
		row := c.row(s, x, amount, []uint16{chart.CodeIncoming, chart.CodeVoucher}[c.random.IntN(2)])
		note("received while closed", c.write(row))
		c.parked[n] = append(c.parked[n], row)
	case 9:
		if waits, found := take(&c.parked[n]); found {
			row := c.row(x, p, amount, chart.CodeAdjust)
			row.UserData128 = uint128.Uint128(waits.ID)
			note("released", c.write(row), &sum.in)
		}
	case 10:
		if _, found := take(&c.parked[n]); found {
			note("returned from suspense", c.write(c.row(x, s, amount, chart.CodeReturned)))
		}
	case 11:
		note("credited", c.write(c.row(x, p, amount, chart.CodeAdjust)))
	case 12:
		note("debited", c.write(c.row(p, x, amount, chart.CodeAdjust), collect))
	case 13:
		note("debited beyond", c.write(c.row(r, x, amount, chart.CodeAdjust), collect))
	case 14:
		off := c.row(x, r, amount, chart.CodeAdjust)
		off.Flags = ledger.TransferBalancingCredit
		note("written off", c.write(collect, off))
	case 15:
		order := c.row(p, s, amount, chart.CodeOrder)
		order.Flags = ledger.TransferPending | ledger.TransferBalancingDebit
		if c.write(order) {
			amount = c.random.Uint64N(c.moved(order.ID) + 1)
			post := ledger.Transfer{ID: randomID(), PendingID: order.ID, Amount: units(amount), Flags: ledger.TransferPostPending}
			note("ordered", c.write(post), &sum.out)
		}
	case 16:
		note("overpaid", c.write(c.row(r, s, amount, chart.CodeOverpaid), collect), &sum.out)
	case 17:
		excess, charge := c.row(x, s, amount, chart.CodeCorrection), c.row(p, x, amount, chart.CodeCorrection)
		excess.UserData128, charge.UserData128 = uint128.Uint128(excess.ID), uint128.Uint128(excess.ID)
		excess.UserData128.Hi++ // an order's id, and no packet's
		charge.UserData128, charge.Flags = excess.UserData128, ledger.TransferBalancingDebit
		note("overpaid, of an older version", c.write(excess, charge), &sum.out)
	case 18:
		if c.random.IntN(2) == 0 {
			note("paid, of an older version", c.write(c.row(p, s, amount, chart.CodeOutgoing)), &sum.out)
		} else {
			note("paid", c.write(c.row(r, s, amount, chart.CodeOutgoing), collect), &sum.out)
		}
	case 19:
		note("returned", c.write(c.row(r, s, amount, chart.CodeReturned), collect))
	case 20:
		line := c.row(ids.Line, p, amount, chart.CodeGrant)
		if c.random.IntN(2) == 0 {
			line.DebitAccountID, line.CreditAccountID = p, ids.Line
		}
		note("line", c.write(line))
	case 21:
		receiver := (n + 1) % len(c.peers)
		if waits, found := take(&c.late[n]); found {
			row := c.row(x, p, amount, chart.CodeCorrection)
			row.UserData128 = waits.UserData128
			note("late packet released", c.write(row), &sum.earned)
			return
		}
		row := ofPacket(c.row(r, x, amount, chart.CodeCorrection), 0x0f)
		note("late packet to a closed peer", c.write(row), &sum.sent)
		c.late[receiver] = append(c.late[receiver], row)
	}
}

func newCounter(t *testing.T, l ledger.Ledger, seed, program uint64) *counter {
	t.Helper()
	c := &counter{
		Ledger: l, t: t, random: rand.New(rand.NewPCG(seed, program)), book: newBook(t, l), truth: make([]totals, 3),
		looked: make([]totals, 3), parked: make([][]ledger.Transfer, 3), late: make([][]ledger.Transfer, 3), booked: map[string]int{},
	}
	c.peers = provision(t, c.book, 100, "alice", "bob", "carol")
	c.own, _ = c.book.AssetIDs(usd.Ledger)
	return c
}

// The lifetime totals are exact, whatever is booked, for a Book that has just been made and
// for one that has read before, also when something is booked while it reads.
func TestLifetimeTotals(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	booked := map[string]int{}
	for program := range uint64(40) {
		c := newCounter(t, newLedger(t), seed, program)
		old := newBook(t, c)
		for range 25 {
			for range c.random.IntN(10) {
				c.step()
			}
			book := old
			if c.random.IntN(4) == 0 {
				book = newBook(t, c)
			}
			balances, err := book.Balances(t.Context(), c.peers...)
			require.NoError(t, err)
			for i, b := range balances {
				require.Equal(t, c.looked[i], totalsOf(b), "program %d", program)
			}
		}
		for what, n := range c.booked {
			booked[what] += n
		}
		ledgertest.RequireConserved(t, c.Ledger)
	}
	t.Log(booked)
	require.Len(t, booked, 21)
}

// The directory and balances of many peers at once have the same totals as a balance alone, and
// balances that are only looked up have none.
func TestLifetimeTotalsEverywhere(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	l := newLedger(t)
	c := newCounter(t, l, seed, 1)
	for range 400 {
		c.step()
	}
	for _, names := range [][]string{{"alice", "bob", "carol"}, {"bob"}} {
		book := newBook(t, l)
		i := 0
		for listing, err := range book.Directory(t.Context(), usd, names...) {
			require.NoError(t, err)
			require.Equal(t, c.truth[i], totalsOf(listing.Balance), fmt.Sprint(i, names))
			i++
		}
		require.Equal(t, 3, i)
	}
	looked, err := c.book.LookUpBalances(t.Context(), c.peers...)
	require.NoError(t, err)
	for _, b := range looked {
		require.Equal(t, totals{}, totalsOf(b))
	}
}

// counting counts requests.
type counting struct {
	ledger.Ledger
	requests int
}

func (c *counting) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	c.requests++
	return c.Ledger.LookupAccounts(ctx, ids)
}

func (c *counting) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	c.requests++
	return c.Ledger.GetAccountTransfers(ctx, f)
}

func (c *counting) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	c.requests++
	return c.Ledger.GetAccountBalances(ctx, f)
}

// Nothing is read of peers for which nothing but packets was ever booked, and nothing twice.
func TestLifetimeTotalsReadLittle(t *testing.T) {
	t.Parallel()
	l := &counting{Ledger: newLedger(t)}
	book := newBook(t, l)
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprint("peer ", i))
	}
	peers := provision(t, book, 100, names...)
	for _, a := range peers {
		packet(t, l, own(t, book), a.ID(), 7, 0)
	}
	requests := func() int {
		t.Helper()
		before := l.requests
		_, err := book.Balances(t.Context(), peers...)
		require.NoError(t, err)
		return l.requests - before
	}
	require.Equal(t, 1, requests())
	ids, _ := book.AssetIDs(usd.Ledger)
	packet(t, l, ids.Liquidity, ids.Suspense, 5, 0)
	require.Equal(t, 2, requests(), "the rows of suspense")
	packet(t, l, ids.Liquidity, peers[3].ID(), 5, 0)
	require.Equal(t, 1, requests())
}
