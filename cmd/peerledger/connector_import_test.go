package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The preview writes nothing, and lists assumptions and what is left out. The import is made once, and its balances are the connector's.
func TestImportRafiki(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	before := s.runOK(t, "balances", "--json")
	preview := s.runOK(t, "import", "rafiki", "testdata/import/rafiki.json", "--dry-run")
	require.Contains(t, preview, "│ test.north-bank │ USD/2 │      100.00 │   -25.00 │")
	require.Contains(t, preview, "Assumptions:\n")
	require.Contains(t, preview, "test.south-bank in EUR/2: The whole liquidity is credit line")
	require.Contains(t, preview, "test.north-bank in USD/2: name \"North Bank\"; maxPacketAmount 1000; http (endpoint and tokens).")
	require.Contains(t, preview, "Nothing was written. Add --yes to write it.")
	require.NotContains(t, preview, "hidden")
	require.Equal(t, "test.north-bank\ntest.south-bank\n", s.runOK(t, "import", "rafiki", "testdata/import/rafiki.json", "-o", "name"))
	require.Equal(t, before, s.runOK(t, "balances", "--json"))

	for _, state := range []string{importWritten, importDone} {
		for _, r := range readRows[importRow](t, s, "import", "rafiki", "testdata/import/rafiki.json", "--reason", "9", "--yes") {
			if r.Item == "peer" || r.Item == "asset" {
				require.Equal(t, state, r.State, r)
			}
		}
		north := readRows[peerRow](t, s, "balances", "test.north-bank")[0]
		require.Equal(t, []string{"-25.00", "100.00", "75.00"}, []string{north.Position, north.CreditLine, north.Headroom})
		south := readRows[peerRow](t, s, "balances", "test.south-bank")[0]
		require.Equal(t, []string{"0.00", "5.00", "5.00"}, []string{south.Position, south.CreditLine, south.Headroom})
		require.Equal(t, "2500.00", readRows[ownRow](t, s, "balances", "--own", "--asset", "EUR")[0].Capital)
	}
	acts := readRows[auditRow](t, s, "audit", "test.north-bank")
	require.Len(t, acts, 1)
	require.Equal(t, "import a peer", acts[0].Action)
}

// A line in the configuration moves the border between line and position: their sum is what Rafiki tells.
func TestImportRafikiWithAConfiguredLine(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.addToConfig(t, `  - {id: test.south-bank, asset: EUR, credit_line: "20"}`+"\n")
	s.runOK(t, "import", "rafiki", "testdata/import/rafiki.json", "--reason", "9", "--yes")
	south := readRows[peerRow](t, s, "balances", "test.south-bank")[0]
	require.Equal(t, []string{"-15.00", "20.00", "5.00"}, []string{south.Position, south.CreditLine, south.Headroom})
}

// Settings of settlements come along. A changed file, another entry of the configuration, and a peer with bookings are refused
// as a whole.
func TestImportInterledgerRS(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.addToConfig(t, "engines:\n  - {name: xrp, url: \"http://127.0.0.1:3000\", assets: [USD]}\n")
	files := []string{"import", "interledger-rs", "testdata/import/interledger-rs-accounts.json", "testdata/import/interledger-rs-balances.json"}
	s.runOK(t, append(files, "--reason", "9", "--yes")...)
	north := readRows[peerRow](t, s, "balances", "north")[0]
	require.Equal(t, []string{"-25.50", "100.00", "74.50"}, []string{north.Position, north.CreditLine, north.Headroom})
	require.Equal(t, "1.23", readRows[peerRow](t, s, "balances", "south")[0].Position)
	config, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.Contains(t, string(config), `- {id: "north", asset: "USD", credit_line: "100.00", settle_at: "50.00", settle_to: "10.00", engine: "xrp", engine_account: "d290f1ee-6c54-4b01-90e6-d701748f0851"}`)

	changed := writeFile(t, `{"north": {"balance": -25.49, "asset_code": "USD"}, "south": {"balance": 1.23, "asset_code": "EUR"}}`)
	got := s.runCommand(t, "import", "interledger-rs", files[2], changed, "--reason", "9", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "north in USD/2: An earlier import booked -25.50, and the file has -25.49.")
	other := writeFile(t, `[{"id":"2","username":"bob","asset_code":"USD","asset_scale":2,"min_balance":0,"settle_threshold":2100,"settle_to":0,"balance":"7","prepaid_amount":"0"}]`)
	got = s.runCommand(t, "import", "interledger-rs", other, "--reason", "9", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "bob in USD/2: The configuration and the file differ: settle_at is 20, and 21.00 there.")
	s.forwardPacket(t, 100)
	got = s.runCommand(t, "import", "interledger-rs", "testdata/import/interledger-rs-used.json", "--reason", "9", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "alice in USD/2: The ledger has bookings of the peer that no import made: position -1.00, credit line 100.00.")
	require.Equal(t, "-25.50", readRows[peerRow](t, s, "balances", "north")[0].Position)
}

// Wrong command lines and files end with status 2, before the ledger is opened.
func TestImportUsage(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	const file = "testdata/import/rafiki.json"
	for want, args := range map[string][]string{
		"--dry-run and --yes contradict":  {"rafiki", file, "--reason", "9", "--dry-run", "--yes"},
		"give the reason of the bookings": {"rafiki", file, "--yes"},
		"no such file":                    {"rafiki", "testdata/nothing.json"},
		"peers.edges[0].node.liquidity":   {"rafiki", writeFile(t, `{"data":{"peers":{"edges":[{"node":{"id":"i","staticIlpAddress":"a","asset":{"id":"x","code":"USD","scale":2},"liquidity":1.5}}]}}}`)},
		"is neither a list of accounts":   {"interledger-rs", writeFile(t, `5`)},
		`there is no field "x"`:           {"rafiki", file, "--peer-id", "x"},
	} {
		got := s.runCommand(t, append([]string{"import"}, args...)...)
		require.Equal(t, statusUsage, got.status, args)
		require.Contains(t, got.errors, want)
	}
	got := s.runOK(t, "import", "interledger-rs", writeFile(t, `[{"id":"1","username":"eve","asset_code":"GBP","asset_scale":2,"balance":0,"prepaid_amount":0}]`))
	require.Contains(t, got, `GBP/2: The asset is not in the configuration. Add under assets, with a number of your own: {code: "GBP", scale: 2, ledger: NUMBER}.`)
}

// The files are answers of a running ilp-node 0.6.0, whose ids were replaced. It had 123.45 EUR prepaid by north by a payment that an engine reported; the
// balances of the others were written into its store. South owes beyond its line of 0.
func TestImportRealAnswers(t *testing.T) {
	t.Parallel()
	s := newImportLedger(t)
	config := "namespace: test\nassets:\n  - {code: EUR, scale: 2, ledger: 1}\n  - {code: EUR, scale: 9, ledger: 2}\n"
	require.NoError(t, os.WriteFile(s.config, []byte(config), 0o600))
	s.runOK(t, "peers", "provision", "--yes") // it creates the ledger
	s.runOK(t, "import", "interledger-rs", "testdata/import/ilp-node-0.6.0-accounts.json", "testdata/import/ilp-node-0.6.0-balances.json", "--reason", "9", "--yes")
	for peer, want := range map[string][]string{
		"north": {"EUR/2", "100.00", "123.45", "0.00"}, "south": {"EUR/2", "0.00", "-25.50", "25.50"}, "east": {"EUR/9", "unlimited", "9007199.254741000", "0.000000000"},
	} {
		row := readRows[peerRow](t, s, "balances", peer)[0]
		require.Equal(t, want, []string{row.Asset, row.CreditLine, row.Position, row.Arrears}, peer)
	}
}

// Liquidity that another booking or another figure has is not booked a second time.
func TestImportLiquidityTwice(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	liquidity := func(units string) string {
		return writeFile(t, `{"data":{"asset":{"id":"a","code":"EUR","scale":2,"liquidity":"`+units+`"}}}`)
	}
	s.runOK(t, "import", "rafiki", liquidity("500"), "--reason", "9", "--yes")
	got := s.runCommand(t, "import", "rafiki", liquidity("501"), "--reason", "9", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "EUR/2: An earlier import booked 5.00 EUR, and the file has 5.01.")
	other := writeFile(t, `{"data":{"asset":{"id":"b","code":"EUR","scale":2,"liquidity":"500"}}}`)
	got = s.runCommand(t, "import", "rafiki", other, "--reason", "9", "--yes")
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "EUR/2: The ledger has liquidity of 5.00 already. Ask for the asset without its liquidity.")
	require.Equal(t, "5.00", readRows[ownRow](t, s, "balances", "--own", "--asset", "EUR")[0].Capital)
}

// A peer that the ledger has, and the configuration does not, is listed there although nothing is to book.
func TestImportListsAPeerWithoutABalance(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	before, err := os.ReadFile(s.config)
	require.NoError(t, err)
	file := writeFile(t, `[{"id":"1","username":"eve","asset_code":"EUR","asset_scale":2,"min_balance":-500,"balance":0,"prepaid_amount":0}]`)
	s.runOK(t, "import", "interledger-rs", file, "--reason", "9", "--yes")
	listed, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.Contains(t, string(listed), `{id: "eve", asset: "EUR", credit_line: "5.00"}`)
	require.NoError(t, os.WriteFile(s.config, before, 0o600)) // as after a crash between ledger and configuration
	s.runOK(t, "import", "interledger-rs", file, "--reason", "9", "--yes")
	again, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.Equal(t, string(listed), string(again))
}
