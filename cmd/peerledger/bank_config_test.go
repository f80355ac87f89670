package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// config check names field and line of each fault of a bank account.
func TestBankAccountFaults(t *testing.T) {
	t.Parallel()
	s, _ := newBankLedger(t)
	s.runOK(t, "config", "check")
	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	for change, want := range map[[2]string]string{
		{"name: main", "name: ''"}:                          "bank_accounts[0] (): name:",
		{"asset: USD\n    books", "asset: XXX\n    books"}:  "bank_accounts[0] (main): asset:",
		{"id: TEST", "id: ' '"}:                             "bank_accounts[0] (main): id: id: missing",
		{"books: csv", "books: camt.052"}:                   "none of camt.053, camt.054, mt940, csv",
		{"books: csv", "books: mt940"}:                      "bank_accounts[0] (main): csv:",
		{"date: YYYY-MM-DD", "date: X"}:                     "bank_accounts[0] (main): csv: date:",
		{"amount: amount", "sum: amount"}:                   "bank_accounts[0] (main): csv: columns:",
		{"peer: alice, account: TEST-ALICE", "peer: alice"}: "bank_accounts[0] (main): payers:",
	} {
		require.Contains(t, string(text), change[0])
		require.NoError(t, os.WriteFile(s.config, []byte(strings.Replace(string(text), change[0], change[1], 1)), 0o600))
		got := s.runCommand(t, "config", "check")
		require.Equal(t, statusUsage, got.status, "%v: %s", change, got.out+got.errors)
		require.Contains(t, got.out+got.errors, want, "%v", change)
	}
}

// The configuration of the guide is valid.
func TestBankConfigurationOfTheGuide(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(guideChapter(t, "## Payments from a bank's files"), -1)
	require.Len(t, blocks, 1)
	before, _, _ := strings.Cut(configuration, "peers:")
	cfg, err := parseConfig([]byte(before + blocks[0][1]))
	require.NoError(t, err)
	require.Len(t, cfg.BankAccounts, 2)
	require.Equal(t, "bank.json", cfg.bankState())
}
