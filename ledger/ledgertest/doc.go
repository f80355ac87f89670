// Package ledgertest says what every ledger must do, as tests: the embedded
// ledger and a TigerBeetle cluster pass the same suite, and so must any other
// implementation of ledger.Ledger.
//
//   - [Run] is the suite: scenarios (see testdata/README.md), requests as a whole,
//     and a random program.
//   - [RunRecorded] compares with answers that were recorded from a server.
//   - [RunProgram] runs one random program, for more seeds than Run takes.
//   - [RequireConserved] and [RequireNothingHeld] end any test that moves money.
package ledgertest
