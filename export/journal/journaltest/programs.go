// Package journaltest opens journals with the accounting programs that they are for, in tests.
//
// The programs are found on PATH (hledger, ledger) and by PEERLEDGER_BEANCOUNT2 and PEERLEDGER_BEANCOUNT3. A test without
// its program is skipped.
package journaltest

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal"
)

// Program is an accounting program that opens journals.
type Program struct {
	Name    string
	Format  export.Format
	Account func(peer string) string // the last part of a peer's account
	// HashMark stands before the hash of an account without a peer's id.
	HashMark  string
	Commodity func(code string, scale uint8) string
	// Include is the line that includes a file, with %s for its path.
	Include string
	// Version returns the line with the program's name and version.
	Version func(t *testing.T) string
	// Balances opens a file, and returns the balances other than 0 that the program has, by
	// "account commodity". The error is a [Refusal] if the program refuses the file.
	Balances func(t *testing.T, path string) (map[string]string, error)
}

// Programs returns hledger, ledger, and beancount 2 and 3.
func Programs() []Program {
	beancount := func(n, variable string, format export.Format) Program {
		return Program{
			Name: "beancount" + n, Format: format, Account: journal.BeancountAccount, HashMark: "Hash--", Commodity: journal.BeancountCommodity,
			Include: `include "%s"`,
			Version: func(t *testing.T) string {
				t.Helper()
				return versionOf(t, beancountPython(t, variable), "-c", "import beancount; print('beancount', beancount.__version__)")
			},
			Balances: func(t *testing.T, path string) (map[string]string, error) {
				t.Helper()
				return openWithBeancount(t, variable, path)
			},
		}
	}
	return []Program{
		{
			Name: "hledger", Format: journal.Hledger(), Account: journal.LedgerAccount, HashMark: "#", Commodity: journal.LedgerCommodity,
			Include: "include %s", Balances: openWithHledger,
			Version: func(t *testing.T) string { t.Helper(); return versionOf(t, installed(t, "hledger"), "--version") },
		},
		{
			Name: "ledger", Format: journal.Ledger(), Account: journal.LedgerAccount, HashMark: "#", Commodity: journal.LedgerCommodity,
			Include: "include %s", Balances: openWithLedger,
			Version: func(t *testing.T) string { t.Helper(); return versionOf(t, installed(t, "ledger"), "--version") },
		},
		beancount("2", "PEERLEDGER_BEANCOUNT2", journal.Beancount2()),
		beancount("3", "PEERLEDGER_BEANCOUNT3", journal.Beancount3()),
	}
}

// SaveParts writes each part to a file, and returns the path of one that includes them in their order.
func (p Program) SaveParts(t *testing.T, parts []string) string {
	t.Helper()
	folder := t.TempDir()
	for i, part := range parts {
		require.NoError(t, os.WriteFile(filepath.Join(folder, fmt.Sprint(i)+p.Format.Extension), []byte(part), 0o600))
	}
	return p.IncludeAll(t, folder, len(parts), func(i int) string { return fmt.Sprint(i) + p.Format.Extension })
}

// IncludeAll writes a file that includes n files of its folder, and returns its path.
func (p Program) IncludeAll(t *testing.T, folder string, n int, name func(int) string) string {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, p.Include+"\n", filepath.Join(folder, name(i)))
	}
	path := filepath.Join(folder, "all"+p.Format.Extension)
	require.NoError(t, os.WriteFile(path, []byte(lines.String()), 0o600))
	return path
}

// AccountName returns the name of an account, as docs/accounting.md has it.
func (p Program) AccountName(a *export.Account) string {
	name := map[export.AccountKind]string{
		export.KindPeer: "Liabilities:Peer", export.KindArrears: "Assets:Arrears", export.KindSettlement: "Assets:Settlement",
		export.KindLiquidity: "Equity:Liquidity", export.KindRevenue: "Income:Revenue", export.KindDust: "Income:Dust",
		export.KindSuspense: "Liabilities:Suspense", export.KindOutside: "Assets:Outside", export.KindControl: "Equity:Control",
		export.KindTransit: "Liabilities:Transit", export.KindOther: "Equity:Other",
	}[a.Kind]
	switch {
	case a.Peer != "":
		return name + ":" + p.Account(a.Peer)
	case !a.Hash.IsZero():
		return name + ":" + p.HashMark + a.Hash.String()
	default:
		return name
	}
}

// Each runs a test with each program, and logs its version for the gate.
func Each(t *testing.T, test func(*testing.T, Program)) {
	t.Helper()
	for _, p := range Programs() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			t.Logf("took part: %s", p.Version(t))
			test(t, p)
		})
	}
}

// run returns the output of a command. Programs take the encoding of files from the locale.
func run(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var output, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &faults
	if err := cmd.Run(); err != nil {
		return "", &Refusal{faults.String() + output.String()}
	}
	return output.String(), nil
}

// Refusal is what a program says of a file.
type Refusal struct{ Text string }

func (r *Refusal) Error() string { return r.Text }

// versionOf returns the first line that a program prints.
func versionOf(t *testing.T, program string, args ...string) string {
	t.Helper()
	output, err := run(t, program, args...)
	require.NoError(t, err)
	line, _, _ := strings.Cut(output, "\n")
	return line
}

func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s: .ci/install debian", name)
	}
	return path
}

func openWithHledger(t *testing.T, path string) (map[string]string, error) {
	t.Helper()
	output, err := run(t, installed(t, "hledger"), "-f", path, "balance", "--strict", "--flat", "--no-total", "--output-format", "csv", "--layout=bare")
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(strings.NewReader(output)).ReadAll()
	require.NoError(t, err)
	balances := map[string]string{}
	for _, row := range rows[1:] {
		if strings.Trim(row[2], "0.") != "" {
			balances[row[0]+" "+row[1]] = row[2]
		}
	}
	return balances, nil
}

func openWithLedger(t *testing.T, path string) (map[string]string, error) {
	t.Helper()
	output, err := run(t, installed(t, "ledger"), "-f", path, "--pedantic", "balance", "--flat", "--no-total")
	if err != nil {
		return nil, err
	}
	balances, amounts := map[string]string{}, []string(nil)
	for line := range strings.Lines(output) { // amounts of an account one below the other, the name beside the last
		fields := strings.Fields(line)
		amounts = append(amounts, fields[0], strings.Trim(fields[1], `"`))
		if len(fields) == 2 {
			continue
		}
		for i := 0; i < len(amounts); i += 2 {
			balances[fields[2]+" "+amounts[i+1]] = amounts[i]
		}
		amounts = nil
	}
	return balances, nil
}

// beancountScript prints the balances that beancount's own inventories have, or its complaints.
const beancountScript = `
import sys
from beancount import loader
from beancount.core import data, realization
entries, errors, _ = loader.load_file(sys.argv[1])
for error in errors[:3]:
    print(error.message, file=sys.stderr)
if errors:
    sys.exit(1)
peers = {e.account: e.meta["peer"] for e in entries if isinstance(e, data.Open) and "peer" in e.meta}
for account in realization.iter_children(realization.realize(entries), leaf_only=True):
    for position in account.balance:
        print(account.account, position.units.currency, format(position.units.number, "f"), sep="\t")
`

func openWithBeancount(t *testing.T, variable, path string) (map[string]string, error) {
	t.Helper()
	output, err := run(t, beancountPython(t, variable), "-c", beancountScript, path)
	if err != nil {
		return nil, err
	}
	balances := map[string]string{}
	for line := range strings.Lines(output) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.Trim(fields[2], "0.") != "" {
			balances[fields[0]+" "+fields[1]] = fields[2]
		}
	}
	return balances, nil
}

// beancountPython returns the interpreter that has beancount.
func beancountPython(t *testing.T, variable string) string {
	t.Helper()
	folder := os.Getenv(variable)
	if folder == "" {
		t.Skipf("needs beancount: .ci/install %s, and %s", strings.ToLower(strings.TrimPrefix(variable, "PEERLEDGER_")), variable)
	}
	return filepath.Join(folder, "bin", "python")
}
