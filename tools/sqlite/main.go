// Sqlite compares a recorder with a ledger in a folder with double entry on SQLite, on one core and
// in one run.
//
//	go run . -dir /a/folder/on/a/disk        # in this folder: it is a module of its own
//
// Both sides write the same packets: a hold and a post of two legs each, linked, with the sender's
// credit line checked. Both have the same number of operations under way, and answer when their rows
// are synced. The rounds alternate: the ledger, SQLite, SQLite, the ledger, and so on.
//
// SQLite has the better lot wherever the two differ: prepared statements, one transaction a batch,
// WAL with a sync at every commit, the balances of an account cached in memory and written once a
// batch, the hold found by primary key, ids that ascend. Batches are built by hand, full, and no
// operation waits for a queue: the duration of an operation is the time of its transaction. There is
// no history of balances, no expired hold is released, and there is no index but the primary key;
// -indexes adds three that queries by account and by user data need. With -way c all that is a
// program in C (books.c), which Go calls once a batch; with -way go it is package database/sql with
// the driver of github.com/mattn/go-sqlite3.
//
// The duration of a recorder's operation is the time from Submit to its answer, the queue included.
//
// The program runs on one core, with GOMAXPROCS=1. It prints a table, or with -json an object a
// round and one with the medians.
//
// Exit status: 1 if a measurement fails or the books do not add up, 2 for a wrong command line.
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
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/peerledger/peerledger/internal/jsonline"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:forbidigo // a program has no caller
	err := compare(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return
	case errors.Is(err, errUsage):
		defer os.Exit(2)
	default:
		defer os.Exit(1)
	}
	fmt.Fprintf(os.Stderr, "sqlite: %v\n", err)
}

var errUsage = errors.New("usage")

// round is the two sides of a round.
type round struct {
	Kind   string  `json:"kind"` // "round" or "median"
	Folder figures `json:"folder"`
	SQLite figures `json:"sqlite"`
	Ratio  float64 `json:"ratio"` // of packets a second
	P99    float64 `json:"p99_ratio"`
	CPU    float64 `json:"cpu_ratio"` // of SQLite's processor time a packet to the folder's
}

// settings are the conditions of all rounds.
type settings struct {
	Kind    string   `json:"kind"` // "settings"
	Version string   `json:"sqlite_version"`
	Pragmas []string `json:"pragmas"`
	Way     string   `json:"way"`
	Indexes bool     `json:"indexes"`
	Legs    int      `json:"legs"`
	Cores   int      `json:"cores"`
	Peers   int      `json:"peers"`
	Window  int      `json:"operations_under_way"`
}

func compare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("sqlite", flag.ContinueOnError)
	flags.SetOutput(stderr)
	r := &run{}
	flags.Int64Var(&r.packets, "packets", 300_000, "packets of each side and round")
	flags.IntVar(&r.window, "window", 8192, "operations under way, and of a transaction")
	flags.IntVar(&r.peers, "peers", 10, "number of peers")
	flags.IntVar(&r.lanes, "lanes", 2, "lanes of the recorder")
	flags.Uint64Var(&r.seed, "seed", 1, "`seed` of the random traffic")
	flags.StringVar(&r.way, "way", wayC, "`way` to use SQLite: c (books.c, one call a batch) or go (database/sql, calls for each row)")
	flags.IntVar(&r.legs, "legs", 2, "legs of a packet: 2 with our fee, or 1")
	flags.BoolVar(&r.indexed, "indexes", false, "SQLite keeps indexes for queries by account and by user data")
	pragmas := flags.String("pragmas",
		"journal_mode=WAL,synchronous=FULL,wal_autocheckpoint=16384,cache_size=-262144,temp_store=MEMORY,locking_mode=EXCLUSIVE",
		"`list` of SQLite's pragmas; page_size must come first")
	count := flags.Int("count", 3, "number of rounds")
	dir := flags.String("dir", "", "`folder` on a disk; empty is the folder for temporary files")
	asJSON := flags.Bool("json", false, "print JSON")
	cores := flags.Bool("all-cores", false, "do not stay on one core")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if r.packets < 1 || r.window < 2 || r.peers < 2 || r.lanes < 1 || *count < 1 || flags.NArg() > 0 ||
		!slices.Contains([]string{wayC, wayGo}, r.way) || r.legs < 1 || r.legs > 2 {
		return fmt.Errorf("%w: -packets, -lanes and -count must be above 0, -window and -peers above 1, -way c or go, -legs 1 or 2, without other arguments", errUsage)
	}
	for _, p := range strings.Split(*pragmas, ",") {
		r.pragmas = append(r.pragmas, "PRAGMA "+p)
	}
	if !*cores {
		if err := stayOnOneCore(); err != nil {
			return err
		}
		runtime.GOMAXPROCS(1)
	}
	rounds, err := r.measureRounds(ctx, *dir, *count, stderr)
	if err != nil {
		return err
	}
	s := settings{"settings", version(), r.pragmas, r.way, r.indexed, r.legs, countCores(), r.peers, r.window}
	if *asJSON {
		return printJSON(stdout, s, rounds)
	}
	return printTable(stdout, s, rounds)
}

// measureRounds measures both sides in each round, in turns the one or the other first.
func (r *run) measureRounds(ctx context.Context, dir string, count int, stderr io.Writer) (rounds []round, err error) {
	for n := range count {
		result := round{Kind: "round"}
		sides := []func() error{
			func() (err error) { result.Folder, err = inNewFolder(ctx, dir, r.recordInFolder); return err },
			func() (err error) { result.SQLite, err = inNewFolder(ctx, dir, r.recordInSQLite); return err },
		}
		if n%2 == 1 {
			slices.Reverse(sides)
		}
		for _, measure := range sides {
			debug.FreeOSMemory() // no side pays for the garbage of the other
			if err := measure(); err != nil {
				return nil, err
			}
		}
		result.Ratio, result.P99 = result.Folder.Rate/result.SQLite.Rate, result.Folder.P99/result.SQLite.P99
		result.CPU = result.SQLite.CPU / result.Folder.CPU
		fmt.Fprintf(stderr, "round %d: %.0f packets/s in a folder, %.0f in SQLite, ratio %.2f\n",
			n+1, result.Folder.Rate, result.SQLite.Rate, result.Ratio)
		rounds = append(rounds, result)
	}
	return rounds, nil
}

// inNewFolder measures a side in a folder of its own, which is removed.
func inNewFolder(ctx context.Context, dir string, measure func(context.Context, string) (figures, error)) (f figures, err error) {
	folder, err := os.MkdirTemp(dir, "peerledger-sqlite-")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	inner := filepath.Join(folder, "books")
	if err = os.Mkdir(inner, 0o700); err != nil {
		return f, err
	}
	return measure(ctx, inner)
}

// median returns the round with the middle ratio.
func median(rounds []round) round {
	sorted := slices.Clone(rounds)
	slices.SortFunc(sorted, func(a, b round) int {
		if a.Ratio < b.Ratio {
			return -1
		}
		return 1
	})
	m := sorted[len(sorted)/2]
	m.Kind = "median"
	return m
}

func printJSON(w io.Writer, s settings, rounds []round) error {
	err := jsonline.Write(w, s)
	for _, r := range append(rounds, median(rounds)) {
		err = errors.Join(err, jsonline.Write(w, r))
	}
	return err
}

func printTable(w io.Writer, s settings, rounds []round) error {
	var text strings.Builder
	fmt.Fprintf(&text, "SQLite %s by way of %s, indexes %t, %s; %d legs, %d cores, %d peers, %d operations under way\n\n",
		s.Version, s.Way, s.Indexes, strings.Join(s.Pragmas, ", "), s.Legs, s.Cores, s.Peers, s.Window)
	fmt.Fprintf(&text, "%-8s %-8s %12s %10s %10s %10s %14s %14s\n",
		"round", "side", "packets/s", "p50 ms", "p99 ms", "p100 ms", "CPU us/packet", "disk B/packet")
	for i, r := range append(rounds, median(rounds)) {
		name := fmt.Sprint(i + 1)
		if r.Kind == "median" {
			name = r.Kind
		}
		for _, side := range []struct {
			name string
			figures
		}{{"folder", r.Folder}, {"sqlite", r.SQLite}} {
			fmt.Fprintf(&text, "%-8s %-8s %12.0f %10.2f %10.2f %10.2f %14.2f %14.0f\n", name, side.name, side.Rate,
				side.P50/1e3, side.P99/1e3, side.P100/1e3, side.CPU, float64(side.Disk)/float64(side.Packets))
		}
		fmt.Fprintf(&text, "%-8s ratio of packets/s %.2f, of p99 %.2f, of CPU %.2f\n", name, r.Ratio, r.P99, r.CPU)
	}
	_, err := io.WriteString(w, text.String())
	return err
}
