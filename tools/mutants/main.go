// Mutants changes the code at one place after the other, runs the tests on each change, and
// lists the changes that no test notices. It is what "make mutants" runs; docs are its usage.
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

Changes the code of the packages at one place after the other (a mutant: a condition
negated, a bound moved by one, a call left out, a flag dropped, another truth or error
returned), compiles the tests of the package with each change, and runs them until one
fails. No file of the tree is changed. Of a mutant that survives, either a test is
missing, or it is equivalent code: then it belongs into the list of equivalents, with the
reason. A mutant that hangs the tests counts as noticed.

First each test runs by itself on the unchanged tree, to know what it executes; the tests
that execute the place of a mutant run before the others. Tests see -short. With
tigerbeetle on PATH, those on a real cluster run as well, which takes far longer.

Results are appended to a file, and what is in it is not tried again: a run that was
interrupted goes on. After a change of tests, -again tries survivors once more; after one
of code, remove the file, or name it by -results.

Exit status: 0 none that was tried survived; 1 some survived, or an entry of
the list of equivalents fits no mutant, or one that a test noticed; 2 the command line is wrong, or mutants could not
be tried. "go run" makes 1 of each of the two.

Flags:
`

// packagesByDefault are those in which a wrong line costs money.
var packagesByDefault = []string{"transfers", "accounts", "settlement", "ledger/cluster", "internal/wal"}

// options are the flags.
type options struct {
	packages   []string
	sample     int
	seed       uint64
	only       *regexp.Regexp
	jobs       int
	times      float64
	slack      time.Duration
	memory     int
	during     time.Duration
	results    string
	cache      string
	equivalent string
	again      bool
	verify     bool
	list       bool
	json       bool
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
	flags.IntVar(&o.sample, "sample", 500, "try `n` mutants, drawn by -seed from those of all packages; 0 tries all")
	flags.Uint64Var(&o.seed, "seed", 20, "seed of the sample, and of the order in which mutants are tried")
	only := flags.String("only", "", "try mutants whose line in -list matches the `pattern`")
	flags.IntVar(&o.jobs, "jobs", 1, "try so many mutants at the same time")
	flags.Float64Var(&o.times, "times", 4, "end tests that take so many times longer than without a mutation, and -slack besides")
	flags.DurationVar(&o.slack, "slack", 10*time.Second, "how long tests may take besides")
	flags.IntVar(&o.memory, "memory", 8192, "address space in `MiB` of the tests of a mutant; 0 is no limit, and what tigerbeetle needs")
	flags.DurationVar(&o.during, "for", 0, "begin no mutant after this `time`; 0 is no limit")
	flags.StringVar(&o.results, "results", ".mutants/results.jsonl", "`file` of results")
	flags.StringVar(&o.cache, "cache", ".mutants/cache", "`folder` of a build cache for mutants alone, some 500 MB; empty for Go's own, which then grows with each")
	flags.StringVar(&o.equivalent, "equivalents", "tools/mutants/equivalents.json", "`file` with the list of equivalent mutants")
	flags.BoolVar(&o.again, "again", false, "try once more what survived or did not compile, by the file of results")
	flags.BoolVar(&o.verify, "verify", false, "try only the mutants that are listed as equivalent: one that a test notices is none")
	flags.BoolVar(&o.list, "list", false, "list the mutants and try none")
	flags.BoolVar(&o.json, "json", false, "print JSON, one object a line: each result, and the summary at the end")
	if err := flags.Parse(args); err != nil {
		return nil, errors.Join(errUsage, err)
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("%w: -only: %w", errUsage, err)
	}
	if o.sample < 0 || o.jobs < 1 || o.times < 1 || min(o.slack, o.during) < 0 || o.memory < 0 {
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

// runMain is main with its surroundings given. It returns the exit status.
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
