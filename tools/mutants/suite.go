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

// A suite is the tests of a package: how long each takes, and what it executes. The fields of
// it and of its parts are exported for gob.
type suite struct {
	pkg   *goPackage
	Tests []test // the quickest first
	// Blocks are all blocks of the files, executed or not.
	Blocks map[string][]block
	// Left says which tests fail alone on the unchanged tree, and why. They would notice
	// everything.
	Left []string
}

type test struct {
	Name   string
	Took   time.Duration
	Blocks map[string][]block // executed, by file
}

// A block is code without a branch.
type block struct{ Start, End place }

type place struct{ Line, Column int }

func placeOf(p token.Position) place { return place{p.Line, p.Column} }

func comparePlaces(a, b place) int {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// measureSuite runs each test of a package by itself on the unchanged tree.
func measureSuite(ctx context.Context, pkg *goPackage, lab *lab) (*suite, error) {
	work, remove, err := lab.makeFolder("suite-")
	if err != nil {
		return nil, err
	}
	defer remove()
	binary := filepath.Join(work, "tests")
	if err := lab.compileTests(ctx, pkg, binary, "-cover", "-covermode=set"); err != nil {
		return nil, fmt.Errorf("the tests of %s: %w", pkg.folder, err)
	}
	names, err := listTests(ctx, pkg, binary)
	if err != nil {
		return nil, err
	}
	s := &suite{pkg: pkg}
	for _, name := range names {
		t, blocks, err := measureTest(ctx, pkg, lab, binary, name, filepath.Join(work, "profile"))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			s.Left = append(s.Left, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		s.Tests, s.Blocks = append(s.Tests, t), blocks
	}
	slices.SortStableFunc(s.Tests, func(a, b test) int { return cmp.Compare(a.Took, b.Took) })
	return s, nil
}

var testName = regexp.MustCompile(`^(Test|Example|Fuzz)`)

func listTests(ctx context.Context, pkg *goPackage, binary string) ([]string, error) {
	list := exec.CommandContext(ctx, binary, "-test.list=.")
	list.Dir = pkg.dir
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("the tests of %s: %w", pkg.folder, explainError(err))
	}
	names := strings.Fields(string(out))
	return slices.DeleteFunc(names, func(name string) bool { return !testName.MatchString(name) }), nil
}

// measureTest runs a test, once more if it fails: machines are slow at times.
func measureTest(ctx context.Context, pkg *goPackage, lab *lab, binary, name, profile string) (test, map[string][]block, error) {
	for again := false; ; again = true {
		start := time.Now()
		noticed, err := lab.runBinary(ctx, pkg, binary, cleanLimit, "-test.run="+exactPattern([]string{name}), "-test.coverprofile="+profile)
		took := time.Since(start)
		if err == nil && noticed.by != "" {
			err = fmt.Errorf("%s", noticed.by)
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
		all, executed, err := readProfile(bytes.NewReader(content), pkg.path)
		return test{Name: name, Took: took, Blocks: executed}, all, err
	}
}

// cleanLimit is how long a test may take on the unchanged tree.
const cleanLimit = 5 * time.Minute

// readProfile returns the blocks of the files of a package that a coverage profile lists, and
// those of them that were executed.
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

// exactPattern is the pattern of -test.run for tests of these names.
func exactPattern(names []string) string { return "^(" + strings.Join(names, "|") + ")$" }

// reachingTests returns the tests that execute the place of a mutant and those that do not, each the
// quickest first. A place outside of blocks, as the expressions of cases are, is executed
// with its function.
func (s *suite) reachingTests(m *mutant) (near, far []test) {
	at := placeOf(m.pos)
	within := func(b block) bool { return comparePlaces(b.Start, at) <= 0 && comparePlaces(at, b.End) < 0 }
	if !slices.ContainsFunc(s.Blocks[m.File], within) {
		start, end := placeOf(m.function[0]), placeOf(m.function[1])
		within = func(b block) bool { return comparePlaces(start, b.Start) <= 0 && comparePlaces(b.End, end) <= 0 }
	}
	for _, t := range s.Tests {
		if slices.ContainsFunc(t.Blocks[m.File], within) {
			near = append(near, t)
		} else {
			far = append(far, t)
		}
	}
	return near, far
}
