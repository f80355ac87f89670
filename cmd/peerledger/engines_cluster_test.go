//go:build cgo && unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
	"github.com/peerledger/peerledger/transfers"
)

// On a cluster an operator closes a stuck order while engines run, and the list forgets it.
func TestEnginesRunOnACluster(t *testing.T) {
	t.Parallel()
	o := onCluster{tigerbeetletest.Start(t, tigerbeetletest.Config{}), filepath.Join(t.TempDir(), "peerledger.yaml")}
	url := answerWith(t, http.StatusConflict, "seen before")
	lines := "engines:\n  - {name: bank, url: \"" + url + "\", assets: [USD]}\nengine_reports: {address: \"127.0.0.1:0\"}\n"
	require.NoError(t, os.WriteFile(o.config, []byte(configuration+lines), 0o600))
	do := func(args ...string) string {
		got := o.runCommand(t, args...)
		require.Equal(t, statusDone, got.status, "%v: %s", args, got.errors)
		return got.out
	}
	do("peers", "provision", "--yes")
	o.forwardPacket(t, 3001)
	r := runEngines(t, "--config", o.config, "--cluster-id", o.c.ClusterID().String(), "--addresses", strings.Join(o.c.Addresses(), ","))
	r.waitFor(t, "a settlement waits for an operator")
	order := parseRows[orderRow](t, do("orders", "--json"))[0]
	require.Equal(t, "bank", order.Rail)
	do("settle", "resolve", "bob@USD", order.Order, "30", "--yes")
	r.waitFor(t, "a settlement no longer waits for an operator")
	require.Equal(t, statusDone, r.stop())
	s := testLedger{config: o.config}
	require.Empty(t, readOffline[stuckRow](t, s, "engines", "--stuck"))
	require.Contains(t, do("balances", "bob@USD", "--json"), `"position":"0.00"`)
}

// forwardPacket sends so many cents from alice to bob, of which the connector keeps one.
func (o onCluster) forwardPacket(t *testing.T, cents uint64) {
	t.Helper()
	l, err := cluster.Open(t.Context(), cluster.Config{ClusterID: o.c.ClusterID(), Addresses: o.c.Addresses(), Sessions: 1})
	require.NoError(t, err)
	cfg, err := parseConfig([]byte(configuration))
	require.NoError(t, err)
	client, err := peerledger.New(l, peerledger.Config{Accounts: cfg.toBookConfig()})
	require.NoError(t, err)
	usd := cfg.toBookConfig().Assets[0]
	alice, err := client.Book.PeerAccount("alice", usd)
	require.NoError(t, err)
	bob, err := client.Book.PeerAccount("bob", usd)
	require.NoError(t, err)
	_, err = client.Recorder.Forward(t.Context(), transfers.Packet{From: alice, To: bob, In: cents, Out: cents - 1})
	require.NoError(t, err)
	require.NoError(t, client.Close(t.Context()))
}
