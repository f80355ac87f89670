package ledger

import "lukechampine.com/uint128"

// Account is TigerBeetle's account record, 128 bytes. The caller of
// CreateAccounts sets ID, UserData*, Ledger, Code and Flags and leaves the rest
// zero; the ledger fills in Timestamp and keeps the four balances.
// (https://docs.tigerbeetle.com/reference/account/)
type Account struct {
	ID             ID
	DebitsPending  Amount // units held by pending transfers out of the account
	DebitsPosted   Amount // units debited for good
	CreditsPending Amount // units held by pending transfers into the account
	CreditsPosted  Amount // units credited for good
	UserData128    uint128.Uint128
	UserData64     uint64
	UserData32     uint32
	Reserved       uint32 // must be 0
	Ledger         uint32 // only accounts of one ledger number can trade; not 0
	Code           uint16 // the kind of account, the user's choice; not 0
	Flags          AccountFlags
	Timestamp      uint64 // nanoseconds since the Unix epoch, set by the ledger
}

// AccountFlags are the bits of Account.Flags.
type AccountFlags uint16

// The account flags. Bits 6 to 15 must be zero.
const (
	// AccountLinked chains the event with the next one of the request: both
	// are applied or neither is. It is stored.
	AccountLinked AccountFlags = 1 << 0
	// AccountDebitsMustNotExceedCredits refuses a transfer that would take
	// pending plus posted debits above posted credits. Excludes the next one.
	AccountDebitsMustNotExceedCredits AccountFlags = 1 << 1
	// AccountCreditsMustNotExceedDebits is the mirror image.
	AccountCreditsMustNotExceedDebits AccountFlags = 1 << 2
	// AccountHistory keeps the balances after every transfer for
	// GetAccountBalances. It cannot be added later.
	AccountHistory AccountFlags = 1 << 3
	// AccountImported says that the caller supplies the timestamp.
	AccountImported AccountFlags = 1 << 4
	// AccountClosed refuses new transfers. It may be set at creation, and is
	// set and cleared later by closing transfers and their voids.
	AccountClosed AccountFlags = 1 << 5

	// AccountFlagsMask holds every bit that has a meaning.
	AccountFlagsMask AccountFlags = 1<<6 - 1
)

// Has reports whether every bit of flag is set.
func (f AccountFlags) Has(flag AccountFlags) bool { return f&flag == flag }

// Closed reports whether the account refuses new transfers.
func (a *Account) Closed() bool { return a.Flags.Has(AccountClosed) }

// CreateAccountResult is the answer to one event of CreateAccounts, 16 bytes.
type CreateAccountResult struct {
	// Timestamp is the stored one for a created and for an existing account
	// (nanoseconds since the Unix epoch), else the moment of the refusal.
	Timestamp uint64
	Status    CreateAccountStatus
	Reserved  uint32
}

// AccountBalance is one row of an account's history, 128 bytes: its balances
// right after the transfer that carries the same timestamp.
type AccountBalance struct {
	DebitsPending  Amount
	DebitsPosted   Amount
	CreditsPending Amount
	CreditsPosted  Amount
	Timestamp      uint64 // nanoseconds since the Unix epoch
	Reserved       [56]uint8
}
