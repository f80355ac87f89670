package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newTestPeer makes the ledger of a peer that knows us as bob, and has the same packet and payment in
// its books as ours: alice of ours is the peer.
func newTestPeer(t *testing.T) (ours, theirs testLedger) {
	t.Helper()
	ours, theirs = newTestLedger(t), newTestLedger(t)
	ours.forwardPacket(t, 3001)   // alice owes us 30.01
	theirs.forwardPacket(t, 3002) // they owe us 30.01
	ours.runOK(t, "settle", "received", "alice@USD", "20", "--key", "wire", "--yes")
	theirs.runOK(t, "settle", "paid", "bob@USD", "20", "--key", "wire", "--yes")
	return ours, theirs
}

// writeFile writes a file and returns its path.
func writeFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "theirs")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

var tableTimes = regexp.MustCompile(`20\d\d-[0-9T:Z .-]+`)

func TestCompareThatAgrees(t *testing.T) {
	t.Parallel()
	ours, theirs := newTestPeer(t)
	for _, form := range []string{"--csv", "--json"} {
		text := theirs.runOK(t, "statement", "bob@USD", form, "--holds")
		for _, content := range []string{text, "\ufeff" + text} {
			require.Equal(t, "The statements agree.\nMatched: 2. Differences: 0, with a drift of 0.00 USD.\n", ours.runOK(t, "compare", "alice@USD", writeFile(t, content)))
		}
	}
	got := ours.runOK(t, "compare", "alice@USD", writeFile(t, theirs.runOK(t, "statement", "bob@USD", "--csv")), "--json")
	require.Equal(t, `{"json":1,"difference":"total","ours":"-10.01","theirs":"10.01","drift":"0.00","matched":2,"differences":0}`+"\n", got)
}

func TestCompareThatDiffers(t *testing.T) {
	t.Parallel()
	ours, theirs := newTestPeer(t)
	ours.runOK(t, "settle", "received", "alice@USD", "5", "--key", "wire 2", "--yes")
	theirs.runOK(t, "adjust", "credit", "bob@USD", "7", "--key", "wrong", "--reason", "1", "--yes")
	file := writeFile(t, theirs.runOK(t, "statement", "bob@USD", "--csv"))

	got := ours.runCommand(t, "compare", "alice@USD", file)
	require.Equal(t, statusFound, got.status)
	require.Empty(t, got.errors)
	require.Regexp(t, `missing there │ settlement │ [0-9].* │ +5.00 │ +0.00 │ +5.00 │`, got.out)
	require.Regexp(t, `missing here +│ correction │ [0-9].* │ +0.00 │ +7.00 │ +7.00 │`, got.out)
	require.Contains(t, got.out, "Matched: 2. Differences: 2, with a drift of 12.00 USD.\n")

	got = ours.runCommand(t, "compare", "alice@USD", file, "--json")
	require.Equal(t, statusFound, got.status)
	require.Equal(t, strings.TrimLeft(`
{"json":1,"difference":"missing there","kind":"settlement","time":"TIME","ours":"5.00","theirs":"0.00","drift":"5.00"}
{"json":1,"difference":"missing here","kind":"correction","time":"TIME","ours":"0.00","theirs":"7.00","drift":"7.00"}
{"json":1,"difference":"total","ours":"-5.01","theirs":"17.01","drift":"12.00","matched":2,"differences":2}
`, "\n"), tableTimes.ReplaceAllString(got.out, "TIME"))

	got = ours.runCommand(t, "compare", "alice@USD", file, "--to", "2020-01-01")
	require.Equal(t, statusFound, got.status, "our statement is empty")
	require.Contains(t, got.out, "Matched: 0. Differences: 3")
}

// Packets without a condition are paired by amount: of two equal packets, either may be the missing one.
func TestCompareWithoutConditions(t *testing.T) {
	t.Parallel()
	ours, theirs := newTestPeer(t)
	ours.forwardPacket(t, 3001)
	file := writeFile(t, theirs.runOK(t, "statement", "bob@USD", "--csv"))
	got := ours.runCommand(t, "compare", "alice@USD", file)
	require.Equal(t, statusFound, got.status)
	require.Contains(t, got.out, "\n1 difference of packets without a condition: such packets are paired by amount in order of time.")
	require.NotContains(t, got.out, "under our own ids")
	require.NotContains(t, ours.runCommand(t, "compare", "alice@USD", file, "--json").out, "without a condition")
}

func TestCompareWithOurOwnStatement(t *testing.T) {
	t.Parallel()
	ours, _ := newTestPeer(t)
	got := ours.runCommand(t, "compare", "alice@USD", writeFile(t, ours.runOK(t, "statement", "alice@USD", "--csv")))
	require.Equal(t, statusFound, got.status)
	require.Contains(t, got.out, "\nThe file has packets under our own ids: it may be our statement of the peer, in place of the peer's statement of us.\n")
}

func TestCompareReadsStandardInput(t *testing.T) {
	t.Parallel()
	ours, theirs := newTestPeer(t)
	var out, complaints bytes.Buffer
	text := theirs.runOK(t, "statement", "bob@USD", "--json")
	a := &app{stdin: strings.NewReader(text), stdout: &out, stderr: &complaints, getenv: func(string) string { return "" }}
	status := a.runCommand(t.Context(), []string{"compare", "alice@USD", "-", "--config", ours.config, "--folder", ours.folder})
	require.Equal(t, statusDone, status, complaints.String())
	require.Contains(t, out.String(), "Matched: 2.")
}

// A file that is no whole statement of the asset is a wrong command line, and nothing is shown.
func TestCompareWithWrongFiles(t *testing.T) {
	t.Parallel()
	ours, theirs := newTestPeer(t)
	csv, json := theirs.runOK(t, "statement", "bob@USD", "--csv"), theirs.runOK(t, "statement", "bob@USD", "--json")
	for want, file := range map[string]string{
		"no such file":                          filepath.Join(t.TempDir(), "missing"),
		"line 1 is missing":                     writeFile(t, ""),
		"line 1 must have the headers":          writeFile(t, "hello\n"),
		"line 5 is missing":                     writeFile(t, strings.Join(strings.SplitAfter(csv, "\n")[:4], "")),
		"unexpected EOF":                        writeFile(t, json[:len(json)/2]),
		"asset is \"EUR/2\", want USD/2":        writeFile(t, theirs.runOK(t, "statement", "alice@EUR", "--csv")),
		"asset is \"EUR/2\", want USD/2 ":       writeFile(t, theirs.runOK(t, "statement", "alice@EUR", "--json")),
		"and the line before: it must be 30.02": writeFile(t, replaceOnce(t, csv, ",30.01,,30.01,", ",30.02,,30.01,")),
	} {
		got := ours.runCommand(t, "compare", "alice@USD", file)
		require.Equal(t, statusUsage, got.status, "%s: %s", want, got.errors)
		require.Contains(t, got.errors, strings.TrimSpace(want))
		require.Empty(t, got.out)
	}
}
