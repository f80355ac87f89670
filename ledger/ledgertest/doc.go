// Package ledgertest tests the rules that every ledger must keep. The embedded ledger and a
// TigerBeetle cluster pass the same suite, and so must any other implementation of [ledger.Ledger].
//
//   - [Run] is the suite: scenarios (see testdata/README.md), requests as a whole, and a random
//     program.
//   - [RunRecorded] compares with answers recorded from a server, and [RunAll] does both.
//   - [RunProgram] runs one random program, for more seeds than Run takes. [RunBytes] runs a
//     program drawn from the bytes of a fuzz target.
//   - [RunDifferential] runs one program on two ledgers, and compares the answers. [RunHistory]
//     compares them over any number of events, which refer to others of any age.
//   - [RequireConserved] and [RequireNothingHeld] end any test that moves money.
//
// Run, RunRecorded and RunAll log how often each status was met, and the statuses never met (shown
// by go test -v).
//
// # Programs
//
// A program (program.go, generator*.go) is drawn from a seed or from bytes. A program sends
// accounts and transfers, many of them faulty, runs queries, lets time pass and sends requests
// again. A run (run*.go) sends the program to a ledger and keeps a model of the books (model*.go).
// The model trusts the ledger's results about which events were created, and computes their
// effects. Accounts, queries, history and change events must show these effects at every moment.
// The model does not know every reason to refuse an event. Wrong refusals are found by scenarios
// and recorded answers, and by the same program in other requests (rebatch.go, resend.go) or on
// another ledger (differential.go).
package ledgertest
