//go:build linux

// Exportbench compares the export of a ledger to CSV with psql's \copy of a PostgreSQL table with the same
// rows, in one run.
//
//	go run ./tools/exportbench -rows 10000000                      # the embedded ledger in memory
//	go run ./tools/exportbench -rows 10000000 -ledger folder -dir /a/folder/on/a/disk
//
// The ledger gets rows of packets between 1,000 peers, and is exported with nine columns, a running balance of
// both accounts among them. PostgreSQL gets the exported file as a table, vacuumed, whose rows psql copies to a
// file: it finds the balances ready, while the export adds them up and compares them with the ledger's. The
// table has amounts and balances as numeric and the rest as text; -text makes them text, which PostgreSQL writes
// fastest. The two files must be equal, byte by byte.
//
// The programs of PostgreSQL are in -postgres (Debian: apt install postgresql); as root they run as the user postgres.
// The server listens on a socket in -dir alone, and ends with the run. -postgres "" leaves it out.
//
// -count measures both sides so often, in turn. The peak is the growth of the process's resident memory while it
// exports, the ledger's caches included. Exit status: 1 if a measurement fails, 2 for a wrong command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
)

// options are the flags.
type options struct {
	rows, count    int
	ledger, dir    string
	postgres, user string
	text           bool
}

func main() {
	var o options
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows of the ledger")
	flag.IntVar(&o.count, "count", 3, "measurements of each side")
	flag.StringVar(&o.ledger, "ledger", "memory", "memory or folder")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "folder for the files of both sides")
	flag.StringVar(&o.postgres, "postgres", "/usr/lib/postgresql/15/bin", "folder with PostgreSQL's programs")
	flag.StringVar(&o.user, "user", "postgres", "user of PostgreSQL's server if this program runs as root")
	flag.BoolVar(&o.text, "text", false, "give PostgreSQL amounts as text")
	flag.Parse()
	if flag.NArg() > 0 || o.rows < 1 || o.count < 1 || o.ledger != "memory" && o.ledger != "folder" {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:forbidigo // a program has no caller
	err := run(ctx, &o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "exportbench:", err)
		os.Exit(1)
	}
}

// run measures both sides in turn.
func run(ctx context.Context, o *options) (err error) {
	work, err := os.MkdirTemp(o.dir, "exportbench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	books, err := fillLedger(ctx, o, work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, books.ledger.Close()) }()
	ours, theirs := filepath.Join(work, "ours.csv"), filepath.Join(work, "theirs.csv")
	var server *postgres
	for round := range o.count {
		used, peak, err := books.exportTo(ctx, ours)
		if err != nil {
			return err
		}
		printRate("export", o.rows, used, fmt.Sprintf("peak +%d MiB", peak>>20))
		if o.postgres == "" {
			continue
		}
		if round == 0 {
			if server, err = startPostgres(ctx, o, work, ours); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, server.stop(context.WithoutCancel(ctx))) }()
		}
		copied, err := server.copyTo(ctx, theirs)
		if err != nil {
			return err
		}
		printRate(`psql \copy`, o.rows, copied, fmt.Sprintf("export is %.2f times as fast, with %.2f of the processor time",
			copied.took.Seconds()/used.took.Seconds(), used.processor.Seconds()/copied.processor.Seconds()))
		if err := compareFiles(ours, theirs); err != nil {
			return err
		}
	}
	return nil
}

func printRate(side string, rows int, c cost, note string) {
	fmt.Printf("%-10s %10d rows %8.2f s %10.0f rows/s %6.0f ns of processor time a row  %s\n",
		side, rows, c.took.Seconds(), float64(rows)/c.took.Seconds(), float64(c.processor.Nanoseconds())/float64(rows), note)
}
