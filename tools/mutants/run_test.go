package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const small = "tools/mutants/testdata/small"

// A workspace has the files of runs on the small package.
type workspace struct{ results, equivalents string }

func newWorkspace(t *testing.T, equivalents ...Equivalent) workspace {
	t.Helper()
	d := workspace{results: filepath.Join(t.TempDir(), "results.jsonl"), equivalents: filepath.Join(t.TempDir(), "equivalents.json")}
	list, err := json.Marshal(append([]Equivalent{}, equivalents...))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(d.equivalents, list, 0o600))
	return d
}

// runProgram runs the program with -json and returns its exit status, results and summary.
func (d workspace) runProgram(t *testing.T, flags ...string) (int, []Result, *Summary) {
	t.Helper()
	var out, progress bytes.Buffer
	args := append([]string{"-json", "-results", d.results, "-equivalents", d.equivalents, "-slack", "3s", "-cache", ""}, flags...)
	status := runMain(t.Context(), append(args, small), &out, &progress)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var results []Result
	for _, line := range lines[:len(lines)-1] {
		var r Result
		require.NoError(t, json.Unmarshal([]byte(line), &r), line)
		results = append(results, r)
	}
	summary := new(Summary)
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), summary), "%s\n%s", out.String(), progress.String())
	return status, results, summary
}

func newSite(function, operator, from, to string) Site {
	return Site{Package: small, File: "small.go", Function: function, Operator: operator, From: from, To: to}
}

var either = Equivalent{Site: newSite("Max", opBound, "a > b", "a >= b"), Reason: "of two equal numbers, either is the larger"}

func TestRun(t *testing.T) {
	t.Parallel()
	d := newWorkspace(t, either)
	status, results, summary := d.runProgram(t, "-jobs", "2")
	require.Equal(t, 1, status)
	outcomes := make(map[Site]string)
	for _, r := range results {
		outcomes[r.Site] = strings.TrimSpace(r.Outcome + " " + r.By)
	}
	require.Equal(t, "killed TestMax", outcomes[newSite("Max", opNegate, "a > b", "(a <= b)")])
	require.Equal(t, "killed TestBoth", outcomes[newSite("Both", opFlag, "First | Second", "First")])
	require.Equal(t, "killed TestSum", outcomes[newSite("Sum", opCall, "count()", "left out")])
	require.Equal(t, "timed out no end within 3s", outcomes[newSite("Sum", opCall, "i = next(i)", "left out")])
	require.Equal(t, "survived", outcomes[newSite("Small", opBound, "n < 10", "n <= 10")])
	require.Equal(t, "survived", outcomes[newSite("Last", opReturn, "return 0, ErrEmpty", "return 0, nil")])
	require.NotContains(t, outcomes, either.Site)

	total := summary.Total
	require.Equal(t, Score{
		Package: "total", Sites: 16, Chosen: 16, Killed: 7, TimedOut: 1, Survived: 7, Equivalent: 1,
		Score: 8.0 / 15, Seconds: total.Seconds,
	}, total)
	require.Len(t, summary.Survivors, 7)
	for _, r := range summary.Survivors {
		require.Equal(t, r.Function == "Small", r.Near > 0, "only Last is executed by no test: %v", r)
	}
	require.Empty(t, summary.Stale)

	// Only survivors are tried again, and only with -again.
	status, results, again := d.runProgram(t)
	require.Equal(t, 1, status)
	require.Empty(t, results)
	require.Equal(t, total.Survived, again.Total.Survived)
	_, results, _ = d.runProgram(t, "-again", "-only", "Small")
	require.Len(t, results, 2)

	// The coverage of the tests is measured once.
	kept, err := filepath.Glob(filepath.Join(filepath.Dir(d.results), "suite-*.gob"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	measured := readSuite(kept[0], nil)
	require.Len(t, measured.Tests, 4)
	require.Equal(t, []string{"TestFails: TestFails"}, measured.Failing)
	require.NoError(t, os.WriteFile(kept[0], []byte("spoilt"), 0o600))
	require.Nil(t, readSuite(kept[0], nil))
}

func TestRunGoesOn(t *testing.T) {
	t.Parallel()
	d := newWorkspace(t)
	_, first, summary := d.runProgram(t, "-sample", "2")
	require.Len(t, first, 2)
	require.Equal(t, 2, summary.Total.Chosen)
	// The program was ended while it wrote the last result.
	content, err := os.ReadFile(d.results)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(d.results, content[:len(content)-5], 0o600))
	_, second, summary := d.runProgram(t, "-sample", "3")
	require.Len(t, second, 2)
	require.Equal(t, first[1].Site, second[0].Site)
	require.Equal(t, 3, summary.Total.Chosen)
	require.Zero(t, summary.Total.Left)
	results, err := readResults(d.results)
	require.NoError(t, err)
	require.Len(t, results, 3)
	require.Contains(t, results, first[0].Site)
}

func TestRunForATime(t *testing.T) {
	t.Parallel()
	_, results, summary := newWorkspace(t).runProgram(t, "-for", time.Nanosecond.String())
	require.Empty(t, results)
	require.Equal(t, 16, summary.Total.Left)
}

func TestVerifyEquivalents(t *testing.T) {
	t.Parallel()
	status, results, summary := newWorkspace(t, either).runProgram(t, "-verify")
	require.Zero(t, status)
	require.Len(t, results, 1)
	require.Equal(t, survived, results[0].Outcome)
	require.Equal(t, 1, summary.Total.Equivalent)
	require.Empty(t, summary.Wrong)

	wrong := Equivalent{Site: newSite("Max", opNegate, "a > b", "(a <= b)"), Reason: "it is not"}
	status, _, summary = newWorkspace(t, wrong).runProgram(t, "-verify")
	require.Equal(t, 1, status)
	require.Len(t, summary.Wrong, 1)
	require.Equal(t, wrong.Site, summary.Wrong[0].Site)
}

func TestStaleEquivalents(t *testing.T) {
	t.Parallel()
	stale := Equivalent{Site: newSite("Max", opBound, "a > c", "a >= c"), Reason: "there was a c"}
	elsewhere := stale
	elsewhere.Package = "accounts"
	status, _, summary := newWorkspace(t, stale, elsewhere).runProgram(t, "-only", "Both")
	require.Equal(t, 1, status, "all mutants of Both are noticed")
	require.Empty(t, summary.Survivors)
	require.Equal(t, []Equivalent{stale}, summary.Stale)

	status, _, _ = newWorkspace(t, elsewhere).runProgram(t, "-only", "Both")
	require.Zero(t, status)
}

func TestWrongEquivalents(t *testing.T) {
	t.Parallel()
	unexplained := either
	unexplained.Reason = ""
	for name, list := range map[string][]Equivalent{"the reason is missing": {unexplained}, "listed twice": {either, either}} {
		_, err := readEquivalents(newWorkspace(t, list...).equivalents)
		require.ErrorContains(t, err, name)
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-only", "("}, {"-jobs", "0"}, {"-times", "0.5"}, {"-unknown"}, {"no/such/package"}} {
		var out, errs bytes.Buffer
		require.Equal(t, 2, runMain(t.Context(), args, &out, &errs), args)
		require.NotEmpty(t, errs.String())
	}
	require.Zero(t, runMain(t.Context(), []string{"-h"}, new(bytes.Buffer), new(bytes.Buffer)))
}

func TestList(t *testing.T) {
	t.Parallel()
	var all, sample, errs bytes.Buffer
	require.Zero(t, runMain(t.Context(), []string{"-list", "-sample", "0", small}, &all, &errs), errs.String())
	require.Equal(t, 16, strings.Count(all.String(), "\n"))
	require.Zero(t, runMain(t.Context(), []string{"-list", "-sample", "5", small}, &sample, &errs), errs.String())
	require.True(t, strings.HasPrefix(all.String(), sample.String()), "a larger sample has the smaller one in it")
	var other bytes.Buffer
	require.Zero(t, runMain(t.Context(), []string{"-list", "-sample", "5", "-seed", "2", small}, &other, &errs), errs.String())
	require.NotEqual(t, sample.String(), other.String())
}
