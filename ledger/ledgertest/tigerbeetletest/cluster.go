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

// Config is the configuration of a test's cluster. The zero value is a single development node.
type Config struct {
	// Replicas is the number of replicas, 1 to 6. Default 1.
	Replicas int
	// ClusterID is the id that the cluster is formatted with. Default random.
	ClusterID uint128.Uint128
	// Production starts the replicas without --development: requests of a megabyte, 32 connections
	// to each replica, direct I/O, and twice the memory. Default false.
	Production bool
	// Real demands a real TigerBeetle for a single replica too. Default false: without a real one the
	// replica is a server in this process.
	Real bool
}

// allowsServer reports whether a server in this process can be the cluster.
func (c Config) allowsServer() bool { return c.Replicas <= 1 && !c.Real }

// Client stands for all clients in [Cluster.Link].
const Client = -1

// Cluster is the TigerBeetle cluster of one test. The end of the test stops and removes the
// cluster.
type Cluster struct {
	t        testing.TB
	id       uint128.Uint128
	replicas []*Replica
	links    map[[2]int]*Proxy // by [from, to]
}

// Start starts a cluster and returns when the cluster answers. Without a TigerBeetle to run, a
// cluster of one replica is a server in this process. For several replicas, and with [Config.Real],
// Start then skips the test with a line that names the missing parts. Start fails the test without
// a TigerBeetle if PEERLEDGER_REQUIRE_CLUSTER is 1.
//
// Replicas take much memory. Start therefore waits while other tests have four replicas; a second
// cluster of the same test does not wait.
func Start(tb testing.TB, cfg Config) *Cluster {
	tb.Helper()
	h := requireHost(tb, cfg)
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

// acquireSlots waits for slots for the replicas, and frees the slots at the end of the test.
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
		ports = append(ports, FindFreeAddress(c.t))
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

// replicaAddresses returns the addresses of all replicas for the configuration of one replica: its
// own address, and links to the others.
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

// ClusterID returns the id that the cluster was formatted with.
func (c *Cluster) ClusterID() uint128.Uint128 { return c.id }

// Addresses returns the addresses of the replicas for clients, in order. The addresses stay the
// same.
func (c *Cluster) Addresses() (addresses []string) {
	for to := range c.replicas {
		addresses = append(addresses, c.Link(Client, to).Addr())
	}
	return addresses
}

// Replica returns replica i, counted from 0.
func (c *Cluster) Replica(i int) *Replica { return c.replicas[i] }

// Link returns the proxy for all connections to a replica from one replica, or from all clients
// ([Client]).
func (c *Cluster) Link(from, to int) *Proxy { return c.links[[2]int{from, to}] }

// Config returns the configuration of a ledger on this cluster.
func (c *Cluster) Config() cluster.Config {
	return cluster.Config{ClusterID: c.id, Addresses: c.Addresses()}
}

// Open opens a ledger on the cluster. The end of the test closes the ledger.
func (c *Cluster) Open(tb testing.TB) *cluster.Ledger {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	l, err := cluster.Open(ctx, c.Config())
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, l.Close()) })
	return l
}

// readyTimeout bounds the wait for a cluster. A cluster is ready when it answers a look-up; an open
// port is not enough.
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

// Heal removes all faults of all links.
func (c *Cluster) Heal() {
	c.t.Helper()
	for _, p := range c.links {
		require.NoError(c.t, p.Heal())
	}
}

// Primary returns the last primary according to the replicas' logs. During a view change the
// primary may already be a different replica.
func (c *Cluster) Primary() int {
	c.t.Helper()
	view := 0
	for _, r := range c.replicas {
		view = max(view, findLastView(r.Log()))
	}
	return view % len(c.replicas)
}

// viewLine matches the log line of a replica that enters a view, e.g.
// "transition_to_normal_from_view_change_status: view=1..2 primary".
var viewLine = regexp.MustCompile(`transition_to_normal_from_\w+: view=(?:\d+\.\.)?(\d+)`)

// findLastView returns the highest view in a log, 0 if there is none.
func findLastView(log string) (view int) {
	for _, match := range viewLine.FindAllStringSubmatch(log, -1) {
		if n, err := strconv.Atoi(match[1]); err == nil {
			view = max(view, n)
		}
	}
	return view
}

// removeReplicas stops and removes all replicas. If the test has failed, it logs the last lines of
// each replica's log.
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

// removeAll removes all replicas, also the replicas after a failed removal.
func removeAll(replicas []*Replica) error {
	errs := make([]error, len(replicas))
	for i, r := range replicas {
		errs[i] = r.tryAction("remove", r.server.removeServer)
	}
	return errors.Join(errs...)
}

// lastLines returns the last n lines of a text.
func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// String names the cluster, e.g. "cluster 7 of 3 replicas".
func (c *Cluster) String() string {
	return fmt.Sprintf("cluster %v of %d replicas", c.id, len(c.replicas))
}
