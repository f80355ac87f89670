package ledger

import "lukechampine.com/uint128"

// AccountFilter selects the transfers of one account, for GetAccountTransfers
// and GetAccountBalances. A zero field selects everything; zero user data or
// code cannot be asked for. An invalid filter (Valid) is answered with nothing
// and no error, as TigerBeetle does.
// (https://docs.tigerbeetle.com/reference/account-filter/)
type AccountFilter struct {
	AccountID    ID
	UserData128  uint128.Uint128
	UserData64   uint64
	UserData32   uint32
	Code         uint16
	Reserved     [58]uint8 // must be 0
	TimestampMin uint64    // nanoseconds, inclusive; 0 is open
	TimestampMax uint64    // nanoseconds, inclusive; 0 is open
	Limit        uint32    // rows at most, 1 to QueryMax
	Flags        AccountFilterFlags
}

// AccountFilterFlags are the bits of AccountFilter.Flags.
type AccountFilterFlags uint32

// The account filter flags. At least one of the two sides must be set.
const (
	AccountFilterDebits   AccountFilterFlags = 1 << 0 // transfers that debit the account
	AccountFilterCredits  AccountFilterFlags = 1 << 1 // transfers that credit it
	AccountFilterReversed AccountFilterFlags = 1 << 2 // newest first
)

// Valid reports whether a ledger answers the filter with rows: the account id is
// neither 0 nor IDMax, at least one side is asked for, the limit is not 0, both
// times are at most TimestampMax and in order, reserved parts are zero.
func (f *AccountFilter) Valid() bool {
	sides := AccountFilterDebits | AccountFilterCredits
	return !f.AccountID.IsZero() && f.AccountID != IDMax &&
		validRange(f.TimestampMin, f.TimestampMax) && f.Limit != 0 &&
		f.Flags&sides != 0 && f.Flags&^(sides|AccountFilterReversed) == 0 &&
		f.Reserved == [58]uint8{}
}

// QueryFilter selects accounts (QueryAccounts) or transfers (QueryTransfers). A
// zero field selects everything; all fields must match. An invalid filter
// (Valid) is answered with nothing and no error.
// (https://docs.tigerbeetle.com/reference/query-filter/)
type QueryFilter struct {
	UserData128  uint128.Uint128
	UserData64   uint64
	UserData32   uint32
	Ledger       uint32
	Code         uint16
	Reserved     [6]uint8 // must be 0
	TimestampMin uint64   // nanoseconds, inclusive; 0 is open
	TimestampMax uint64   // nanoseconds, inclusive; 0 is open
	Limit        uint32   // rows at most, 1 to QueryMax
	Flags        QueryFilterFlags
}

// QueryFilterFlags are the bits of QueryFilter.Flags.
type QueryFilterFlags uint32

// QueryFilterReversed asks for the newest first.
const QueryFilterReversed QueryFilterFlags = 1 << 0

// Valid reports whether a ledger answers the filter with rows: the limit is not
// 0, both times are at most TimestampMax and in order, reserved parts are zero.
func (f *QueryFilter) Valid() bool {
	return validRange(f.TimestampMin, f.TimestampMax) && f.Limit != 0 &&
		f.Flags&^QueryFilterReversed == 0 && f.Reserved == [6]uint8{}
}

// ChangeEventsFilter selects change events by time, oldest first.
type ChangeEventsFilter struct {
	TimestampMin uint64    // nanoseconds, inclusive; 0 is open
	TimestampMax uint64    // nanoseconds, inclusive; 0 is open
	Limit        uint32    // events at most, 1 to ChangeEventsMax
	Reserved     [44]uint8 // must be 0
}

// Valid reports whether a ledger answers the filter with events.
func (f *ChangeEventsFilter) Valid() bool {
	return validRange(f.TimestampMin, f.TimestampMax) && f.Limit != 0 && f.Reserved == [44]uint8{}
}

// TimestampMax is the largest valid timestamp, 2^63-1 nanoseconds since the Unix
// epoch (the year 2262). The smallest is 1.
const TimestampMax uint64 = 1<<63 - 1

func validRange(low, high uint64) bool {
	return low <= TimestampMax && high <= TimestampMax && (high == 0 || low <= high)
}
