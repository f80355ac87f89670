// Package embedded is a ledger inside the process with exactly TigerBeetle's rules: a program gets
// the answers of a TigerBeetle 0.17 cluster, status by status and balance by balance, without a
// server. [New] keeps everything in memory until the process ends. [Open] keeps everything in a
// folder, where answered requests survive a crash.
//
// The package covers linked chains, two-phase transfers, limits, balancing and closing transfers,
// imported events, burnt ids, expiry, history, queries and change events. The rules are
// TigerBeetle's (https://docs.tigerbeetle.com/reference/). Where its documentation and its code
// differ, this package follows the code.
//
// # How it is built
//
// A [Ledger] runs one request at a time on its books. The books are two lists, accounts and
// transfers, which only grow and are in the order of their timestamps, with a map from id to
// position in the list. A transfer in memory has the positions of its accounts in place of their
// ids: it takes 112 bytes, and some 22 in the map. A request takes its timestamps from the clock and
// runs its events in order (chain.go). Each event is checked against the rules of its kind in a fixed
// order: accounts.go, transfers.go for single-phase and pending transfers, resolve.go for posts and
// voids, package tbexists for known ids. The first broken rule is the answer. A broken chain is rolled
// back from a log of its changes.
//
// Writes maintain no index except for ids. An index by account, ledger number, code or user data,
// and the history of balances, read on to the end of the lists when a query needs them: the first
// query by a field takes some 50 ns for each transfer in memory, later queries as long as their
// answer. A query by several fields takes as long as a query by the rarest of them.
//
// # In a folder
//
// Requests are logged with their timestamps (journal.go). The rules depend on nothing else, so
// repeating the requests (restore.go) gives the same books; a checksum of the answers verifies it.
// Package wal writes the log.
//
// Whenever the log has grown by some 131,000 transfers, or to the size of the last checkpoint, the
// books are sealed in the background (seal.go): the transfers since the last seal go to the disk and
// leave the memory. So memory has
//
//   - the accounts, some 150 bytes each, twice while a checkpoint is written;
//   - the open holds, some 250 bytes each;
//   - the transfers since the last seal, and those being sealed: some 20 to 80 MB ([WithCacheSize]), and
//     after a query for balances or change events up to three times as much on top, for the states of
//     their accounts;
//   - less than 1 KiB for each segment, a file with the transfers of a seal.
//
// Settled transfers take memory and time to open only by their segments: Open opens each file and reads
// its head. It takes 0.22 s for 10 million transfers and 0.38 s for 100 million in 760 files, measured.
// A year of 1,000 packets a second, two transfers each, makes some 420,000 files. They take up to 430 MB of
// memory and, at the same time for each file, 100 s to open. A query without a time span reads into each
// file. A greater cache makes fewer files ([WithCacheSize]).
//
// A folder takes 2^40-1 transfers: 17 years of 1,000 packets a second. A position, the number of a
// transfer, has 40 bits in the files, and lists in memory have places of 32 bits. On the disk are, for
// each seal, a segment (package segment) with the rows, the lists of rows by field, and the states of
// the accounts before it; and runs of ids (package idindex), which are merged now and then. A checkpoint
// has the accounts, the open holds, and the names of these files. Their sums are checked with every byte
// that is read.
//
// A request looks a new id up in memory and in the filters of the runs, which say no. Only if an id
// may be an old one are rows read from the disk, before the request changes anything (fetch.go). A
// query walks the segments in the order of time, and reads the shortest list of its fields in each,
// while other requests run (cold_request.go). The balances after a transfer are in no file: they are
// computed by repeating the rows of its segment (cold_history.go).
//
// The files are of this package's own kind, and not of a general store such as Pebble or bbolt: a
// transfer never changes once it is settled, comes in the order of its key, and is in the log of the
// same folder. So a row is written once, with no compaction, and most questions about ids are answered
// no. A general store adds its own log, its own cache and its own copy of every key. Measured on one
// core of a busy machine (Pebble 2.1.4 with filters and a cache of 64 MiB, bbolt 1.4.3): 5 million
// random ids, each looked up before it is stored, in batches of 8,000, each synced before the next:
//
//	                              rows/s   CPU us/row   disk bytes/row   written/row   RssAnon
//	ids only: Pebble              35,300         17.0               40           129    173 MB
//	ids only: bbolt               23,000         26.7               60         3,531     14 MB
//	ids only: idindex and a log  774,000          0.6               16            60      9 MB
//	ids and rows: Pebble          46,900         15.3               99           669    179 MB
//	ids and rows: bbolt           24,500         26.7              231         3,704     14 MB
//	this ledger, with all rules  333,000          1.4              167           319     25 MB
//
// The last line has balances and the lists of rows by field too, which the stores lack. A field that is
// zero is in no list, so the bytes depend on the rows: a row of a recorder, which has user data, takes
// some 185 bytes on the disk. Written are the bytes given to the disk by the end of the inserts, RssAnon
// is memory after a collection.
//
// The newest transfers are the only cache to configure ([WithCacheSize]). Other rows and ids are
// read through the cache of the operating system, and filters are mapped files: neither counts as
// memory of the process.
//
// # Time
//
// No goroutine waits for holds to expire. TigerBeetle releases an expired hold by itself, a moment
// after the expiry. Here a request 100 ms or more after the expiry releases the hold before it
// runs, and an earlier request releases it after it ran. A caller therefore sees the books of an
// idle server. See [Ledger.Pulse] and [WithClock].
//
// Timestamps only grow, and a folder keeps them. If a clock was ahead, even for one request,
// timestamps stay in the future until the wall clock has caught up. Meanwhile the ledger's time
// runs at half speed, where a server's would stand still and no hold would expire: a hold ends
// after its timeout or up to twice the timeout, never earlier. [Recovery.ClockAhead] reports it;
// transfers booked meanwhile keep their wrong time.
package embedded
