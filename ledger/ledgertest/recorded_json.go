package ledgertest

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// The types below are the JSON forms of TigerBeetle's records in recorded files.

// hexadecimal is a 128-bit number in hexadecimal digits.
type hexadecimal uint128.Uint128

func (h *hexadecimal) UnmarshalText(text []byte) error { return (*ledger.ID)(h).UnmarshalText(text) }

func (h hexadecimal) toID() ledger.ID { return ledger.ID(h) }

type recordedAccount struct {
	ID             hexadecimal
	DebitsPending  hexadecimal `json:"debits_pending"`
	DebitsPosted   hexadecimal `json:"debits_posted"`
	CreditsPending hexadecimal `json:"credits_pending"`
	CreditsPosted  hexadecimal `json:"credits_posted"`
	UserData128    hexadecimal `json:"user_data_128"`
	UserData64     uint64      `json:"user_data_64"`
	UserData32     uint32      `json:"user_data_32"`
	Reserved       uint32
	Ledger         uint32
	Code           uint16
	Flags          uint16
	Timestamp      uint64
}

func (a recordedAccount) toAccount() ledger.Account {
	return ledger.Account{
		ID:             ledger.ID(a.ID),
		DebitsPending:  ledger.Amount(a.DebitsPending),
		DebitsPosted:   ledger.Amount(a.DebitsPosted),
		CreditsPending: ledger.Amount(a.CreditsPending),
		CreditsPosted:  ledger.Amount(a.CreditsPosted),
		UserData128:    uint128.Uint128(a.UserData128),
		UserData64:     a.UserData64,
		UserData32:     a.UserData32,
		Reserved:       a.Reserved,
		Ledger:         a.Ledger,
		Code:           a.Code,
		Flags:          ledger.AccountFlags(a.Flags),
		Timestamp:      a.Timestamp,
	}
}

func (a recordedAccount) toBalance() ledger.AccountBalance {
	return ledger.AccountBalance{
		DebitsPending:  ledger.Amount(a.DebitsPending),
		DebitsPosted:   ledger.Amount(a.DebitsPosted),
		CreditsPending: ledger.Amount(a.CreditsPending),
		CreditsPosted:  ledger.Amount(a.CreditsPosted),
		Timestamp:      a.Timestamp,
	}
}

type recordedTransfer struct {
	ID              hexadecimal
	DebitAccountID  hexadecimal `json:"debit_account_id"`
	CreditAccountID hexadecimal `json:"credit_account_id"`
	Amount          hexadecimal
	PendingID       hexadecimal `json:"pending_id"`
	UserData128     hexadecimal `json:"user_data_128"`
	UserData64      uint64      `json:"user_data_64"`
	UserData32      uint32      `json:"user_data_32"`
	Timeout         uint32
	Ledger          uint32
	Code            uint16
	Flags           uint16
	Timestamp       uint64
}

func (t recordedTransfer) toTransfer() ledger.Transfer {
	return ledger.Transfer{
		ID:              ledger.ID(t.ID),
		DebitAccountID:  ledger.ID(t.DebitAccountID),
		CreditAccountID: ledger.ID(t.CreditAccountID),
		Amount:          ledger.Amount(t.Amount),
		PendingID:       ledger.ID(t.PendingID),
		UserData128:     uint128.Uint128(t.UserData128),
		UserData64:      t.UserData64,
		UserData32:      t.UserData32,
		Timeout:         t.Timeout,
		Ledger:          t.Ledger,
		Code:            t.Code,
		Flags:           ledger.TransferFlags(t.Flags),
		Timestamp:       t.Timestamp,
	}
}

type recordedResult struct {
	Status    uint32
	Timestamp uint64
}

// recordedFilter is an account filter or a query filter.
type recordedFilter struct {
	AccountID    hexadecimal `json:"account_id"`
	UserData128  hexadecimal `json:"user_data_128"`
	UserData64   uint64      `json:"user_data_64"`
	UserData32   uint32      `json:"user_data_32"`
	Ledger       uint32
	Code         uint16
	TimestampMin uint64 `json:"timestamp_min"`
	TimestampMax uint64 `json:"timestamp_max"`
	Limit        uint32
	Flags        uint32
}

func (f *recordedFilter) toAccountFilter(times timestampMap) ledger.AccountFilter {
	return ledger.AccountFilter{
		AccountID:    ledger.ID(f.AccountID),
		UserData128:  uint128.Uint128(f.UserData128),
		UserData64:   f.UserData64,
		UserData32:   f.UserData32,
		Code:         f.Code,
		TimestampMin: times.translateTime(f.TimestampMin),
		TimestampMax: times.translateTime(f.TimestampMax),
		Limit:        f.Limit,
		Flags:        ledger.AccountFilterFlags(f.Flags),
	}
}

func (f *recordedFilter) toQueryFilter(times timestampMap) ledger.QueryFilter {
	return ledger.QueryFilter{
		UserData128:  uint128.Uint128(f.UserData128),
		UserData64:   f.UserData64,
		UserData32:   f.UserData32,
		Ledger:       f.Ledger,
		Code:         f.Code,
		TimestampMin: times.translateTime(f.TimestampMin),
		TimestampMax: times.translateTime(f.TimestampMax),
		Limit:        f.Limit,
		Flags:        ledger.QueryFilterFlags(f.Flags),
	}
}

// convertList converts every element of a list.
func convertList[From, To any](list []From, to func(From) To) []To {
	converted := make([]To, len(list))
	for i := range list {
		converted[i] = to(list[i])
	}
	return converted
}
