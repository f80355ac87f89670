// Package tbclient is the embedded ledger as TigerBeetle's own Go client: any Go program on
// TigerBeetle can be tested without a server. It is for programs that use
// github.com/tigerbeetle/tigerbeetle-go directly; programs on package ledger only need package
// embedded.
//
//	client := tbclient.New(embedded.New())
//
// The client behaves like the client of tigerbeetle-go v0.17.9, according to its source and to
// measurements: a call blocks until it is answered, an answer without rows is an empty slice and
// not nil, and only two errors occur: ErrTooMuchData, and ErrClientClosed after Close. The ledger
// gives the answers. For its clock, with which a test lets holds expire, and for its limits see
// [embedded.WithClock] and [embedded.WithBatchMax].
//
// # When TigerBeetle is away
//
// TigerBeetle's client never gives up: without a cluster a call blocks until Close. This client
// does the same if the ledger is closed or fails in any other way: calls block until the client is
// closed, and then return ErrClientClosed. The outcome of such a request is unknown. To test a
// program without TigerBeetle, give it a client of a closed ledger. (If a test hangs on an unclosed
// ledger in a folder, the error of [embedded.Ledger.Close] names the fault of the folder.) Nop, and
// a request above the limit, return at once even while TigerBeetle is away.
//
// # Differences
//
//   - Nop on the real client blocks until the first contact with a cluster; here it never blocks.
//   - Two concurrent calls of GetChangeEvents end the process with the real client; here both are
//     answered.
//
// Like tigerbeetle-go, the package needs cgo; without cgo it is empty.
package tbclient
