//go:build cgo

package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"unsafe"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// callBytes is what a call holds besides its events: a goroutine and what the native
// client keeps of it.
const callBytes = 8 << 10

// answer is what became of a request.
type answer[R any] struct {
	rows []R
	err  error // of the native client
	// resent says that the request was sent more than once, so that the rows may speak of
	// what an earlier attempt did.
	resent bool
}

// sendRequest sends a request and waits for its answer, with another session if the first one is
// lost. It holds room for the request until no native call of it is left. release, if not
// nil, is called then.
//
// The errors are those of ledger.Ledger, and what tigerbeetle-go says of the request.
func sendRequest[E, R any](
	ctx context.Context, l *Ledger, events []E, send func(tb.Client, []E) ([]R, error), release func(),
) (answer[R], error) {
	bytes := min(callBytes+int64(len(events))*int64(unsafe.Sizeof(*new(E))), l.cfg.MaxInFlightBytes)
	if err := l.acquireBytes(ctx, bytes); err != nil {
		if release != nil {
			release()
		}
		return answer[R]{}, err
	}
	releaseBytes := func() {
		l.inFlightBytes.Release(bytes)
		if release != nil {
			release()
		}
	}
	if ctx.Done() != nil {
		copied, free := copyEvents(l, events) // the native client may read them after we have returned
		events, release = copied, joinFuncs(free, release)
	}
	unanswered := false // a native client has had the request, and ended without an answer
	for {
		conn, err := l.sessions.acquireConn(ctx, len(events))
		if err != nil {
			releaseBytes()
			return answer[R]{}, wrapUnsent(err, unanswered)
		}
		if unanswered {
			l.sessions.countResent()
		}
		a, callerGone := callNative(ctx, l.sessions, conn, len(events), releaseBytes, func(client tb.Client) ([]R, error) { return send(client, events) })
		if callerGone {
			return answer[R]{}, wrapUnknown(contextError(ctx))
		}
		if sessionEndCause(a.err) == nil {
			releaseBytes()
			a.resent = unanswered
			if a.err != nil { // of this attempt: it says nothing of an earlier one
				return answer[R]{}, wrapUnsent(a.err, unanswered)
			}
			return a, nil
		}
		unanswered = true
	}
}

// largeRequest is how many transfers are worth a copy that is used again. Whoever
// sends full requests sends one after the other, and each would leave a megabyte to
// the collector.
const largeRequest = ledger.BatchMax / 4

// copyEvents copies events. free, if not nil, takes the copy back.
func copyEvents[E any](l *Ledger, events []E) (copied []E, free func()) {
	transfers, ok := any(events).([]ledger.Transfer)
	if !ok || len(transfers) < largeRequest {
		return slices.Clone(events), nil
	}
	buffer, _ := l.transferBuffers.Get().(*[]ledger.Transfer)
	if buffer == nil {
		buffer = new([]ledger.Transfer)
	}
	*buffer = append((*buffer)[:0], transfers...)
	return any(*buffer).([]E), func() { l.transferBuffers.Put(buffer) }
}

// joinFuncs calls those of two functions that are there.
func joinFuncs(first, second func()) func() {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func() {
		first()
		second()
	}
}

// acquireBytes waits for room.
func (l *Ledger) acquireBytes(ctx context.Context, bytes int64) error {
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	if l.inFlightBytes.TryAcquire(bytes) {
		return nil
	}
	acquireCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.sessions.accepting, cancel)()
	switch err := l.inFlightBytes.Acquire(acquireCtx, bytes); {
	case err == nil:
		return nil
	case ctx.Err() == nil:
		return l.sessions.endReason()
	default:
		return fmt.Errorf("cluster: %d calls wait for the cluster and there is no room for another: %w",
			l.Stats().Calls, contextError(ctx))
	}
}

// Who was first at a call: the answer, or its caller, who went away.
const (
	callPending int32 = iota
	callAnswered
	callerLeft
)

// callNative sends so many events to one session and gives the connection back. If the context ends first, it
// returns with gone, and the native call goes on by itself; leave is called when that ends.
func callNative[R any](
	ctx context.Context, s *sessions, c *conn, events int, releaseBytes func(), send func(tb.Client) ([]R, error),
) (a answer[R], callerGone bool) {
	native := func() (a answer[R]) {
		a.rows, a.err = send(c.client)
		return a
	}
	if ctx.Done() == nil {
		a = native()
		s.releaseConn(c, events, sessionEndCause(a.err))
		return a, false
	}
	var state atomic.Int32
	done := make(chan answer[R], 1)
	go func() { // ended by the answer, or by the client's Close; Close waits for it
		a := native()
		inTime := state.CompareAndSwap(callPending, callAnswered)
		if !inTime {
			s.countAbandoned(true)
			releaseBytes()
		}
		s.releaseConn(c, events, sessionEndCause(a.err)) // before the caller looks for another session
		if inTime {
			done <- a
		}
	}()
	select {
	case a = <-done:
		return a, false
	case <-ctx.Done():
		s.countAbandoned(false)
		if state.CompareAndSwap(callPending, callerLeft) {
			return a, true
		}
		s.countAbandoned(true)
		return <-done, false
	}
}

// translateTooMuchData makes the native client's word for a request above the limits ours.
func translateTooMuchData(err error, what string, n int) error {
	if errors.Is(err, tb.ErrTooMuchData) {
		return fmt.Errorf("cluster: %w: %d %s", ledger.ErrTooMuchData, n, what)
	}
	return err
}
