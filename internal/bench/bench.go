// Package bench measures the recorder against what an application would write without it.
// It is the program of examples/bench, whose package comment says what is measured and
// how, and of the command "peerledger bench".
package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/ledger/cluster"
)

// ErrUsage is matched by the errors of a wrong command line.
var ErrUsage = errors.New("usage")

// Bench is what a command line asks to measure.
type Bench struct {
	opts options
	read func() error // the lists, when the flags are parsed
}

// Define defines the flags of a Bench.
func Define(flags *flag.FlagSet) *Bench {
	b := new(Bench)
	b.read = defineFlags(flags, &b.opts)
	return b
}

// OnCluster says which cluster "-ledger cluster" is, instead of the environment.
func (b *Bench) OnCluster(which func() (cluster.Config, error)) { b.opts.cluster = which }

// Run measures, when the flags are parsed, and prints the figures on stdout. given tells
// which flags were given: whoever gives a list of an axis means all of it. On a terminal
// it shows on stderr how far it is. The errors are ErrUsage, those of the ledger, or that
// of the books that do not add up.
func (b *Bench) Run(ctx context.Context, given func(flag string) bool, stdout, stderr io.Writer, terminal bool) error {
	if err := b.validateLists(given); err != nil {
		return err
	}
	for _, file := range []string{b.opts.csv, b.opts.plot} {
		if err := openWritable(file); err != nil {
			return err // rather than after an hour of measuring
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

// validateLists reads the lists and checks everything.
func (b *Bench) validateLists(given func(flag string) bool) error {
	err := errors.Join(b.read(), b.opts.validateOptions())
	for _, axis := range allAxes {
		if given(axis) && !b.opts.variesAxis(axis) {
			b.opts.axes = append(b.opts.axes, axis)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if len(planOf(b.opts)) == 0 {
		return fmt.Errorf("%w: -ways: there is no such way in these phases", ErrUsage)
	}
	return nil
}

// Main is the program: it parses the arguments and runs. The error is flag.ErrHelp if help
// was asked for, else that of Run.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, terminal bool) error {
	b, flags, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	return b.Run(ctx, wasGiven(flags), stdout, stderr, terminal)
}

const usage = `Usage: bench [flags]

Measures the recorder against hand-batched and single calls of the ledger's client.
Lists have commas between. The first value of a list is the base scenario's (of
-lanes it is 2, if it is there); the others are measured if -axes names the list, or
if it is given.

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
		return nil, nil, fmt.Errorf("%w: no arguments are taken after the flags; got %q", ErrUsage, flags.Args())
	}
	return b, flags, nil
}

// wasGiven tells which flags were given.
func wasGiven(flags *flag.FlagSet) func(string) bool {
	var names []string
	flags.Visit(func(f *flag.Flag) { names = append(names, f.Name) })
	return func(name string) bool { return slices.Contains(names, name) }
}

// parseOptions is the options of a command line.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	b, flags, err := parseFlags(args, stderr)
	if err != nil {
		return options{}, err
	}
	err = b.validateLists(wasGiven(flags))
	return b.opts, err
}

// measureAll measures everything that the options ask for, in rounds.
func measureAll(ctx context.Context, opts options, shown progress.Progress) (rep *report, err error) {
	s, err := openSubject(opts)
	if err != nil {
		return nil, err
	}
	b := newBencher(opts, s)
	defer func() { err = errors.Join(err, b.closeTargets()) }()
	plan := planOf(opts)
	shown.Start(opts.count * len(plan))
	defer func() { shown.Stop(err) }()
	rounds, err := b.measureRounds(ctx, plan, shown)
	if err != nil {
		return nil, err
	}
	rep = newReport(plan, rounds)
	if opts.variesAxis(axisMemory) {
		rep.memory, err = measureMemory(ctx, opts)
	}
	return rep, err
}
