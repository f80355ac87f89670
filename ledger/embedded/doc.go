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
// position in the list. A request takes its timestamps from the clock and runs its events in order
// (chain.go). Each event is checked against the rules of its kind in a fixed order: accounts.go,
// transfers.go for single-phase and pending transfers, resolve.go for posts and voids, package
// tbexists for known ids. The first broken rule is the answer. A broken chain is rolled back from a
// log of its changes.
//
// Writes maintain no index except for ids. An index by account, ledger number, code or user data,
// and the history of balances, read on to the end of the lists when a query needs them: the first
// query by a field takes some 50 ns for each transfer in the ledger, later queries as long as their
// answer. A query by several fields takes as long as a query by the rarest of them.
//
// In a folder (journal.go, checkpoint.go) requests are logged with their timestamps. The rules
// depend on nothing else, so repeating the requests (restore.go) gives the same books; a checksum
// of the answers verifies it. From time to time the books themselves are written, so that fewer
// requests have to be repeated. Package wal writes the files.
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
