// Package ledger is the interface between peerledger and its double-entry store: TigerBeetle's
// records, statuses and operations in pure Go, and the interface [Ledger]. A TigerBeetle cluster
// implements it (package cluster), and so does a ledger inside the process (package embedded).
//
// The rules are TigerBeetle 0.17's (https://docs.tigerbeetle.com/reference/). The records have
// TigerBeetle's layout: [Account] and [Transfer] take 128 bytes, in the same field order, on
// little-endian machines. Package cluster therefore gives slices of them to the native client
// without a copy. A test compares the layout with tigerbeetle-go.
//
// # Five outcomes
//
// Every event of a create request has one of five outcomes, each with its own next step:
//
//   - applied ([OutcomeApplied]): the event is in the ledger.
//   - already applied ([OutcomeAlreadyApplied]): an earlier request put the very same event into
//     the ledger. A success.
//   - refused, id burnt ([OutcomeIDBurnt], [ErrIDBurnt]): the status was transient, see
//     [CreateTransferStatus.Transient]. The same transfer may pass later under a new id, and
//     never again under this id.
//   - refused ([OutcomeRefused]): the event itself is wrong ([ErrRefused]), or its id belongs to
//     another object ([ErrIDConflict]). A wrong event leaves its id free.
//   - unknown ([OutcomeUnknown], [ErrOutcomeUnknown]): the request was sent and its answer was
//     lost. Send the same event under the same id again: it is always safe, and answers
//     whether the first request was applied.
//
// # From status to outcome
//
// The ledger answers every event with a status. [CreateAccountStatus.Outcome] and
// [CreateTransferStatus.Outcome] classify it; [AccountError] and [TransferError] match the error.
//
//	status                            outcome                error
//	created                           OutcomeApplied
//	exists                            OutcomeAlreadyApplied
//	exists_with_different_*           OutcomeRefused         ErrIDConflict
//	debit_account_not_found           OutcomeIDBurnt         ErrIDBurnt
//	credit_account_not_found          OutcomeIDBurnt         ErrIDBurnt
//	pending_transfer_not_found        OutcomeIDBurnt         ErrIDBurnt
//	exceeds_credits                   OutcomeIDBurnt         ErrIDBurnt
//	exceeds_debits                    OutcomeIDBurnt         ErrIDBurnt
//	debit_account_already_closed      OutcomeIDBurnt         ErrIDBurnt
//	credit_account_already_closed     OutcomeIDBurnt         ErrIDBurnt
//	id_already_failed                 OutcomeIDBurnt         ErrIDBurnt
//	every other status                OutcomeRefused         ErrRefused
//
// Only transfers have burnt ids: the id of a refused account stays free.
//
// # Chains
//
// [AccountLinked] and [TransferLinked] link an event with the next event of the request. The last
// member of a chain has no such flag. A chain is applied whole or not at all, and the statuses of
// its members only make sense together: [ChainOutcome] reads them.
//
// # Filters
//
// [AccountFilter] selects the transfers of one account, [QueryFilter] accounts or transfers by
// their fields, and [ChangeEventsFilter] the events of a [ChangeFeed]. A zero field selects every
// row. Times are inclusive. An invalid filter is no error: the answer is empty, as
// TigerBeetle's is. The methods Valid report the validity.
//
// To read on from a full page, set TimestampMin to the last row's timestamp plus 1, or, with the
// reversed flag, TimestampMax to that timestamp less 1.
//
// # Limits
//
// [BatchMax], [QueryMax] and [ChangeEventsMax] limit a request. A larger request, or one larger
// than a server with smaller requests takes, returns [ErrTooMuchData], and nothing is sent.
package ledger
