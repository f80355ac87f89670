package accounts_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// totals are a peer's lifetime totals as counted by the program that books them.
type totals struct{ sent, earned, out, in uint64 }

func totalsOf(b accounts.Balance) totals {
	number := func(a ledger.Amount) uint64 { return a.Big().Uint64() }
	return totals{sent: number(b.Sent), earned: number(b.Earned), out: number(b.SettledOut), in: number(b.SettledIn)}
}

// The lifetime totals are exact for any bookings, for a new Book and for one with cached rows,
// also with bookings during reading.
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
			c.still = true
			balances, err = book.LookUpBalances(t.Context(), c.peers...)
			require.NoError(t, err)
			waiting, err := book.WaitingInSuspense(t.Context(), balances...)
			require.NoError(t, err)
			require.Equal(t, c.waiting(), waiting, "program %d", program)
			c.still = false
		}
		for name, n := range c.booked {
			booked[name] += n
		}
		ledgertest.RequireConserved(t, c.Ledger)
	}
	t.Log(booked)
	require.Len(t, booked, 23)
}

// Peers, and balances of many peers at once, have the same totals as a single balance. Balances
// that are only looked up have none.
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
		for listing, err := range book.Peers(t.Context(), usd, names...) {
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

// Nothing is read for peers with packets only, and nothing is read twice.
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
		movePacket(t, l, ownID(t, book), a.ID(), 7, 0)
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
	movePacket(t, l, ids.Liquidity, ids.Suspense, 5, 0)
	require.Equal(t, 2, requests(), "the rows of suspense")
	movePacket(t, l, ids.Liquidity, peers[3].ID(), 5, 0)
	require.Equal(t, 1, requests())
}
