package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runOn runs the command on events with a list of reasons ("" for no list), and returns the output.
func runOn(t *testing.T, events, list string, strict bool) (string, error) {
	t.Helper()
	o := options{strict: strict}
	if list != "" {
		o.list = filepath.Join(t.TempDir(), "list")
		require.NoError(t, os.WriteFile(o.list, []byte(list), 0o600))
	}
	var out bytes.Buffer
	err := run(o, strings.NewReader(events), &out)
	return out.String(), err
}

// passed are the events of a package whose test passes, as go test -json prints them.
const passed = `{"Action":"start","Package":"github.com/peerledger/peerledger/a"}
{"Action":"run","Package":"github.com/peerledger/peerledger/a","Test":"TestA"}
{"Action":"output","Package":"github.com/peerledger/peerledger/a","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"output","Package":"github.com/peerledger/peerledger/a","Test":"TestA","Output":"    a_test.go:5: noise\n"}
{"Action":"output","Package":"github.com/peerledger/peerledger/a","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
{"Action":"pass","Package":"github.com/peerledger/peerledger/a","Test":"TestA","Elapsed":0}
{"Action":"output","Package":"github.com/peerledger/peerledger/a","Output":"printed by the program\n"}
{"Action":"output","Package":"github.com/peerledger/peerledger/a","Output":"PASS\n"}
{"Action":"output","Package":"github.com/peerledger/peerledger/a","Output":"ok  \tgithub.com/peerledger/peerledger/a\t0.1s\n"}
{"Action":"pass","Package":"github.com/peerledger/peerledger/a","Elapsed":0.1}
`

// skipped returns the events of a skipped test with a reason.
func skipped(test, reason string) string {
	return strings.NewReplacer("TEST", test, "REASON", reason).Replace(`{"Action":"output","Package":"github.com/peerledger/peerledger/b","Test":"TEST","Output":"=== RUN   TEST\n"}
{"Action":"output","Package":"github.com/peerledger/peerledger/b","Test":"TEST","Output":"    b_test.go:4: PEERLEDGER_SEED=5\n"}
{"Action":"output","Package":"github.com/peerledger/peerledger/b","Test":"TEST","Output":"    b_test.go:5: REASON\n"}
{"Action":"output","Package":"github.com/peerledger/peerledger/b","Test":"TEST","Output":"        and its second line\n"}
{"Action":"output","Package":"github.com/peerledger/peerledger/b","Test":"TEST","Output":"--- SKIP: TEST (0.00s)\n"}
{"Action":"skip","Package":"github.com/peerledger/peerledger/b","Test":"TEST","Elapsed":0}
`)
}

// end is the end of the package of skipped.
const end = `{"Action":"pass","Package":"github.com/peerledger/peerledger/b","Elapsed":0.1}` + "\n"

func TestPassedPackagesAreOneLine(t *testing.T) {
	t.Parallel()
	out, err := runOn(t, passed, "", true)
	require.NoError(t, err)
	require.Equal(t, "ok  \tgithub.com/peerledger/peerledger/a\t0.1s\nskipped tests: 0\n", out)

	table := filepath.Join(t.TempDir(), "table")
	var lines bytes.Buffer
	require.NoError(t, run(options{table: table}, strings.NewReader(passed), &lines))
	require.Equal(t, "ok  \tgithub.com/peerledger/peerledger/a\t0.1s\n", lines.String())
	text, err := os.ReadFile(table)
	require.NoError(t, err)
	require.Equal(t, "skipped tests: 0\n", string(text))
}

// Only a test that passes has shown anything about a program.
func TestProgramsThatTookPart(t *testing.T) {
	t.Parallel()
	events := strings.ReplaceAll(passed, "noise", "took part: redis-server 7.0.15")
	again := strings.ReplaceAll(passed, "noise", "took part: redis-server 7.0.15")
	node := strings.ReplaceAll(passed, "noise", "took part: node 20.20.2")
	skip := skipped("TestOther", "took part: nothing 1")
	out, err := runOn(t, events+again+node+skip+end, "", false)
	require.NoError(t, err)
	_, list, _ := strings.Cut(out, "real programs")
	require.Equal(t, " that took part: 2\n       node 20.20.2\n       redis-server 7.0.15\n", list)

	table := filepath.Join(t.TempDir(), "table")
	require.NoError(t, run(options{table: table}, strings.NewReader(node), io.Discard))
	text, err := os.ReadFile(table)
	require.NoError(t, err)
	require.Contains(t, string(text), "took part: 1\n       node 20.20.2\n")
}

func TestSkipsAreGroupedByReason(t *testing.T) {
	t.Parallel()
	events := passed + skipped("TestOther", "needs a moon: wait") + skipped("TestTwo", "needs x: install it") +
		skipped("TestOne", "needs x: install it") + skipped("TestOld", "no reason of the form") + end
	out, err := runOn(t, events, "# It is far away.\n(a|the) moon\n", false)
	require.NoError(t, err, "not strict")
	_, table, _ := strings.Cut(out, "skipped")
	require.Equal(t, ` tests: 4
    2  for want of x  [not on the list]
       to enable: install it and its second line
         b.TestOne
         b.TestTwo
    1  for want of a moon
       to enable: wait and its second line
         b.TestOther
    1  for want of no reason of the form and its second line  [not on the list]
         b.TestOld
`, table)

	_, err = runOn(t, events, "# It is far away.\n(a|the) moon\n", true)
	require.Error(t, err)
}

// With -strict a reason must be on the list as a whole. Without a list every reason is accepted.
func TestStrict(t *testing.T) {
	t.Parallel()
	events := skipped("TestOther", "needs a moon: wait") + end
	for list, accepted := range map[string]bool{"": true, "# far\na moon\n": true, "# far\nmoon\n": false, "# far\na\n": false, "# none\n": false} {
		out, err := runOn(t, events, list, true)
		require.Equal(t, accepted, err == nil, "list %q: %v", list, err)
		require.Equal(t, accepted, !strings.Contains(out, "[not on the list]"), out)
	}
}

// The output of a failed test is printed, the output of other tests of its package is not.
func TestFailures(t *testing.T) {
	t.Parallel()
	out, err := runOn(t, strings.NewReplacer("PASS", "FAIL", "pass", "fail", "ok  ", "FAIL").Replace(passed), "", false)
	require.ErrorContains(t, err, "tests failed")
	require.Equal(t, "    a_test.go:5: noise\n--- FAIL: TestA (0.00s)\nprinted by the program\nFAIL\nFAIL\tgithub.com/peerledger/peerledger/a\t0.1s\nskipped tests: 0\n", out)

	const panicked = `{"Action":"output","Package":"a","Test":"TestA","Output":"panic: no\n"}
{"Action":"output","Package":"a","Output":"FAIL\ta\t0.1s\n"}
{"Action":"fail","Package":"a"}
`
	out, err = runOn(t, panicked, "", false)
	require.Error(t, err, "a test without an end")
	require.Contains(t, out, "panic: no\nFAIL\ta")

	out, err = runOn(t, passed+`{"Action":"run","Package":"killed","Test":"TestA"}`+"\n", "", false)
	require.Error(t, err, "a package without an end")
	require.Contains(t, out, "FAIL\tkilled")

	out, err = runOn(t, passed+`{"ImportPath":"b","Action":"build-output","Output":"b.go:1: no such thing\n"}
{"ImportPath":"b","Action":"build-fail"}
`, "", false)
	require.Error(t, err, "a package that does not compile")
	require.Contains(t, out, "no such thing\n")

	out, err = runOn(t, "go: no module\n", "", false)
	require.ErrorContains(t, err, "no package was tested")
	require.Contains(t, out, "go: no module\n")
}

// A long group of tests is cut.
func TestLongGroups(t *testing.T) {
	t.Parallel()
	var events strings.Builder
	events.WriteString(passed)
	for i := range maxNames + 3 {
		events.WriteString(skipped("Test"+string(rune('A'+i)), "needs x"))
	}
	out, err := runOn(t, events.String()+end, "", false)
	require.NoError(t, err)
	require.Contains(t, out, "b.TestL\n         and 3 more\n")
	require.NotContains(t, out, "b.TestM")
}

func TestParseList(t *testing.T) {
	t.Parallel()
	list, err := parseList("# A header.\n\n# a reason\n# of two lines\nx(y|z)\n")
	require.NoError(t, err)
	require.Len(t, list, 1)
	for text, part := range map[string]string{
		"x\n":             "line 1",
		"# header\n\nx\n": "line 3",
		"# of x\nx\ny\n":  "line 3",
		"# of x\nx(\n":    "line 2",
	} {
		_, err := parseList(text)
		require.ErrorContains(t, err, part, text)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"-list", "a", "-strict", "-table", "b"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, options{"a", true, "b"}, o)
	_, err = parseOptions([]string{"./..."}, io.Discard)
	require.ErrorIs(t, err, errUsage)
	_, err = parseOptions([]string{"-help"}, io.Discard)
	require.True(t, errors.Is(err, flag.ErrHelp))
	require.Error(t, run(options{list: "missing"}, strings.NewReader(passed), io.Discard))
}

// The list of the gate can be read.
func TestListOfTheGate(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.ci/skips.txt")
	require.NoError(t, err)
	list, err := parseList(string(text))
	require.NoError(t, err)
	require.True(t, list.matchReason("the TigerBeetle binary or image"))
	require.False(t, list.matchReason("shellcheck"))
}

// The events are read as Go's own command prints them.
func TestOnGoTest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.com/m\n\ngo 1.26\n",
		"a_test.go": "package m\n\nimport \"testing\"\n\nfunc TestSkipped(t *testing.T) {\n\tt.Log(\"begins\")\n\tt.Run(\"sub\", func(t *testing.T) { t.Skip(\"needs x: install\\nit\") })\n}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-json", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	events, err := cmd.Output()
	require.NoError(t, err, string(events))
	out, err := runOn(t, string(events), "", false)
	require.NoError(t, err)
	first, table, _ := strings.Cut(out, "\n")
	require.Regexp(t, `^ok  \texample.com/m\t`, first)
	require.Equal(t, "skipped tests: 1\n    1  for want of x\n       to enable: install it\n         example.com/m.TestSkipped/sub\n", table)
}
