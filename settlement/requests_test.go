package settlement_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

// countingLedger counts the requests of an engine.
type countingLedger struct {
	ledger.Ledger

	creates, lookups, queries, history atomic.Int64
}

func (c *countingLedger) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	c.creates.Add(1)
	return c.Ledger.CreateTransfers(ctx, t)
}

func (c *countingLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	c.lookups.Add(1)
	return c.Ledger.LookupAccounts(ctx, ids)
}

func (c *countingLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	c.lookups.Add(1)
	return c.Ledger.LookupTransfers(ctx, ids)
}

func (c *countingLedger) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	c.queries.Add(1)
	return c.Ledger.GetAccountTransfers(ctx, f)
}

func (c *countingLedger) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	c.history.Add(1)
	return c.Ledger.GetAccountBalances(ctx, f)
}

// takeCounts returns the numbers of requests since the last call: writes, look-ups and queries,
// including queries of histories.
func (c *countingLedger) takeCounts() [3]int64 {
	return [3]int64{c.creates.Swap(0), c.lookups.Swap(0), c.queries.Swap(0) + c.history.Swap(0)}
}

// A round of an engine looks its peers up, some 2,000 in a request. It makes no query while only
// packets are booked, even if all peers have prepaid. PEERLEDGER_SCALE is the number of peers of the
// largest round.
func TestRequestsOfARound(t *testing.T) {
	t.Parallel()
	largest := 5000
	if text := os.Getenv("PEERLEDGER_SCALE"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		largest = n
	}
	for _, peers := range []int{10, 1000, largest} {
		t.Run(strconv.Itoa(peers), func(t *testing.T) {
			t.Parallel()
			names := make([]string, peers-1)
			for i := range names {
				names[i] = fmt.Sprint("peer ", i)
			}
			l := embedded.New()
			w := newWorldOn(t, l, 0, names...)
			c := &countingLedger{Ledger: l}
			cfg := manualConfig(newRail(), at100)
			cfg.Lease = time.Hour // no claims are renewed while it runs
			e := w.engineOn(c, cfg)
			round := func() [3]int64 {
				_, err := e.Settle(t.Context(), w.peers...)
				require.NoError(t, err)
				return c.takeCounts()
			}
			lookUps := int64((peers + 2046) / 2047)
			require.Equal(t, [3]int64{0, lookUps, 0}, round(), "nothing was ever booked")
			w.bookEach(func(ids accounts.PeerIDs) ledger.Transfer {
				return ledger.Transfer{DebitAccountID: ids.Settlement, CreditAccountID: ids.Peer, Code: chart.CodeIncoming}
			}, 500)
			first := round()
			t.Logf("%d peers that all have prepaid: %d look-ups and %d queries in the first round", peers, first[1], first[2])
			require.LessOrEqual(t, first[2], int64(peers*7), "the newest order, two codes of payments and changes of the line, twice each")
			require.Equal(t, [3]int64{0, lookUps, 0}, round(), "at rest")
			for _, way := range []bool{true, false} {
				w.bookEach(func(ids accounts.PeerIDs) ledger.Transfer {
					if way {
						return ledger.Transfer{DebitAccountID: w.liquidity(), CreditAccountID: ids.Peer, Code: chart.CodePacket}
					}
					return ledger.Transfer{DebitAccountID: ids.Peer, CreditAccountID: w.liquidity(), Code: chart.CodePacket}
				}, 60)
				require.Equal(t, [3]int64{0, lookUps, 0}, round(), "only packets came")
			}
			w.bookEach(func(ids accounts.PeerIDs) ledger.Transfer {
				return ledger.Transfer{DebitAccountID: w.liquidity(), CreditAccountID: ids.Peer, Code: chart.CodePacket}
			}, 40)
			paid := round() // 100 are owed beside what is prepaid
			t.Logf("%d orders placed and paid: %d writes, %d look-ups, %d queries", peers, paid[0], paid[1], paid[2])
			require.Equal(t, int64(2*peers), paid[0], "an order and its post")
			require.LessOrEqual(t, paid[1], int64(4*peers)+4*lookUps)
			require.Zero(t, paid[2], "nobody else orders, and no payment came, so all is known")
		})
	}
}

// bookEach books one row for each peer, as many in a request as the ledger takes.
func (w *world) bookEach(row func(accounts.PeerIDs) ledger.Transfer, amount uint64) {
	w.t.Helper()
	var rows []ledger.Transfer
	flush := func() {
		results, err := w.ledger.CreateTransfers(context.Background(), rows)
		require.NoError(w.t, err)
		for _, r := range results {
			require.Equal(w.t, ledger.TransferCreated, r.Status)
		}
		rows = rows[:0]
	}
	for _, a := range w.peers {
		t := row(w.book.PeerIDs(a))
		w.lastID++
		t.ID, t.Ledger, t.Amount = ledger.NewID(w.lastID, w.number<<8|7), usd.Ledger, units(amount)
		if rows = append(rows, t); len(rows) == ledger.BatchMax {
			flush()
		}
	}
	flush()
}

// coldStart checks the requests of an engine that meets its peers for the first time. All peers have
// prepaid and sent packets since: the engine reads their rows once.
func coldStart(t *testing.T, w *world, rowsEach int) {
	t.Helper()
	for i := range rowsEach / 2 {
		w.bookEach(func(ids accounts.PeerIDs) ledger.Transfer {
			if i%100 == 0 {
				return ledger.Transfer{DebitAccountID: ids.Settlement, CreditAccountID: ids.Peer, Code: chart.CodeIncoming}
			}
			return ledger.Transfer{DebitAccountID: w.liquidity(), CreditAccountID: ids.Peer, Code: chart.CodePacket}
		}, 10)
		w.bookEach(func(ids accounts.PeerIDs) ledger.Transfer {
			return ledger.Transfer{DebitAccountID: ids.Peer, CreditAccountID: w.liquidity(), Code: chart.CodePacket}
		}, 9)
	}
	c := &countingLedger{Ledger: w.ledger}
	e := w.engineOn(c, manualConfig(newRail(), settlement.Threshold{SettleThreshold: units(100)}))
	began := time.Now()
	paid, err := e.Settle(t.Context(), w.peers...)
	require.NoError(t, err)
	requests := c.takeCounts()
	t.Logf("%d peers with %d rows each: the first round took %v, %d writes, %d look-ups, %d queries, %d payments",
		len(w.peers), rowsEach, time.Since(began).Round(time.Millisecond), requests[0], requests[1], requests[2], len(paid))
	began = time.Now()
	_, err = e.Settle(t.Context(), w.peers...)
	require.NoError(t, err)
	requests = c.takeCounts()
	t.Logf("the next round took %v, %d look-ups, %d queries", time.Since(began).Round(time.Millisecond), requests[1], requests[2])
}

func TestColdStart(t *testing.T) {
	t.Parallel()
	coldStart(t, newWorld(t, "bob", "carol"), 400)
}
