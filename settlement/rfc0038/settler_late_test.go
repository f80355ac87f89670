package rfc0038_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// An order that waited for an approval for longer than KeyLifetime was never sent, so its key is as new as any, also for a
// process that starts after the approval. Once it was sent it gets too old from the approval on.
func TestOrderApprovedLateIsSent(t *testing.T) {
	t.Parallel()
	for name, restarts := range map[string]bool{"by the process that waited": false, "by the next process": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newTestEngine(t, enginetest.Config{Name: "ours", Scale: 9, Peers: map[string]enginetest.Address{"1-alice": {Engine: "x", Account: "us"}}})
			url, err := e.Start("127.0.0.1:0")
			require.NoError(t, err)
			var later atomic.Int64
			clock := func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			c := newConnectorOn(t, embedded.New(embedded.WithClock(clock)), url, "alice")
			start := func() *settlement.Engine { return startApproving(t, c, clock) }
			engine := start()
			c.earn(c.peers[0], 7000)
			_, err = engine.Settle(t.Context(), c.peers...)
			require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
			open, err := engine.Orders(t.Context(), c.peers...)
			require.NoError(t, err)
			require.Len(t, open, 1)

			later.Add(int64(60 * time.Hour)) // Friday evening to Monday morning
			_, err = engine.Approve(t.Context(), c.peers[0], open[0].ID)
			require.NoError(t, err)
			if restarts {
				engine = start()
			}
			require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.DropAfter, Request: enginetest.Settle}))
			_, err = engine.Settle(t.Context(), c.peers...)
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown, "it was sent")
			later.Add(int64(24 * time.Hour))
			_, err = start().Settle(t.Context(), c.peers...)
			require.ErrorIs(t, err, rfc0038.ErrKeyTooOld)
		})
	}
}

// startApproving starts a process whose orders an operator approves.
func startApproving(t *testing.T, c *connector, clock func() time.Time) *settlement.Engine {
	t.Helper()
	settler, err := rfc0038.NewSettler(rfc0038.SettlerConfig{Client: newClient(t, c.url), IDs: c.ids, Clock: clock})
	require.NoError(t, err)
	engine, err := settlement.NewEngine(c.ledger, c.book, settlement.Config{
		Rails: settlement.Rails{Default: settler.Rail("")}, Manual: true, Clock: clock,
		Policies:         settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(5000)}},
		PeerPayoutLimits: accounts.Rules[settlement.PayoutLimit]{Default: settlement.PayoutLimit{ApproveAbove: ledger.NewAmount(1)}},
	})
	require.NoError(t, err)
	return engine
}
