package console_test

import (
	"html"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

var peerLink = regexp.MustCompile(`href="(peer\?[^"]*)"`)

// Two assets of one code and scale have names of their own, and each link leads to the peer in its asset.
func TestAssetsOfOneName(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	first, second := accounts.Asset{Code: "USD", Scale: 2, Ledger: 7}, accounts.Asset{Code: "USD", Scale: 2, Ledger: 8}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{first, second, eur}})
	require.NoError(t, err)
	for asset, units := range map[accounts.Asset]uint64{first: 71_00, second: 82_00} {
		_, err = book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: asset, CreditLine: ledger.NewAmount(units)})
		require.NoError(t, err)
	}
	c, err := console.New(console.Config{Book: book, Token: token, Peers: func(accounts.Asset) []string { return []string{"alice"} }})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	f.serve(c)
	f.logIn()
	for filter, want := range map[string]string{"USD%2F2+ledger+7": "71.00", "USD%2F2+ledger+8": "82.00"} {
		rows := f.show("/peers?asset=" + filter)
		links := peerLink.FindAllStringSubmatch(rows, -1)
		require.Len(t, links, 1, filter)
		page := f.show("/" + html.UnescapeString(links[0][1]))
		require.Contains(t, textOf(t, page, "balance"), "its line is "+want)
		statement := f.show("/statement?peer=alice&asset=" + filter + "&from=")
		require.Contains(t, textOf(t, statement, ""), want)
		require.Equal(t, want, rowsOf(t, f.show("/peer.csv?peer=alice&asset="+filter))[0]["credit_line"])
	}
	require.Len(t, rowsOf(t, f.show("/peers.csv")), 2)
	require.Contains(t, f.show("/"), "<h3>USD/2 ledger 8</h3>")
	require.Contains(t, f.show("/"), "<h3>EUR/9</h3>", "a name of one asset stays")
	status, text := f.open("/peer?peer=alice&asset=USD/2")
	require.Equal(t, http.StatusBadRequest, status)
	require.Contains(t, text, "USD/2 ledger 7")
}
