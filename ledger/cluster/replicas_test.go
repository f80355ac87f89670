//go:build cgo

package cluster_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// The primary of three fails in three ways, and the load goes on within a bound.
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
		w.await(t, 20)
		w.pauseSince()
		primary := c.Primary()
		fault.fail(primary)
		w.await(t, 50)
		pause := w.pauseSince()
		t.Logf("replica %d, the primary, was %s: the load went on after %v", primary, fault.name, pause)
		require.Less(t, pause, within)
		fault.mend(primary)
		w.await(t, 50)
		require.NotEqual(t, primary, c.Primary(), "another replica is the primary")
		t.Logf("it is back: the longest pause was %v", w.pauseSince())
	}
	w.finish(t, l)
	require.NoError(t, l.Close())
	requireNoSessions(t, c)
}

// With the addresses in a wrong order all answers are right; what it costs is time.
func TestWrongOrderOfAddresses(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Replicas: 3})
	right := c.Config()
	wrong := right
	wrong.Addresses = slices.Clone(right.Addresses)
	slices.Reverse(wrong.Addresses)
	wrong.Addresses[0], wrong.Addresses[1] = wrong.Addresses[1], wrong.Addresses[0]
	for _, order := range []struct {
		name string
		cfg  cluster.Config
	}{{"right", right}, {"wrong", wrong}} {
		start := time.Now()
		l, err := cluster.Open(t.Context(), order.cfg)
		require.NoError(t, err)
		opened := time.Since(start)
		p := newPair(t, l)
		const requests = 5
		start = time.Now()
		for range requests {
			_, err := l.CreateTransfers(t.Context(), p.transfers(10))
			require.NoError(t, err)
		}
		t.Logf("%s order: opened in %v, a request takes %v", order.name, opened, time.Since(start)/requests)
		require.Equal(t, uint64(10*requests), p.posted(t, l))
		require.NoError(t, l.Close())
	}
	requireNoSessions(t, c)
}
