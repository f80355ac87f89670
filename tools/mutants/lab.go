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
	"time"
)

// A lab compiles and runs tests, all its files in one folder. Several goroutines may use it.
type lab struct {
	root   string // of the module
	dir    string
	times  float64       // how many times longer than on the unchanged tree tests may take
	slack  time.Duration // how long they may take besides
	memory int           // of a run in MiB, 0 for no limit
	cache  buildCache
}

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

// users are packages whose tests notice what those of a package do not reach: what it does
// for them.
var users = map[string][]string{
	"accounts":     {"transfers", "settlement"},
	"internal/wal": {"transfers"},
	"transfers":    {"settlement"},
}

// tryMutant compiles a mutant and runs the tests of its package on it: first those that execute its
// place, and first of these the quick ones, until one fails. The others follow: what runs in
// a process that a test starts is in no profile. Those of other packages follow if no test of
// its own executes it.
func (l *lab) tryMutant(ctx context.Context, m *mutant, suites map[string]*suite) (Result, error) {
	start := time.Now()
	result := Result{Site: m.Site, Line: m.pos.Line, Outcome: survived}
	work, remove, err := l.makeFolder("mutant-")
	if err != nil {
		return result, err
	}
	defer remove()
	overlay, err := writeOverlay(work, m)
	if err != nil {
		return result, err
	}
	own := suites[m.Package]
	near, far := own.reachingTests(m)
	result.Near = len(near)
	err = l.tryOn(ctx, &result, own.pkg, overlay, append(splitTests(near), far))
	if len(near) == 0 {
		for _, user := range users[m.Package] {
			if err == nil && result.Outcome == survived {
				err = l.tryOn(ctx, &result, suites[user].pkg, overlay, splitTests(suites[user].Tests))
			}
		}
	}
	result.Seconds = time.Since(start).Round(100 * time.Millisecond).Seconds()
	return result, errors.Join(err, l.cache.finishMutant())
}

// tryOn runs portions of the tests of a package, compiled with an overlay, until one fails.
func (l *lab) tryOn(ctx context.Context, result *Result, pkg *goPackage, overlay string, portions [][]test) error {
	binary := overlay + ".test"
	if err := l.compileTests(ctx, pkg, binary, "-overlay="+overlay); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		result.Outcome, result.By = broken, firstError(err)
		return nil
	}
	for _, tests := range portions {
		found, err := l.runTests(ctx, pkg, binary, tests)
		if err != nil {
			return err
		}
		if found.by == "" {
			continue
		}
		result.Outcome, result.By = killed, found.by
		if found.timedOut {
			result.Outcome = timedOut
		}
		return nil
	}
	return nil
}

// makeFolder makes a folder for the files of one piece of work; remove removes it.
func (l *lab) makeFolder(prefix string) (name string, remove func(), err error) {
	name, err = os.MkdirTemp(l.dir, prefix)
	return name, func() { _ = os.RemoveAll(name) }, err
}

// splitTests splits tests, the quickest first, so that each portion takes some five times as
// long as the one before.
func splitTests(tests []test) [][]test {
	var all [][]test
	most, sum := time.Second, time.Duration(0)
	first := 0
	for i, t := range tests {
		if sum += t.Took; sum > most && i > first {
			all = append(all, tests[first:i])
			first, sum, most = i, t.Took, 5*most
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
		names, sum = append(names, t.Name), sum+t.Took
	}
	limit := l.slack + time.Duration(l.times*float64(sum))
	return l.runBinary(ctx, pkg, binary, limit, "-test.failfast", "-test.run="+exactPattern(names))
}

func writeOverlay(work string, m *mutant) (string, error) {
	source, err := m.mutatedSource()
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

// compileTests builds the test binary of a package.
func (l *lab) compileTests(ctx context.Context, pkg *goPackage, binary string, flags ...string) error {
	build := exec.CommandContext(ctx, "go", append(append([]string{"test", "-c", "-o", binary, "-ldflags=-s -w"}, flags...), pkg.path)...)
	build.Dir, build.Env = l.root, l.cache.buildEnvironment()
	l.cache.using.RLock()
	defer l.cache.using.RUnlock()
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

// runBinary runs a test binary in the folder of its package until a test fails, at most for limit.
func (l *lab) runBinary(ctx context.Context, pkg *goPackage, binary string, limit time.Duration, flags ...string) (notice, error) {
	temporary, remove, err := l.makeFolder("run-")
	if err != nil {
		return notice{}, err
	}
	defer remove()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tests := exec.CommandContext(bounded, binary, append(flags, "-test.short", "-test.timeout=0")...)
	tests.Dir, tests.Env = pkg.dir, append(os.Environ(), "TMPDIR="+temporary)
	confineCommand(tests, l.memory)
	by, err := watchTests(tests, cancel)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return notice{}, ctx.Err()
	case testName.MatchString(by):
		return notice{by: by}, nil
	case bounded.Err() != nil:
		return notice{by: fmt.Sprintf("no end within %v", limit.Round(time.Second)), timedOut: true}, nil
	case errors.As(err, &exit):
		return notice{by: orElse(by, exit.String())}, nil
	}
	return notice{}, err
}

// watchTests runs tests to their end, or until stop has ended them because one failed. It returns
// what readNotice does, and the error of their process.
func watchTests(tests *exec.Cmd, stop func()) (string, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return "", err
	}
	tests.Stdout, tests.Stderr = in, in
	err = errors.Join(tests.Start(), in.Close())
	if err != nil {
		return "", errors.Join(err, out.Close())
	}
	found := make(chan string, 1)
	go func() { found <- readNotice(out, stop) }()
	err = tests.Wait()
	endProcesses(tests) // what the tests started has no more to do, and holds the pipe
	by := <-found
	return by, errors.Join(err, out.Close())
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
