// Bench measures the recorder and compares it with programs that call the ledger's client directly,
// in one run and on the same ledger.
//
//	go run ./examples/bench [flags]
//	go run ./examples/bench -ledger cluster -packets 1000000 -count 5 -axes all -plot bench.svg
//
// Four ways to write the same rows are measured, with a hold and its post (phase two) and in one
// step (phase single), and in two phases two ways to write the sums of the same packets:
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
//	rounds    (e) aggregate.Recorder.Submit without a journal, from one goroutine per instance;
//	          8,192 packets are open, and each is fulfilled
//	rounds-journal
//	          (f) as (e), with a journal: at most 65,536 fulfills wait for the disk, and a
//	          packet counts when its fulfill is on disk
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
// is a folder in -journal-dir, or else in TMPDIR: in memory (tmpfs) it costs less than on a disk, where
// it belongs, and the figures of (f) are then marked.
//
// The packets of (e) and (f) expire after 30 s, and an id is remembered for 92 s. With -duration a
// measurement takes so long, after a warm-up that does not count (-warmup); the other limits of a
// measurement are -packets and -max. Several -instances are recorders in this process, each with its
// own journal. After the greatest load, new recorders get half of it, for the durations of calls.
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
// The second table is of (e) and (f). Of mixed and of submit are ratios of throughput. Ns/packet is
// the processor time of the whole process. Requests/s are the calls of the ledger's interface, at
// the greatest load. The durations are at half of the greatest load: of a prepare that is decided at
// once, and its ratio to a call of (b) from one caller; the number and the durations of timed prepares that
// wait for a top-up, those of new recorders included; and of a fulfill until it is on disk. B/id is
// the growth of the process's memory (RssAnon) by remembered id, if there are a million. -axes memory
// measures ids, open packets and peers alone.
//
// -requests adds a table: the requests at 100,000 packets a second, 1,000 peers and a settlement
// engine that checks balances; no payment is due. It takes as long as -duration or -max.
//
// With -count above 1 all measurements are made once, then all of them again, every second round
// backwards, so that other load on the machine hits all sides alike. A figure is the median of the
// rounds, with the minimum and maximum in brackets. Ratios are computed within each round first.
//
// # A ledger in a folder
//
// With -ledger folder, -axes memory measures an embedded ledger in a folder, and nothing else:
//
//	go run ./examples/bench -ledger folder -axes memory -rows 10000000 -json
//
// The folder is in -ledger-dir, where it stays, or else in TMPDIR, which should be on a disk. A
// recorder writes -rows rows in two phases: half as many packets. At each power of ten from a
// million on, and at the end, the figures are taken. Memory B/row is the growth of RssAnon and
// RssShmem since the start of the process, after a collection, by row: caches count, the page cache
// does not. The peak is without a collection. Packets/s, rows/s and the durations from Submit to the
// answer are of the second half of the rows, and -json adds lines of two seconds each. Look-ups are
// of one id: with the folder's files as the page cache has them, after they were dropped from it, and
// of ids that no row has. The folder is then opened in new processes: after a close, with files in
// the page cache and without; and after a process that wrote -tail more rows was killed while it
// wrote on. The figures are times from Open to its return, to the first right answer of a query by
// user data, and to that of a look-up after it.
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
