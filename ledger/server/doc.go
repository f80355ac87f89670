// Package server serves a [ledger.Ledger] to TigerBeetle's clients: the published clients for Go,
// Node and Python of release 0.17.9, and those of 0.16 from 0.16.4 on, connect to it as to a
// TigerBeetle cluster of one replica. A test starts it in its own process, ends it when it likes,
// and looks into the ledger behind it. Package faulty disturbs it on purpose.
//
// The server is one process without replication, and its sessions are in memory: after a restart
// each client is evicted, as after the loss of a session, and opens a new one. The ledger decides
// what survives. A connection takes some 24 kB, and as much as its largest request, at most 1 MiB; a
// session keeps its last answer, at most 1 MiB. A machine must be little-endian, as for TigerBeetle.
//
// # How it is built
//
// Each connection has one goroutine (connection.go), which reads a message, handles it and writes
// the answer. A message that breaks the framing ends the connection, and a message with a field
// that no client sends is ignored, both as on TigerBeetle. request.go checks a request in
// TigerBeetle's order. sessions.go lets each request execute once and keeps its answer for
// repeats. body.go takes the batches out of a body, operation.go has the sizes of each operation,
// and execute.go runs it on the ledger. Package internal/vsr has headers and checksums.
//
// # Differences from TigerBeetle
//
//   - The view is always 1, and the op of an answer counts requests alone.
//   - A full server ends further connections at once, as releases since 0.17.6 do, and so does the
//     server with a connection that is idle for longer than clients ever are.
//   - The batches of a request that must not be merged (chains left open, imported events) are
//     separate requests of the ledger: another session's request may run between them.
//   - A request that the ledger fails, for example at the end of [Config.CloseTimeout], has no
//     answer. If the server serves on, the client's repeat executes again, and finds the events that
//     the first execution created ([ledger.ErrOutcomeUnknown]).
//   - A client of release 0.16.4 may send one event more in a request than a client of later
//     releases. The embedded ledger does not take it, and the client is evicted.
package server
