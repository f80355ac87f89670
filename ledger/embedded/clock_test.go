package embedded_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

const year = 365 * 24 * time.Hour

// heldInWorkload returns the held amount of the workload's first account.
func heldInWorkload(t *testing.T, l ledger.Ledger) ledger.Amount {
	t.Helper()
	found, err := l.LookupAccounts(t.Context(), []ledger.ID{newMovement(1).DebitAccountID})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return found[0].DebitsPending
}

// The clock is a year ahead for one request, and right again. Holds end after their timeouts and at
// most twice the timeouts, before a restart and after it, and Open reports how far the ledger is
// ahead.
func TestClockThatWasAhead(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		c, dir := newClock(), t.TempDir()
		l, err := embedded.Open(dir, embedded.WithClock(c.Now))
		require.NoError(t, err)
		require.Zero(t, l.Recovery().ClockAhead)
		_, err = l.CreateAccounts(t.Context(), workloadOpening())
		require.NoError(t, err)
		c.Sleep(year)
		require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, newMovement(50)))
		c.Sleep(-year)
		require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, newHold(100, 10)))
		if restart {
			require.NoError(t, l.Close())
			l, err = embedded.Open(dir, embedded.WithClock(c.Now))
			require.NoError(t, err)
			require.InDelta(t, year, l.Recovery().ClockAhead, float64(time.Millisecond))
		}
		require.False(t, heldInWorkload(t, l).IsZero())
		c.Sleep(9900 * time.Millisecond)
		l.Pulse()
		require.False(t, heldInWorkload(t, l).IsZero(), "not before its timeout")
		c.Sleep(10200 * time.Millisecond)
		l.Pulse()
		require.True(t, heldInWorkload(t, l).IsZero(), "restarted: %v", restart)
		ledgertest.RequireNothingHeld(t, l)
		require.NoError(t, l.Close())
	}
}

// A ledger that is ahead by some time catches up within twice that time. Its timestamps are the
// clock's again.
func TestClockCatchesUp(t *testing.T) {
	t.Parallel()
	l := newVirtual()
	_, err := l.CreateAccounts(t.Context(), workloadOpening())
	require.NoError(t, err)
	newest := func() time.Time {
		results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{}})
		require.NoError(t, err)
		return time.Unix(0, int64(results[0].Timestamp))
	}
	l.Sleep(-time.Hour) // the clock was set back
	before := newest()
	require.InDelta(t, time.Hour, before.Sub(l.Now()), float64(time.Second))
	for range 119 {
		l.Sleep(time.Minute)
		now := newest()
		require.InDelta(t, 30*time.Second, now.Sub(before), float64(time.Millisecond), "half the speed")
		require.True(t, now.After(l.Now()))
		before = now
	}
	l.Sleep(2 * time.Minute)
	require.InDelta(t, 0, newest().Sub(l.Now()), float64(time.Millisecond))
	l.Sleep(time.Minute)
	require.InDelta(t, 0, newest().Sub(l.Now()), float64(time.Millisecond))
}

// The clock goes back again and again. Timestamps grow, and holds still end.
func TestClockThatGoesBackAgainAndAgain(t *testing.T) {
	t.Parallel()
	l := newVirtual()
	_, err := l.CreateAccounts(t.Context(), workloadOpening())
	require.NoError(t, err)
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, newHold(100, 60)))
	for range 125 {
		l.Sleep(time.Second)
		l.Pulse()
		l.Sleep(-time.Second)
		l.Pulse()
	}
	require.True(t, heldInWorkload(t, l).IsZero())
}
