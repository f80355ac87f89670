//go:build cgo

package cluster

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Each full request has a session, and all small calls share the remaining one: no small call
// delays the next full request.
func TestSmallCallsKeepOutOfTheWay(t *testing.T) {
	t.Parallel()
	s := newSessions(3)
	for _, ln := range s.slots {
		require.True(t, s.installConn(&conn{slot: ln}, false))
	}
	take := func(events int) *conn {
		c, err := s.acquireConn(t.Context(), events)
		require.NoError(t, err)
		return c
	}
	a, b := take(ledger.BatchMax), take(ledger.BatchMax)
	require.NotSame(t, a, b)
	var small []*conn
	for range 100 {
		c := take(3)
		require.NotSame(t, a, c)
		require.NotSame(t, b, c)
		small = append(small, c)
	}
	for range 10 {
		s.releaseConn(a, ledger.BatchMax, nil)
		require.Same(t, a, take(ledger.BatchMax), "nothing waits there")
	}
	for _, c := range small {
		s.releaseConn(c, 3, nil)
	}
	s.releaseConn(a, ledger.BatchMax, nil)
	s.releaseConn(b, ledger.BatchMax, nil)
	for _, ln := range s.slots {
		require.Zero(t, ln.conn.events)
		require.Zero(t, ln.conn.calls)
	}
}

// A call whose context has ended gets no connection, also where one is free.
func TestEndedContextAcquiresNoConnection(t *testing.T) {
	t.Parallel()
	s := newSessions(1)
	require.True(t, s.installConn(&conn{slot: s.slots[0]}, false))
	ctx, cancel := cancellableContext(t)
	cancel()
	c, err := s.acquireConn(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, c)
	require.Zero(t, s.calls)
}
