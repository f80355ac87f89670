package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/scripttest"
)

// guideMonth is the month of the commands in docs/accounting.md, and nextGuideMonth the one after it. The tests run them in the
// present month.
const guideMonth, nextGuideMonth = "2026-11", "2026-12"

// guideBlock is a block of commands or a program in docs/accounting.md, with the output below it.
var guideBlock = regexp.MustCompile("(?s)```(sh|python)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")

// The commands of docs/accounting.md run as they stand, in their order, and print what the page shows. A section needs
// the programs that it is about.
func TestGuideOfAccounting(t *testing.T) {
	t.Parallel()
	guide := string(readFileOf(t, "../../docs/accounting.md"))
	for heading, needs := range map[string][]string{
		"### hledger": {"hledger"}, "### ledger": {"ledger"}, "### beancount": {"bean-check"}, "### DuckDB, pandas and Polars": {"python3"},
		"## Month-end": {"hledger"}, "## Currency result": {"hledger"},
	} {
		t.Run(heading, func(t *testing.T) {
			t.Parallel()
			_, section, found := strings.Cut(guide, "\n"+heading+"\n")
			require.True(t, found)
			section = section[:strings.Index(section+"\n#", "\n#")]
			shell := newGuideShell(t, needs...)
			blocks := guideBlock.FindAllStringSubmatch(section, -1)
			require.NotEmpty(t, blocks)
			for _, block := range blocks {
				output := shell.run(t, block[1], block[2])
				if block[3] != "" {
					require.Equal(t, block[3], output, block[2])
				}
			}
		})
	}
}

// The month-end's income statement has what the month earned, and not what was earned before.
func TestGuideHasTheMonthsIncome(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("hledger"); err != nil {
		t.Skip("needs hledger: .ci/install debian")
	}
	command := regexp.MustCompile("(?m)^hledger .* incomestatement .*$").FindString(string(readFileOf(t, "../../docs/accounting.md")))
	s, folder := newTestLedger(t), t.TempDir()
	s.forwardPacket(t, 3001)
	s.forwardPacket(t, 3001)
	from := time.Now().UTC().Format(time.RFC3339Nano)
	s.forwardPacket(t, 3001)
	s.runOK(t, "export", filepath.Join(folder, guideMonth+".hledger"), "--format", "hledger", "--from", from)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", command)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "LC_ALL=C.UTF-8")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Regexp(t, `Income:Revenue +\|\| USD.2 +0.01 `, string(output))
}

// guideShell runs commands in a folder beside the books of the guide.
type guideShell struct {
	folder, path string
	months       [2]string // the present one and the next
}

// newGuideShell books what the guide tells, and makes peerledger and the needed programs commands.
func newGuideShell(t *testing.T, needs ...string) *guideShell {
	t.Helper()
	today := time.Now().UTC()
	month := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, time.UTC)
	shell := &guideShell{folder: t.TempDir(), path: t.TempDir(), months: [2]string{month.Format("2006-01"), month.AddDate(0, 1, 0).Format("2006-01")}}
	shell.link(t, "bean-check", "PEERLEDGER_BEANCOUNT3", "bin/bean-check")
	shell.link(t, "bean-query", "PEERLEDGER_BEANCOUNT3", "bin/bean-query")
	shell.link(t, "python3", "PEERLEDGER_TABLES", "")
	for _, program := range needs {
		_, err := os.Stat(filepath.Join(shell.path, program))
		if err != nil && program != "python3" { // a Python of the machine lacks the packages
			_, err = exec.LookPath(program)
		}
		if err != nil {
			t.Skipf("needs %s: .ci/install", program)
		}
	}
	s := newTestLedger(t)
	s.runOK(t, "fund", "1000", "--asset", "USD", "--key", "deposit-1", "--reason", "5", "--yes")
	s.runOK(t, "settle", "received", "alice@USD", "250", "--key", "wire-4711", "--yes")
	s.forwardPacket(t, 3001)
	self, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, scripttest.WriteExecutable(filepath.Join(shell.path, "peerledger"), fmt.Sprintf(
		"#!/bin/sh\nexec env %s=peerledger '%s' --config '%s' --folder '%s' \"$@\"\n", runAsEnv, self, s.config, s.folder)))
	return shell
}

// link makes a program of an environment variable's folder a command.
func (s *guideShell) link(t *testing.T, name, variable, inside string) {
	t.Helper()
	if folder := os.Getenv(variable); folder != "" {
		require.NoError(t, scripttest.WriteExecutable(filepath.Join(s.path, name), fmt.Sprintf("#!/bin/sh\nexec '%s' \"$@\"\n", filepath.Join(folder, inside))))
	}
}

var trailing = regexp.MustCompile(`(?m) +$`)

// run returns the output of a block, in the guide's month and without spaces at the ends of lines.
func (s *guideShell) run(t *testing.T, language, block string) string {
	t.Helper()
	block = strings.NewReplacer(guideMonth, s.months[0], nextGuideMonth, s.months[1]).Replace(block)
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", block)
	if language == "python" {
		cmd = exec.CommandContext(t.Context(), filepath.Join(s.path, "python3"), "-c", block)
	}
	cmd.Dir = s.folder
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PATH="+s.path+":"+os.Getenv("PATH"))
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", block, output)
	return strings.NewReplacer(s.months[0], guideMonth, s.months[1], nextGuideMonth).Replace(trailing.ReplaceAllString(string(output), ""))
}
