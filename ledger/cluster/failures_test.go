//go:build cgo && unix

package cluster_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// Each test of this file has a TigerBeetle of one replica, or else a server in this process. Its link
// or process fails.

// A link swallows everything, and later delivers it: calls end with their contexts, and sending the
// requests again finds their outcomes.
func TestBlackHoleUnderLoad(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	l := c.Open(t)
	p := newPair(t, l)
	link := c.Link(tigerbeetletest.Client, 0)
	link.BlackHole()
	var all [][]ledger.Transfer
	for range 5 {
		transfers := p.newTransfers(10)
		all = append(all, transfers)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		_, err := l.CreateTransfers(ctx, transfers)
		cancel()
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.Less(t, time.Since(start), 5*time.Second)
	}
	t.Logf("while nothing gets through: %+v", l.Stats())
	require.Equal(t, 5, l.Stats().Abandoned)
	c.Heal()
	for _, transfers := range all {
		for _, r := range createUntilKnown(t, l, transfers, time.Minute) {
			require.True(t, r.Status.Outcome().Done(), "%v", r.Status)
		}
	}
	require.Equal(t, uint64(50), p.postedAmount(t, l))
	require.NoError(t, l.Close())
	require.Equal(t, cluster.Stats{}, l.Stats())
	requireNoSessions(t, c)
}

// The reply and the connection are lost after the write. The native client recovers by itself.
func TestReplyLost(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	cfg := c.Config()
	cfg.Sessions = 1
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err)
	p := newPair(t, l)
	link := c.Link(tigerbeetletest.Client, 0)
	for _, giveUp := range []bool{false, true} {
		transfers := p.newTransfers(100)
		before, _ := link.Passed()
		posted := p.postedAmount(t, l)
		link.DropReplies()
		ctx, cancel := context.WithCancel(t.Context())
		var call sync.WaitGroup
		call.Go(func() {
			results, err := l.CreateTransfers(ctx, transfers)
			if giveUp {
				assert.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			} else if assert.NoError(t, err) {
				assert.Equal(t, ledger.TransferCreated, results[0].Status)
			}
		})
		require.NoError(t, link.Await(t.Context(), func() bool {
			after, _ := link.Passed()
			return after >= before+100*128
		}))
		awaitPosted(t, c, p, posted+100)
		if giveUp {
			cancel()
			call.Wait()
		}
		link.Reset() // the reply is lost for good
		c.Heal()
		call.Wait()
		cancel()
		for _, r := range createUntilKnown(t, l, transfers, time.Minute) {
			require.Equal(t, ledger.TransferExists, r.Status)
		}
		require.Equal(t, posted+100, p.postedAmount(t, l), "applied once")
	}
	t.Logf("200 transfers whose replies were lost are there once each; sessions were opened anew %d times", l.Stats().Reopened)
	require.NoError(t, l.Close())
	requireNoSessions(t, c)
}

// awaitPosted waits, on its own link to the server, until the amount is posted.
func awaitPosted(t *testing.T, c *tigerbeetletest.Cluster, p pair, want uint64) {
	t.Helper()
	side, err := tigerbeetletest.NewProxy(c.Replica(0).Addr())
	require.NoError(t, err)
	defer side.Close()
	cfg := c.Config()
	cfg.Addresses = []string{side.Addr()}
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for p.postedAmount(t, l) != want {
		require.NoError(t, ctx.Err(), "not posted")
	}
	require.NoError(t, l.Close())
}

func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	l := c.Open(t)
	w := startLoad(t, l)
	for range 3 {
		w.pauseSince()
		c.Replica(0).Kill()
		c.Replica(0).Start()
		w.awaitAnswers(t, 50)
		t.Logf("killed and started again: the load went on after %v", w.pauseSince())
	}
	w.stopAndCheck(t, l)
	require.NoError(t, l.Close())
	requireNoSessions(t, c)
}

// fixedResolver is a resolver for one name.
type fixedResolver struct{ address atomic.Pointer[netip.Addr] }

func (f *fixedResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{*f.address.Load()}, nil
}

// A replica comes back under another address of the same name.
func TestAddressChanged(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	old, err := tigerbeetletest.NewProxyOn("127.0.0.1:0", c.Replica(0).Addr())
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(old.Addr())
	require.NoError(t, err)
	moved, err := tigerbeetletest.NewProxyOn("127.0.0.2:"+port, c.Replica(0).Addr())
	if err != nil {
		old.Close()
		t.Skipf("needs a second loopback address: add 127.0.0.2 to the loopback interface (%v)", err)
	}
	t.Cleanup(moved.Close)
	var dns fixedResolver
	first, second := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	dns.address.Store(&first)
	reopened := make(chan cluster.SessionReopened, 10)
	l, err := cluster.Open(t.Context(), cluster.Config{
		ClusterID: c.ClusterID(), Addresses: []string{"tb-0:" + port}, Resolver: &dns, StallTimeout: time.Second,
		Events: cluster.Events{Reopened: func(r cluster.SessionReopened) { reopened <- r }},
	})
	require.NoError(t, err)
	w := startLoad(t, l)
	w.pauseSince()
	old.Close()
	dns.address.Store(&second)
	w.awaitAnswers(t, 20)
	t.Logf("the load went on after %v", w.pauseSince())
	r := <-reopened
	t.Logf("session %d: %v, now at %v", r.Session, r.Cause, r.Addresses)
	require.ErrorIs(t, r.Cause, cluster.ErrAddressChanged)
	w.stopAndCheck(t, l)
	require.NoError(t, l.Close())
	requireNoSessions(t, c)
}

// Close ends a thousand calls. Each has its answer, or an unknown outcome.
func TestCloseInFlight(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	for _, patience := range []time.Duration{-1, 10 * time.Second} {
		l := c.Open(t)
		p := newPair(t, l)
		require.NoError(t, l.Close())
		cfg := c.Config()
		cfg.CloseTimeout = patience
		l, err := cluster.Open(t.Context(), cfg)
		require.NoError(t, err)
		link := c.Link(tigerbeetletest.Client, 0)
		link.Delay(20 * time.Millisecond)
		const callers = 1000
		var applied, refused atomic.Int32
		var calls sync.WaitGroup
		payments := p.newTransfers(callers)
		unknown := make(chan ledger.Transfer, callers)
		for i := range payments {
			calls.Go(func() {
				results, err := l.CreateTransfers(t.Context(), payments[i:i+1])
				switch {
				case err == nil && assert.Equal(t, ledger.TransferCreated, results[0].Status):
					applied.Add(1)
				case errors.Is(err, ledger.ErrOutcomeUnknown):
					unknown <- payments[i]
				default:
					assert.ErrorIs(t, err, ledger.ErrClosed)
					refused.Add(1)
				}
			})
		}
		require.Eventually(t, func() bool { return l.Stats().Calls+int(applied.Load()) == callers }, 10*time.Second, time.Millisecond)
		start := time.Now()
		require.NoError(t, l.Close())
		t.Logf("closed after %v", time.Since(start))
		calls.Wait()
		close(unknown)
		require.Equal(t, cluster.Stats{}, l.Stats())
		c.Heal()
		after := c.Open(t)
		// A request of unknown outcome may be executed until it was sent again.
		asked, executed := 0, 0
		for payment := range unknown {
			asked++
			r := createUntilKnown(t, after, []ledger.Transfer{payment}, time.Minute)[0]
			require.True(t, r.Status.Outcome().Done(), "%v", r.Status)
			if r.Status == ledger.TransferExists {
				executed++
			}
		}
		t.Logf("%d applied, %d unknown of which %d were executed, %d refused", applied.Load(), asked, executed, refused.Load())
		require.Equal(t, callers, int(applied.Load()+refused.Load())+asked)
		require.Equal(t, uint64(int(applied.Load())+asked), p.postedAmount(t, after))
		if patience > 0 {
			require.Zero(t, asked)
		}
		require.NoError(t, after.Close())
	}
	requireNoSessions(t, c)
}
