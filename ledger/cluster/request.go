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

// callBytes is the memory of a call besides its events: a goroutine and the native client's record
// of the call.
const callBytes = 8 << 10

// answer is the answer to a request.
type answer[R any] struct {
	rows []R
	err  error // of the native client
	// resent is true if the request was sent more than once: the rows may then show the effects of
	// an earlier attempt.
	resent bool
}

// sendRequest sends a request and waits for its answer. If the session is lost, sendRequest sends
// the request again on another session. The bytes of the request stay acquired until no native call
// of the request is left; then release is called, if not nil.
//
// The errors are listed at [ledger.Ledger], besides tigerbeetle-go's errors of the request alone.
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
		copied, freeCopy := copyEvents(l, events) // the native client may read the events after we have returned
		events, release = copied, joinFuncs(freeCopy, release)
	}
	unanswered := false // a native client had the request and ended without an answer
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
			if a.err != nil { // of this attempt: an earlier attempt may have succeeded
				return answer[R]{}, wrapUnsent(a.err, unanswered)
			}
			return a, nil
		}
		unanswered = true
	}
}

// largeRequest is the number of transfers from which on the memory of a copy is used again. A
// caller of full requests sends them in sequence, and each copy would leave a megabyte to the
// garbage collector.
const largeRequest = ledger.BatchMax / 4

// copyEvents copies events. free, if not nil, returns the memory of the copy to the pool.
func copyEvents[E any](l *Ledger, events []E) (copied []E, freeCopy func()) {
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

// joinFuncs returns a function that calls both functions. Each may be nil.
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

// acquireBytes waits until the calls under way leave room for this many bytes.
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

// The states of a call: pending until either the answer or the end of the caller's context comes
// first.
const (
	callPending int32 = iota
	callAnswered
	callerLeft
)

// callNative sends a request of this many events on one session and releases the connection. If the
// context ends first, callNative returns with callerGone while the native call goes on;
// releaseBytes is called at its end.
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
	go func() { // ends with the answer or the native client's Close; Ledger.Close waits for it
		a := native()
		inTime := state.CompareAndSwap(callPending, callAnswered)
		if !inTime {
			s.countAbandoned(true)
			releaseBytes()
		}
		s.releaseConn(c, events, sessionEndCause(a.err)) // before the caller acquires another connection
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

// translateTooMuchData replaces tigerbeetle-go's error of a too large request by
// ledger.ErrTooMuchData.
func translateTooMuchData(err error, unit string, n int) error {
	if errors.Is(err, tb.ErrTooMuchData) {
		return fmt.Errorf("cluster: %w: %d %s", ledger.ErrTooMuchData, n, unit)
	}
	return err
}
