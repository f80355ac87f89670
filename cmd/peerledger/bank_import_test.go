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
