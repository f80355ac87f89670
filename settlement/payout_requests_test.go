package settlement_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// countsQueries counts the queries over all accounts.
type countsQueries struct {
	ledger.Ledger
	queries atomic.Int64
}

func (c *countsQueries) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	c.queries.Add(1)
	return c.Ledger.QueryTransfers(ctx, f)
}

// Limits and pauses cost nothing at rest: one look-up for some 2,000 peers, as without them. A daily limit costs an
// order one write and up to four queries, half of them for payments beyond orders, once something was paid.
func TestRequestsOfLimitsAndPauses(t *testing.T) {
	t.Parallel()
	const peers = 200
	names := make([]string, peers-1)
	for i := range names {
		names[i] = fmt.Sprint("peer ", i)
	}
	w := newWorld(t, names...)
	l := &countsQueries{Ledger: w.ledger}
	c := &countingLedger{Ledger: l}
	cfg := manualConfig(newRail(), at100)
	cfg.Lease = time.Hour // no claims are renewed
	cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(1 << 40), ApproveAbove: units(1 << 30)})
	e := w.engineOn(c, cfg)
	operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
	earn := func(n uint64) {
		w.bookEach(func(ids accounts.PeerIDs) ledger.Transfer {
			return ledger.Transfer{DebitAccountID: w.liquidity(), CreditAccountID: ids.Peer, Code: chart.CodePacket}
		}, n)
	}
	rest := func(what string) {
		t.Helper()
		_, err := e.Settle(t.Context(), w.peers...)
		require.NoError(t, err)
		require.Equal(t, [3]int64{0, 1, 0}, c.takeCounts(), what)
	}
	rest("nothing was ever booked")
	earn(100)
	_, err := e.Settle(t.Context(), w.peers...)
	require.NoError(t, err)
	c.takeCounts() // reads the newest order of each peer once
	earn(80)
	queries := l.queries.Swap(0)
	_, err = e.Settle(t.Context(), w.peers...)
	require.NoError(t, err)
	paid := c.takeCounts()
	t.Logf("%d orders paid: %d writes, %d look-ups, %d queries of an account, %d of all", peers, paid[0], paid[1], paid[2], l.queries.Load())
	require.Equal(t, int64(3*peers), paid[0], "an order, the word that it may be paid, and its post")
	require.LessOrEqual(t, paid[1], int64(4*peers+4))
	require.Zero(t, paid[2])
	require.LessOrEqual(t, l.queries.Load(), int64(4*peers), "for the decision and for the check, two each")
	require.NotZero(t, queries)
	rest("all is paid")

	require.NoError(t, operator.StopPayments(t.Context()))
	rest("payments are stopped, and nothing is due")
	earn(80)
	_, err = e.Settle(t.Context(), w.peers...)
	require.ErrorIs(t, err, settlement.ErrPaused)
	require.LessOrEqual(t, c.takeCounts()[1], int64(peers+2), "a look at each peer, and one at the pauses")
}
