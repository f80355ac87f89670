package ledger

import (
	"fmt"
	"maps"
	"slices"
)

// CreateAccountStatus is the ledger's answer to one event of CreateAccounts, with
// TigerBeetle's numbers. The first rule that an event breaks decides; the order of
// the rules is not the order of the numbers.
// (https://docs.tigerbeetle.com/reference/requests/create_accounts/)
type CreateAccountStatus uint32

// The answers to CreateAccounts.
const (
	AccountCreated                              CreateAccountStatus = 0xFFFFFFFF
	AccountLinkedEventFailed                    CreateAccountStatus = 1
	AccountLinkedEventChainOpen                 CreateAccountStatus = 2
	AccountTimestampMustBeZero                  CreateAccountStatus = 3
	AccountReservedField                        CreateAccountStatus = 4
	AccountReservedFlag                         CreateAccountStatus = 5
	AccountIDMustNotBeZero                      CreateAccountStatus = 6
	AccountIDMustNotBeIntMax                    CreateAccountStatus = 7
	AccountFlagsAreMutuallyExclusive            CreateAccountStatus = 8
	AccountDebitsPendingMustBeZero              CreateAccountStatus = 9
	AccountDebitsPostedMustBeZero               CreateAccountStatus = 10
	AccountCreditsPendingMustBeZero             CreateAccountStatus = 11
	AccountCreditsPostedMustBeZero              CreateAccountStatus = 12
	AccountLedgerMustNotBeZero                  CreateAccountStatus = 13
	AccountCodeMustNotBeZero                    CreateAccountStatus = 14
	AccountExistsWithDifferentFlags             CreateAccountStatus = 15
	AccountExistsWithDifferentUserData128       CreateAccountStatus = 16
	AccountExistsWithDifferentUserData64        CreateAccountStatus = 17
	AccountExistsWithDifferentUserData32        CreateAccountStatus = 18
	AccountExistsWithDifferentLedger            CreateAccountStatus = 19
	AccountExistsWithDifferentCode              CreateAccountStatus = 20
	AccountExists                               CreateAccountStatus = 21
	AccountImportedEventExpected                CreateAccountStatus = 22
	AccountImportedEventNotExpected             CreateAccountStatus = 23
	AccountImportedEventTimestampOutOfRange     CreateAccountStatus = 24
	AccountImportedEventTimestampMustNotAdvance CreateAccountStatus = 25
	AccountImportedEventTimestampMustNotRegress CreateAccountStatus = 26
)

// accountStatusNames are the names on TigerBeetle's wire and in its docs.
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

// String is TigerBeetle's name of the status, e.g. "exists_with_different_flags".
func (s CreateAccountStatus) String() string {
	if name, ok := accountStatusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("CreateAccountStatus(%d)", uint32(s))
}

// CreateAccountStatuses returns all the statuses, by number.
func CreateAccountStatuses() []CreateAccountStatus {
	return slices.Sorted(maps.Keys(accountStatusNames))
}
