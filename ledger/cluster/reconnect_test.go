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

// A cluster that drops each new session at once gets about 120 sessions for each slot in an hour,
// one in thirty seconds.
func TestNoRetryStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		s.setFate(func(*fakeClient) fate { return fate{lost: tb.ErrClientEvicted} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() { assert.ErrorIs(t, l.Ping(ctx), context.DeadlineExceeded) })
		}
		callers.Wait()
		require.Less(t, s.dialCount(), 2*160)
		require.Greater(t, s.dialCount(), 2*80, "nor is it given up")

		s.setFate(nil)
		require.NoError(t, l.Ping(t.Context()))
		require.NoError(t, awaitSessions(t, l, 2))
		time.Sleep(steadyAfter) //nolint:forbidigo // virtual time
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		require.NoError(t, l.Ping(t.Context()))
		start := time.Now()
		require.NoError(t, awaitSessions(t, l, 2))
		require.Less(t, time.Since(start), time.Second, "a session that lasted is replaced soon")
	})
}

// The next call notices a session dropped while it was idle, and succeeds.
func TestDroppedWhileIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		for _, c := range s.openClients() {
			c.dropSession()
		}
		require.NoError(t, l.Ping(t.Context()))
		require.NoError(t, l.Ping(t.Context()))
		require.NoError(t, awaitSessions(t, l, 2))
	})
}

// After ErrClientRelease no session is opened again.
func TestReleaseNotServed(t *testing.T) {
	t.Parallel()
	for native, words := range map[error]string{
		tb.ErrClientReleaseTooHigh: "is newer than the cluster's",
		tb.ErrClientReleaseTooLow:  "is older than the cluster serves",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServers()
			s.setFate(func(*fakeClient) fate { return fate{lost: native} })
			start := time.Now()
			_, err := openWith(t.Context(), Config{Addresses: localAddresses}, s.dialFake)
			require.Less(t, time.Since(start), time.Second)
			var report *OpenError
			require.ErrorAs(t, err, &report)
			require.ErrorIs(t, err, ErrClientRelease)
			require.ErrorContains(t, err, words)
			require.Equal(t, []Cause{CauseClientRelease}, report.Causes)
			require.Empty(t, s.openClients())

			s.setFate(nil)
			l := openFake(t, s, Config{})
			before := s.dialCount()
			s.setNextFate(fate{lost: native})
			err = l.Ping(t.Context())
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown, "it may have been executed before the servers were exchanged")
			require.ErrorIs(t, err, ErrClientRelease)
			require.NotErrorIs(t, err, ledger.ErrClosed, "ErrClosed means that nothing was sent")
			err = l.Ping(t.Context())
			require.ErrorIs(t, err, ledger.ErrClosed)
			require.ErrorIs(t, err, ErrClientRelease)
			require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
			time.Sleep(time.Hour) //nolint:forbidigo // virtual time
			require.Equal(t, before, s.dialCount())
		})
	}
}

// changingResolver is a resolver whose answers change.
type changingResolver struct {
	mu    sync.Mutex
	found map[string][]netip.Addr
	asked int
}

func (n *changingResolver) setAddresses(name string, addresses ...string) {
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

func (n *changingResolver) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
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

// A session without answers is reopened only if the address of a name has changed. Its unanswered
// requests are sent again.
func TestAddressChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		var dns changingResolver
		dns.setAddresses("tb-0", "10.0.0.1")
		dns.setAddresses("tb-1", "10.0.1.1")
		var reports []SessionReopened
		l := openFake(t, s, Config{
			Addresses: []string{"tb-0:3000", "tb-1:3000"}, Resolver: &dns, Sessions: 1,
			Events: Events{Reopened: func(r SessionReopened) { reports = append(reports, r) }},
		})
		moved := netip.MustParseAddrPort("10.0.1.2:3000")
		s.setFate(func(*fakeClient) fate {
			if s.addresses[1] != moved {
				return fate{before: make(chan struct{})}
			}
			return fate{}
		})
		var call sync.WaitGroup
		call.Go(func() { assert.NoError(t, l.Ping(t.Context())) })
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time
		require.Equal(t, 1, s.dialCount(), "nothing has changed: waiting is better than a new session")
		require.Positive(t, l.Stats().Calls)

		dns.setAddresses("tb-0")
		dns.setAddresses("tb-1", "10.0.1.2")
		start := time.Now()
		call.Wait()
		require.Less(t, time.Since(start), 15*time.Second)
		synctest.Wait()
		require.Len(t, reports, 1)
		require.ErrorIs(t, reports[0].Cause, ErrAddressChanged)
		require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:3000"), moved}, reports[0].Addresses,
			"a name that cannot be resolved keeps its address")
	})
}

// A session that is answered, or has no calls, does not ask the resolver.
func TestNamesAreLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		var dns changingResolver
		dns.setAddresses("tb-0", "10.0.0.1")
		l := openFake(t, s, Config{Addresses: []string{"tb-0"}, Resolver: &dns})
		asked := dns.asked
		for range 100 {
			require.NoError(t, l.Ping(t.Context()))
			time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		}
		require.Equal(t, asked, dns.asked)
	})
}

// Two names. The resolver may not answer the second in time.
type slowResolver struct {
	*changingResolver
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
	return s.changingResolver.LookupNetIP(ctx, network, host)
}

func newSlowResolver() *slowResolver {
	s := &slowResolver{changingResolver: new(changingResolver)}
	s.setAddresses("tb-0", "10.0.0.1")
	s.setAddresses("tb-1", "10.0.0.9")
	return s
}

func (s *slowResolver) stopAnswering() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = true
}

// A session is reopened without an answer of the resolver.
func TestReopenWithoutAResolver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, dns := newServers(), newSlowResolver()
		l := openFake(t, s, Config{Addresses: []string{"tb-0", "tb-1"}, Resolver: dns, Sessions: 1})
		dns.stopAnswering()
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		start := time.Now()
		require.NoError(t, l.Ping(t.Context()))
		require.Less(t, time.Since(start), 6*time.Second)
	})
}

// A session is reopened when one name has the address of a name that cannot be resolved.
func TestReopenWithAnAddressThatMoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		var dns changingResolver
		dns.setAddresses("tb-0", "10.0.0.1")
		dns.setAddresses("tb-1", "10.0.0.2")
		l := openFake(t, s, Config{Addresses: []string{"tb-0", "tb-1"}, Resolver: &dns, Sessions: 1})
		dns.setAddresses("tb-0", "10.0.0.2")
		dns.setAddresses("tb-1")
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		require.NoError(t, l.Ping(t.Context()))
	})
}

// Close during a look-up of names for a stalled session ends the session's call.
func TestCloseWhileWatching(t *testing.T) {
	t.Parallel()
	for pause := 500 * time.Millisecond; pause < 12*time.Second; pause += 500 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			s, dns := newServers(), newSlowResolver()
			l := openFake(t, s, Config{Addresses: []string{"tb-0", "tb-1"}, Resolver: dns, Sessions: 1})
			s.setFate(func(*fakeClient) fate { return fate{before: make(chan struct{})} })
			dns.setAddresses("tb-0", "10.0.0.2")
			dns.stopAnswering()
			var call sync.WaitGroup
			call.Go(func() { assert.ErrorIs(t, l.Ping(t.Context()), ledger.ErrOutcomeUnknown) })
			time.Sleep(pause) //nolint:forbidigo // virtual time
			require.NoError(t, l.Close())
			call.Wait()
		})
	}
}

// A loss after the end of the slot's keeper is closed too, with its calls.
func TestCloseAfterAnUnseenLoss(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{Sessions: 1, CloseTimeout: -1})
		s.setFate(func(*fakeClient) fate { return fate{before: make(chan struct{})} })
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

// Events.ReopenFailed has the reason.
func TestReopenFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		failed := make(chan error, 100)
		l := openFake(t, s, Config{Events: Events{ReopenFailed: func(_ int, err error) { failed <- err }}})
		s.mu.Lock()
		s.dialErr = tb.ErrSystemResources
		s.mu.Unlock()
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		require.NoError(t, l.Ping(t.Context()))
		require.ErrorIs(t, <-failed, tb.ErrSystemResources)

		_, err := openWith(t.Context(), Config{Addresses: localAddresses}, s.dialFake)
		var report *OpenError
		require.ErrorAs(t, err, &report)
		require.ErrorIs(t, err, tb.ErrSystemResources)
		require.Empty(t, report.Causes)
	})
}
