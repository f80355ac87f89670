// Package embedded is a ledger inside the process, with TigerBeetle's rules to
// the letter: a program that runs on it gets the answers that a TigerBeetle 0.17
// cluster would give, status by status and balance by balance. It needs no
// server. New keeps everything in memory and forgets it when the process ends; Open
// keeps it in a folder, where what was answered survives a crash.
//
// It covers linked chains, two-phase transfers, limits, balancing and closing
// transfers, imported events, spent ids, expiry, history, queries and change
// events. The rules are TigerBeetle's
// (https://docs.tigerbeetle.com/reference/); where its documentation and its
// code differ, the code was followed.
//
// # How it is built
//
// A [Ledger] lets one request at a time at its books. The books are two lists,
// accounts and transfers, which only grow and are in the order of their
// timestamps, with a map from id to place in the list. A request takes its
// timestamps from the clock, runs its events one after another (chain.go), and
// each event goes down the ladder of its kind: accounts.go, transfers.go for
// single-phase and pending transfers, resolve.go for posts and voids, exists.go
// for ids that are there already. The first rule that an event breaks is its
// answer. A chain that breaks is taken back from a log of what it changed.
//
// Writes keep no index but that of ids. An index by account, ledger number, code or
// user data, and the history of balances, read on to the end of the lists when a
// query needs them: the first query by a field costs a moment for each transfer that
// there is (some 50 ns), later ones as much as their answer. One by several fields
// costs as much as the one of them that the fewest rows have.
//
// In a folder (journal.go, checkpoint.go) the requests are written down as they came,
// with their timestamps. As the rules depend on nothing else, running them again
// (restore.go) gives the same books, and a checksum of the answers is there to show
// it. Now and then the books themselves are written, so that there is less to run
// again. Package wal has the files.
//
// # Time
//
// No goroutine waits for holds to expire. TigerBeetle releases an expired hold a
// moment after it expired, by itself; here a request that comes 100 ms or more
// after the expiry releases first, and an earlier one releases behind itself.
// So what a caller sees is what an idle server would have shown. See
// [Ledger.Pulse] and [WithClock].
//
// Timestamps only grow, and a folder keeps them. After a clock that was ahead, if only for
// one request, they are those of the future until the wall clock has caught up. In that time
// they go on at half its speed, where those of a server would stand still and no hold would
// end: a hold ends after its timeout or up to twice that, never before. Recovery.Ahead
// tells; what was booked meanwhile keeps its wrong time.
package embedded
