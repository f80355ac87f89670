//go:build cgo && unix

package doctor

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// newClusterSubject is a subject with a cluster.
func newClusterSubject(c *tigerbeetletest.Cluster, addresses ...string) Subject {
	cfg := c.Config()
	cfg.Addresses, cfg.Sessions, cfg.OpenTimeout = addresses, 1, 20*time.Second
	return Subject{
		ClusterID: cfg.ClusterID, Addresses: addresses, Client: release, Patience: 2 * time.Second,
		Open: func(ctx context.Context) (Session, error) { return cluster.Open(ctx, cfg) },
	}
}

// The faults of a real cluster of three.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Replicas: 3})
	a := make([]string, 3)
	for i := range a {
		a[i] = c.Replica(i).Addr() // a proxy would accept connections for a stopped server
	}

	r := Examine(t.Context(), newClusterSubject(c, a...))
	require.Equal(t, []Code{SmallRequests}, listCodes(r), "%+v", r) // a development server

	r = Examine(t.Context(), newClusterSubject(c, a[2], a[0], a[1]))
	require.Contains(t, listCodes(r), WrongOrder, "%+v", r)
	require.True(t, r.Has(SessionWorks), "%+v", r)

	wrong := newClusterSubject(c, a...)
	wrong.ClusterID = uint128.From64(12345)
	require.Equal(t, []Code{WrongClusterID, WrongClusterID, WrongClusterID}, listCodes(Examine(t.Context(), wrong)))

	backup := (c.Primary() + 1) % 3
	c.Replica(backup).Kill()
	r = Examine(t.Context(), newClusterSubject(c, a...))
	require.Contains(t, listCodes(r), ReplicaDown, "%+v", r)
	require.NotContains(t, listCodes(r), QuorumLost)
	require.True(t, r.Has(SessionWorks), "%+v", r)

	c.Replica((backup + 1) % 3).Kill()
	r = Examine(t.Context(), newClusterSubject(c, a...))
	require.Contains(t, listCodes(r), QuorumLost, "%+v", r)
}

// A journal of rounds is compared with a cluster, and the reservations on the cluster are listed.
func TestRoundsOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	l, f := c.Open(t), newRoundsFolders(t)
	recordRounds(t, l, f.journal, 3, 0)
	copied := filepath.Join(t.TempDir(), "rounds")
	require.NoError(t, os.CopyFS(copied, os.DirFS(f.journal)))
	recordRounds(t, l, f.journal, 1, 1)
	s := newClusterSubject(c, c.Replica(0).Addr())
	s.Journal, s.Books = f.journal, f.subject().Books
	r := Examine(t.Context(), s)
	require.Equal(t, []Code{SmallRequests, JournalWaits}, listCodes(r), "%+v", r)
	require.Regexp(t, ` USD are reserved: .* USD by journal [0-9a-f]{16} in 1 reservation, the newest \d+s old$`, findFinding(t, r, Reserved).Found)
	s.Journal = copied
	r = Examine(t.Context(), s)
	require.Equal(t, []Code{SmallRequests, JournalOld}, listCodes(r), "%+v", r)
}

func TestOnASingleNode(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	address := c.Replica(0).Addr() // no proxy, as above

	r := Examine(t.Context(), newClusterSubject(c, address))
	require.Equal(t, []Code{SmallRequests}, listCodes(r), "%+v", r)

	// A client of a future release.
	s := newClusterSubject(c, address)
	s.Client++
	require.Contains(t, listCodes(Examine(t.Context(), s)), ClientTooNew)

	// Sessions with look-ups keep all 8 connections of a development server.
	for range 8 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	r = Examine(t.Context(), newClusterSubject(c, address))
	require.Equal(t, []Code{ConnectionsTaken}, listCodes(r), "%+v", r)
}
