//go:build cgo && unix

package cluster_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/server"
	"github.com/peerledger/peerledger/ledger/server/faulty"
)

// Each test of this file has the native client and a server in this process, with answers that no
// TigerBeetle gives on demand.

// served is a server in this process with an empty ledger.
type served struct {
	*faulty.Server
}

// startServed starts a server. The end of the test ends the server.
func startServed(t *testing.T, cfg server.Config) served {
	t.Helper()
	s, err := faulty.Start(faulty.Config{Server: cfg})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return served{s}
}

// config returns the configuration of a ledger with one session.
func (s served) config() cluster.Config {
	return cluster.Config{Addresses: s.Addresses(), Sessions: 1}
}

// openServed opens a ledger with one session, and closes the ledger at the end of the test.
// reopened receives what Events reports.
func (s served) openServed(t *testing.T) (l *cluster.Ledger, reopened chan cluster.SessionReopened) {
	t.Helper()
	reopened = make(chan cluster.SessionReopened, 10)
	cfg := s.config()
	cfg.Events.Reopened = func(r cluster.SessionReopened) { reopened <- r }
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, reopened
}

// runWaiting runs subtests that mostly wait, all at once: t.Parallel would run GOMAXPROCS of them.
func runWaiting(t *testing.T, tests map[string]func(t *testing.T)) {
	t.Helper()
	var waiting sync.WaitGroup
	for name, run := range tests {
		waiting.Go(func() { t.Run(name, run) })
	}
	waiting.Wait()
}

// An evicted session is opened again, and its request is sent again. A client whose release the
// server does not take is refused for good.
func TestEvictionReasons(t *testing.T) {
	t.Parallel()
	again := func(reason server.Eviction) func(*testing.T) {
		return func(t *testing.T) { t.Helper(); evictOnce(t, reason) }
	}
	refused := func(reason server.Eviction, why string) func(*testing.T) {
		return func(t *testing.T) { t.Helper(); evictForGood(t, reason, why) }
	}
	runWaiting(t, map[string]func(*testing.T){
		"1, no session":                    again(1),
		"2, the release is too old":        refused(2, "is older than the cluster serves"),
		"3, the release is too new":        refused(3, "is newer than the cluster's"),
		"4, an invalid operation":          again(4),
		"5, an invalid body":               again(5),
		"6, an invalid size of the body":   again(6),
		"7, the session is too low":        again(7),
		"8, the release changes meanwhile": again(8),
	})
}

func evictOnce(t *testing.T, reason server.Eviction) {
	t.Helper()
	s := startServed(t, server.Config{})
	l, reopened := s.openServed(t)
	p := newPair(t, l)
	s.Inject(faulty.Fault{Do: faulty.Evict(reason)})
	results, err := l.CreateTransfers(t.Context(), p.newTransfers(1))
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	r := <-reopened
	require.ErrorIs(t, r.Cause, cluster.ErrEvicted)
	require.Equal(t, 1, r.Attempts)
	require.Equal(t, cluster.Stats{Sessions: 1, Resent: 1, Reopened: 1}, l.Stats())
	require.Equal(t, uint64(1), p.postedAmount(t, l))
}

func evictForGood(t *testing.T, reason server.Eviction, why string) {
	t.Helper()
	s := startServed(t, server.Config{})
	l, reopened := s.openServed(t)
	p := newPair(t, l)
	s.Inject(faulty.Fault{Do: faulty.Evict(reason)})
	_, err := l.CreateTransfers(t.Context(), p.newTransfers(1))
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown, "the request was sent")
	require.ErrorIs(t, err, cluster.ErrClientRelease)
	require.ErrorContains(t, err, why)
	err = l.Ping(t.Context())
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.ErrorIs(t, err, cluster.ErrClientRelease)
	require.ErrorContains(t, err, why)
	require.Empty(t, reopened)
}

// Open names the releases that do not fit.
func TestOpenReleaseRefused(t *testing.T) {
	t.Parallel()
	refused := func(cfg server.Config, why string) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			start := time.Now()
			_, err := cluster.Open(t.Context(), startServed(t, cfg).config())
			require.Less(t, time.Since(start), 10*time.Second, "the refusal ends Open, not its timeout")
			require.ErrorIs(t, err, cluster.ErrClientRelease)
			require.ErrorContains(t, err, why)
			var report *cluster.OpenError
			require.ErrorAs(t, err, &report)
			require.Equal(t, []cluster.Cause{cluster.CauseClientRelease}, report.Causes)
		}
	}
	runWaiting(t, map[string]func(*testing.T){
		"the server is older":     refused(server.Config{Release: "0.17.8"}, "is newer than the cluster's"),
		"the server is far newer": refused(server.Config{Release: "0.18.0", OldestClient: "0.18.0"}, "is older than the cluster serves"),
	})
}

// The server loses its sessions, and its ledger stays: each session is opened again once, and the
// load goes on.
func TestSessionsForgotten(t *testing.T) {
	t.Parallel()
	s := startServed(t, server.Config{})
	cfg := s.config()
	cfg.Sessions = 3
	reopened := make(chan int, 10)
	cfg.Events.Reopened = func(r cluster.SessionReopened) { reopened <- r.Session }
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err)
	w := startLoad(t, l)
	s.EvictAll()
	require.ElementsMatch(t, []int{0, 1, 2}, []int{<-reopened, <-reopened, <-reopened})
	w.awaitAnswers(t, 50)
	stats := l.Stats()
	require.Equal(t, uint64(3), stats.Reopened)
	require.Equal(t, 3, stats.Sessions)
	require.GreaterOrEqual(t, stats.Resent, uint64(3), "of each session")
	w.stopAndCheck(t, l)
	require.NoError(t, l.Close())
}

// The answer and the session are lost after the transfers were applied. The transfers are sent
// again, and exist: also each member of a chain, whose second attempt is answered as
// linked_event_failed.
func TestAnswerAndSessionLost(t *testing.T) {
	t.Parallel()
	s := startServed(t, server.Config{})
	l, reopened := s.openServed(t)
	p := newPair(t, l)
	transfers := p.newTransfers(4)
	transfers[0].Flags, transfers[1].Flags = ledger.TransferLinked, ledger.TransferLinked
	lost := s.Inject(faulty.Fault{Do: faulty.DropAnswer()})
	s.Inject(faulty.Fault{Do: faulty.Evict(server.EvictionNoSession), Skip: 1}) // the request that the native client repeats
	results, err := l.CreateTransfers(t.Context(), transfers)
	require.NoError(t, err)
	require.Equal(t, 1, lost.Hits())
	require.ErrorIs(t, (<-reopened).Cause, cluster.ErrEvicted)
	var ids []ledger.ID
	for i := range transfers {
		ids = append(ids, transfers[i].ID)
	}
	stored, err := l.LookupTransfers(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, stored, len(transfers))
	for i, r := range results {
		require.Equal(t, ledger.CreateTransferResult{Timestamp: stored[i].Timestamp, Status: ledger.TransferExists}, r)
	}
	require.Equal(t, uint64(4), p.postedAmount(t, l))
	require.Equal(t, cluster.Stats{Sessions: 1, Resent: 1, Reopened: 1}, l.Stats())
}

// Answers that come late, twice, or after the next answer change nothing.
func TestAnswersOutOfTurn(t *testing.T) {
	t.Parallel()
	s := startServed(t, server.Config{})
	stale := s.Inject(faulty.Fault{On: faulty.Everything(), Times: -1, Do: faulty.StaleAnswers()})
	l, reopened := s.openServed(t)
	p := newPair(t, l)
	for n := range 10 {
		results, err := l.CreateTransfers(t.Context(), p.newTransfers(n+1))
		require.NoError(t, err)
		require.Len(t, results, n+1)
		for _, r := range results {
			require.Equal(t, ledger.TransferCreated, r.Status)
		}
	}
	require.Equal(t, uint64(55), p.postedAmount(t, l))
	require.GreaterOrEqual(t, stale.Hits(), 13, "a register, accounts, transfers and a look-up")
	require.Empty(t, reopened)
}

// A server that never answers: each call ends with its context, and its outcome is unknown until
// the server answers again.
func TestServerIgnoresRequests(t *testing.T) {
	t.Parallel()
	s := startServed(t, server.Config{})
	l, reopened := s.openServed(t)
	p := newPair(t, l)
	transfers := p.newTransfers(10)
	ignoring := s.Inject(faulty.Fault{On: faulty.Everything(), Times: -1, Do: faulty.DropRequest()})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := l.CreateTransfers(ctx, transfers)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = l.LookupAccounts(ctx, []ledger.ID{p.debit})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown, "the context had ended before the look-up was sent")
	require.Equal(t, cluster.Stats{Sessions: 1, Calls: 1, Abandoned: 1}, l.Stats())
	ignoring.Stop()
	for _, r := range createUntilKnown(t, l, transfers, time.Minute) {
		require.Equal(t, ledger.TransferExists, r.Status, "the native client sent the request again first")
	}
	require.Equal(t, uint64(10), p.postedAmount(t, l))
	require.Eventually(t, func() bool { return l.Stats() == cluster.Stats{Sessions: 1} }, 10*time.Second, time.Millisecond)
	require.Empty(t, reopened)
}

// Close returns within CloseTimeout although the server answers nothing.
func TestCloseWithoutAnswers(t *testing.T) {
	t.Parallel()
	s := startServed(t, server.Config{})
	cfg := s.config()
	cfg.CloseTimeout = 100 * time.Millisecond
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err)
	p := newPair(t, l)
	asked := s.Inject(faulty.Fault{Do: faulty.DropRequest()})
	s.Inject(faulty.Fault{On: faulty.Everything(), Times: -1, Do: faulty.DropRequest()})
	var call sync.WaitGroup
	call.Go(func() {
		_, err := l.CreateTransfers(t.Context(), p.newTransfers(1))
		assert.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		assert.NotErrorIs(t, err, ledger.ErrClosed, "ErrClosed means that nothing was sent")
	})
	<-asked.Done()
	start := time.Now()
	require.NoError(t, l.Close())
	require.GreaterOrEqual(t, time.Since(start), cfg.CloseTimeout)
	call.Wait()
	require.ErrorIs(t, l.Ping(t.Context()), ledger.ErrClosed)
}
