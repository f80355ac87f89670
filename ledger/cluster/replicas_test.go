//go:build cgo && unix

package cluster_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// The primary of three replicas fails in three ways, and the load goes on within maxPause.
func TestPrimaryFails(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Replicas: 3})
	l := c.Open(t)
	w := startLoad(t, l)
	for _, fault := range []struct {
		name string
		fail func(primary int)
		mend func(primary int)
	}{
		{
			"killed",
			func(primary int) { c.Replica(primary).Kill() },
			func(primary int) { c.Replica(primary).Start() },
		},
		{
			"paused for 10 s",
			func(primary int) { c.Replica(primary).Pause() },
			func(primary int) {
				<-time.After(10 * time.Second)
				c.Replica(primary).Resume()
			},
		},
		{
			"cut off",
			func(primary int) { c.CutOff(primary) },
			func(int) { c.Heal() },
		},
	} {
		w.awaitAnswers(t, 20)
		w.pauseSince()
		primary := c.Primary()
		fault.fail(primary)
		w.awaitAnswers(t, 50)
		pause := w.pauseSince()
		t.Logf("replica %d, the primary, was %s: the load went on after %v", primary, fault.name, pause)
		require.Less(t, pause, maxPause)
		fault.mend(primary)
		w.awaitAnswers(t, 50)
		require.NotEqual(t, primary, c.Primary(), "another replica is the primary")
		t.Logf("it is back: the longest pause was %v", w.pauseSince())
	}
	w.stopAndCheck(t, l)
	require.NoError(t, l.Close())
	requireNoSessions(t, c)
}

// With the addresses in a wrong order all answers are right. The order may only cost time.
func TestWrongOrderOfAddresses(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Replicas: 3})
	for _, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		cfg := c.Config()
		cfg.Sessions = 1
		for i, replica := range order {
			cfg.Addresses[i] = c.Addresses()[replica]
		}
		start := time.Now()
		l, err := cluster.Open(t.Context(), cfg)
		require.NoError(t, err)
		opened := time.Since(start)
		p := newPair(t, l)
		const requests = 50
		var longest time.Duration
		for range requests {
			start = time.Now()
			_, err := l.CreateTransfers(t.Context(), p.newTransfers(10))
			require.NoError(t, err)
			longest = max(longest, time.Since(start))
		}
		require.Equal(t, uint64(10*requests), p.postedAmount(t, l))
		t.Logf("primary %d, order %v: opened in %v, the longest of %d requests took %v", c.Primary(), order, opened, requests, longest)
		require.NoError(t, l.Close())
	}
	requireNoSessions(t, c)
}
