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
	"slices"
	"strings"
	"time"
)

// A testRunner compiles and runs tests, with all its files in one folder. Several goroutines may
// use a testRunner.
type testRunner struct {
	root        string // of the module
	dir         string
	maxSlowdown float64       // time limit, as a multiple of the time on the unchanged tree
	slack       time.Duration // added to the time limit
	memory      int           // of a run in MiB; 0: no limit
	cache       buildCache
}

// Outcomes of a trial.
const (
	killed   = "killed"
	timedOut = "timed out"
	survived = "survived"
	broken   = "does not compile"
)

// A detection is the test that noticed a mutation, or the panic that ended the tests. by is "" for
// an unnoticed mutation.
type detection struct {
	by       string
	timedOut bool
}

// dependents are the packages whose tests also exercise a package. Their tests run after the
// package's own.
var dependents = map[string][]string{
	"accounts":             {"transfers", "settlement"},
	"internal/tokenbucket": {"transfers"},
	"internal/wal":         {"transfers"},
	"ledger/server":        {"ledger/server/faulty"},
	"transfers":            {"settlement"},
}

// tryMutant compiles a mutant and runs the tests of its package until one fails. The tests that
// execute its place come first, the quickest before the slow ones. The other tests follow, because
// the processes started by a test are in no profile. If no test of the package executes the place,
// the tests of the dependents follow.
func (r *testRunner) tryMutant(ctx context.Context, m *mutant, suites map[string]*suite) (Result, error) {
	start := time.Now()
	result := Result{Site: m.Site, Line: m.pos.Line, Outcome: survived}
	work, remove, err := r.makeFolder("mutant-")
	if err != nil {
		return result, err
	}
	defer remove()
	overlay, err := writeOverlay(work, m)
	if err != nil {
		return result, err
	}
	own := suites[m.Package]
	near, far := own.splitByReach(m)
	result.Near = len(near)
	err = r.tryOn(ctx, &result, own.pkg, overlay, append(splitTests(near), far))
	if len(near) == 0 {
		for _, user := range dependents[m.Package] {
			if err == nil && result.Outcome == survived {
				err = r.tryOn(ctx, &result, suites[user].pkg, overlay, splitTests(suites[user].Tests))
			}
		}
	}
	result.Seconds = time.Since(start).Round(100 * time.Millisecond).Seconds()
	return result, errors.Join(err, r.cache.finishMutant())
}

// tryOn runs portions of the tests of a package, compiled with an overlay, until one fails.
func (r *testRunner) tryOn(ctx context.Context, result *Result, pkg *goPackage, overlay string, portions [][]test) error {
	binary := overlay + ".test"
	if err := r.compileTests(ctx, pkg, binary, "-overlay="+overlay); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		result.Outcome, result.By = broken, findFirstError(err)
		return nil
	}
	for _, tests := range portions {
		found, err := r.runTests(ctx, pkg, binary, tests)
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

// makeFolder makes a temporary folder. remove removes it.
func (r *testRunner) makeFolder(prefix string) (name string, remove func(), err error) {
	name, err = os.MkdirTemp(r.dir, prefix)
	return name, func() { _ = os.RemoveAll(name) }, err
}

// splitTests splits tests, the quickest first, into portions. Each portion takes about five times
// as long as the previous one.
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

func (r *testRunner) runTests(ctx context.Context, pkg *goPackage, binary string, tests []test) (detection, error) {
	if len(tests) == 0 {
		return detection{}, nil
	}
	var names []string
	var sum time.Duration
	for _, t := range tests {
		names, sum = append(names, t.Name), sum+t.Took
	}
	limit := r.slack + time.Duration(r.maxSlowdown*float64(sum))
	return r.runBinary(ctx, pkg, binary, limit, "-test.failfast", "-test.run="+formatExactPattern(names))
}

func writeOverlay(work string, m *mutant) (string, error) {
	source, err := m.readMutatedSource()
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
func (r *testRunner) compileTests(ctx context.Context, pkg *goPackage, binary string, flags ...string) error {
	build := exec.CommandContext(ctx, "go", append(append([]string{"test", "-c", "-o", binary, "-ldflags=-s -w"}, flags...), pkg.importPath)...)
	build.Dir, build.Env = r.root, r.cache.buildEnvironment()
	r.cache.using.RLock()
	defer r.cache.using.RUnlock()
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// findFirstError returns the first line of the compiler's output that names a place.
func findFirstError(err error) string {
	if found := compilerErrorPattern.FindStringSubmatch(err.Error()); found != nil {
		return found[1]
	}
	return joinLines(err.Error())
}

var compilerErrorPattern = regexp.MustCompile(`(?m)^\S+\.go:\d+:\d+: (.*)$`)

// runBinary runs a test binary in the folder of its package until a test fails or limit is over.
func (r *testRunner) runBinary(ctx context.Context, pkg *goPackage, binary string, limit time.Duration, flags ...string) (detection, error) {
	temporary, remove, err := r.makeFolder("run-")
	if err != nil {
		return detection{}, err
	}
	defer remove()
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tests := exec.CommandContext(bounded, binary, append(flags, "-test.short", "-test.timeout=0")...)
	tests.Dir, tests.Env = pkg.dir, append(testEnvironment(os.Environ()), "TMPDIR="+temporary)
	confineCommand(tests, r.memory)
	by, err := watchTests(tests, cancel)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return detection{}, ctx.Err()
	case testNamePattern.MatchString(by):
		return detection{by: by}, nil
	case bounded.Err() != nil:
		return detection{by: fmt.Sprintf("no end within %v", limit.Round(time.Second)), timedOut: true}, nil
	case errors.As(err, &exit):
		return detection{by: orElse(by, exit.String())}, nil
	}
	return detection{}, err
}

// testEnvironment returns the environment of tests: without the variables that name or demand a
// TigerBeetle, and with the one that chooses a server in the test's process. So the outcome of a
// trial does not depend on the machine.
func testEnvironment(environment []string) []string {
	kept := slices.DeleteFunc(slices.Clone(environment), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == "TIGERBEETLE_BINARY" || name == "PEERLEDGER_REQUIRE_CLUSTER"
	})
	return append(kept, "PEERLEDGER_TIGERBEETLE=server")
}

// watchTests runs tests to their end, or until stop ends them after a failure. The results are the
// result of readDetection and the error of the process.
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
	go func() { found <- readDetection(out, stop) }()
	err = tests.Wait()
	endProcesses(tests) // processes started by the tests would keep the pipe open
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
	failurePattern = regexp.MustCompile(`^\s*--- FAIL: (\S+)`)
	crashPattern   = regexp.MustCompile(`^(panic: |fatal error: |runtime: |signal: )`)
)

// readDetection reads the output of tests. It returns the name of the first failed test, or else
// the first line of a crash. When a test has failed, it calls stop.
func readDetection(r io.Reader, stop func()) string {
	var by string
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadSlice('\n')
		if found := failurePattern.FindSubmatch(line); found != nil {
			by = string(found[1])
			stop()
			break
		}
		if by == "" && crashPattern.Match(line) {
			by = joinLines(string(line))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return by
		}
	}
	_, _ = io.Copy(io.Discard, lines)
	return by
}
