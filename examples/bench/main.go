// Bench measures the recorder and compares it with programs that call the ledger's client directly,
// in one run and on the same ledger.
//
//	go run ./examples/bench [flags]
//	go run ./examples/bench -ledger cluster -packets 1000000 -count 5 -axes all -plot bench.svg
//
// Four ways to write the same rows are measured, with a hold and its post (phase two) and in one
// step (phase single):
//
//	batched   (a) calls of the ledger's client with full batches built by hand, from
//	          one goroutine per session
//	mixed     (a) in two phases, with the posts of the previous request and new holds in
//	          each request, as in continuous traffic; a request of batched has one kind
//	single    (b) calls of the ledger's client with one transfer each, from many goroutines
//	submit    (c) Recorder.Submit, from one goroutine per lane, with about 24576 operations
//	          under way each, and at most 49152 together; a fulfill follows the answer to
//	          its prepare, as in a connector
//	record    (d) Recorder.Record, from many goroutines that each wait for their answers
//
// (b) has the largest number of goroutines in -callers. Smaller numbers are measured too, for
// latencies and for the plot. Both sides of a ratio have the same number of sessions: a recorder
// with two lanes is compared with two clients.
//
// The base scenario has two lanes, ten peers, uniform traffic, no settlement engine and no journal.
// -axes, or the flag of a list, varies one axis at a time. (a) and (b) are measured again if the
// ledger's work changes: with other lanes, loads or peers. A settlement engine and a journal are
// compared with (a) and (b) of the base scenario. The engine looks at balances after every batch.
// Its threshold lets a few peers be paid per measurement, by a rail that pays at once. The journal
// is a folder in TMPDIR: in memory (tmpfs) it costs less than on a disk, where it belongs.
//
// # Columns
//
// Packets/s counts packets, not operations: a packet of phase two is two operations. p50, p99 and
// p100 are the durations of a call, as seen by its caller: of a batch for batched, of a transfer
// for single, of an operation for record. For submit they are the time from Submit to the answer,
// mostly spent in the queue. With several callers one packet in 16 is timed, so the clock costs all
// ways the same; p100 is the longest of the timed calls. Ops/batch is the number of operations per
// request, or "-" if not counted. Allocs/op and B/op are heap allocations of the whole process: of
// this program and of an embedded ledger. The last columns are ratios of throughput: to (a), to
// (b), and to the same way in the base scenario.
//
// With -count above 1 all measurements are made once, then all of them again, every second round
// backwards, so that other load on the machine hits all sides alike. A figure is the median of the
// rounds, with the minimum and maximum in brackets. Ratios are computed within each round first.
//
// # Interpretation
//
// Compare ratios. On a shared machine, or on one that also runs the cluster, absolute figures mean
// little. A difference smaller than the spread is unknown. The defaults end in seconds and are too
// small for more than a first look: measure with -packets of a million and -count of 5 or more. The
// embedded ledger is a new one for each measurement, in this process. It shares the cores with the
// callers, and a call costs less than a microsecond, unlike a call of any cluster. There (b) waits
// for nothing, and handing an operation to another goroutine costs more than writing it. With
// -delay the embedded ledger answers later, but takes any number of requests at the same time,
// unlike a session.
//
// Every answer is checked (for submit, every awaited answer). After each measurement the program
// checks the amounts that each peer sent and earned, that nothing is held, and that debits equal
// credits.
//
// Exit status: 1 if the books do not add up or a measurement fails, 2 for a wrong command line.
package main

import (
	"os"

	"github.com/peerledger/peerledger/examples/internal/program"
	"github.com/peerledger/peerledger/internal/bench"
)

func main() { os.Exit(program.Run("bench", bench.ErrUsage, bench.Main)) }
