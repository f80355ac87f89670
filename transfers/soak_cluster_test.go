//go:build cgo && unix

package transfers_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// TestSoakCluster soaks a TigerBeetle of one replica, or else a server in this process, over a
// network that is cut, slowed down and reset. The replica is paused and killed.
func TestSoakCluster(t *testing.T) { //nolint:paralleltest // a long one measures memory, see newSoak
	s := newSoak(t, 5*time.Second)
	server := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	l := server.Open(t)
	s.openAll(l, l)
	s.runStorm(func(storm context.Context) {
		// After a fault the client may pause for up to ten seconds before there is load again.
		for at := 0; waitFor(storm, randomDuration(s.random, s.scaleInterval(200*time.Millisecond), s.scaleInterval(2*time.Second))); at++ {
			kinds := clusterFaults(s)
			kind := kinds[at%len(kinds)] // each kind in turn: a short soak meets most of them
			if s.isLong() {
				kind = kinds[s.random.IntN(len(kinds))]
			}
			kind.inject(storm, server)
			s.recordFault(kind.name)
			server.Heal()
		}
	})
	s.compareBooks()
	require.NoError(t, l.Close())
}

type clusterFault struct {
	name   string
	inject func(storm context.Context, server *tigerbeetletest.Cluster)
}

// clusterFaults are the faults of a cluster. Each lasts a random time. Heal restores the links
// afterwards.
func clusterFaults(s *soak) []clusterFault {
	last := func(storm context.Context) {
		waitFor(storm, randomDuration(s.random, 5*time.Millisecond, 2*time.Second))
	}
	return []clusterFault{
		{"kill -9", func(storm context.Context, server *tigerbeetletest.Cluster) {
			server.Replica(0).Kill()
			waitFor(storm, randomDuration(s.random, 0, time.Second))
			server.Replica(0).Start()
		}},
		{"replies dropped", func(storm context.Context, server *tigerbeetletest.Cluster) {
			server.Link(tigerbeetletest.Client, 0).DropReplies()
			last(storm)
			server.Link(tigerbeetletest.Client, 0).Reset() // else the replies would still come
		}},
		{"replies held back", func(storm context.Context, server *tigerbeetletest.Cluster) {
			server.Link(tigerbeetletest.Client, 0).DropReplies()
			last(storm)
		}},
		{"black hole", func(storm context.Context, server *tigerbeetletest.Cluster) {
			server.Link(tigerbeetletest.Client, 0).BlackHole()
			last(storm)
		}},
		{"paused", func(storm context.Context, server *tigerbeetletest.Cluster) {
			server.Replica(0).Pause()
			last(storm)
			server.Replica(0).Resume()
		}},
		{"delay", func(storm context.Context, server *tigerbeetletest.Cluster) {
			server.Link(tigerbeetletest.Client, 0).Delay(randomDuration(s.random, time.Millisecond, 100*time.Millisecond))
			last(storm)
		}},
		{"reset", func(_ context.Context, server *tigerbeetletest.Cluster) {
			server.Link(tigerbeetletest.Client, 0).Reset()
		}},
		{"refused", func(storm context.Context, server *tigerbeetletest.Cluster) {
			server.Link(tigerbeetletest.Client, 0).Refuse()
			last(storm)
		}},
	}
}
