package export

import (
	"encoding/hex"
	"strconv"

	"github.com/peerledger/peerledger/ledger"
)

// column is a field of the tables. Names never change; a new version appends columns.
type column struct {
	name string
	// appendValue appends the value of an entry, nothing if it has none.
	appendValue func(t *table, to []byte, e *Entry) []byte
	// number is set if JSON has the value without quotes. Amounts have quotes there: many readers lose digits of
	// numbers beyond 2^53.
	number bool
}

// columns are all columns, in order.
var columns = []column{
	{name: "time", appendValue: func(t *table, to []byte, e *Entry) []byte { return t.times.appendTime(to, e.Time) }},
	{name: "transfer", appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnownID(to, e.Transfer) }},
	{name: "kind", appendValue: func(_ *table, to []byte, e *Entry) []byte { return append(to, e.Kind...) }},
	{name: "asset", appendValue: func(t *table, to []byte, e *Entry) []byte { return append(to, t.codes[e.Debit.Index]...) }},
	{name: "scale", number: true, appendValue: func(_ *table, to []byte, e *Entry) []byte {
		return strconv.AppendUint(to, uint64(e.Debit.Asset.Scale), 10)
	}},
	{name: "debit", appendValue: func(t *table, to []byte, e *Entry) []byte { return append(to, t.names[e.Debit.Index]...) }},
	{name: "credit", appendValue: func(t *table, to []byte, e *Entry) []byte { return append(to, t.names[e.Credit.Index]...) }},
	{name: "amount", appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendAmount(to, e.Amount) }},
	{name: "debit_balance", appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnownBalance(to, e.Debit, e.DebitBalance) }},
	{name: "credit_balance", appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnownBalance(to, e.Credit, e.CreditBalance) }},
	{name: "transfers", number: true, appendValue: func(_ *table, to []byte, e *Entry) []byte { return strconv.AppendUint(to, e.Count, 10) }},
	{name: "code", number: true, appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnown(to, uint64(e.Code)) }},
	{name: "packet", appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnownID(to, e.Packet) }},
	{name: "condition", appendValue: func(_ *table, to []byte, e *Entry) []byte {
		if e.ConditionTag == [8]byte{} {
			return to
		}
		return hex.AppendEncode(to, e.ConditionTag[:])
	}},
	{name: "order", appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnownID(to, e.Order) }},
	{name: "key_hash", appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnownID(to, e.KeyHash) }},
	{name: "reason", number: true, appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnown(to, uint64(e.ReasonCode)) }},
	{name: "journal", appendValue: func(_ *table, to []byte, e *Entry) []byte {
		if e.Round == 0 {
			return to
		}
		return appendHex64(to, e.Journal)
	}},
	{name: "round", number: true, appendValue: func(_ *table, to []byte, e *Entry) []byte { return appendKnown(to, e.Round) }},
	{name: "late", number: true, appendValue: func(_ *table, to []byte, e *Entry) []byte {
		if e.Late {
			to = append(to, "true"...)
		}
		return to
	}},
	{name: "ledger", number: true, appendValue: func(_ *table, to []byte, e *Entry) []byte {
		return strconv.AppendUint(to, uint64(e.Debit.Asset.Ledger), 10)
	}},
}

// ColumnNames returns the names of all columns of CSV and JSON lines, in order.
func ColumnNames() []string {
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].name
	}
	return names
}

// appendKnown appends a number, nothing for 0.
func appendKnown(to []byte, n uint64) []byte {
	if n == 0 {
		return to
	}
	return strconv.AppendUint(to, n, 10)
}

// appendKnownID appends an id, nothing for zero.
func appendKnownID(to []byte, id ledger.ID) []byte {
	if id.IsZero() {
		return to
	}
	return appendID(to, id)
}

// appendKnownBalance appends a balance, nothing for a Partial account.
func appendKnownBalance(to []byte, account *Account, b Balance) []byte {
	if account.Partial {
		return to
	}
	return appendBalance(to, b)
}

// appendHex64 appends a number in 16 hexadecimal digits.
func appendHex64(to []byte, n uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		to = append(to, digits[n>>shift&0xf])
	}
	return to
}
