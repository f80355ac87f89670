//go:build cgo && unix

package tigerbeetletest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger/cluster"
)

// Config says what cluster a test wants. The zero value is a single development node.
type Config struct {
	// Replicas is how many there are, 1 to 6. Default 1.
	Replicas int
	// ClusterID is what the cluster is formatted with. Default a random one.
	ClusterID uint128.Uint128
	// Production leaves --development out: requests of a megabyte, 32 connections to each
	// replica, direct I/O, and twice the memory. Default false.
	Production bool
}

// Client is the place of clients in Cluster.Link.
const Client = -1

// Cluster is a TigerBeetle cluster of one test, which its end stops and removes.
type Cluster struct {
	t        testing.TB
	id       uint128.Uint128
	replicas []*Replica
	links    map[[2]int]*Proxy // by from and to
}

// Start starts a cluster and returns when it answers. It skips the test if no TigerBeetle is
// to be had, with a line that says what is missing; if PEERLEDGER_REQUIRE_CLUSTER is 1 it fails
// the test then. As replicas take much memory, it waits for the end of other tests while they
// have four of them; a second cluster of the same test does not wait.
func Start(tb testing.TB, cfg Config) *Cluster {
	tb.Helper()
	h := hostFor(tb)
	id := cfg.ClusterID
	if id.IsZero() {
		id = uint128.New(rand.Uint64(), rand.Uint64()|1)
	}
	c := &Cluster{t: tb, id: id, links: make(map[[2]int]*Proxy)}
	count := cmp.Or(cfg.Replicas, 1)
	require.True(tb, count >= 1 && count <= 6, "a cluster has 1 to 6 replicas, not %d", count)
	c.acquireSlots(count)
	ports := c.assignPorts(count)
	tb.Cleanup(c.removeReplicas)
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	for i := range count {
		s, err := h.createServer(ctx, replicaSpec{
			cluster: id, replica: i, count: count, development: !cfg.Production, addresses: c.replicaAddresses(i, ports),
		})
		require.NoError(tb, err, "replica %d", i)
		c.replicas = append(c.replicas, &Replica{t: tb, server: s, index: i, address: ports[i]})
	}
	for _, r := range c.replicas {
		r.Start()
	}
	c.Ready()
	return c
}

// acquireSlots waits until there is room for so many replicas; the end of the test makes it free.
func (c *Cluster) acquireSlots(count int) {
	c.t.Helper()
	release, err := processSlots.acquireSlots(c.t.Context(), c.t.Name(), count)
	require.NoError(c.t, err)
	c.t.Cleanup(release)
}

// assignPorts finds a port for each replica and makes the links.
func (c *Cluster) assignPorts(count int) (ports []string) {
	c.t.Helper()
	for to := range count {
		ports = append(ports, freeAddress(c.t))
		for from := Client; from < count; from++ {
			if from == to {
				continue
			}
			p, err := NewProxy(ports[to])
			require.NoError(c.t, err)
			c.t.Cleanup(p.Close)
			c.links[[2]int{from, to}] = p
		}
	}
	return ports
}

// replicaAddresses are the addresses of all replicas as one of them is told: its own, and links to
// the others.
func (c *Cluster) replicaAddresses(replica int, ports []string) (addresses []string) {
	for to := range ports {
		if to == replica {
			addresses = append(addresses, ports[to])
		} else {
			addresses = append(addresses, c.Link(replica, to).Addr())
		}
	}
	return addresses
}

// ClusterID is what the cluster was formatted with.
func (c *Cluster) ClusterID() uint128.Uint128 { return c.id }

// Addresses are those of the replicas for clients, in their order. They stay the same.
func (c *Cluster) Addresses() (addresses []string) {
	for to := range c.replicas {
		addresses = append(addresses, c.Link(Client, to).Addr())
	}
	return addresses
}

// Replica is one of the replicas, from 0.
func (c *Cluster) Replica(i int) *Replica { return c.replicas[i] }

// Link is the proxy of all connections from one replica, or from all clients (Client), to a
// replica.
func (c *Cluster) Link(from, to int) *Proxy { return c.links[[2]int{from, to}] }

// Config is the configuration of a ledger on this cluster.
func (c *Cluster) Config() cluster.Config {
	return cluster.Config{ClusterID: c.id, Addresses: c.Addresses()}
}

// Open opens a ledger on the cluster, which the end of the test closes.
func (c *Cluster) Open(tb testing.TB) *cluster.Ledger {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	l, err := cluster.Open(ctx, c.Config())
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, l.Close()) })
	return l
}

// readyTimeout bounds the wait for a cluster: that a cluster is ready says a look-up that is
// answered, and not an open port.
const readyTimeout = time.Minute

// Ready returns when the cluster answers a look-up of a new session.
func (c *Cluster) Ready() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	cfg := c.Config()
	cfg.Sessions, cfg.OpenTimeout = 1, readyTimeout
	l, err := cluster.Open(ctx, cfg)
	require.NoError(c.t, err)
	require.NoError(c.t, l.Close())
}

// CutOff black-holes every link from and to a replica.
func (c *Cluster) CutOff(replica int) {
	for ends, p := range c.links {
		if ends[0] == replica || ends[1] == replica {
			p.BlackHole()
		}
	}
}

// Heal takes all faults of all links away.
func (c *Cluster) Heal() {
	c.t.Helper()
	for _, p := range c.links {
		require.NoError(c.t, p.Heal())
	}
}

// Primary is the replica that was the primary last, by what the replicas have logged. While
// they change it, it may be another one already.
func (c *Cluster) Primary() int {
	c.t.Helper()
	view := 0
	for _, r := range c.replicas {
		view = max(view, lastView(r.Log()))
	}
	return view % len(c.replicas)
}

// viewLine is what a replica logs when it goes on in a view, e.g.
// "transition_to_normal_from_view_change_status: view=1..2 primary".
var viewLine = regexp.MustCompile(`transition_to_normal_from_\w+: view=(?:\d+\.\.)?(\d+)`)

// lastView is the highest view that a log mentions, 0 if none.
func lastView(log string) (view int) {
	for _, match := range viewLine.FindAllStringSubmatch(log, -1) {
		if n, err := strconv.Atoi(match[1]); err == nil {
			view = max(view, n)
		}
	}
	return view
}

// removeReplicas stops and removes all replicas. If the test has failed it shows the ends of their
// logs.
func (c *Cluster) removeReplicas() {
	if c.t.Failed() {
		for _, r := range c.replicas {
			c.t.Logf("the end of the log of replica %d:\n%s", r.index, r.readLastLines(20))
		}
	}
	if err := removeAll(c.replicas); err != nil {
		c.t.Error(err)
	}
}

// removeAll removes all replicas, also those after one that cannot be.
func removeAll(replicas []*Replica) error {
	errs := make([]error, len(replicas))
	for i, r := range replicas {
		errs[i] = r.tryAction("remove", r.server.removeServer)
	}
	return errors.Join(errs...)
}

// readLastLines is the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// String names the cluster, e.g. "cluster 7 of 3 replicas".
func (c *Cluster) String() string {
	return fmt.Sprintf("cluster %v of %d replicas", c.id, len(c.replicas))
}
