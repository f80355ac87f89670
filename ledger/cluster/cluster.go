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

// Ledger is a TigerBeetle cluster. It implements ledger.Ledger and ledger.ChangeFeed; all
// methods may be called concurrently.
//
// It owns one goroutine for each session, and one for each call that has a context which
// can end and that the native client has not answered. Close ends them all.
type Ledger struct {
	cfg             Config
	replicas        []address
	dial            dialer
	sessions        *sessions
	inFlightBytes   *semaphore.Weighted // of Config.MaxInFlightBytes
	feedTurn        chan struct{}       // holds one: the change events call under way
	transferBuffers sync.Pool           // *[]ledger.Transfer, of large requests
	createLimit     *requestlimit.Limit // of create requests; Open learns it
	nativeLog       *nativeLog

	ctx         context.Context // of the keepers; ended by Close
	cancel      context.CancelFunc
	slotKeepers sync.WaitGroup
	closeOnce   func() // once
}

var (
	_ ledger.Ledger     = (*Ledger)(nil)
	_ ledger.ChangeFeed = (*Ledger)(nil)
)

// Open opens a cluster. It returns when every session has had a real look-up answered
// and the size of requests is known (see Ledger.BatchMax), or with an error:
//
//   - one that matches ErrConfig: the configuration cannot be used;
//   - a *ResolveError for each host name that could not be resolved;
//   - an *OpenError: the cluster has not answered before ctx ended or
//     Config.OpenTimeout was over, or does not serve this client (ErrClientRelease).
//
// The native client is told to close shortly before ctx ends, so that Open can keep to it.
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

// newLedger is a ledger without sessions. The configuration is valid and complete.
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
		return err // names the host
	}
	if err != nil {
		return l.newOpenError(err, time.Since(began), untriedReports(l.replicas, addresses), nil) // it is this machine's fault
	}
	diagnosis := l.startDiagnosis(ctx, addresses)
	err = l.awaitFirstAnswers(ctx)
	replicas := diagnosis.stopTries()
	if err == nil {
		return nil
	}
	switch { // and not that the outcome of a look-up is unknown
	case errors.Is(err, errTooNew):
		err = errTooNew
	case errors.Is(err, errTooOld):
		err = errTooOld
	case ctx.Err() != nil:
		err = contextError(ctx)
	}
	return l.newOpenError(err, time.Since(began), replicas, likelyCauses(err, replicas))
}

// connectAll opens all sessions, with a keeper for each, and returns where they look for
// the replicas. The cluster need not be there.
func (l *Ledger) connectAll(ctx context.Context) ([]netip.AddrPort, error) {
	addresses, err := resolveAll(ctx, l.cfg.Resolver, l.replicas, nil)
	if err != nil {
		return nil, err
	}
	for _, ln := range l.sessions.slots {
		c, err := l.openConn(ln, addresses)
		if err != nil {
			return addresses, err
		}
		l.sessions.installConn(c, false)
		l.slotKeepers.Go(func() { l.keepSession(l.ctx, ln) })
	}
	return addresses, nil
}

// withOpenDeadline ends after OpenTimeout, and a little before ctx does: closing the native
// clients takes time too.
func (l *Ledger) withOpenDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(l.cfg.OpenTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d.Add(-min(time.Until(d)/4, time.Second))
	}
	return context.WithDeadline(ctx, deadline)
}

// awaitFirstAnswers has a look-up answered on each session: the calls are made at once, so
// each takes another one.
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

// Ping asks the cluster for an account: nil if it answered. It opens no session, so it
// may serve as a readiness check; give it a context with a deadline. The errors are those
// of ledger.Ledger.
func (l *Ledger) Ping(ctx context.Context) error {
	_, err := l.LookupAccounts(ctx, []ledger.ID{ledger.NewID(1, 0)})
	return err
}

// Stats are numbers of a Ledger at a moment.
type Stats struct {
	Sessions  int    // open; the others are being opened anew
	Calls     int    // handed to the native client and not answered yet
	Abandoned int    // of Calls, those whose callers' contexts have ended
	Resent    uint64 // requests sent again, because a session was lost; since Open
	Reopened  uint64 // sessions opened anew; since Open
}

// Stats returns the numbers of this moment.
func (l *Ledger) Stats() Stats {
	s := l.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := Stats{Calls: s.calls, Abandoned: s.abandoned, Resent: s.resent, Reopened: s.reopened}
	for _, ln := range s.slots {
		if ln.conn != nil {
			stats.Sessions++
		}
	}
	return stats
}

// Close refuses new calls, waits up to Config.CloseTimeout for the answers to those under
// way, and ends the sessions. Calls that are not answered by then end with
// ledger.ErrOutcomeUnknown. It returns when no goroutine of the Ledger is left. A second
// Close waits for the first. The error is always nil.
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
	// A keeper may have left a lost connection behind, and calls may wait on it.
	closeAll(append(l.sessions.removeLostConns(), l.sessions.removeConns()...))
	l.sessions.nativeCalls.Wait()
	closeAll(l.sessions.removeLostConns()) // the last calls may have lost one; nobody is left who can
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
