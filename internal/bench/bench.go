// Package bench measures the recorder and compares it with programs that call the ledger's client
// directly. The package comment of examples/bench describes the measurements. The command
// "peerledger bench" runs the same code.
package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// ErrUsage is matched by every error of a wrong command line.
var ErrUsage = errors.New("usage")

// Bench is one benchmark run, configured by flags. [Define] makes a Bench.
type Bench struct {
	opts       options
	parseLists func() error // reads the flags with lists; call after flag.Parse

	newStep func(context.Context) (*exec.Cmd, error) // a process for a step of -ledger folder
}

// Define returns a [Bench] and defines its flags.
func Define(flags *flag.FlagSet) *Bench {
	b := &Bench{newStep: runThisProgram}
	b.parseLists = defineFlags(flags, &b.opts)
	return b
}

// OnCluster sets the function that configures the cluster of "-ledger cluster". The default is
// [cluster.ConfigFromEnv].
func (b *Bench) OnCluster(which func() (cluster.Config, error)) { b.opts.cluster = which }

// Run makes the measurements and prints the results on stdout. Call Run after the flags are parsed.
// given reports whether a flag was given: if the list of an axis was given, Run varies the axis. If
// terminal is set, Run shows its progress on stderr. Run returns [ErrUsage], an error of the
// ledger, or an error if the books do not add up.
//
// With "-ledger folder" Run starts the program of this process again, for each step: Run must be
// the way of these processes too, with the same arguments.
func (b *Bench) Run(ctx context.Context, given func(flag string) bool, stdout, stderr io.Writer, terminal bool) error {
	if isStep() {
		return runStepHere(ctx, os.Stdin, stdout, stderr)
	}
	if err := b.validateLists(given); err != nil {
		return err
	}
	if b.opts.ledger == ledgerFolder {
		return b.runFolder(ctx, stdout, stderr)
	}
	for _, file := range []string{b.opts.csv, b.opts.plot} {
		if err := openWritable(file); err != nil {
			return err // now, and not after an hour of measuring
		}
	}
	rep, err := measureAll(ctx, b.opts, progress.New(stderr, terminal && !b.opts.json, "measuring", 50))
	if err != nil {
		return err
	}
	if b.opts.json {
		err = rep.writeJSON(stdout)
	} else {
		err = rep.writeTables(stdout)
	}
	return errors.Join(err, rep.writeFiles(b.opts))
}

// validateLists reads the lists and validates all options. Its errors match [ErrUsage].
func (b *Bench) validateLists(given func(flag string) bool) error {
	err := errors.Join(b.parseLists(), b.opts.validateOptions())
	for _, axis := range allAxes {
		if given(axis) && !b.opts.variesAxis(axis) && b.opts.ledger != ledgerFolder {
			b.opts.axes = append(b.opts.axes, axis)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if len(makePlan(b.opts)) == 0 {
		return fmt.Errorf("%w: -ways: no way of the list exists in these phases", ErrUsage)
	}
	return nil
}

// Main parses args and calls [Bench.Run]. After -h it returns [flag.ErrHelp].
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, terminal bool) error {
	b, flags, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	return b.Run(ctx, wasGiven(flags), stdout, stderr, terminal)
}

const usage = `Usage: bench [flags]

Measures the recorder against hand-batched and single calls of the ledger's client.
Lists are comma-separated. The base scenario has the first value of each list (for
-lanes it has 2, if listed). The other values are measured if -axes names the list or
the list is given as a flag.

`

func parseFlags(args []string, stderr io.Writer) (*Bench, *flag.FlagSet, error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	b := Define(flags)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if flags.NArg() > 0 {
		return nil, nil, fmt.Errorf("%w: unexpected arguments after the flags: %q", ErrUsage, flags.Args())
	}
	return b, flags, nil
}

// wasGiven returns a function that reports whether a flag was given.
func wasGiven(flags *flag.FlagSet) func(string) bool {
	var names []string
	flags.Visit(func(f *flag.Flag) { names = append(names, f.Name) })
	return func(name string) bool { return slices.Contains(names, name) }
}

// parseOptions returns the options of a command line.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	b, flags, err := parseFlags(args, stderr)
	if err != nil {
		return options{}, err
	}
	err = b.validateLists(wasGiven(flags))
	return b.opts, err
}

// measureAll makes all measurements of the options, in rounds, for [Bench.Run].
func measureAll(ctx context.Context, opts options, shown progress.Progress) (rep *report, err error) {
	s, err := openTarget(opts)
	if err != nil {
		return nil, err
	}
	b := newBencher(opts, s)
	defer func() { err = errors.Join(err, b.closeTargets()) }()
	plan := makePlan(opts)
	shown.Start(opts.rounds * len(plan))
	defer func() { shown.Stop(err) }()
	rounds, err := b.measureRounds(ctx, plan, shown)
	if err != nil {
		return nil, err
	}
	rep = newReport(plan, rounds)
	if opts.variesAxis(axisMemory) {
		rep.memory, err = measureMemory(ctx, opts)
	}
	if err == nil && opts.requests {
		rep.demands, err = b.measureDemands(ctx)
	}
	return rep, err
}
