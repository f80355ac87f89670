//go:build cgo && unix

package tbclient_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// openNative opens TigerBeetle's own client.
func openNative(t *testing.T, c *tigerbeetletest.Cluster) tb.Client {
	t.Helper()
	client, err := tb.NewClient(unsafecast.Value[tb.Uint128](c.ClusterID()), c.Addresses())
	require.NoError(t, err)
	return client
}

// The cases hold for TigerBeetle's own client, on a TigerBeetle or else on a server in this process.
func TestNativeClient(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	testClient(t, func(t *testing.T) tb.Client { t.Helper(); return openNative(t, c) })
}

// The cluster does not answer.
func TestNativeClientAway(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	c.Link(tigerbeetletest.Client, 0).BlackHole()
	testAway(t, openNative(t, c), func() { <-time.After(time.Second) })
}
