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

// loadMutants finds the mutants, the list of equivalents, and the results so far.
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
	list, err := readEquivalents(s.inRoot(s.options.equivalent))
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		s.equivalent[e.Site] = true
	}
	s.results, err = readResults(s.inRoot(s.options.results))
	return list, err
}

func (s *session) inRoot(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.root, name)
}

// chooseSample returns the mutants of the sample, in the order in which they are tried.
func (s *session) chooseSample() []*mutant {
	var chosen []*mutant
	for _, m := range s.mutants {
		if s.only.MatchString(m.String()) && (!s.verify || s.equivalent[m.Site]) {
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

// dueMutants returns those of the chosen mutants that are to be tried now.
func (s *session) dueMutants(chosen []*mutant) []*mutant {
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

// tryAll tries what is due, with the suites of the packages measured when they are needed.
func (s *session) tryAll(ctx context.Context, chosen []*mutant) error {
	due := s.dueMutants(chosen)
	if len(due) == 0 {
		return nil
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l := &lab{root: s.root, dir: dir, times: s.times, slack: s.slack, memory: s.memory}
	if s.cache != "" {
		l.cache.dir = s.inRoot(s.cache)
	}
	file := s.inRoot(s.options.results)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	book, err := openNotebook(file)
	if err != nil {
		return err
	}
	suites, err := s.measureAll(ctx, l, due)
	if err == nil {
		err = s.tryEach(ctx, due, l, suites, book)
	}
	return errors.Join(err, book.file.Close())
}

// measureAll measures the suites of the packages of mutants, and of those that use them if no
// test of its own executes one. It fills the build cache.
func (s *session) measureAll(ctx context.Context, l *lab, due []*mutant) (map[string]*suite, error) {
	suites := make(map[string]*suite)
	need := func(folder string) error {
		if suites[folder] != nil {
			return nil
		}
		measured, err := s.measureTests(ctx, l, folder)
		if err == nil {
			suites[folder] = measured
			err = l.compileTests(ctx, measured.pkg, filepath.Join(l.dir, "tests"))
		}
		return err
	}
	for _, m := range due {
		if err := need(m.Package); err != nil {
			return nil, err
		}
		if near, _ := suites[m.Package].reachingTests(m); len(near) > 0 {
			continue
		}
		for _, user := range users[m.Package] {
			if err := need(user); err != nil {
				return nil, err
			}
		}
	}
	return suites, l.cache.keepFiles()
}

func (s *session) measureTests(ctx context.Context, l *lab, folder string) (*suite, error) {
	start := time.Now()
	pkg, err := loadPackage(ctx, s.root, folder)
	if err != nil {
		return nil, err
	}
	name, err := suiteFile(filepath.Dir(s.inRoot(s.options.results)), pkg)
	if err != nil {
		return nil, err
	}
	if measured := readSuite(name, pkg); measured != nil {
		return measured, nil
	}
	s.printLine("%s: running each test on the unchanged tree", folder)
	measured, err := measureSuite(ctx, pkg, l)
	if err != nil {
		return nil, err
	}
	if err := writeSuite(name, measured); err != nil {
		return nil, err
	}
	for _, left := range measured.Left {
		s.printLine("%s: left out, for it fails without a mutation: %s", folder, left)
	}
	s.printLine("%s: %d tests took %v", folder, len(measured.Tests), time.Since(start).Round(time.Second))
	return measured, nil
}

// tryEach tries mutants, jobs at a time, and returns the first error after the end of all.
func (s *session) tryEach(ctx context.Context, due []*mutant, l *lab, suites map[string]*suite, book *notebook) error {
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
				r, err := l.tryMutant(ctx, m, suites)
				if err == nil {
					err = book.writeResult(r)
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
		if s.during > 0 && time.Since(begun) > s.during {
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
		line, _ := encodeJSON(r) // of strings and numbers
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
