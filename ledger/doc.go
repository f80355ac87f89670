// Package ledger is the seam between peerledger and whatever keeps the books:
// TigerBeetle's records, statuses and operations in pure Go, and the Ledger
// interface that a TigerBeetle cluster and the embedded ledger both implement.
//
// The records have TigerBeetle's layout (128 bytes an account or a transfer,
// the same field order, little-endian machines), so that they are handed to the
// native client without copying. A test asserts it against tigerbeetle-go.
//
// # Five outcomes
//
// Whoever sends a create request ends in one of five places, and each asks for
// another next step:
//
//   - applied (OutcomeApplied): the event is in the ledger;
//   - applied before (OutcomeAlreadyApplied): the very same event is in the
//     ledger since an earlier request; a success;
//   - refused and the id spent (OutcomeIDSpent): one of the transient statuses.
//     The same transfer may pass later, but only under a new id;
//   - refused (OutcomeRefused): the event itself is wrong, the id is free;
//   - unknown (ErrOutcomeUnknown, OutcomeUnknown): the request was handed over
//     and its answer was lost. Nobody can say whether it was applied. Sending
//     the same event under the same id again finds out, and is always safe.
//
// The rules are those of TigerBeetle 0.17
// (https://docs.tigerbeetle.com/reference/requests/create_transfers/).
package ledger
