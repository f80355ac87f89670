// Bench measures the recorder against what an application would write without it,
// in one run and on the same ledger.
//
//	go run ./examples/bench [flags]
//	go run ./examples/bench -ledger cluster -packets 1000000 -count 5 -axes all -plot bench.svg
//
// Four ways to write the same rows are measured, with a hold that is then posted
// (phase two) and in one step (phase single):
//
//	batched   (a) calls of the ledger's client with full batches built by hand, from
//	          one goroutine for each session
//	mixed     (a) of two phases, with the posts of the request before it and new holds in
//	          each request, as traffic that goes on has them; batched has one kind in each
//	single    (b) calls of the ledger's client with one transfer each, from many goroutines
//	submit    (c) Recorder.Submit, from one goroutine for each lane, with some 24576
//	          operations under way each, and 49152 together; a fulfill follows the
//	          answer to its prepare, as it must in a connector
//	record    (d) Recorder.Record, from many goroutines that each wait for their answers
//
// (b) has as many goroutines as the largest of -callers; fewer are measured too, to
// compare latencies and for the plot. The number of sessions is the same on both sides
// of a ratio: a recorder with two lanes is compared with two clients.
//
// The base scenario is two lanes, ten peers, uniform traffic, no settlement engine and no
// journal. -axes, or a list of values, varies one of these at a time. (a)
// and (b) are measured again where the ledger's work changes: with other lanes, another
// load, other peers. A settlement engine and a journal are compared with (a) and (b) of
// the base. The engine looks at balances after every batch, and its threshold lets a few
// peers be paid in a measurement, by a rail that pays at once. The journal is a
// folder in TMPDIR: in memory (tmpfs) it costs less than on the disk that it is for.
//
// # Columns
//
// Packets/s counts packets, not operations: a packet of phase two is two. p50, p99
// and p100 are how long one call took as its caller saw it: a batch for batched, a
// transfer for single, an operation for record, and for submit the time from Submit
// to the answer, which is mostly the time in the queue. With more than one caller one
// packet in 16 is timed, so that the clock costs the ways alike; p100 is the longest
// of those. Ops/batch is how many operations a request carried, "-" if nobody counted.
// Allocs/op and B/op are heap allocations of the whole process: this program and,
// if it is embedded, the ledger are in them. The last columns are ratios of
// throughput: to (a), to (b), and to the same way in the base scenario.
//
// With -count above 1 all measurements are made once, then all of them again, every
// other round backwards, so that what else goes on at the machine hits all sides
// alike. A figure is the median of the rounds; in brackets are the least and the
// greatest. A ratio is worked out within each round first.
//
// # What to make of it
//
// Ratios are what to look at: on a machine that is shared, or that runs the cluster
// as well, absolute figures say little, and a spread that is wider than a difference
// means that the difference is not known. The defaults are made to end in seconds,
// and too small for more than a first look; measure with -packets of a million and
// -count of 5 or more. The embedded ledger is a new one for each measurement, in this
// process: it shares the cores with the callers, and a call of it costs
// less than a microsecond, which no cluster's does: there (b) waits for nothing, and to
// hand an operation to another goroutine costs more than to write it. With -delay the
// ledger answers later, but takes any number of requests at once, which no session does.
//
// Every answer is checked (of submit those that are waited for), and after each
// measurement what every peer sent and earned, that nothing is held and that debits
// equal credits: a run that lost a packet ends with status 1. Status 2 is a wrong command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/term"

	"github.com/peerledger/peerledger/internal/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	err := bench.Main(ctx, os.Args[1:], os.Stdout, os.Stderr, terminal)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(exitStatus(err))
	}
}

func exitStatus(err error) int {
	if errors.Is(err, bench.ErrUsage) {
		return 2
	}
	return 1
}
