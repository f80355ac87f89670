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
	// again says that the request was sent more than once, so that the rows may speak of
	// what an earlier attempt did.
	again bool
}

// ask sends a request and waits for its answer, with another session if the first one is
// lost. It holds room for the request until no native call of it is left. release, if not
// nil, is called then.
//
// The errors are those of ledger.Ledger, and what tigerbeetle-go says of the request.
func ask[E, R any](
	ctx context.Context, l *Ledger, events []E, send func(tb.Client, []E) ([]R, error), release func(),
) (answer[R], error) {
	room := min(callBytes+int64(len(events))*int64(unsafe.Sizeof(*new(E))), l.cfg.MaxInFlightBytes)
	if err := l.enter(ctx, room); err != nil {
		if release != nil {
			release()
		}
		return answer[R]{}, err
	}
	leave := func() {
		l.room.Release(room)
		if release != nil {
			release()
		}
	}
	if ctx.Done() != nil {
		copied, free := copyOf(l, events) // the native client may read them after we have returned
		events, release = copied, both(free, release)
	}
	handed := false // a native client has had the request, and ended without an answer
	for {
		c, err := l.sessions.take(ctx, len(events))
		if err != nil {
			leave()
			return answer[R]{}, unsent(err, handed)
		}
		if handed {
			l.sessions.countResent()
		}
		a, gone := call(ctx, l.sessions, c, len(events), leave, func(client tb.Client) ([]R, error) { return send(client, events) })
		if gone {
			return answer[R]{}, unknown(ended(ctx))
		}
		if sessionEnd(a.err) == nil {
			leave()
			a.again = handed
			if a.err != nil { // of this attempt: it says nothing of an earlier one
				return answer[R]{}, unsent(a.err, handed)
			}
			return a, nil
		}
		handed = true
	}
}

// largeRequest is how many transfers are worth a copy that is used again. Whoever
// sends full requests sends one after the other, and each would leave a megabyte to
// the collector.
const largeRequest = ledger.BatchMax / 4

// copyOf copies events. free, if not nil, takes the copy back.
func copyOf[E any](l *Ledger, events []E) (copied []E, free func()) {
	transfers, ok := any(events).([]ledger.Transfer)
	if !ok || len(transfers) < largeRequest {
		return slices.Clone(events), nil
	}
	used, _ := l.copies.Get().(*[]ledger.Transfer)
	if used == nil {
		used = new([]ledger.Transfer)
	}
	*used = append((*used)[:0], transfers...)
	return any(*used).([]E), func() { l.copies.Put(used) }
}

// both calls those of two functions that are there.
func both(first, second func()) func() {
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

// enter waits for room.
func (l *Ledger) enter(ctx context.Context, room int64) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if l.room.TryAcquire(room) {
		return nil
	}
	while, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.sessions.taking, cancel)()
	switch err := l.room.Acquire(while, room); {
	case err == nil:
		return nil
	case ctx.Err() == nil:
		return l.sessions.reason()
	default:
		return fmt.Errorf("cluster: %d calls wait for the cluster and there is no room for another: %w",
			l.Stats().Calls, ended(ctx))
	}
}

// Who was first at a call: the answer, or its caller, who went away.
const (
	waiting int32 = iota
	answered
	left
)

// call sends so many events to one session and gives the connection back. If the context ends first, it
// returns with gone, and the native call goes on by itself; leave is called when that ends.
func call[R any](
	ctx context.Context, s *sessions, c *conn, events int, leave func(), send func(tb.Client) ([]R, error),
) (a answer[R], gone bool) {
	native := func() (a answer[R]) {
		a.rows, a.err = send(c.client)
		return a
	}
	if ctx.Done() == nil {
		a = native()
		s.give(c, events, sessionEnd(a.err))
		return a, false
	}
	var first atomic.Int32
	done := make(chan answer[R], 1)
	go func() { // ended by the answer, or by the client's Close; Close waits for it
		a := native()
		inTime := first.CompareAndSwap(waiting, answered)
		if !inTime {
			s.abandon(true)
			leave()
		}
		s.give(c, events, sessionEnd(a.err)) // before the caller looks for another session
		if inTime {
			done <- a
		}
	}()
	select {
	case a = <-done:
		return a, false
	case <-ctx.Done():
		s.abandon(false)
		if first.CompareAndSwap(waiting, left) {
			return a, true
		}
		s.abandon(true)
		return <-done, false
	}
}

// tooMuch makes the native client's word for a request above the limits ours.
func tooMuch(err error, what string, n int) error {
	if errors.Is(err, tb.ErrTooMuchData) {
		return fmt.Errorf("cluster: %w: %d %s", ledger.ErrTooMuchData, n, what)
	}
	return err
}
