package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkFile runs config check on a file with this content, in the working directory.
func checkFile(t *testing.T, content string, args ...string) outcome {
	t.Helper()
	require.NoError(t, os.WriteFile("peerledger.yaml", []byte(content), 0o600))
	return runApp(t, append([]string{"config", "check"}, args...)...)
}

// rightFile has one of each.
const rightFile = `folder: ledger
namespace: test
reasons: {refund: 7, capital: 9}
assets:
  - {code: USD, scale: 2, ledger: 1}
  - {code: EUR, scale: 2, ledger: 2}
peers:
  - {id: alice, asset: USD, credit_line: "100", settle_at: "50"}
  - {id: bob, asset: USD, engine: none}
engines:
  - {name: bank, url: "http://127.0.0.1:1", assets: [USD]}
bank_accounts:
  - {name: main, id: NL69TEST0000000001, asset: EUR, books: camt.053}
`

func TestConfigCheckOfARightFile(t *testing.T) {
	t.Chdir(t.TempDir())
	got := checkFile(t, rightFile)
	require.Equal(t, outcome{statusDone, `peerledger.yaml has no error. A command would use:
  ledger: the folder ledger
  namespace: "test"
  asset: USD/2, number 1 in the ledger, 2 peers, 1 of them with settle_at
  asset: EUR/2, number 2 in the ledger, 0 peers, 0 of them with settle_at
  engine: bank
  bank account: main
  reason: capital is 9
  reason: refund is 7
  operator's journal: operator-journal.jsonl
`, ""}, got)
	got = checkFile(t, rightFile, "--json")
	require.Equal(t, `{"json":1,"file":"peerledger.yaml","folder":"ledger","namespace":"test","assets":[{"asset":"USD/2","ledger":1,"peers":2,"settled":1},`+
		`{"asset":"EUR/2","ledger":2,"peers":0,"settled":0}],"engines":["bank"],"bank_accounts":["main"],"reasons":{"capital":9,"refund":7},"operator_journal":"operator-journal.jsonl"}`+"\n", got.out)
	require.NoDirExists(t, "ledger", "the ledger is not opened")
	got = checkFile(t, rightFile, "--cluster-id", "7", "--addresses", "10.0.0.1:3001,10.0.0.2")
	require.Contains(t, got.out, "ledger: cluster 7 at 10.0.0.1:3001, 10.0.0.2\n", "flags come first")
}

// Each error has its line and its field.
func TestConfigCheckNamesTheLine(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct{ old, new, want string }{
		{`credit_line: "100"`, `credit_line: "1.005"`, "peerledger.yaml:8: peers[0] (alice): credit_line: "},
		{`settle_at: "50"`, `settle_at: "50", settle_to: "60"`, "peerledger.yaml:8: peers[0] (alice): settle_at, settle_to: "},
		{`{id: bob, asset: USD, engine: none}`, "id: bob\n    asset: USD\n    engine: shop", "peerledger.yaml:11: peers[1] (bob): engine: there is no engine \"shop\""},
		{`{id: bob, asset: USD, engine: none}`, "id: bob\n    engine: none\n    asset: GBP", "peerledger.yaml:11: peers[1] (bob): asset: there is no asset \"GBP\""},
		{"id: bob", "id: alice", "peerledger.yaml:9: peers[1]: alice in USD/2 is listed twice"},
		{"{code: EUR, scale: 2, ledger: 2}", "code: EUR\n    scale: 2\n    ledger: 1", "peerledger.yaml:8: "},
		{"{code: EUR, scale: 2, ledger: 2}", "{code: EUR, scale: 2, ledger: 2,\n     limit: {day: much}}", "peerledger.yaml:7: assets[1] (EUR/2): limit: day: "},
		{"http://127.0.0.1:1", "bank", "peerledger.yaml:11: engines[0] (bank): url: "},
		{"refund: 7, capital: 9", "return: 7,\n  refund: 7", "peerledger.yaml:3: reasons: return: 7 is refund already"},
		{"refund: 7", "refund: 0", "peerledger.yaml:3: reasons: refund: must not be 0"},
		{"refund: 7", `"12": 7`, `peerledger.yaml:3: reasons: "12": a name must not be a number`},
		{"refund: 7", "refund: seven", "peerledger.yaml:3: cannot unmarshal !!str `seven`"},
		{"settle_at:", "settel_at:", "peerledger.yaml:8: field settel_at not found"},
		{"namespace: test", "namespace: test\n  x: y: z", "peerledger.yaml:3: "},
		{"folder: ledger\n", "", "peerledger.yaml: no ledger is named"},
		{"folder: ledger\n", "folder: ledger\ncluster_id: \"7\"\n", "folder names an embedded ledger, and cluster_id and addresses name a cluster"},
	} {
		got := checkFile(t, replaceOnce(t, rightFile, test.old, test.new))
		require.Equal(t, statusUsage, got.status, test.new)
		require.Empty(t, got.errors, test.new)
		require.Contains(t, got.out, test.want)
		require.Equal(t, 1, strings.Count(got.out, "\n"), "one line for one error: %s", got.out)
	}
	got := checkFile(t, replaceOnce(t, replaceOnce(t, rightFile, `"100"`, `"x"`), `refund: 7`, `refund: 0`), "--json")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.out, `{"json":1,"file":"peerledger.yaml","line":8,"field":"peers[0].credit_line","error":"peers[0] (alice): credit_line: `)
	require.Contains(t, got.out, `{"json":1,"file":"peerledger.yaml","line":3,"field":"reasons.refund","error":"reasons: refund: must not be 0, which is no reason"}`)
	require.Equal(t, 2, strings.Count(got.out, "\n"), "all errors are shown")

	got = checkFile(t, "", "--config", filepath.Join("no", "such.yaml"))
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.out, "no such file")
	got = checkFile(t, "folder: ledger\n")
	require.Contains(t, got.out, "no assets are configured")
}

// The commands with --reason read names of the configuration, and show them.
func TestReasonsByName(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.NoError(t, os.WriteFile(s.config, []byte(configuration+"reasons: {refund: 7, capital: 9}\n"), 0o600))
	for _, args := range [][]string{
		{"adjust", "credit", "alice@USD", "5", "--key", "a"},
		{"adjust", "debit", "alice@USD", "1", "--key", "b"},
		{"fund", "5", "--asset", "USD", "--key", "a"},
		{"withdraw", "1", "--asset", "USD", "--key", "a"},
		{"credit", "set", "alice@USD", "50"},
	} {
		named := s.readChange(t, append(args, "--reason", "refund", "--yes")...)
		require.Equal(t, []any{uint32(7), "refund", false}, []any{named.Reason, named.ReasonName, named.Already}, args)
		require.Contains(t, s.runOK(t, append(args, "--reason", "7", "--yes")...), ", reason 7 (refund)")
		require.Contains(t, s.runOK(t, append(args, "--reason", "8")...), ", reason 8")
		got := s.runCommand(t, append(args, "--reason", "refunds", "--yes")...)
		require.Equal(t, statusUsage, got.status, args)
		require.Contains(t, got.errors, `--reason "refunds" is neither a number from 0 to 4294967295 nor a name of reasons: in `)
		require.Contains(t, got.errors, "there is capital, refund")
	}
	require.Contains(t, s.runOK(t, "statement", "alice@USD", "-o", "wide"), " 7 (refund) │")
	require.Contains(t, s.runOK(t, "statement", "alice@USD", "-o", "jsonl"), `"reason":7,"reason_name":"refund"`)
	for _, command := range []string{"suspend", "close"} {
		require.Equal(t, statusUsage, s.runCommand(t, "peers", command, "alice@EUR", "--reason", "none").status)
		s.runOK(t, "peers", command, "alice@EUR", "--reason", "refund", "--yes")
	}
	require.Equal(t, statusUsage, s.runCommand(t, "fund", "5", "--asset", "USD", "--key", "z", "--reason", "0").status)
	require.NoError(t, os.WriteFile(s.config, []byte(configuration), 0o600))
	require.Contains(t, s.runCommand(t, "fund", "5", "--asset", "USD", "--key", "z", "--reason", "refund").errors, "it has none")
}

// The first configuration is right, and everything that it names can be used.
func TestConfigInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "peerledger.yaml")
	got := runApp(t, "config", "init", file)
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "Written: "+file)
	s := testLedger{file, filepath.Join(dir, "ledger")}
	s.runOK(t, "peers", "provision", "--yes")
	require.Equal(t, "alice@USD/2\nbob@USD/2\n", s.runOK(t, "balances", "-o", "name"))
	s.runOK(t, "fund", "5", "--key", "k", "--reason", "capital", "--yes")

	require.NoError(t, os.WriteFile(file, []byte("# mine\n"), 0o600))
	got = runApp(t, "config", "init", file)
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "is left alone")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "# mine\n", string(content))
	require.Equal(t, statusUsage, runApp(t, "config", "init", filepath.Join(dir, "no", "folder")).status)
	require.Contains(t, runApp(t, "balances", "--config", file).errors, "peerledger config init writes a first file")
}
