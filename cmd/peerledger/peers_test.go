package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// newLedgerWithAssetNames makes a ledger with peers whose ids look like a peer and an asset.
func newLedgerWithAssetNames(t *testing.T) testLedger {
	t.Helper()
	dir := t.TempDir()
	s := testLedger{config: filepath.Join(dir, "peerledger.yaml"), folder: filepath.Join(dir, "ledger")}
	text := configuration + "  - {id: bob@EUR, asset: USD}\n  - {id: bob, asset: EUR}\n  - {id: carol@EUR, asset: USD}\n  - {id: carol@EUR, asset: EUR}\n"
	require.NoError(t, os.WriteFile(s.config, []byte(text), 0o600))
	s.runOK(t, "peers", "provision", "--yes")
	return s
}

// A peer's exact id takes precedence over a peer and its asset, also with --asset.
func TestNamesWithAnAsset(t *testing.T) {
	t.Parallel()
	s := newLedgerWithAssetNames(t)
	pay := func(peer, key string, more ...string) outcome {
		return s.runCommand(t, append([]string{"settle", "received", peer, "10", "--key", key, "--yes", "--json"}, more...)...)
	}
	for _, test := range []struct {
		peer  string
		asset []string
		want  string // in the output
	}{
		{"bob@EUR", []string{"--asset", "USD"}, `"peer":"bob@EUR","asset":"USD/2"`},
		{"bob@EUR", nil, `"peer":"bob@EUR","asset":"USD/2"`},
		{"bob", []string{"--asset", "EUR"}, `"peer":"bob","asset":"EUR/2"`},
		{"bob@EUR/2", nil, `"peer":"bob","asset":"EUR/2"`},
		{"carol@EUR", []string{"--asset", "EUR"}, `"peer":"carol@EUR","asset":"EUR/2"`},
		{"alice@USD", []string{"--asset", "USD/2"}, `"peer":"alice","asset":"USD/2"`},
		{"alice@EUR", nil, `"peer":"alice","asset":"EUR/2"`},
	} {
		got := pay(test.peer, "k"+test.peer+test.want, test.asset...)
		require.Equal(t, statusDone, got.status, "%v: %s", test, got.errors)
		require.Contains(t, got.out, test.want, "%v", test)
	}
	for peer, test := range map[string]struct {
		asset []string
		says  string
	}{
		"alice@USD": {[]string{"--asset", "EUR"}, "alice@USD and --asset EUR contradict each other"},
		"carol@EUR": {nil, "in more than one asset"},
		"alice@EUR": {[]string{"--asset", "GBP"}, "there is no asset"},
		"alice":     {nil, "say which asset: USD/2, EUR/2"},
		"nobody":    {nil, "say which asset: USD/2, EUR/2"},
	} {
		got := pay(peer, "refused", test.asset...)
		require.Equal(t, statusUsage, got.status, peer)
		require.Contains(t, got.errors, test.says)
	}
	require.Equal(t, "20.00", readRows[peerRow](t, s, "balances", "bob@EUR/2")[0].Prepaid)
	require.Equal(t, "10.00", readRows[peerRow](t, s, "balances", "bob@EUR", "--asset", "USD")[0].Prepaid)

	// A peer with one account needs no asset, even if the file does not list the peer.
	more := replaceOnce(t, configuration, "  - {id: bob, asset: USD, settle_at: \"20\"}\n", "")
	require.NoError(t, os.WriteFile(s.config, []byte(more+"  - {id: dora, asset: EUR}\n"), 0o600))
	s.runOK(t, "peers", "provision", "--yes")
	require.Equal(t, "EUR/2", readRows[peerRow](t, s, "balances", "dora")[0].Asset)
	require.Equal(t, statusUsage, s.runCommand(t, "balances", "bob").status, "the ledger has it in two assets")

	// The ledger knows a peer that the file does not list.
	require.NoError(t, os.WriteFile(s.config, []byte(configuration), 0o600))
	require.Equal(t, "bob@EUR", readRows[peerRow](t, s, "balances", "bob@EUR")[0].Peer)
	got := s.runCommand(t, "balances", "--asset", "GBP")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, `there is no asset "GBP"`)
}

// peers add lists the peer in the file and changes nothing else in the file.
func TestPeersAddKeepsTheName(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	content, err := os.ReadFile(s.config)
	require.NoError(t, err)
	preview := s.runOK(t, "peers", "add", "carol", "--asset", "USD", "--credit-line", "5")
	require.Contains(t, preview, "Would provision carol in USD/2, with a credit line of 5.00.\nThe peer would also be listed in "+s.config)
	unchanged, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.Equal(t, content, unchanged)
	require.Contains(t, s.runOK(t, "peers", "add", "carol", "--asset", "USD", "--credit-line", "5", "--yes"), "The peer is now listed in ")
	require.NotContains(t, s.runOK(t, "peers", "add", `d "quoted" ü`, "--asset", "EUR", "--yes"), "Done before")
	require.Contains(t, s.runOK(t, "peers", "add", "alice@USD", "--yes"), "Done before: provision alice", "already listed")
	changed, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.Equal(t, string(content)+"  - {id: \"carol\", asset: \"USD\", credit_line: \"5\"}\n  - {id: \"d \\\"quoted\\\" ü\", asset: \"EUR\"}\n", string(changed))
	info, err := os.Stat(s.config)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	names := map[string]bool{}
	for _, row := range readRows[peerRow](t, s, "balances") {
		names[row.Peer] = true
	}
	require.True(t, names["carol"])
	require.True(t, names[`d "quoted" ü`])
	require.Contains(t, s.runOK(t, "peers", "add", "carol@USD", "--credit-line", "7"), "The peer already exists, with a credit line of 5.00")
	got := s.runCommand(t, "peers", "add", "carol@USD", "--credit-line", "7", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "credit_line is 5.00 USD, want 7.00 USD")
}

// If no line can be added to the file, the output has the missing line.
func TestPeersAddToOtherFiles(t *testing.T) {
	t.Parallel()
	entry := peerConfig{ID: "carol", Asset: "USD"}
	const line = `- {id: "carol", asset: "USD"}`
	for text, want := range map[string]string{
		oneAsset: oneAsset + "peers:\n  " + line + "\n",
		oneAsset + "peers:\n- id: a\n  asset: USD\n# the end":                                oneAsset + "peers:\n- id: a\n  asset: USD\n" + line + "\n# the end\n",
		"peers:\n    - {id: a} # first\n" + oneAsset:                                         "peers:\n    - {id: a} # first\n    " + line + "\n" + oneAsset,
		oneAsset + "peers: [{id: a}]":                                                        "",
		oneAsset + "peers:\n":                                                                "",
		oneAsset + "peers:\n  - id: a\n    credit_line: >\n      5\n":                        "",
		oneAsset + "peers:\n  - {id: a,\n     asset: USD,\n     credit_line: \"5\"\n    }\n": "",
	} {
		got, err := insertPeer([]byte(text), entry)
		if want == "" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, string(got))
	}
	s := newTestLedger(t)
	require.NoError(t, os.WriteFile(s.config, []byte(oneAsset+"namespace: test\npeers: [{id: alice}]\n"), 0o600))
	out := s.runOK(t, "peers", "add", "carol", "--yes")
	require.Contains(t, out, "could not be listed")
	require.Contains(t, out, line)
}
