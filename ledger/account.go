package ledger

import "lukechampine.com/uint128"

// Account is TigerBeetle's account record, 128 bytes. The caller of [Ledger.CreateAccounts] sets
// ID, UserData*, Ledger, Code and Flags and leaves the rest zero. The ledger sets Timestamp and
// keeps the four balances. (https://docs.tigerbeetle.com/reference/account/)
type Account struct {
	ID             ID
	DebitsPending  Amount // units held by pending transfers that debit the account
	DebitsPosted   Amount // units debited by posted transfers
	CreditsPending Amount // units held by pending transfers that credit the account
	CreditsPosted  Amount // units credited by posted transfers
	UserData128    uint128.Uint128
	UserData64     uint64
	UserData32     uint32
	Reserved       uint32 // must be 0
	Ledger         uint32 // a transfer is between accounts of one ledger number; not 0
	Code           uint16 // the kind of account, chosen by the user; not 0
	Flags          AccountFlags
	Timestamp      uint64 // nanoseconds since the Unix epoch, set by the ledger
}

// AccountFlags are the bits of [Account.Flags].
type AccountFlags uint16

// The account flags. Bits 6 to 15 must be zero.
const (
	// AccountLinked chains the event with the next event of the request: the ledger creates all
	// accounts of a chain or none. The flag is stored.
	AccountLinked AccountFlags = 1 << 0
	// AccountDebitsMustNotExceedCredits limits debits: a transfer is refused
	// ([TransferExceedsCredits]) if pending and posted debits together would exceed the posted
	// credits. It excludes AccountCreditsMustNotExceedDebits.
	AccountDebitsMustNotExceedCredits AccountFlags = 1 << 1
	// AccountCreditsMustNotExceedDebits limits credits: a transfer is refused
	// ([TransferExceedsDebits]) if pending and posted credits together would exceed the posted
	// debits.
	AccountCreditsMustNotExceedDebits AccountFlags = 1 << 2
	// AccountHistory lets [Ledger.GetAccountBalances] answer with the balances after every
	// transfer. It cannot be added later.
	AccountHistory AccountFlags = 1 << 3
	// AccountImported makes the ledger store the caller's timestamp. All events of a request
	// are imported, or none is.
	AccountImported AccountFlags = 1 << 4
	// AccountClosed makes the ledger refuse new transfers and posts; voids and expiries still
	// pass. The flag may be set at creation. Later, closing transfers
	// ([TransferClosingDebit], [TransferClosingCredit]) set it, and their voids or expiries
	// clear it.
	AccountClosed AccountFlags = 1 << 5

	// AccountFlagsMask holds every bit that has a meaning.
	AccountFlagsMask AccountFlags = 1<<6 - 1
)

// Has reports whether every bit of flag is set.
func (f AccountFlags) Has(flag AccountFlags) bool { return f&flag == flag }

// Closed reports whether the account refuses new transfers: see [AccountClosed].
func (a *Account) Closed() bool { return a.Flags.Has(AccountClosed) }

// CreateAccountResult is the answer to one event of [Ledger.CreateAccounts], 16 bytes.
type CreateAccountResult struct {
	// Timestamp is the timestamp of the stored account if the status is [AccountCreated] or
	// [AccountExists], and the moment of the refusal otherwise; nanoseconds since the Unix epoch.
	Timestamp uint64
	Status    CreateAccountStatus
	Reserved  uint32
}

// AccountBalance is one row of an account's history, 128 bytes: the balances right after the
// transfer with the same timestamp.
type AccountBalance struct {
	DebitsPending  Amount
	DebitsPosted   Amount
	CreditsPending Amount
	CreditsPosted  Amount
	Timestamp      uint64 // nanoseconds since the Unix epoch
	Reserved       [56]uint8
}
