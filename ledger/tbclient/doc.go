// Package tbclient is the embedded ledger as TigerBeetle's own Go client: any Go
// program on TigerBeetle can be tested without a server. It is for programs that
// use github.com/tigerbeetle/tigerbeetle-go directly; those on package ledger
// need only package embedded.
//
//	client := tbclient.New(embedded.New())
//
// The client behaves as that of tigerbeetle-go v0.17.9 does, as read in its source
// and measured: a call blocks until it is answered, an answer without rows is an
// empty slice and not nil, and only two errors occur: ErrTooMuchData, and
// ErrClientClosed once Close was called. The answers are those of the ledger; see
// package embedded for its clock, by which a test lets holds expire, and for its
// limits.
//
// # When TigerBeetle is away
//
// TigerBeetle's client never gives up: while no cluster answers, a call blocks, and
// nothing but Close ends it. So it is here with a ledger that is closed, or that
// fails in any other way: calls block until the client is closed, and then return
// ErrClientClosed. Whether such a request was applied is not known. To see what a
// program does when TigerBeetle is away, give it a client of a closed ledger. (If a
// test hangs on a ledger in a folder that nobody closed, Close of the ledger says what
// is wrong with the folder.)
// Nop is answered within the client, also while TigerBeetle is away, and so is a
// request that is too large.
//
// # Differences
//
//   - Nop on the real client blocks until the first contact with a cluster; here there
//     is no such moment.
//   - Two calls of GetChangeEvents at once on one client end the process with the real
//     client; here they are answered.
//
// Like tigerbeetle-go, the package needs cgo; without cgo it is empty.
package tbclient
