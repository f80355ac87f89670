//go:build cgo

package cluster

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// A cluster that drops each new session at once is not stormed: in an hour some 120
// sessions are opened for each lane, one in thirty seconds.
func TestNoRetryStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		s.on(func(*fakeClient) fate { return fate{lost: tb.ErrClientEvicted} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() { assert.ErrorIs(t, l.Ping(ctx), context.DeadlineExceeded) })
		}
		callers.Wait()
		require.Less(t, s.dials(), 2*160)
		require.Greater(t, s.dials(), 2*80, "nor is it given up")

		s.on(nil)
		require.NoError(t, l.Ping(t.Context()))
		require.NoError(t, awaitSessions(t, l, 2))
		time.Sleep(steadyAfter) //nolint:forbidigo // virtual time
		s.once(fate{lost: tb.ErrClientEvicted})
		require.NoError(t, l.Ping(t.Context()))
		start := time.Now()
		require.NoError(t, awaitSessions(t, l, 2))
		require.Less(t, time.Since(start), time.Second, "what has lasted is replaced soon")
	})
}

// A session that the cluster dropped while it was idle is noticed by the next call, which
// does not fail.
func TestDroppedWhileIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		for _, c := range s.open() {
			c.drop()
		}
		require.NoError(t, l.Ping(t.Context()))
		require.NoError(t, l.Ping(t.Context()))
		require.NoError(t, awaitSessions(t, l, 2))
	})
}

// A release that the cluster does not serve is not tried again.
func TestReleaseNotServed(t *testing.T) {
	t.Parallel()
	for native, words := range map[error]string{
		tb.ErrClientReleaseTooHigh: "is newer than the cluster's",
		tb.ErrClientReleaseTooLow:  "is older than the cluster serves",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServers()
			s.on(func(*fakeClient) fate { return fate{lost: native} })
			start := time.Now()
			_, err := openWith(t.Context(), Config{Addresses: here}, s.dial)
			require.Less(t, time.Since(start), time.Second)
			var report *OpenError
			require.ErrorAs(t, err, &report)
			require.ErrorIs(t, err, ErrClientRelease)
			require.ErrorContains(t, err, words)
			require.Equal(t, []Cause{CauseClientRelease}, report.Causes)
			require.Empty(t, s.open())

			s.on(nil)
			l := openFake(t, s, Config{})
			before := s.dials()
			s.once(fate{lost: native})
			err = l.Ping(t.Context())
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown, "it may have been executed before the servers were exchanged")
			require.ErrorIs(t, err, ErrClientRelease)
			require.NotErrorIs(t, err, ledger.ErrClosed, "which says that nothing was sent")
			err = l.Ping(t.Context())
			require.ErrorIs(t, err, ledger.ErrClosed)
			require.ErrorIs(t, err, ErrClientRelease)
			require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
			time.Sleep(time.Hour) //nolint:forbidigo // virtual time
			require.Equal(t, before, s.dials())
		})
	}
}

// names is a resolver whose answers change.
type names struct {
	mu    sync.Mutex
	found map[string][]netip.Addr
	asked int
}

func (n *names) set(name string, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.found == nil {
		n.found = map[string][]netip.Addr{}
	}
	delete(n.found, name)
	for _, a := range addresses {
		n.found[name] = append(n.found[name], netip.MustParseAddr(a))
	}
}

func (n *names) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if found, ok := n.found[host]; ok {
		return append([]netip.Addr(nil), found...), nil
	}
	return nil, errNoAddress
}

// A session without answers is opened anew if a name has another address since, and only
// then; what it had under way is sent again.
func TestAddressChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		var dns names
		dns.set("tb-0", "10.0.0.1")
		dns.set("tb-1", "10.0.1.1")
		var told []SessionReopened
		l := openFake(t, s, Config{
			Addresses: []string{"tb-0:3000", "tb-1:3000"}, Resolver: &dns, Sessions: 1,
			Events: Events{Reopened: func(r SessionReopened) { told = append(told, r) }},
		})
		moved := netip.MustParseAddrPort("10.0.1.2:3000")
		s.on(func(*fakeClient) fate {
			if s.addresses[1] != moved {
				return fate{before: make(chan struct{})}
			}
			return fate{}
		})
		var call sync.WaitGroup
		call.Go(func() { assert.NoError(t, l.Ping(t.Context())) })
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		require.Equal(t, 1, s.dials(), "nothing has changed: the native client waits better than a new one would")
		require.Positive(t, l.Stats().Calls)

		dns.set("tb-0")
		dns.set("tb-1", "10.0.1.2")
		start := time.Now()
		call.Wait()
		require.Less(t, time.Since(start), 15*time.Second)
		synctest.Wait()
		require.Len(t, told, 1)
		require.ErrorIs(t, told[0].Cause, ErrAddressChanged)
		require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:3000"), moved}, told[0].Addresses,
			"a name that cannot be resolved keeps its address")
	})
}

// Who is answered, or asks for nothing, does not ask the resolver either.
func TestNamesAreLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		var dns names
		dns.set("tb-0", "10.0.0.1")
		l := openFake(t, s, Config{Addresses: []string{"tb-0"}, Resolver: &dns})
		asked := dns.asked
		for range 100 {
			require.NoError(t, l.Ping(t.Context()))
			time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		}
		require.Equal(t, asked, dns.asked)
	})
}

// Two names, of which the second is one that the resolver may not answer in time.
type slowResolver struct {
	*names
	mu   sync.Mutex
	hang bool
}

func (s *slowResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	s.mu.Lock()
	hang := s.hang && host == "tb-1"
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.names.LookupNetIP(ctx, network, host)
}

func newSlowResolver() *slowResolver {
	s := &slowResolver{names: new(names)}
	s.set("tb-0", "10.0.0.1")
	s.set("tb-1", "10.0.0.9")
	return s
}

func (s *slowResolver) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = true
}

// A resolver that does not answer does not keep a session from being opened anew.
func TestReopenWithoutAResolver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, dns := newServers(), newSlowResolver()
		l := openFake(t, s, Config{Addresses: []string{"tb-0", "tb-1"}, Resolver: dns, Sessions: 1})
		dns.stop()
		s.once(fate{lost: tb.ErrClientEvicted})
		start := time.Now()
		require.NoError(t, l.Ping(t.Context()))
		require.Less(t, time.Since(start), 6*time.Second)
	})
}

// A name that took the address of another, which cannot be resolved now, does not either.
func TestReopenWithAnAddressThatMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		var dns names
		dns.set("tb-0", "10.0.0.1")
		dns.set("tb-1", "10.0.0.2")
		l := openFake(t, s, Config{Addresses: []string{"tb-0", "tb-1"}, Resolver: &dns, Sessions: 1})
		dns.set("tb-0", "10.0.0.2")
		dns.set("tb-1")
		s.once(fate{lost: tb.ErrClientEvicted})
		require.NoError(t, l.Ping(t.Context()))
	})
}

// Close while the resolver is asked about a session without answers ends the call on it.
func TestCloseWhileWatching(t *testing.T) {
	t.Parallel()
	for pause := 500 * time.Millisecond; pause < 12*time.Second; pause += 500 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			s, dns := newServers(), newSlowResolver()
			l := openFake(t, s, Config{Addresses: []string{"tb-0", "tb-1"}, Resolver: dns, Sessions: 1})
			s.on(func(*fakeClient) fate { return fate{before: make(chan struct{})} })
			dns.set("tb-0", "10.0.0.2")
			dns.stop()
			var call sync.WaitGroup
			call.Go(func() { assert.ErrorIs(t, l.Ping(t.Context()), ledger.ErrOutcomeUnknown) })
			time.Sleep(pause) //nolint:forbidigo // virtual time
			require.NoError(t, l.Close())
			call.Wait()
		})
	}
}

// A loss that no keeper has seen, since it had ended, is closed all the same, with the calls
// on it.
func TestCloseAfterAnUnseenLoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{Sessions: 1, CloseTimeout: -1})
		s.on(func(*fakeClient) fate { return fate{before: make(chan struct{})} })
		var call sync.WaitGroup
		call.Go(func() { assert.ErrorIs(t, l.Ping(t.Context()), ledger.ErrOutcomeUnknown) })
		synctest.Wait()
		l.cancel()
		l.slotKeepers.Wait()
		l.sessions.dropConn(l.sessions.slots[0].conn, ErrAddressChanged)
		require.NoError(t, l.Close())
		call.Wait()
	})
}

// Why a session cannot be opened anew is told.
func TestReopenFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		failed := make(chan error, 100)
		l := openFake(t, s, Config{Events: Events{ReopenFailed: func(_ int, err error) { failed <- err }}})
		s.mu.Lock()
		s.dialErr = tb.ErrSystemResources
		s.mu.Unlock()
		s.once(fate{lost: tb.ErrClientEvicted})
		require.NoError(t, l.Ping(t.Context()))
		require.ErrorIs(t, <-failed, tb.ErrSystemResources)

		_, err := openWith(t.Context(), Config{Addresses: here}, s.dial)
		var report *OpenError
		require.ErrorAs(t, err, &report)
		require.ErrorIs(t, err, tb.ErrSystemResources)
		require.Empty(t, report.Causes)
	})
}
