// Package export writes the books for accounting and table programs, without a lost unit: every
// amount is an exact integer, and every balance is checked against the ledger.
//
// An export has one [Entry] for each transfer that moved money, oldest first, between two
// [Account]s of one asset. Holds, voids, expired holds and markers without an amount move no money
// and are left out. So are changes of a credit line: a peer's account and its credit line account are
// one Account here, whose balance is the position before arrears, and a change of the line does not
// move it (docs/money.md).
//
// A [Writer] writes one file format.
package export
