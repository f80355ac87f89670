//go:build cgo

package server_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/ledger/server"
)

// The concurrent callers of the script get the recorded answers when they have several sessions, too.
func TestClientsInSeveralSessions(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	_, address := start(t, l, server.Config{Cluster: uint128.From64(clusterID)})
	clients := make([]tb.Client, 8)
	for i := range clients {
		client, err := tb.NewClient(tb.ToUint128(clusterID), []string{address})
		require.NoError(t, err)
		t.Cleanup(client.Close)
		clients[i] = client
	}
	results, err := clients[0].CreateAccounts([]tb.Account{
		{ID: tb.ToUint128(100), Ledger: 10, Code: 1}, {ID: tb.ToUint128(101), Ledger: 10, Code: 1},
	}) // the accounts that all callers use
	require.NoError(t, err)
	require.Len(t, results, 2)
	script := readScript(t)
	var want []string
	for _, line := range readRecorded(t) {
		if strings.HasPrefix(line.step, "caller ") {
			want = append(want, line.text)
		}
	}
	requireLines(t, want, runGoCallers(t, &script, clients...))
	ledgertest.RequireNothingHeld(t, l)
}
