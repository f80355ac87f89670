// Package replay records a trace of a real connector's packets and compares the books with the
// connector's final balances. It is the program of examples/replay and of the command "peerledger
// replay".
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

// reference is a trace of ilp-connector 23.0.2 with four peers.
//
//go:embed testdata/reference-connector.jsonl
var reference []byte

const referenceName = "reference-connector.jsonl"

// ErrUsage is matched by every error of a wrong command line.
var ErrUsage = errors.New("usage")

// Replay is one replay, configured by flags. [Define] makes a Replay.
type Replay struct {
	engine      bool // settle with our engine instead of booking the trace's settlements
	replayTwice bool
	json        bool
	settle      string
}

// Define returns a [Replay] and defines its flags.
func Define(flags *flag.FlagSet) *Replay {
	r := new(Replay)
	flags.BoolVar(&r.json, "json", false, "print each peer as a line of JSON")
	flags.BoolVar(&r.replayTwice, "twice", false, "replay twice into the same ledger; the second replay must change nothing")
	flags.StringVar(&r.settle, "settle", "trace",
		"`source` of settlements: trace books the settlements of the trace; engine pays each peer at its threshold with our engine")
	return r
}

// Run replays the trace in file and prints the final books on stdout. If file is "", Run replays a
// trace of the Interledger reference connector. Call Run after the flags are parsed. If terminal is
// set, Run shows its progress on stderr. Run returns [ErrUsage], an error of reading, or the
// differences between the books and the trace.
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

Replays a packet trace and compares the books with the final balances of the trace.
Without a file it replays a trace of the Interledger reference connector. Packets
are counted under their senders.

`

// Main parses args and calls [Replay.Run]. After -h it returns [flag.ErrHelp].
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
		return fmt.Errorf("%w: at most one trace after the flags; got %q", ErrUsage, flags.Args())
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
