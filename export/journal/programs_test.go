package journal_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal"
)

func testSeed() string { return os.Getenv("PEERLEDGER_EXPORT_SEED") }

// program is an accounting program that opens journals.
type program struct {
	name      string
	format    export.Format
	account   func(peer string) string
	commodity func(code string, scale uint8) string
	hash      string // before the hash of an account without an id
	// balances opens a file, which may include others, and returns what the program has as balances: by "account
	// commodity". The error is what the program refuses.
	balances func(t *testing.T, path string) (map[string]string, error)
	include  string // the line with the path of a file
}

func programs() []program {
	beancount := func(n, variable string, format export.Format) program {
		return program{
			name: "beancount" + n, format: format, account: journal.BeancountAccount, commodity: journal.BeancountCommodity, hash: "Hash--",
			include: `include "%s"`,
			balances: func(t *testing.T, path string) (map[string]string, error) {
				t.Helper()
				return openWithBeancount(t, variable, path)
			},
		}
	}
	return []program{
		{
			name: "hledger", format: journal.Hledger(), account: journal.LedgerAccount, commodity: journal.LedgerCommodity, hash: "#",
			balances: openWithHledger, include: "include %s",
		},
		{
			name: "ledger", format: journal.Ledger(), account: journal.LedgerAccount, commodity: journal.LedgerCommodity, hash: "#",
			balances: openWithLedger, include: "include %s",
		},
		beancount("2", "PEERLEDGER_BEANCOUNT2", journal.Beancount2()),
		beancount("3", "PEERLEDGER_BEANCOUNT3", journal.Beancount3()),
	}
}

// eachProgram runs a test with each program that is installed.
func eachProgram(t *testing.T, test func(*testing.T, program)) {
	t.Helper()
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
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
		return "", &refusal{faults.String() + output.String()}
	}
	return output.String(), nil
}

// refusal is what a program says of a file.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

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
	output, err := run(t, installed(t, "ledger"), "-f", path, "--strict", "balance", "--flat", "--no-total")
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
	folder := os.Getenv(variable)
	if folder == "" {
		t.Skipf("needs beancount: .ci/install %s, and %s", strings.ToLower(strings.TrimPrefix(variable, "PEERLEDGER_")), variable)
	}
	output, err := run(t, filepath.Join(folder, "bin", "python"), "-c", beancountScript, path)
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
