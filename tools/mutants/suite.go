package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A suite is the tests of a package, with the duration and coverage of each. Its fields are
// exported for gob.
type suite struct {
	pkg   *goPackage
	Tests []test // the quickest first
	// Blocks are all blocks of the files, executed or not.
	Blocks map[string][]block
	// Failing lists the tests that fail alone on the unchanged tree, with the reason. They are left
	// out, because they would notice every mutant.
	Failing []string
}

type test struct {
	Name   string
	Took   time.Duration
	Blocks map[string][]block // executed, by file
}

// A block is code without a branch.
type block struct{ Start, End position }

type position struct{ Line, Column int }

func newPosition(p token.Position) position { return position{p.Line, p.Column} }

func comparePositions(a, b position) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// measureSuite runs each test of a package alone on the unchanged tree.
func measureSuite(ctx context.Context, pkg *goPackage, runner *testRunner) (*suite, error) {
	work, remove, err := runner.makeFolder("suite-")
	if err != nil {
		return nil, err
	}
	defer remove()
	binary := filepath.Join(work, "tests")
	if err := runner.compileTests(ctx, pkg, binary, "-cover", "-covermode=set"); err != nil {
		return nil, fmt.Errorf("the tests of %s: %w", pkg.folder, err)
	}
	names, err := listTests(ctx, pkg, binary)
	if err != nil {
		return nil, err
	}
	s := &suite{pkg: pkg}
	for _, name := range names {
		t, blocks, err := measureTest(ctx, pkg, runner, binary, name, filepath.Join(work, "profile"))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.Failing = append(s.Failing, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		s.Tests, s.Blocks = append(s.Tests, t), blocks
	}
	slices.SortStableFunc(s.Tests, func(a, b test) int { return cmp.Compare(a.Took, b.Took) })
	return s, nil
}

var testNamePattern = regexp.MustCompile(`^(Test|Example|Fuzz)`)

func listTests(ctx context.Context, pkg *goPackage, binary string) ([]string, error) {
	list := exec.CommandContext(ctx, binary, "-test.list=.")
	list.Dir = pkg.dir
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("the tests of %s: %w", pkg.folder, explainError(err))
	}
	names := strings.Fields(string(out))
	return slices.DeleteFunc(names, func(name string) bool { return !testNamePattern.MatchString(name) }), nil
}

// measureTest runs a test, and once more if it fails: a slow machine can make a test fail.
func measureTest(ctx context.Context, pkg *goPackage, runner *testRunner, binary, name, profile string) (test, map[string][]block, error) {
	for again := false; ; again = true {
		start := time.Now()
		found, err := runner.runBinary(ctx, pkg, binary, cleanLimit, "-test.run="+exactPattern([]string{name}), "-test.coverprofile="+profile)
		took := time.Since(start)
		if err == nil && found.by != "" {
			err = fmt.Errorf("%s", found.by)
		}
		if err != nil && !again && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return test{}, nil, err
		}
		content, err := os.ReadFile(profile)
		if err != nil {
			return test{}, nil, err
		}
		all, executed, err := readProfile(bytes.NewReader(content), pkg.importPath)
		return test{Name: name, Took: took, Blocks: executed}, all, err
	}
}

// cleanLimit is the time limit of a test on the unchanged tree.
const cleanLimit = 5 * time.Minute

// readProfile returns the blocks of a package in a coverage profile: all of them, and the executed
// ones.
func readProfile(r io.Reader, pkg string) (all, executed map[string][]block, err error) {
	all, executed = make(map[string][]block), make(map[string][]block)
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), ":")
		if !ok || name == "mode" || path.Dir(name) != pkg {
			continue
		}
		var b block
		var statements, count int
		if _, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.Start.Line, &b.Start.Column, &b.End.Line, &b.End.Column,
			&statements, &count); err != nil {
			return nil, nil, fmt.Errorf("coverage profile: %q: %w", lines.Text(), err)
		}
		file := path.Base(name)
		all[file] = append(all[file], b)
		if count > 0 {
			executed[file] = append(executed[file], b)
		}
	}
	return all, executed, lines.Err()
}

// exactPattern returns the pattern of -test.run for exactly these tests.
func exactPattern(names []string) string { return "^(" + strings.Join(names, "|") + ")$" }

// reachingTests returns the tests that execute the place of a mutant, and the other tests, each the
// quickest first. A place outside of blocks (such as the expression of a case) counts as executed
// if a block of its function is.
func (s *suite) reachingTests(m *mutant) (reaching, others []test) {
	at := newPosition(m.pos)
	within := func(b block) bool { return comparePositions(b.Start, at) <= 0 && comparePositions(at, b.End) < 0 }
	if !slices.ContainsFunc(s.Blocks[m.File], within) {
		start, end := newPosition(m.function[0]), newPosition(m.function[1])
		within = func(b block) bool { return comparePositions(start, b.Start) <= 0 && comparePositions(b.End, end) <= 0 }
	}
	for _, t := range s.Tests {
		if slices.ContainsFunc(t.Blocks[m.File], within) {
			reaching = append(reaching, t)
		} else {
			others = append(others, t)
		}
	}
	return reaching, others
}
