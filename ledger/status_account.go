package ledger

import (
	"fmt"
	"maps"
	"slices"
)

// CreateAccountStatus is the ledger's answer to one event of [Ledger.CreateAccounts], with
// TigerBeetle's numbers. [CreateAccountStatus.Outcome] classifies it. The first broken rule decides
// the status; the rules run in another order than the numbers. The rules are at
// https://docs.tigerbeetle.com/reference/requests/create_accounts/.
type CreateAccountStatus uint32

// The answers to [Ledger.CreateAccounts].
const (
	AccountCreated                              CreateAccountStatus = 0xFFFFFFFF // the account is stored
	AccountLinkedEventFailed                    CreateAccountStatus = 1          // another member of the chain failed
	AccountLinkedEventChainOpen                 CreateAccountStatus = 2          // the last event of the request is linked
	AccountTimestampMustBeZero                  CreateAccountStatus = 3          // only an imported account has a timestamp
	AccountReservedField                        CreateAccountStatus = 4          // Reserved must be 0
	AccountReservedFlag                         CreateAccountStatus = 5          // bits 6 to 15 must be 0
	AccountIDMustNotBeZero                      CreateAccountStatus = 6
	AccountIDMustNotBeIntMax                    CreateAccountStatus = 7 // the id is IDMax
	AccountFlagsAreMutuallyExclusive            CreateAccountStatus = 8 // both limit flags are set
	AccountDebitsPendingMustBeZero              CreateAccountStatus = 9
	AccountDebitsPostedMustBeZero               CreateAccountStatus = 10
	AccountCreditsPendingMustBeZero             CreateAccountStatus = 11
	AccountCreditsPostedMustBeZero              CreateAccountStatus = 12
	AccountLedgerMustNotBeZero                  CreateAccountStatus = 13
	AccountCodeMustNotBeZero                    CreateAccountStatus = 14
	AccountExistsWithDifferentFlags             CreateAccountStatus = 15 // compares AccountClosed too
	AccountExistsWithDifferentUserData128       CreateAccountStatus = 16
	AccountExistsWithDifferentUserData64        CreateAccountStatus = 17
	AccountExistsWithDifferentUserData32        CreateAccountStatus = 18
	AccountExistsWithDifferentLedger            CreateAccountStatus = 19
	AccountExistsWithDifferentCode              CreateAccountStatus = 20
	AccountExists                               CreateAccountStatus = 21 // the same account is stored
	AccountImportedEventExpected                CreateAccountStatus = 22 // the first event is imported, this event is not
	AccountImportedEventNotExpected             CreateAccountStatus = 23 // this event is imported, the first event is not
	AccountImportedEventTimestampOutOfRange     CreateAccountStatus = 24 // outside 1 to TimestampMax
	AccountImportedEventTimestampMustNotAdvance CreateAccountStatus = 25 // not before the request's own time
	AccountImportedEventTimestampMustNotRegress CreateAccountStatus = 26 // not after every account, or taken by a transfer
)

// accountStatusNames are TigerBeetle's own names.
var accountStatusNames = map[CreateAccountStatus]string{
	AccountCreated:                              "created",
	AccountLinkedEventFailed:                    "linked_event_failed",
	AccountLinkedEventChainOpen:                 "linked_event_chain_open",
	AccountTimestampMustBeZero:                  "timestamp_must_be_zero",
	AccountReservedField:                        "reserved_field",
	AccountReservedFlag:                         "reserved_flag",
	AccountIDMustNotBeZero:                      "id_must_not_be_zero",
	AccountIDMustNotBeIntMax:                    "id_must_not_be_int_max",
	AccountFlagsAreMutuallyExclusive:            "flags_are_mutually_exclusive",
	AccountDebitsPendingMustBeZero:              "debits_pending_must_be_zero",
	AccountDebitsPostedMustBeZero:               "debits_posted_must_be_zero",
	AccountCreditsPendingMustBeZero:             "credits_pending_must_be_zero",
	AccountCreditsPostedMustBeZero:              "credits_posted_must_be_zero",
	AccountLedgerMustNotBeZero:                  "ledger_must_not_be_zero",
	AccountCodeMustNotBeZero:                    "code_must_not_be_zero",
	AccountExistsWithDifferentFlags:             "exists_with_different_flags",
	AccountExistsWithDifferentUserData128:       "exists_with_different_user_data_128",
	AccountExistsWithDifferentUserData64:        "exists_with_different_user_data_64",
	AccountExistsWithDifferentUserData32:        "exists_with_different_user_data_32",
	AccountExistsWithDifferentLedger:            "exists_with_different_ledger",
	AccountExistsWithDifferentCode:              "exists_with_different_code",
	AccountExists:                               "exists",
	AccountImportedEventExpected:                "imported_event_expected",
	AccountImportedEventNotExpected:             "imported_event_not_expected",
	AccountImportedEventTimestampOutOfRange:     "imported_event_timestamp_out_of_range",
	AccountImportedEventTimestampMustNotAdvance: "imported_event_timestamp_must_not_advance",
	AccountImportedEventTimestampMustNotRegress: "imported_event_timestamp_must_not_regress",
}

// String returns TigerBeetle's name of the status, for example "exists_with_different_flags".
func (s CreateAccountStatus) String() string {
	if name, ok := accountStatusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("CreateAccountStatus(%d)", uint32(s))
}

// CreateAccountStatuses returns all statuses, by number.
func CreateAccountStatuses() []CreateAccountStatus {
	return slices.Sorted(maps.Keys(accountStatusNames))
}
