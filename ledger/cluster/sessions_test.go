//go:build cgo

package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Full requests each have a session, and small calls the one that is left, however many
// there are: none of them stands before the next full request.
func TestSmallCallsKeepOutOfTheWay(t *testing.T) {
	t.Parallel()
	s := newSessions(3)
	for _, ln := range s.lanes {
		require.True(t, s.install(&conn{lane: ln}, false))
	}
	take := func(events int) *conn {
		c, err := s.take(t.Context(), events)
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
		s.give(a, ledger.BatchMax, nil)
		require.Same(t, a, take(ledger.BatchMax), "nothing waits there")
	}
	for _, c := range small {
		s.give(c, 3, nil)
	}
	s.give(a, ledger.BatchMax, nil)
	s.give(b, ledger.BatchMax, nil)
	for _, ln := range s.lanes {
		require.Zero(t, ln.conn.events)
		require.Zero(t, ln.conn.calls)
	}
}
