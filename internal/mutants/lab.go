package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// A lab compiles and runs tests, all its files in one folder. Several goroutines may use it.
type lab struct {
	root   string // of the module
	dir    string
	times  float64 // how many times longer than on the unchanged tree tests may take
	memory int     // of a run in MiB, 0 for no limit
}

// slack is how long tests may take besides.
const slack = 10 * time.Second

// Outcomes of a trial.
const (
	killed   = "killed"
	timedOut = "timed out"
	survived = "survived"
	broken   = "does not compile"
)

// A notice says which test noticed a mutation, or which panic ended the tests; by is "" if
// none did.
type notice struct {
	by       string
	timedOut bool
}

// try compiles a mutant and runs the tests of its package on it: first those that execute its
// place, and first of these the quick ones, until one fails. The others follow: what runs in
// a process that a test starts is in no profile.
func (l *lab) try(ctx context.Context, m *mutant, s *suite) (Result, error) {
	start := time.Now()
	result := Result{Site: m.Site, Line: m.pos.Line}
	work, err := os.MkdirTemp(l.dir, "mutant-")
	if err != nil {
		return result, err
	}
	defer os.RemoveAll(work)
	overlay, err := writeOverlay(work, m)
	if err != nil {
		return result, err
	}
	binary := filepath.Join(work, "tests")
	if err := l.compile(ctx, s.pkg, binary, "-overlay="+overlay); err != nil {
		if ctx.Err() != nil {
			return result, ctx.Err()
		}
		result.Outcome, result.By = broken, firstError(err)
		return result, nil
	}
	near, far := s.reach(m)
	result.Outcome, result.Near = survived, len(near)
	for _, tests := range append(portions(near), far) {
		found, err := l.runTests(ctx, s.pkg, binary, tests)
		if err != nil {
			return result, err
		}
		if found.by == "" {
			continue
		}
		result.Outcome, result.By = killed, found.by
		if found.timedOut {
			result.Outcome = timedOut
		}
		break
	}
	result.Seconds = time.Since(start).Round(100 * time.Millisecond).Seconds()
	return result, nil
}

// portions splits tests, the quickest first, so that each portion takes some five times as
// long as the one before.
func portions(tests []test) [][]test {
	var all [][]test
	most, sum := time.Second, time.Duration(0)
	first := 0
	for i, t := range tests {
		if sum += t.took; sum > most && i > first {
			all = append(all, tests[first:i])
			first, sum, most = i, t.took, 5*most
		}
	}
	return append(all, tests[first:])
}

func (l *lab) runTests(ctx context.Context, pkg *goPackage, binary string, tests []test) (notice, error) {
	if len(tests) == 0 {
		return notice{}, nil
	}
	var names []string
	var sum time.Duration
	for _, t := range tests {
		names, sum = append(names, t.name), sum+t.took
	}
	limit := slack + time.Duration(l.times*float64(sum))
	return l.run(ctx, pkg, binary, limit, "-test.failfast", "-test.run="+exactly(names))
}

func writeOverlay(work string, m *mutant) (string, error) {
	source, err := m.source()
	if err != nil {
		return "", err
	}
	file := filepath.Join(work, "mutant.go")
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{m.path: file}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(work, "overlay.json")
	return name, os.WriteFile(name, overlay, 0o600)
}

// compile builds the test binary of a package.
func (l *lab) compile(ctx context.Context, pkg *goPackage, binary string, flags ...string) error {
	build := exec.CommandContext(ctx, "go", append(append([]string{"test", "-c", "-o", binary, "-ldflags=-s -w"}, flags...), pkg.path)...)
	build.Dir = l.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// firstError is the first line in which the compiler names a place.
func firstError(err error) string {
	if found := compilerError.FindStringSubmatch(err.Error()); found != nil {
		return found[1]
	}
	return oneLine(err.Error())
}

var compilerError = regexp.MustCompile(`(?m)^\S+\.go:\d+:\d+: (.*)$`)

// run runs a test binary in the folder of its package until a test fails, at most for limit.
func (l *lab) run(ctx context.Context, pkg *goPackage, binary string, limit time.Duration, flags ...string) (notice, error) {
	temporary, err := os.MkdirTemp(l.dir, "run-")
	if err != nil {
		return notice{}, err
	}
	defer os.RemoveAll(temporary)
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tests := exec.CommandContext(bounded, binary, append(flags, "-test.short", "-test.timeout=0")...)
	tests.Dir, tests.Env = pkg.dir, append(os.Environ(), "TMPDIR="+temporary)
	confine(tests, l.memory)
	out, in, err := os.Pipe()
	if err != nil {
		return notice{}, err
	}
	tests.Stdout, tests.Stderr = in, in
	err = tests.Start()
	in.Close()
	if err != nil {
		out.Close()
		return notice{}, err
	}
	found := make(chan string, 1)
	go func() {
		defer out.Close()
		found <- readNotice(out, cancel)
	}()
	err = tests.Wait()
	end(tests) // what the tests started has no more to do, and holds the pipe
	by := <-found
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return notice{}, ctx.Err()
	case strings.HasPrefix(by, "Test") || strings.HasPrefix(by, "Example") || strings.HasPrefix(by, "Fuzz"):
		return notice{by: by}, nil
	case bounded.Err() != nil:
		return notice{by: fmt.Sprintf("no end within %v", limit.Round(time.Second)), timedOut: true}, nil
	case errors.As(err, &exit):
		return notice{by: orElse(by, exit.String())}, nil
	}
	return notice{}, err
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

var (
	failure = regexp.MustCompile(`^\s*--- FAIL: (\S+)`)
	crash   = regexp.MustCompile(`^(panic: |fatal error: |runtime: |signal: )`)
)

// readNotice reads the output of tests to its end and returns the name of the first test that
// failed, else the first line of a crash. It ends the tests when one has failed.
func readNotice(r io.Reader, stop func()) string {
	var by string
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadSlice('\n')
		if found := failure.FindSubmatch(line); found != nil {
			by = string(found[1])
			stop()
			break
		}
		if by == "" && crash.Match(line) {
			by = oneLine(string(line))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return by
		}
	}
	_, _ = io.Copy(io.Discard, lines)
	return by
}
