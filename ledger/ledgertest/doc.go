// Package ledgertest says what every ledger must do, as tests: the embedded
// ledger and a TigerBeetle cluster pass the same suite, and so must any other
// implementation of ledger.Ledger.
//
//   - [Run] is the suite: scenarios (see testdata/README.md), requests as a whole,
//     and a random program.
//   - [RunRecorded] compares with answers that were recorded from a server, and
//     [RunAll] is both.
//   - [RunProgram] runs one random program, for more seeds than Run takes, and
//     [RunBytes] one that a fuzz target spells.
//   - [RunDifferential] runs one on two ledgers, and compares them.
//   - [RequireConserved] and [RequireNothingHeld] end any test that moves money.
//
// Run, RunRecorded and RunAll log which statuses they met, how often, and which
// never (go test -v shows it).
//
// # Programs
//
// A program (program.go, generator*.go) is drawn from a seed or from bytes: it
// sends accounts and transfers with much that is wrong in them, asks, lets time
// pass and sends requests again. A run (run*.go) sends it to a ledger and keeps a
// mirror of the books (mirror*.go): it takes the ledger's word for what is created
// and what is not, and works out all that follows from it, which accounts, queries,
// history and change events then have to show at every moment. What must be
// refused it knows only in part. That is told by scenarios and recorded answers,
// and by the same program in other requests (recut.go, again.go) or on another
// ledger (differential.go).
package ledgertest
