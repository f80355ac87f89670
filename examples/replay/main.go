// Replay records a trace of a real connector's packets and compares the books with
// the balances that the connector ended with.
//
//	go run ./examples/replay [-settle trace|engine] [-twice] [-json] [trace.jsonl]
//
// Without a file it replays a trace of the Interledger reference connector. It
// ends with status 1 if the books differ, a packet was refused that the connector
// forwarded, or the trace cannot be read, and with status 2 if the command line
// is wrong.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/term"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/internal/trace"
)

// reference is a trace of ilp-connector 23.0.2 between four peers.
//
//go:embed testdata/reference-connector.jsonl
var reference []byte

const referenceName = "reference-connector.jsonl"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr, terminal)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		stop()
		os.Exit(exitStatus(err))
	}
}

// errUsage is matched by the errors of a wrong command line.
var errUsage = errors.New("usage")

func exitStatus(err error) int {
	if errors.Is(err, errUsage) {
		return 2
	}
	return 1
}

// options are the command line.
type options struct {
	engine bool // settle with our engine instead of booking the trace's settlements
	twice  bool
	json   bool
	file   string // "" is the reference trace
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer, terminal bool) error {
	opts, err := parse(args, stderr)
	if err != nil {
		return err
	}
	tr, err := readTrace(opts.file)
	if err != nil {
		return err
	}
	report, err := replay(ctx, tr, opts, progress.New(stderr, terminal && !opts.json, "replaying events", 0))
	if err != nil {
		return err
	}
	if opts.json {
		err = report.writeJSON(stdout)
	} else {
		err = report.writeTable(stdout)
	}
	return errors.Join(err, report.differences())
}

const usage = `Usage: replay [flags] [trace.jsonl]

Replays a packet trace and compares the books with the balances at its end.
Without a file it replays a trace of the Interledger reference connector. Packets
are counted for the peer that sent them.

`

func parse(args []string, stderr io.Writer) (opts options, err error) {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	flags.BoolVar(&opts.json, "json", false, "print one JSON object a line per peer")
	flags.BoolVar(&opts.twice, "twice", false, "replay twice into the same ledger; the second time must change nothing")
	settle := flags.String("settle", "trace",
		"`who` settles: trace books the trace's own settlements, engine lets our engine pay at each peer's threshold")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return opts, err
		}
		return opts, fmt.Errorf("%w: %w", errUsage, err)
	}
	switch *settle {
	case "trace":
	case "engine":
		opts.engine = true
	default:
		return opts, fmt.Errorf("%w: -settle is trace or engine, not %q", errUsage, *settle)
	}
	if flags.NArg() > 1 {
		return opts, fmt.Errorf("%w: one trace at most, after the flags; got %q", errUsage, flags.Args())
	}
	opts.file = flags.Arg(0)
	return opts, nil
}

func readTrace(file string) (*trace.Trace, error) {
	if file == "" {
		return trace.Read(bytes.NewReader(reference), referenceName)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return trace.Read(bytes.NewReader(content), file)
}
