package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// skip is a skipped test.
type skip struct {
	test   string // package of the module and test, e.g. "deploy.TestShellcheck"
	reason string // the missing thing, e.g. "shellcheck"
	remedy string // how to get it; "" if the test does not say
}

// modulePath is cut from the packages' names, up to the last word.
const modulePath = "github.com/peerledger/"

// logLine matches the first line of a test's log entry, e.g. "    a_test.go:12: needs x: install it".
var logLine = regexp.MustCompile(`^\s+[^\s:]+\.go:\d+: (.*)`)

// newSkip reads the reason from the last entry of a test's log, "needs THING: HOW TO GET IT". A text
// of another form is a reason without a remedy.
func newSkip(pkg, test string, output []string) skip {
	s := skip{test: strings.TrimPrefix(strings.TrimPrefix(pkg, modulePath), "peerledger/") + "." + test, reason: "no reason given"}
	var entry []string
	for _, line := range output {
		if match := logLine.FindStringSubmatch(line); match != nil {
			entry = []string{match[1]}
		} else if entry != nil && !strings.HasPrefix(strings.TrimSpace(line), "--- SKIP: ") {
			entry = append(entry, line)
		}
	}
	text := strings.Join(strings.Fields(strings.Join(entry, " ")), " ")
	if need, found := strings.CutPrefix(text, "needs "); found {
		s.reason, s.remedy, _ = strings.Cut(need, ": ")
	} else if text != "" {
		s.reason = text
	}
	return s
}

// group is all skipped tests with one reason.
type group struct {
	reason string
	remedy string // of the first test
	tests  []string
	listed bool // on the short list, or there is no list
}

// groupSkips groups the skipped tests by reason: the most frequent reason first. Without a list (nil)
// every reason is listed.
func groupSkips(skips []skip, list shortList) (groups []group) {
	index := map[string]int{}
	for _, s := range skips {
		i, found := index[s.reason]
		if !found {
			i = len(groups)
			index[s.reason] = i
			groups = append(groups, group{reason: s.reason, remedy: s.remedy, listed: list == nil || list.matchReason(s.reason)})
		}
		groups[i].tests = append(groups[i].tests, s.test)
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		if len(a.tests) != len(b.tests) {
			return len(b.tests) - len(a.tests)
		}
		return strings.Compare(a.reason, b.reason)
	})
	return groups
}

func countUnlisted(groups []group) (count int) {
	for _, g := range groups {
		if !g.listed {
			count++
		}
	}
	return count
}

// maxNames bounds the names of a group in the table.
const maxNames = 12

// writeTable writes the groups as text.
func writeTable(out io.Writer, groups []group) {
	total := 0
	for _, g := range groups {
		total += len(g.tests)
	}
	fmt.Fprintf(out, "skipped tests: %d\n", total)
	for _, g := range groups {
		mark := ""
		if !g.listed {
			mark = "  [not on the list]"
		}
		fmt.Fprintf(out, "%5d  for want of %s%s\n", len(g.tests), g.reason, mark)
		if g.remedy != "" {
			fmt.Fprintf(out, "       to enable: %s\n", g.remedy)
		}
		slices.Sort(g.tests)
		for _, test := range g.tests[:min(maxNames, len(g.tests))] {
			fmt.Fprintf(out, "         %s\n", test)
		}
		if more := len(g.tests) - maxNames; more > 0 {
			fmt.Fprintf(out, "         and %d more\n", more)
		}
	}
}

// findPrograms returns the programs that a test's log names as "took part: PROGRAM VERSION".
func findPrograms(output []string) (programs []string) {
	for _, line := range output {
		if match := logLine.FindStringSubmatch(line); match != nil {
			if program, found := strings.CutPrefix(match[1], "took part: "); found {
				programs = append(programs, strings.TrimSpace(program))
			}
		}
	}
	return programs
}

// writePrograms writes the programs of others that took part in tests as text. It writes nothing if there are none.
func writePrograms(out io.Writer, programs map[string]bool) {
	if len(programs) == 0 {
		return
	}
	fmt.Fprintf(out, "real programs that took part: %d\n", len(programs))
	for _, program := range slices.Sorted(maps.Keys(programs)) {
		fmt.Fprintf(out, "       %s\n", program)
	}
}
