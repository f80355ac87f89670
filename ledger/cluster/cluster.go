//go:build cgo

package cluster

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/ledger"
)

// Ledger is a TigerBeetle cluster. It implements [ledger.Ledger] and [ledger.ChangeFeed]. All
// methods may be called concurrently.
//
// A Ledger runs one goroutine for each session, and one for each unanswered call with a cancellable
// context. Close ends all goroutines.
type Ledger struct {
	cfg             Config
	replicas        []address
	dial            dialer
	sessions        *sessions
	inFlightBytes   *semaphore.Weighted // of Config.MaxInFlightBytes
	feedTurn        chan struct{}       // full while a call of GetChangeEvents is under way
	transferBuffers sync.Pool           // *[]ledger.Transfer, copies of large requests
	createLimit     *requestlimit.Limit // of create requests; Open learns it
	nativeLog       *nativeLog

	ctx         context.Context // of the slots' keepers; Close cancels it
	cancel      context.CancelFunc
	slotKeepers sync.WaitGroup
	closeOnce   func() // runs shutDown
}

var (
	_ ledger.Ledger     = (*Ledger)(nil)
	_ ledger.ChangeFeed = (*Ledger)(nil)
)

// Open opens a cluster. It returns when every session has had a real look-up answered and
// [Ledger.BatchMax] is known, or with one of these errors:
//
//   - errors matching [ErrConfig]: the configuration cannot be used;
//   - a [ResolveError] for each host name without an address;
//   - an [OpenError]: the cluster did not answer before ctx ended or Config.OpenTimeout was over,
//     or does not serve this client ([ErrClientRelease]).
//
// Open begins to close the native clients shortly before the deadline of ctx, in order to return by
// the deadline.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	return openWith(ctx, cfg, dialNative)
}

func openWith(ctx context.Context, cfg Config, dial dialer) (*Ledger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	l := newLedger(cfg.withDefaults(), dial)
	if err := l.openSessions(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// newLedger returns a ledger without sessions. The configuration is valid and complete.
func newLedger(cfg Config, dial dialer) *Ledger {
	replicas, _ := parseAddresses("Addresses", cfg.Addresses)
	l := &Ledger{
		cfg: cfg, replicas: replicas, dial: dial, sessions: newSessions(cfg.Sessions),
		inFlightBytes: semaphore.NewWeighted(cfg.MaxInFlightBytes), feedTurn: make(chan struct{}, 1),
		createLimit: requestlimit.NewCreates(ledger.BatchMax), nativeLog: listenToNative(cfg.Events.Log),
	}
	//nolint:forbidigo // the sessions serve many callers, and end with Close and with no caller's context
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.closeOnce = sync.OnceFunc(l.shutDown)
	return l
}

// openSessions opens the sessions and waits for the cluster.
func (l *Ledger) openSessions(ctx context.Context) error {
	ctx, cancel := l.withOpenDeadline(ctx)
	defer cancel()
	began := time.Now()
	addresses, err := l.connectAll(ctx)
	if err != nil && addresses == nil {
		return err // the error names the host
	}
	if err != nil {
		return l.newOpenError(err, time.Since(began), untriedReports(l.replicas, addresses), nil) // a fault of this machine
	}
	diagnosis := l.startDiagnosis(ctx, addresses)
	err = l.awaitFirstAnswers(ctx)
	replicas := diagnosis.stopTries()
	if err == nil {
		return nil
	}
	switch { // the reason, not the unknown outcome of a look-up
	case errors.Is(err, errTooNew):
		err = errTooNew
	case errors.Is(err, errTooOld):
		err = errTooOld
	case ctx.Err() != nil:
		err = contextError(ctx)
	}
	return l.newOpenError(err, time.Since(began), replicas, likelyCauses(err, replicas))
}

// connectAll opens all sessions, starts a keeper for each slot, and returns the addresses of the
// replicas. The cluster need not run yet.
func (l *Ledger) connectAll(ctx context.Context) ([]netip.AddrPort, error) {
	addresses, err := resolveAll(ctx, l.cfg.Resolver, l.replicas, nil)
	if err != nil {
		return nil, err
	}
	for _, slot := range l.sessions.slots {
		c, err := l.openConn(slot, addresses)
		if err != nil {
			return addresses, err
		}
		l.sessions.installConn(c, false)
		l.slotKeepers.Go(func() { l.keepSession(l.ctx, slot) })
	}
	return addresses, nil
}

// withOpenDeadline returns a context with a deadline after OpenTimeout, and a little before the
// deadline of ctx: closing the native clients takes time too.
func (l *Ledger) withOpenDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(l.cfg.OpenTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d.Add(-min(time.Until(d)/4, time.Second))
	}
	return context.WithDeadline(ctx, deadline)
}

// awaitFirstAnswers sends one look-up on each session and waits for the answers. The calls start
// together, so each gets a session of its own.
func (l *Ledger) awaitFirstAnswers(ctx context.Context) error {
	errs := make([]error, l.cfg.Sessions)
	var calls sync.WaitGroup
	for i := range errs {
		calls.Go(func() { errs[i] = l.Ping(ctx) })
	}
	calls.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return l.learnBatchMax(ctx)
}

// Ping looks up an account and returns nil if the cluster answered. No session is opened, so Ping
// can serve as a readiness check. Give it a context with a deadline. The errors are listed at
// [ledger.Ledger].
func (l *Ledger) Ping(ctx context.Context) error {
	_, err := l.LookupAccounts(ctx, []ledger.ID{ledger.NewID(1, 0)})
	return err
}

// Stats are counts of a [Ledger] at one moment.
type Stats struct {
	Sessions  int    // open sessions; the rest is being reopened
	Calls     int    // sent to the native client and not answered yet
	Abandoned int    // calls among Calls whose context has ended
	Resent    uint64 // requests sent again after a session was lost, since Open
	Reopened  uint64 // sessions reopened since Open
}

// Stats returns the present counts.
func (l *Ledger) Stats() Stats {
	s := l.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Calls: s.calls, Abandoned: s.abandoned, Resent: s.resent, Reopened: s.reopened}
	for _, slot := range s.slots {
		if slot.conn != nil {
			stats.Sessions++
		}
	}
	return stats
}

// Close refuses new calls, waits up to Config.CloseTimeout for the answers to calls under way, and
// ends the sessions. Calls unanswered by then return [ledger.ErrOutcomeUnknown]. Close returns when
// no goroutine of the Ledger is left. A second Close waits for the first. The error is always nil.
func (l *Ledger) Close() error {
	l.closeOnce()
	return nil
}

func (l *Ledger) shutDown() {
	l.sessions.endCalls(errClosed)
	if l.cfg.CloseTimeout > 0 {
		timer := time.NewTimer(l.cfg.CloseTimeout)
		select {
		case <-l.sessions.idle:
		case <-timer.C:
		}
		timer.Stop()
	}
	l.cancel()
	l.slotKeepers.Wait()
	// A keeper may have left a lost connection in its slot, and calls may still wait on the
	// connection.
	closeAll(append(l.sessions.removeLostConns(), l.sessions.removeConns()...))
	l.sessions.nativeCalls.Wait()
	closeAll(l.sessions.removeLostConns()) // the last calls may have lost one more; no further call can
	l.nativeLog.stopListening()
}

// closeAll closes native clients, which ends the calls on them.
func closeAll(conns []*conn) {
	var closing sync.WaitGroup
	for _, c := range conns {
		closing.Go(c.client.Close)
	}
	closing.Wait()
}
