// Mutants changes the code at one place at a time, runs the tests on each change, and lists the
// changes that no test notices. "make mutants" runs it; the documentation is in its usage text.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

const usage = `Usage: go run ./tools/mutants [flags] [package folder ...]

Changes the code of the packages at one place at a time (a mutant: a negated condition, a
bound moved by one, a call left out, a dropped flag, another bool or error returned),
compiles the tests of the package with each change, and runs them until one fails. No file
of the tree is changed. If a mutant survives, either a test is missing, or the mutant is
equivalent to the code: then it belongs into the list of equivalents, with the reason. A
mutant that hangs the tests counts as noticed.

First each test runs alone on the unchanged tree, to measure its coverage. The tests that
execute the place of a mutant run before the others. Tests run with -short, and with a
server in their process in place of a TigerBeetle. With tigerbeetle on PATH, the tests that
need several replicas run as well, which takes far longer.

Results are appended to a file, and a mutant in the file is not tried again: an
interrupted run continues. After a change of tests, -again tries survivors again; after a
change of code, remove the file, or name another one with -results.

Exit status: 0 if no tried mutant survived; 1 if some survived, or an entry of the list of
equivalents fits no mutant or a mutant that a test noticed; 2 for a wrong command line, or
if mutants could not be tried. "go run" turns both into 1.

Flags:
`

// packagesByDefault are the packages in which a wrong line costs money.
var packagesByDefault = []string{"transfers", "accounts", "settlement", "ledger/cluster", "internal/wal", "internal/tokenbucket", "ledger/server"}

// options holds the flags.
type options struct {
	packages    []string
	sample      int
	seed        uint64
	pattern     *regexp.Regexp
	jobs        int
	maxSlowdown float64
	slack       time.Duration
	memory      int
	maxDuration time.Duration
	results     string
	cache       string
	equivalent  string
	again       bool
	verify      bool
	list        bool
	json        bool
}

var errUsage = errors.New("usage")

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.IntVar(&o.sample, "sample", 500, "try `n` mutants of all packages, drawn with -seed; 0 tries all")
	flags.Uint64Var(&o.seed, "seed", 20, "seed of the sample and of the order of trials")
	only := flags.String("only", "", "try only mutants whose line in -list matches the `pattern`")
	flags.IntVar(&o.jobs, "jobs", 1, "number of mutants tried at the same time")
	flags.Float64Var(&o.maxSlowdown, "times", 4, "time limit of tests, as a multiple of their time without a mutation; -slack is added")
	flags.DurationVar(&o.slack, "slack", 10*time.Second, "time added to the time limit of tests")
	flags.IntVar(&o.memory, "memory", 8192, "address space of tests in `MiB`; 0 is no limit, which tigerbeetle needs")
	flags.DurationVar(&o.maxDuration, "for", 0, "start no trial after this `time`; 0 is no limit")
	flags.StringVar(&o.results, "results", ".mutants/results.jsonl", "`file` of results")
	flags.StringVar(&o.cache, "cache", ".mutants/cache", "`folder` of a build cache for mutants alone, some 500 MB; empty for Go's own, which grows with each mutant")
	flags.StringVar(&o.equivalent, "equivalents", "tools/mutants/equivalents.json", "`file` with the list of equivalent mutants")
	flags.BoolVar(&o.again, "again", false, "try the mutants again that survived or did not compile, according to -results")
	flags.BoolVar(&o.verify, "verify", false, "try only the mutants listed as equivalent: a test that notices one proves the list wrong")
	flags.BoolVar(&o.list, "list", false, "list the mutants and try none")
	flags.BoolVar(&o.json, "json", false, "print each result and the final summary as a line of JSON")
	if err := flags.Parse(args); err != nil {
		return nil, errors.Join(errUsage, err)
	}
	var err error
	if o.pattern, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("%w: -only: %w", errUsage, err)
	}
	if o.sample < 0 || o.jobs < 1 || o.maxSlowdown < 1 || min(o.slack, o.maxDuration) < 0 || o.memory < 0 {
		return nil, fmt.Errorf("%w: -sample, -slack, -memory and -for are at least 0, -jobs and -times at least 1", errUsage)
	}
	if o.packages = flags.Args(); len(o.packages) == 0 {
		o.packages = packagesByDefault
	}
	for i, p := range o.packages {
		o.packages[i] = filepath.ToSlash(filepath.Clean(p))
	}
	return o, nil
}

func main() {
	//nolint:forbidigo // a program has no caller to take a context from
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := runMain(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

// runMain runs the program with the given arguments and streams and returns the exit status.
func runMain(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var summary *Summary
	if err == nil {
		summary, err = o.runSession(ctx, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintln(stderr, "mutants:", err)
		return 2
	}
	if len(summary.Survivors)+len(summary.Stale)+len(summary.Wrong) > 0 {
		return 1
	}
	return 0
}
