package ledger

import (
	"fmt"
	"maps"
	"slices"
)

// CreateTransferStatus is the ledger's answer to one event of [Ledger.CreateTransfers], with
// TigerBeetle's numbers. [CreateTransferStatus.Outcome] classifies it; a transient status burns
// the id ([CreateTransferStatus.Transient]). The first broken rule decides the status; the rules
// run in another order than the numbers. The rules are at
// https://docs.tigerbeetle.com/reference/requests/create_transfers/.
type CreateTransferStatus uint32

// The answers to [Ledger.CreateTransfers].
const (
	TransferCreated                                         CreateTransferStatus = 0xFFFFFFFF // the transfer is stored
	TransferLinkedEventFailed                               CreateTransferStatus = 1          // another member of the chain failed
	TransferLinkedEventChainOpen                            CreateTransferStatus = 2          // the last event of the request is linked
	TransferTimestampMustBeZero                             CreateTransferStatus = 3          // only an imported transfer has a timestamp
	TransferReservedFlag                                    CreateTransferStatus = 4          // bits 9 to 15 must be 0
	TransferIDMustNotBeZero                                 CreateTransferStatus = 5
	TransferIDMustNotBeIntMax                               CreateTransferStatus = 6 // the id is IDMax
	TransferFlagsAreMutuallyExclusive                       CreateTransferStatus = 7 // post with void, or either with pending, balancing or closing
	TransferDebitAccountIDMustNotBeZero                     CreateTransferStatus = 8
	TransferDebitAccountIDMustNotBeIntMax                   CreateTransferStatus = 9
	TransferCreditAccountIDMustNotBeZero                    CreateTransferStatus = 10
	TransferCreditAccountIDMustNotBeIntMax                  CreateTransferStatus = 11
	TransferAccountsMustBeDifferent                         CreateTransferStatus = 12
	TransferPendingIDMustBeZero                             CreateTransferStatus = 13 // only a post or void has a PendingID
	TransferPendingIDMustNotBeZero                          CreateTransferStatus = 14
	TransferPendingIDMustNotBeIntMax                        CreateTransferStatus = 15
	TransferPendingIDMustBeDifferent                        CreateTransferStatus = 16 // the transfer's own id
	TransferTimeoutReservedForPendingTransfer               CreateTransferStatus = 17 // a timeout without TransferPending
	TransferLedgerMustNotBeZero                             CreateTransferStatus = 19
	TransferCodeMustNotBeZero                               CreateTransferStatus = 20
	TransferDebitAccountNotFound                            CreateTransferStatus = 21 // transient
	TransferCreditAccountNotFound                           CreateTransferStatus = 22 // transient
	TransferAccountsMustHaveTheSameLedger                   CreateTransferStatus = 23 // the accounts have different ledger numbers
	TransferTransferMustHaveTheSameLedgerAsAccounts         CreateTransferStatus = 24
	TransferPendingTransferNotFound                         CreateTransferStatus = 25 // transient
	TransferPendingTransferNotPending                       CreateTransferStatus = 26 // PendingID is no pending transfer
	TransferPendingTransferHasDifferentDebitAccountID       CreateTransferStatus = 27
	TransferPendingTransferHasDifferentCreditAccountID      CreateTransferStatus = 28
	TransferPendingTransferHasDifferentLedger               CreateTransferStatus = 29
	TransferPendingTransferHasDifferentCode                 CreateTransferStatus = 30
	TransferExceedsPendingTransferAmount                    CreateTransferStatus = 31 // more than the held amount
	TransferPendingTransferHasDifferentAmount               CreateTransferStatus = 32 // a void of less than the held amount
	TransferPendingTransferAlreadyPosted                    CreateTransferStatus = 33
	TransferPendingTransferAlreadyVoided                    CreateTransferStatus = 34
	TransferPendingTransferExpired                          CreateTransferStatus = 35 // the timeout has passed
	TransferExistsWithDifferentFlags                        CreateTransferStatus = 36
	TransferExistsWithDifferentDebitAccountID               CreateTransferStatus = 37
	TransferExistsWithDifferentCreditAccountID              CreateTransferStatus = 38
	TransferExistsWithDifferentAmount                       CreateTransferStatus = 39
	TransferExistsWithDifferentPendingID                    CreateTransferStatus = 40
	TransferExistsWithDifferentUserData128                  CreateTransferStatus = 41
	TransferExistsWithDifferentUserData64                   CreateTransferStatus = 42
	TransferExistsWithDifferentUserData32                   CreateTransferStatus = 43
	TransferExistsWithDifferentTimeout                      CreateTransferStatus = 44
	TransferExistsWithDifferentCode                         CreateTransferStatus = 45
	TransferExists                                          CreateTransferStatus = 46 // the same transfer is stored
	TransferOverflowsDebitsPending                          CreateTransferStatus = 47 // the sum is beyond 2^128-1
	TransferOverflowsCreditsPending                         CreateTransferStatus = 48 // the sum is beyond 2^128-1
	TransferOverflowsDebitsPosted                           CreateTransferStatus = 49 // the sum is beyond 2^128-1
	TransferOverflowsCreditsPosted                          CreateTransferStatus = 50 // the sum is beyond 2^128-1
	TransferOverflowsDebits                                 CreateTransferStatus = 51 // the sum is beyond 2^128-1
	TransferOverflowsCredits                                CreateTransferStatus = 52 // the sum is beyond 2^128-1
	TransferOverflowsTimeout                                CreateTransferStatus = 53 // the expiry is beyond TimestampMax
	TransferExceedsCredits                                  CreateTransferStatus = 54 // transient; limit of the debit account
	TransferExceedsDebits                                   CreateTransferStatus = 55 // transient; limit of the credit account
	TransferImportedEventExpected                           CreateTransferStatus = 56 // the first event is imported, this event is not
	TransferImportedEventNotExpected                        CreateTransferStatus = 57 // this event is imported, the first event is not
	TransferImportedEventTimestampOutOfRange                CreateTransferStatus = 58 // outside 1 to TimestampMax
	TransferImportedEventTimestampMustNotAdvance            CreateTransferStatus = 59 // not before the request's own time
	TransferImportedEventTimestampMustNotRegress            CreateTransferStatus = 60 // not after every transfer, or taken by an account
	TransferImportedEventTimestampMustPostdateDebitAccount  CreateTransferStatus = 61
	TransferImportedEventTimestampMustPostdateCreditAccount CreateTransferStatus = 62
	TransferImportedEventTimeoutMustBeZero                  CreateTransferStatus = 63
	TransferClosingTransferMustBePending                    CreateTransferStatus = 64 // a closing flag without TransferPending
	TransferDebitAccountAlreadyClosed                       CreateTransferStatus = 65 // transient
	TransferCreditAccountAlreadyClosed                      CreateTransferStatus = 66 // transient
	TransferExistsWithDifferentLedger                       CreateTransferStatus = 67
	TransferIDAlreadyFailed                                 CreateTransferStatus = 68 // an earlier transient refusal burnt the id
)

// transferStatusNames are TigerBeetle's own names.
var transferStatusNames = map[CreateTransferStatus]string{
	TransferCreated:                                         "created",
	TransferLinkedEventFailed:                               "linked_event_failed",
	TransferLinkedEventChainOpen:                            "linked_event_chain_open",
	TransferTimestampMustBeZero:                             "timestamp_must_be_zero",
	TransferReservedFlag:                                    "reserved_flag",
	TransferIDMustNotBeZero:                                 "id_must_not_be_zero",
	TransferIDMustNotBeIntMax:                               "id_must_not_be_int_max",
	TransferFlagsAreMutuallyExclusive:                       "flags_are_mutually_exclusive",
	TransferDebitAccountIDMustNotBeZero:                     "debit_account_id_must_not_be_zero",
	TransferDebitAccountIDMustNotBeIntMax:                   "debit_account_id_must_not_be_int_max",
	TransferCreditAccountIDMustNotBeZero:                    "credit_account_id_must_not_be_zero",
	TransferCreditAccountIDMustNotBeIntMax:                  "credit_account_id_must_not_be_int_max",
	TransferAccountsMustBeDifferent:                         "accounts_must_be_different",
	TransferPendingIDMustBeZero:                             "pending_id_must_be_zero",
	TransferPendingIDMustNotBeZero:                          "pending_id_must_not_be_zero",
	TransferPendingIDMustNotBeIntMax:                        "pending_id_must_not_be_int_max",
	TransferPendingIDMustBeDifferent:                        "pending_id_must_be_different",
	TransferTimeoutReservedForPendingTransfer:               "timeout_reserved_for_pending_transfer",
	TransferLedgerMustNotBeZero:                             "ledger_must_not_be_zero",
	TransferCodeMustNotBeZero:                               "code_must_not_be_zero",
	TransferDebitAccountNotFound:                            "debit_account_not_found",
	TransferCreditAccountNotFound:                           "credit_account_not_found",
	TransferAccountsMustHaveTheSameLedger:                   "accounts_must_have_the_same_ledger",
	TransferTransferMustHaveTheSameLedgerAsAccounts:         "transfer_must_have_the_same_ledger_as_accounts",
	TransferPendingTransferNotFound:                         "pending_transfer_not_found",
	TransferPendingTransferNotPending:                       "pending_transfer_not_pending",
	TransferPendingTransferHasDifferentDebitAccountID:       "pending_transfer_has_different_debit_account_id",
	TransferPendingTransferHasDifferentCreditAccountID:      "pending_transfer_has_different_credit_account_id",
	TransferPendingTransferHasDifferentLedger:               "pending_transfer_has_different_ledger",
	TransferPendingTransferHasDifferentCode:                 "pending_transfer_has_different_code",
	TransferExceedsPendingTransferAmount:                    "exceeds_pending_transfer_amount",
	TransferPendingTransferHasDifferentAmount:               "pending_transfer_has_different_amount",
	TransferPendingTransferAlreadyPosted:                    "pending_transfer_already_posted",
	TransferPendingTransferAlreadyVoided:                    "pending_transfer_already_voided",
	TransferPendingTransferExpired:                          "pending_transfer_expired",
	TransferExistsWithDifferentFlags:                        "exists_with_different_flags",
	TransferExistsWithDifferentDebitAccountID:               "exists_with_different_debit_account_id",
	TransferExistsWithDifferentCreditAccountID:              "exists_with_different_credit_account_id",
	TransferExistsWithDifferentAmount:                       "exists_with_different_amount",
	TransferExistsWithDifferentPendingID:                    "exists_with_different_pending_id",
	TransferExistsWithDifferentUserData128:                  "exists_with_different_user_data_128",
	TransferExistsWithDifferentUserData64:                   "exists_with_different_user_data_64",
	TransferExistsWithDifferentUserData32:                   "exists_with_different_user_data_32",
	TransferExistsWithDifferentTimeout:                      "exists_with_different_timeout",
	TransferExistsWithDifferentCode:                         "exists_with_different_code",
	TransferExists:                                          "exists",
	TransferOverflowsDebitsPending:                          "overflows_debits_pending",
	TransferOverflowsCreditsPending:                         "overflows_credits_pending",
	TransferOverflowsDebitsPosted:                           "overflows_debits_posted",
	TransferOverflowsCreditsPosted:                          "overflows_credits_posted",
	TransferOverflowsDebits:                                 "overflows_debits",
	TransferOverflowsCredits:                                "overflows_credits",
	TransferOverflowsTimeout:                                "overflows_timeout",
	TransferExceedsCredits:                                  "exceeds_credits",
	TransferExceedsDebits:                                   "exceeds_debits",
	TransferImportedEventExpected:                           "imported_event_expected",
	TransferImportedEventNotExpected:                        "imported_event_not_expected",
	TransferImportedEventTimestampOutOfRange:                "imported_event_timestamp_out_of_range",
	TransferImportedEventTimestampMustNotAdvance:            "imported_event_timestamp_must_not_advance",
	TransferImportedEventTimestampMustNotRegress:            "imported_event_timestamp_must_not_regress",
	TransferImportedEventTimestampMustPostdateDebitAccount:  "imported_event_timestamp_must_postdate_debit_account",
	TransferImportedEventTimestampMustPostdateCreditAccount: "imported_event_timestamp_must_postdate_credit_account",
	TransferImportedEventTimeoutMustBeZero:                  "imported_event_timeout_must_be_zero",
	TransferClosingTransferMustBePending:                    "closing_transfer_must_be_pending",
	TransferDebitAccountAlreadyClosed:                       "debit_account_already_closed",
	TransferCreditAccountAlreadyClosed:                      "credit_account_already_closed",
	TransferExistsWithDifferentLedger:                       "exists_with_different_ledger",
	TransferIDAlreadyFailed:                                 "id_already_failed",
}

// String returns TigerBeetle's name of the status, for example "exists_with_different_flags".
func (s CreateTransferStatus) String() string {
	if name, ok := transferStatusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("CreateTransferStatus(%d)", uint32(s))
}

// CreateTransferStatuses returns all statuses, by number.
func CreateTransferStatuses() []CreateTransferStatus {
	return slices.Sorted(maps.Keys(transferStatusNames))
}
