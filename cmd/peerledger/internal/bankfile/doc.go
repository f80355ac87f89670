// Package bankfile reads the payments that a bank's files report: camt.052, camt.053 and camt.054 of all versions, MT940, and
// CSV with a [Mapping].
//
// [Parse] reads a file. [Decide] compares the file with the [Book] of the account, and tells of each entry whether the entry is
// booked, known, listed for the operator or skipped. [Book.Add] adds a [Report] to the book. A file that cannot be trusted as a
// whole is refused with a [RefusedError], and leaves the book as it was.
//
// A payment's key is made from the bank's own reference. Where a file has none, the payment's place in a proven statement that
// continues the last one is its key. Two payments alike in every field are therefore two payments, and a file read twice books
// nothing twice.
//
// The package does no input or output, and starts no goroutine. The caller keeps the [Book], and writes a report's payments to
// its own ledger under their keys, the known ones too: a crash between both steps is then repaired by reading the file again.
package bankfile
