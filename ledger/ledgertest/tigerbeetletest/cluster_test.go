//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// The data of a replica survives every kind of end, and its address stays the same.
func TestRestart(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{})
	t.Log(c)
	addresses := c.Addresses()
	account := ledger.Account{ID: ledger.NewID(7, 0), Ledger: 1, Code: 1}
	l := c.Open(t)
	_, err := l.CreateAccounts(t.Context(), []ledger.Account{account})
	require.NoError(t, err)
	r := c.Replica(0)
	for _, end := range []func(){r.Kill, r.Stop, func() { r.Pause(); r.Stop() }, func() { r.Pause(); r.Kill() }} {
		end()
		require.False(t, r.Running())
		r.Start()
		c.Ready()
		require.True(t, r.Running())
		found, err := l.LookupAccounts(t.Context(), []ledger.ID{account.ID})
		require.NoError(t, err)
		require.Len(t, found, 1)
	}
	require.Equal(t, addresses, c.Addresses())
	require.Equal(t, 5, strings.Count(r.Log(), "listening on"), "one log for all runs")
	require.Equal(t, 0, c.Primary())
}

func TestPause(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{})
	l := c.Open(t)
	c.Replica(0).Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, l.Ping(ctx), context.DeadlineExceeded)
	c.Replica(0).Resume()
	require.NoError(t, l.Ping(t.Context()))
	c.Replica(0).Pause() // removal works on a paused replica
}

// Two of three replicas go on without any third.
func TestCutOff(t *testing.T) {
	t.Parallel()
	c := Start(t, Config{Replicas: 3})
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(c.Addresses()))), 3)
	l := c.Open(t)
	for i := range 3 {
		c.CutOff(i)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		require.NoError(t, l.Ping(ctx), "without replica %d", i)
		cancel()
		c.Heal()
		require.NoError(t, l.Ping(t.Context()))
	}
}
