//go:build cgo

package cluster

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

func sleepFor(d time.Duration) { <-time.After(d) }

// A connection is stalled when calls have waited for the timeout since the last answer, or since
// the first waiting call. A connection without calls is never stalled.
func TestStalledConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSessions(1)
		c := &conn{slot: s.slots[0]}
		stalled := func() bool {
			t.Helper()
			found := s.stalledConn(s.slots[0], time.Minute)
			if found != nil {
				require.Same(t, c, found)
			}
			return found != nil
		}
		require.False(t, stalled(), "there is none")
		require.True(t, s.installConn(c, false))
		sleepFor(time.Hour)
		require.False(t, stalled(), "no call waits")
		take := func() {
			t.Helper()
			got, err := s.acquireConn(t.Context(), 1)
			require.NoError(t, err)
			require.Same(t, c, got)
		}
		take() // the first call waits from now on
		sleepFor(time.Minute - 1)
		require.False(t, stalled())
		take() // a call is no answer
		sleepFor(1)
		require.True(t, stalled())
		s.releaseConn(c, 1, nil) // the first answer
		require.False(t, stalled())
		sleepFor(time.Minute - 1)
		require.False(t, stalled())
		sleepFor(1)
		require.True(t, stalled())
		s.releaseConn(c, 1, nil)
		sleepFor(time.Hour)
		require.False(t, stalled(), "no call waits any more")
		take()
		require.False(t, stalled())
		s.releaseConn(c, 1, errors.New("lost"))
		require.False(t, stalled(), "there is none")
	})
}

// A slot's lost connection is dropped once, and its calls are counted to their end.
func TestConnectionIsLostOnce(t *testing.T) {
	t.Parallel()
	s := newSessions(1)
	c, other := &conn{slot: s.slots[0]}, &conn{slot: s.slots[0]}
	require.True(t, s.installConn(c, false))
	for range 3 {
		_, err := s.acquireConn(t.Context(), 2)
		require.NoError(t, err)
	}
	require.Equal(t, 6, c.events)
	cause := errors.New("lost")
	s.releaseConn(c, 2, cause)
	require.Same(t, c, (<-s.slots[0].lost).conn)
	s.releaseConn(c, 2, cause)
	require.Empty(t, s.slots[0].lost, "the loss was received")
	changed := s.changed
	require.True(t, s.installConn(other, true))
	require.NotEqual(t, changed, s.changed)
	<-changed
	require.Equal(t, uint64(1), s.reopened)
	s.releaseConn(c, 2, cause)
	require.Same(t, other, s.slots[0].conn, "a late loss is of the one before")
	require.Zero(t, c.calls)
	require.Zero(t, c.events)
	require.Zero(t, s.calls)

	s.endCalls(ledger.ErrClosed)
	_, err := s.acquireConn(t.Context(), 1)
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.False(t, s.installConn(c, true))
	require.Equal(t, uint64(1), s.reopened)
	<-s.idle
	require.Equal(t, []*conn{other}, s.removeConns())
	require.Empty(t, s.removeConns())
	require.Empty(t, s.removeLostConns())
}
