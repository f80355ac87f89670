// Package replay records a trace of a real connector's packets and compares the books with
// the balances that the connector ended with. It is the program of examples/replay and of
// the command "peerledger replay".
package replay

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/internal/trace"
)

// reference is a trace of ilp-connector 23.0.2 between four peers.
//
//go:embed testdata/reference-connector.jsonl
var reference []byte

const referenceName = "reference-connector.jsonl"

// ErrUsage is matched by the errors of a wrong command line.
var ErrUsage = errors.New("usage")

// Replay is what a command line asks to replay.
type Replay struct {
	engine bool // settle with our engine instead of booking the trace's settlements
	twice  bool
	json   bool
	settle string
}

// Define defines the flags of a Replay.
func Define(flags *flag.FlagSet) *Replay {
	r := new(Replay)
	flags.BoolVar(&r.json, "json", false, "print one JSON object a line per peer")
	flags.BoolVar(&r.twice, "twice", false, "replay twice into the same ledger; the second time must change nothing")
	flags.StringVar(&r.settle, "settle", "trace",
		"`who` settles: trace books the trace's own settlements, engine lets our engine pay at each peer's threshold")
	return r
}

// Run replays a trace file, or a trace of the Interledger reference connector if file is
// "", when the flags are parsed, and prints the books at its end on stdout. On a terminal
// it shows on stderr how far it is. The errors are ErrUsage, those of reading, or those of
// books that differ from the trace's.
func (r *Replay) Run(ctx context.Context, file string, stdout, stderr io.Writer, terminal bool) error {
	switch r.settle {
	case "trace":
	case "engine":
		r.engine = true
	default:
		return fmt.Errorf("%w: -settle is trace or engine, not %q", ErrUsage, r.settle)
	}
	tr, err := readTrace(file)
	if err != nil {
		return err
	}
	report, err := replayTrace(ctx, tr, r, progress.New(stderr, terminal && !r.json, "replaying events", 0))
	if err != nil {
		return err
	}
	if r.json {
		err = report.writeJSON(stdout)
	} else {
		err = report.writeTable(stdout)
	}
	return errors.Join(err, report.findDifferences())
}

const usage = `Usage: replay [flags] [trace.jsonl]

Replays a packet trace and compares the books with the balances at its end.
Without a file it replays a trace of the Interledger reference connector. Packets
are counted for the peer that sent them.

`

// Main is the program: it parses the arguments and runs. The error is flag.ErrHelp if help
// was asked for, else that of Run.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer, terminal bool) error {
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	r := Define(flags)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if flags.NArg() > 1 {
		return fmt.Errorf("%w: one trace at most, after the flags; got %q", ErrUsage, flags.Args())
	}
	return r.Run(ctx, flags.Arg(0), stdout, stderr, terminal)
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
