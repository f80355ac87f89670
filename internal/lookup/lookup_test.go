package lookup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/lookup"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

func TestParse(t *testing.T) {
	t.Parallel()
	id := "0123456789abcdef0123456789abcdef"
	for text, want := range map[string]accounts.FindQuery{
		id:                            {ID: ledger.IDFromBytes([16]byte{1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef})},
		"c0ffee0000000000":            {ConditionTag: [8]byte{0xc0, 0xff, 0xee}},
		strings.Repeat("c0ffee00", 8): {ConditionTag: [8]byte{0xc0, 0xff, 0xee, 0, 0xc0, 0xff, 0xee, 0}},
		"wire-4711":                   {Key: "wire-4711"},
		"c0ff":                        {Key: "c0ff"},
		`<script>"`:                   {Key: `<script>"`},
	} {
		got, err := lookup.Parse(text, false)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
		got, err = lookup.Parse(text, true)
		require.NoError(t, err)
		require.Equal(t, accounts.FindQuery{Key: text}, got, text)
	}
	for _, text := range []string{"", " x", "x\n", strings.Repeat("0", 32), strings.Repeat("0", 16)} {
		_, err := lookup.Parse(text, false)
		require.ErrorIs(t, err, accounts.ErrInvalid, "%q", text)
	}
}

// A key that looks like an id is found, unless the search goes on after a page.
func TestFindFallsBackToKeys(t *testing.T) {
	t.Parallel()
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd})
	require.NoError(t, err)
	key := strings.Repeat("ab", 16)
	_, err = book.Adjust(t.Context(), accounts.Adjustment{Account: peers[0], Key: key, Credit: ledger.NewAmount(7), ReasonCode: 1})
	require.NoError(t, err)
	query, err := lookup.Parse(key, false)
	require.NoError(t, err)
	result, err := lookup.Find(t.Context(), book, key, query, peers)
	require.NoError(t, err)
	require.Len(t, result.Found, 1)
	require.Equal(t, accounts.FoundAdjustment, result.Found[0].Kind)
	for _, empty := range []func(*accounts.FindQuery) []accounts.PeerAccount{
		func(*accounts.FindQuery) []accounts.PeerAccount { return nil },
		func(q *accounts.FindQuery) []accounts.PeerAccount { q.After = time.Now(); return peers },
	} {
		query := query
		result, err = lookup.Find(t.Context(), book, key, query, empty(&query))
		require.NoError(t, err)
		require.Empty(t, result.Found)
	}
	result, err = lookup.Find(t.Context(), book, key, accounts.FindQuery{Key: key}, peers)
	require.NoError(t, err)
	require.Len(t, result.Found, 1)
}
