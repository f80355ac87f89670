package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// A session is one run of the program.
type session struct {
	*options
	root           string
	stdout, stderr io.Writer

	mutants    []*mutant // of all packages
	equivalent map[Site]bool
	results    map[Site]Result
}

func (o *options) runSession(ctx context.Context, stdout, stderr io.Writer) (*Summary, error) {
	s := &session{
		options: o, stdout: stdout, stderr: stderr, equivalent: make(map[Site]bool),
	}
	list, err := s.loadMutants(ctx)
	if err != nil {
		return nil, err
	}
	chosen := s.chooseSample()
	if !o.list {
		if err := s.tryAll(ctx, chosen); err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	summary := summarizeResults(o.packages, s.mutants, chosen, s.equivalent, s.results)
	summary.Stale = append(summary.Stale, findStale(list, o.packages, s.mutants)...)
	return summary, s.printSummary(summary, chosen)
}

// loadMutants loads the mutants, the list of equivalents, and the earlier results.
func (s *session) loadMutants(ctx context.Context) ([]Equivalent, error) {
	var err error
	if s.root, err = findRoot(ctx); err != nil {
		return nil, err
	}
	for _, folder := range s.packages {
		pkg, err := loadPackage(ctx, s.root, folder)
		if err != nil {
			return nil, err
		}
		found, err := findMutants(pkg)
		if err != nil {
			return nil, err
		}
		s.mutants = append(s.mutants, found...)
	}
	list, err := readEquivalents(s.resolveInRoot(s.options.equivalent))
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		s.equivalent[e.Site] = true
	}
	s.results, err = readResults(s.resolveInRoot(s.options.results))
	return list, err
}

func (s *session) resolveInRoot(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.root, name)
}

// chooseSample returns the mutants of the sample in the order of trials.
func (s *session) chooseSample() []*mutant {
	var chosen []*mutant
	for _, m := range s.mutants {
		if s.pattern.MatchString(m.String()) && (!s.verify || s.equivalent[m.Site]) {
			chosen = append(chosen, m)
		}
	}
	ranks := make(map[*mutant][]byte)
	for _, m := range chosen {
		rank := m.rankBySeed(s.seed)
		ranks[m] = rank[:]
	}
	slices.SortFunc(chosen, func(a, b *mutant) int { return bytes.Compare(ranks[a], ranks[b]) })
	if s.sample > 0 && len(chosen) > s.sample {
		chosen = chosen[:s.sample]
	}
	return chosen
}

// listDue returns the chosen mutants that are still to be tried.
func (s *session) listDue(chosen []*mutant) []*mutant {
	var due []*mutant
	for _, m := range chosen {
		r, tried := s.results[m.Site]
		switch {
		case s.equivalent[m.Site] && !s.verify:
		case !tried, s.again && (r.Outcome == survived || r.Outcome == broken), s.verify:
			due = append(due, m)
		}
	}
	return due
}

// tryAll measures the suites and tries the mutants that are due.
func (s *session) tryAll(ctx context.Context, chosen []*mutant) error {
	due := s.listDue(chosen)
	if len(due) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	runner := &testRunner{root: s.root, dir: dir, maxSlowdown: s.maxSlowdown, slack: s.slack, memory: s.memory}
	if s.cache != "" {
		runner.cache.dir = s.resolveInRoot(s.cache)
	}
	file := s.resolveInRoot(s.options.results)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	log, err := openResultLog(file)
	if err != nil {
		return err
	}
	suites, err := s.measureAll(ctx, runner, due)
	if err == nil {
		err = s.tryEach(ctx, due, runner, suites, log)
	}
	return errors.Join(err, log.file.Close())
}

// measureAll measures the suites of the mutants' packages. If no test of a package executes a
// mutant, it also measures the suites of the dependents. The builds fill the build cache.
func (s *session) measureAll(ctx context.Context, runner *testRunner, due []*mutant) (map[string]*suite, error) {
	suites := make(map[string]*suite)
	need := func(folder string) error {
		if suites[folder] != nil {
			return nil
		}
		measured, err := s.measureTests(ctx, runner, folder)
		if err == nil {
			suites[folder] = measured
			err = runner.compileTests(ctx, measured.pkg, filepath.Join(runner.dir, "tests"))
		}
		return err
	}
	for _, m := range due {
		if err := need(m.Package); err != nil {
			return nil, err
		}
		if near, _ := suites[m.Package].splitByReach(m); len(near) > 0 {
			continue
		}
		for _, user := range dependents[m.Package] {
			if err := need(user); err != nil {
				return nil, err
			}
		}
	}
	return suites, runner.cache.keepFiles()
}

func (s *session) measureTests(ctx context.Context, runner *testRunner, folder string) (*suite, error) {
	start := time.Now()
	pkg, err := loadPackage(ctx, s.root, folder)
	if err != nil {
		return nil, err
	}
	imported, err := listImported(ctx, s.root, pkg)
	if err != nil {
		return nil, err
	}
	name, err := nameSuiteFile(filepath.Dir(s.resolveInRoot(s.options.results)), pkg, imported)
	if err != nil {
		return nil, err
	}
	if measured := readSuite(name, pkg); measured != nil {
		return measured, nil
	}
	s.printLine("%s: running each test on the unchanged tree", folder)
	measured, err := measureSuite(ctx, pkg, runner)
	if err != nil {
		return nil, err
	}
	if err := writeSuite(name, measured); err != nil {
		return nil, err
	}
	for _, failing := range measured.Failing {
		s.printLine("%s: test left out, because it fails without a mutation: %s", folder, failing)
	}
	s.printLine("%s: %d tests took %v", folder, len(measured.Tests), time.Since(start).Round(time.Second))
	return measured, nil
}

// tryEach tries mutants, jobs at a time. It returns the first error after all workers have ended.
func (s *session) tryEach(ctx context.Context, due []*mutant, runner *testRunner, suites map[string]*suite, log *resultLog) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begun := time.Now()
	next := make(chan *mutant)
	var workers sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range s.jobs {
		workers.Go(func() {
			for m := range next {
				r, err := runner.tryMutant(ctx, m, suites)
				if err == nil {
					err = log.writeResult(r)
				}
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				s.results[m.Site] = r
				done++
				s.reportProgress(r)
				s.printLine("%d of %d, %v", done, len(due), time.Since(begun).Round(time.Second))
				mu.Unlock()
			}
		})
	}
	for _, m := range due {
		if s.maxDuration > 0 && time.Since(begun) > s.maxDuration {
			break
		}
		select {
		case next <- m:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

func (s *session) printLine(format string, args ...any) {
	fmt.Fprintf(s.stderr, format+"\n", args...)
}

func (s *session) reportProgress(r Result) {
	if s.json {
		line, _ := encodeJSON(r) // no error: only strings and numbers
		_, _ = s.stdout.Write(line)
		return
	}
	fmt.Fprintln(s.stdout, r)
}

func (s *session) printSummary(summary *Summary, chosen []*mutant) error {
	switch {
	case s.list && s.json:
		for _, m := range chosen {
			line, err := encodeJSON(m.Site)
			if err != nil {
				return err
			}
			if _, err := s.stdout.Write(line); err != nil {
				return err
			}
		}
	case s.list:
		for _, m := range chosen {
			fmt.Fprintln(s.stdout, m.Site)
		}
	case s.json:
		line, err := encodeJSON(summary)
		if err == nil {
			_, err = s.stdout.Write(line)
		}
		return err
	default:
		summary.writeSummary(s.stdout)
	}
	return nil
}
