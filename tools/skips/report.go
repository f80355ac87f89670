package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is a line of go test -json (see "go doc test2json").
type event struct {
	Action  string
	Package string
	Test    string // "" for the package
	Output  string
}

// report follows the events of the tested packages.
type report struct {
	out      io.Writer
	packages map[string]*packageOutput // without an end yet
	skips    []skip
	programs map[string]bool // that took part in passed tests
	tested   int             // packages with tests
	failed   bool
}

// packageOutput is the output of a package.
type packageOutput struct {
	lines []string            // of the package itself, and of its failed tests
	tests map[string][]string // of tests without an end yet
}

func newReport(out io.Writer) *report {
	return &report{out: out, packages: map[string]*packageOutput{}, programs: map[string]bool{}}
}

// readEvents reads all events. Lines without an event are printed as they are.
func (r *report) readEvents(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
				r.handleEvent(e)
			} else {
				fmt.Fprint(r.out, line)
			}
		}
		if err != nil {
			if err == io.EOF {
				return r.endReading()
			}
			return err
		}
	}
}

// endReading reports the packages without an end: go test was killed.
func (r *report) endReading() error {
	for _, name := range slices.Sorted(maps.Keys(r.packages)) {
		r.failed = true
		r.packages[name].printAll(r.out)
		fmt.Fprintf(r.out, "FAIL\t%s [no end]\n", name)
	}
	return nil
}

func (r *report) handleEvent(e event) {
	switch {
	case e.Action == "build-output":
		fmt.Fprint(r.out, e.Output)
	case e.Action == "build-fail":
		r.failed = true
	case e.Test == "":
		r.handlePackage(e)
	default:
		r.handleTest(e)
	}
}

// packageOf returns the output of a package, which begins with its first event.
func (r *report) packageOf(name string) *packageOutput {
	p := r.packages[name]
	if p == nil {
		p = &packageOutput{tests: map[string][]string{}}
		r.packages[name] = p
	}
	return p
}

func (r *report) handlePackage(e event) {
	p := r.packageOf(e.Package)
	switch e.Action {
	case "output":
		if e.Output != "PASS\n" {
			p.lines = append(p.lines, e.Output)
		}
		return
	case "pass", "skip":
		// Like go test, without the text that a passing package prints.
		for _, line := range p.lines {
			if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "?  ") {
				fmt.Fprint(r.out, line)
			}
		}
	case "fail":
		r.failed = true
		p.printAll(r.out)
	default:
		return
	}
	if e.Action != "skip" {
		r.tested++
	}
	delete(r.packages, e.Package)
}

func (r *report) handleTest(e event) {
	p := r.packageOf(e.Package)
	switch e.Action {
	case "output":
		if !isFrame(e.Output) {
			p.tests[e.Test] = append(p.tests[e.Test], e.Output)
		}
		return
	case "skip":
		r.skips = append(r.skips, newSkip(e.Package, e.Test, p.tests[e.Test]))
	case "fail":
		p.lines = append(p.lines, p.tests[e.Test]...)
	case "pass":
		for _, program := range findPrograms(p.tests[e.Test]) {
			r.programs[program] = true
		}
	default:
		return
	}
	delete(p.tests, e.Test)
}

// printAll prints the lines of the package, of its failed tests, and of its tests without an end.
func (p *packageOutput) printAll(out io.Writer) {
	for _, test := range slices.Sorted(maps.Keys(p.tests)) {
		for _, line := range p.tests[test] {
			fmt.Fprint(out, line)
		}
	}
	for _, line := range p.lines {
		fmt.Fprint(out, line)
	}
}

// isFrame reports whether a line of output is only printed by go test -v.
func isFrame(line string) bool {
	for _, frame := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "} {
		if strings.HasPrefix(line, frame) {
			return true
		}
	}
	return false
}
