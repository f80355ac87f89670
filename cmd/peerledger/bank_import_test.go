package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// bankConfiguration is a bank account that books from testdata/bank.csv.
const bankConfiguration = `
bank_accounts:
  - name: main
    id: TEST
    asset: USD
    books: csv
    csv: {date: YYYY-MM-DD, columns: {date: date, amount: amount, payer_account: account, reference: reference}}
    payers: [{peer: alice, account: TEST-ALICE}, {peer: bob, account: TEST-BOB}]
`

func newBankLedger(t *testing.T) (s testLedger, state string) {
	t.Helper()
	s = newTestLedger(t)
	s.addToConfig(t, bankConfiguration)
	return s, filepath.Join(filepath.Dir(s.config), defaultBankState)
}

// The preview writes nothing. Payments are booked once, however often their file is imported, and after their payer's peer changed.
func TestBankImport(t *testing.T) {
	t.Parallel()
	s, state := newBankLedger(t)
	preview := s.runOK(t, "settle", "import", "testdata/bank.csv")
	require.Contains(t, preview, "new: 5.00 USD from alice, key TEST/USD/csv/b1 (row 1)\n")
	require.Contains(t, preview, "listed (no peer): 7.00 USD on 2026-11-03")
	require.Contains(t, preview, "testdata/bank.csv: 2 new, 0 known, 1 listed, 1 skipped (outgoing).\nNothing was written.")
	require.Contains(t, s.runOK(t, "settle", "import", "testdata/bank.csv", "testdata/bank.csv"), "testdata/bank.csv: 0 new, 2 known, 1 listed")
	require.NoFileExists(t, state)
	require.Contains(t, s.runOK(t, "balances", "alice@USD", "--json"), `"settled_in":"0.00"`)

	got := s.runOK(t, "settle", "import", "testdata/bank.csv", "testdata/bank.csv", "--yes")
	require.Contains(t, got, "booked: 5.00 USD from alice, key TEST/USD/csv/b2 (row 2)\n")
	require.Contains(t, got, "testdata/bank.csv: 0 new, 2 known, 1 listed, 1 skipped (outgoing).\n")
	require.Contains(t, s.runOK(t, "balances", "alice@USD", "--json"), `"settled_in":"10.00"`)

	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	swapped := []byte(strings.NewReplacer("peer: alice, account", "peer: carol, account", "peer: bob, account", "peer: alice, account").Replace(string(text)))
	require.NoError(t, os.WriteFile(s.config, swapped, 0o600))
	s.runOK(t, "settle", "import", "testdata/bank.csv", "--yes")
	require.Contains(t, s.runOK(t, "balances", "alice@USD", "--json"), `"settled_in":"10.00"`)
}

// An import that ended after it had written the bank account's book, and before the ledger had the payments, is completed by the
// next one.
func TestBankImportAfterACrash(t *testing.T) {
	t.Parallel()
	before, state := newBankLedger(t)
	before.runOK(t, "settle", "import", "testdata/bank.csv", "--yes")
	text, err := os.ReadFile(state)
	require.NoError(t, err)
	s, state := newBankLedger(t)
	require.NoError(t, os.WriteFile(state, text, 0o600))
	got := s.runOK(t, "settle", "import", "testdata/bank.csv", "--yes")
	require.Contains(t, got, "booked: 5.00 USD from alice, key TEST/USD/csv/b1 (row 1)\n")
	require.Contains(t, s.runOK(t, "balances", "alice@USD", "--json"), `"settled_in":"10.00"`)
}

// A file that is refused books nothing of the other files either.
func TestBankImportRefused(t *testing.T) {
	t.Parallel()
	s, state := newBankLedger(t)
	bad := filepath.Join(t.TempDir(), "bad.csv")
	require.NoError(t, os.WriteFile(bad, []byte("date,amount,account,reference\n2026-11-02,5;00,TEST-ALICE,b1\n"), 0o600))
	got := s.runCommand(t, "settle", "import", "testdata/bank.csv", bad, "--yes")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "refused (amount): row 1")
	require.NoFileExists(t, state)
	require.Contains(t, s.runOK(t, "balances", "alice@USD", "--json"), `"settled_in":"0.00"`)
	require.NoError(t, os.Truncate(bad, 100<<20))
	got = s.runCommand(t, "settle", "import", "testdata/bank.csv", bad, "--yes")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "bad.csv: refused (size): the file has more than 67108864 bytes; nothing was booked")
	require.NoFileExists(t, state)
	got = s.runCommand(t, "settle", "import", "testdata/bank.csv", "--account", "other")
	require.Contains(t, got.errors, `there is no bank account "other"`)
}

// A peer without accounts in the ledger books nothing, and leaves the bank account's book as it was.
func TestBankImportForAnUnknownPeer(t *testing.T) {
	t.Parallel()
	s, state := newBankLedger(t)
	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.config, []byte(strings.Replace(string(text), "peer: alice, account", "peer: erin, account", 1)), 0o600))
	got := s.runCommand(t, "settle", "import", "testdata/bank.csv", "--yes")
	require.Equal(t, statusFailed, got.status, got.errors)
	require.Contains(t, got.errors, "testdata/bank.csv: row 1")
	require.Contains(t, got.errors, "erin")
	require.NoFileExists(t, state)
}

// --book books a listed payment for a named peer, once, and the same command may be given again.
func TestBankImportBook(t *testing.T) {
	t.Parallel()
	s, _ := newBankLedger(t)
	book := []string{"settle", "import", "testdata/bank.csv", "--book", "row 3", "--peer", "bob"}
	require.Contains(t, s.runOK(t, book...), "new: 7.00 USD from bob, key TEST/USD/csv/b3 (row 3)\n")
	require.Contains(t, s.runOK(t, append(book, "--yes")...), "testdata/bank.csv: 3 new, 0 known, 0 listed")
	require.Contains(t, s.runOK(t, append(book, "--yes")...), "testdata/bank.csv: 0 new, 3 known, 0 listed")
	require.Contains(t, s.runOK(t, "settle", "import", "testdata/bank.csv", "--yes"), "testdata/bank.csv: 0 new, 3 known, 0 listed")
	require.Contains(t, s.runOK(t, "balances", "bob@USD", "--json"), `"settled_in":"7.00"`)
	for want, args := range map[string][]string{
		`--book: row 3: the payment is of peer "bob", not of "alice"`: {"--book", "row 3", "--peer", "alice"},
		"--book: row 9: the file has no listed entry there":           {"--book", "row 9", "--peer", "alice"},
		"--book and --peer go together":                               {"--book", "row 3"},
		"--book names a place in one file":                            {"testdata/bank.csv", "--book", "row 3", "--peer", "bob"},
	} {
		got := s.runCommand(t, append([]string{"settle", "import", "testdata/bank.csv"}, args...)...)
		require.Equal(t, statusUsage, got.status, args)
		require.Contains(t, got.errors, want)
	}
}

// A mapping file brings columns and payers for the files of one command.
func TestBankImportMapping(t *testing.T) {
	t.Parallel()
	s, _ := newBankLedger(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	export := write("export.csv", "Datum;Bedrag;Nr;Tekst\n02.11.2026;3,50;c1;for BOB-1\n02.11.2026;4,50;c2;for DAVE-1\n")
	mapping := write("mapping.yaml", `
csv: {delimiter: ";", decimal: ",", date: DD.MM.YYYY, columns: {date: Datum, amount: Bedrag, reference: Nr, text: Tekst}}
payers: [{peer: bob, reference: BOB-1}]
`)
	got := s.runCommand(t, "settle", "import", export)
	require.Contains(t, got.errors, "refused (column): header: no column")
	out := s.runOK(t, "settle", "import", export, "--mapping", mapping, "--yes")
	require.Contains(t, out, "booked: 3.50 USD from bob, key TEST/USD/csv/c1 (row 1)\n")
	require.Contains(t, out, "listed (no peer): 4.50 USD")
	require.Contains(t, s.runOK(t, "settle", "import", "testdata/bank.csv", "--mapping", write("payers.yaml", "payers: [{peer: bob, account: TEST-ERIN}]")),
		"new: 7.00 USD from bob, key TEST/USD/csv/b3 (row 3)\n", "configured columns and payers stay")
	for text, want := range map[string]string{
		"":                                 "neither csv nor payers",
		"csv: {date: X}":                   "csv: date:",
		"cvs: {}":                          "line 1: field cvs not found",
		"payers: [{peer: bob}]":            "payers: number 3 (\"bob\")",
		"payers: [{peer: bob, account: 1}": "line 1",
		"payers: 1":                        "line 1",
	} {
		got := s.runCommand(t, "settle", "import", export, "--mapping", write("bad.yaml", text))
		require.Equal(t, statusUsage, got.status, text)
		require.Contains(t, got.errors, want, text)
		require.Contains(t, got.errors, "bad.yaml", text)
	}
	got = s.runCommand(t, "settle", "import", export, "--mapping", filepath.Join(dir, "none"))
	require.Equal(t, statusUsage, got.status)
}

// An account that books from csv may leave the columns to --mapping. Another account has none.
func TestBankImportMappingOfAnAccount(t *testing.T) {
	t.Parallel()
	s, _ := newBankLedger(t)
	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	columns := "    csv: {date: YYYY-MM-DD, columns: {date: date, amount: amount, payer_account: account, reference: reference}}\n"
	require.Contains(t, string(text), columns)
	require.NoError(t, os.WriteFile(s.config, []byte(strings.Replace(string(text), columns, "", 1)), 0o600))
	s.runOK(t, "config", "check")
	got := s.runCommand(t, "settle", "import", "testdata/bank.csv")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "with --mapping")
	mapping := filepath.Join(t.TempDir(), "mapping.yaml")
	require.NoError(t, os.WriteFile(mapping, []byte(columns), 0o600))
	require.Contains(t, s.runOK(t, "settle", "import", "testdata/bank.csv", "--mapping", mapping), "2 new")
	other := strings.Replace(strings.Replace(string(text), columns, "", 1), "books: csv", "books: mt940", 1)
	require.NoError(t, os.WriteFile(s.config, []byte(other), 0o600))
	got = s.runCommand(t, "settle", "import", "testdata/bank.csv", "--mapping", mapping)
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "only an account that books from csv has a mapping")
}

// An account that changes the kind of its files needs a start after what is booked.
func TestBankImportOfAnotherKind(t *testing.T) {
	t.Parallel()
	s, _ := newBankLedger(t)
	s.runOK(t, "settle", "import", "testdata/bank.csv", "--yes")
	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	columns := "    csv: {date: YYYY-MM-DD, columns: {date: date, amount: amount, payer_account: account, reference: reference}}\n"
	swift := filepath.Join(t.TempDir(), "swift.sta")
	require.NoError(t, os.WriteFile(swift, []byte(":20:X\n:25:TEST\n:60F:C261101USD0,\n:61:2611021102C5,NTRFNONREF//b1\n:86:/IBAN/TEST-ALICE/\n"+
		":61:2611031103C2,NTRFNONREF//b9\n:86:/IBAN/TEST-ALICE/\n:62F:C261103USD7,\n"), 0o600))
	change := func(from string) {
		changed := strings.Replace(strings.Replace(string(text), columns, "    from: "+from+"\n", 1), "books: csv", "books: mt940", 1)
		require.NoError(t, os.WriteFile(s.config, []byte(changed), 0o600))
	}
	change("2026-11-02")
	got := s.runCommand(t, "settle", "import", swift, "--yes")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "payments up to 2026-11-02 are booked from csv: to book from mt940, set from: to a later date")
	change("2026-11-03")
	require.Contains(t, s.runOK(t, "settle", "import", swift, "--yes"), "swift.sta: 1 new, 0 known, 0 listed, 1 skipped (before start).\n")
	require.Contains(t, s.runOK(t, "balances", "alice@USD", "--json"), `"settled_in":"12.00"`)
	change("3.11.2026")
	require.Contains(t, s.runCommand(t, "config", "check").out, "not as YYYY-MM-DD")
}

// Known payments are found without acts in the operator's journal.
func TestBankImportOfKnownPaymentsHasNoActs(t *testing.T) {
	t.Parallel()
	s, state := newBankLedger(t)
	acts := func() int { return len(readRows[map[string]any](t, s, "audit")) }
	s.runOK(t, "settle", "import", "testdata/bank.csv", "--yes")
	before := acts()
	s.runOK(t, "settle", "import", "testdata/bank.csv", "--yes")
	require.Equal(t, before, acts())
	require.NoError(t, os.Remove(state)) // the ledger alone knows
	preview := s.runOK(t, "settle", "import", "testdata/bank.csv", "testdata/bank.csv")
	require.Contains(t, preview, "known: 5.00 USD from alice, key TEST/USD/csv/b1 (row 1)\n")
	require.Equal(t, 2, strings.Count(preview, "testdata/bank.csv: 0 new, 2 known, 1 listed"))
	s.runOK(t, "settle", "import", "testdata/bank.csv", "--yes")
	require.Equal(t, before, acts())
	require.Contains(t, s.runOK(t, "balances", "alice@USD", "--json"), `"settled_in":"10.00"`)
}
