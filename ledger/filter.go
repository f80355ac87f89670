package ledger

import "lukechampine.com/uint128"

// AccountFilter selects the transfers of one account, for [Ledger.GetAccountTransfers] and
// [Ledger.GetAccountBalances]. A zero field selects every transfer, so no filter selects user data
// or a code of zero. An invalid filter (see [AccountFilter.Valid]) has an empty answer and no
// error, as on TigerBeetle. (https://docs.tigerbeetle.com/reference/account-filter/)
type AccountFilter struct {
	AccountID    ID
	UserData128  uint128.Uint128
	UserData64   uint64
	UserData32   uint32
	Code         uint16
	Reserved     [58]uint8 // must be 0
	TimestampMin uint64    // nanoseconds since the Unix epoch, inclusive; 0: no bound
	TimestampMax uint64    // nanoseconds since the Unix epoch, inclusive; 0: no bound
	Limit        uint32    // largest number of rows, 1 to QueryMax
	Flags        AccountFilterFlags
}

// AccountFilterFlags are the bits of [AccountFilter.Flags].
type AccountFilterFlags uint32

// The account filter flags. [AccountFilterDebits] or [AccountFilterCredits] must be set, or both.
const (
	AccountFilterDebits   AccountFilterFlags = 1 << 0 // transfers that debit the account
	AccountFilterCredits  AccountFilterFlags = 1 << 1 // transfers that credit the account
	AccountFilterReversed AccountFilterFlags = 1 << 2 // newest first
)

// Valid reports whether the filter is valid: the account id is neither 0 nor [IDMax], at least one
// side is set, the limit is not 0, both times are in order and at most [TimestampMax], and
// reserved fields and flags are zero.
func (f *AccountFilter) Valid() bool {
	sides := AccountFilterDebits | AccountFilterCredits
	return !f.AccountID.IsZero() && f.AccountID != IDMax &&
		validRange(f.TimestampMin, f.TimestampMax) && f.Limit != 0 &&
		f.Flags&sides != 0 && f.Flags&^(sides|AccountFilterReversed) == 0 &&
		f.Reserved == [58]uint8{}
}

// QueryFilter selects accounts ([Ledger.QueryAccounts]) or transfers ([Ledger.QueryTransfers]). A
// row must match all fields; a zero field matches every row. An invalid filter (see
// [QueryFilter.Valid]) has an empty answer and no error.
// (https://docs.tigerbeetle.com/reference/query-filter/)
type QueryFilter struct {
	UserData128  uint128.Uint128
	UserData64   uint64
	UserData32   uint32
	Ledger       uint32
	Code         uint16
	Reserved     [6]uint8 // must be 0
	TimestampMin uint64   // nanoseconds since the Unix epoch, inclusive; 0: no bound
	TimestampMax uint64   // nanoseconds since the Unix epoch, inclusive; 0: no bound
	Limit        uint32   // largest number of rows, 1 to QueryMax
	Flags        QueryFilterFlags
}

// QueryFilterFlags are the bits of [QueryFilter.Flags].
type QueryFilterFlags uint32

// QueryFilterReversed orders the rows newest first.
const QueryFilterReversed QueryFilterFlags = 1 << 0

// Valid reports whether the filter is valid: the limit is not 0, both times are in order and at
// most [TimestampMax], and reserved fields and flags are zero.
func (f *QueryFilter) Valid() bool {
	return validRange(f.TimestampMin, f.TimestampMax) && f.Limit != 0 &&
		f.Flags&^QueryFilterReversed == 0 && f.Reserved == [6]uint8{}
}

// ChangeEventsFilter selects change events by time, oldest first, for
// [ChangeFeed.GetChangeEvents].
type ChangeEventsFilter struct {
	TimestampMin uint64    // nanoseconds since the Unix epoch, inclusive; 0: no bound
	TimestampMax uint64    // nanoseconds since the Unix epoch, inclusive; 0: no bound
	Limit        uint32    // largest number of events, 1 to ChangeEventsMax
	Reserved     [44]uint8 // must be 0
}

// Valid reports whether the filter is valid: the limit is not 0, both times are in order and at
// most [TimestampMax], and the reserved field is zero.
func (f *ChangeEventsFilter) Valid() bool {
	return validRange(f.TimestampMin, f.TimestampMax) && f.Limit != 0 && f.Reserved == [44]uint8{}
}

// TimestampMax is the largest valid timestamp, 2^63-1 nanoseconds since the Unix
// epoch (the year 2262). The smallest is 1.
const TimestampMax uint64 = 1<<63 - 1

func validRange(low, high uint64) bool {
	return low <= TimestampMax && high <= TimestampMax && (high == 0 || low <= high)
}
