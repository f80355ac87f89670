package export

import (
	"io"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Entry is one transfer that moved money, or with [SumDay] the sum of a day's transfers of one kind from one
// account to another.
type Entry struct {
	Time     uint64    // nanoseconds since the Unix epoch by the ledger's clock, unique; of a sum the day's first nanosecond (UTC)
	Transfer ledger.ID // zero for a sum
	Count    uint64    // transfers in the entry; 1 without sums
	Kind     accounts.EntryKind
	Debit    *Account
	Credit   *Account
	Amount   ledger.Amount // units of the asset of both accounts; never 0
	// DebitBalance and CreditBalance are the running balances of Debit and Credit after the entry.
	DebitBalance, CreditBalance Balance

	// The fields below are zero where they are unknown or make no sense, and in sums.

	Code         uint16    // of the transfer
	Packet       ledger.ID // the packet's id
	ConditionTag [8]byte   // the first bytes of the packet's condition
	Order        ledger.ID // the settlement order
	KeyHash      ledger.ID // the hash of the key of a payment, an adjustment or capital, as in a statement
	ReasonCode   uint32    // of an adjustment, a write-off or capital
	Journal      uint64    // of a round: the journal's number,
	Round        uint64    // and the last 32 bits of the round's number in it
	Late         bool      // a correction of a late fulfill
}

// EntryCollection is the kind of a collection of arrears, from a peer's arrears account to its account: a
// statement leaves it out, because the position stays the same. All other kinds are as in statements.
const EntryCollection accounts.EntryKind = "collection"

// Sum is how entries are summed up.
type Sum string

// The sums.
const (
	SumNone Sum = ""
	SumDay  Sum = "day" // one entry for each day (UTC), kind, debit account and credit account
)

// Header is known before the first entry. Writers only read it, and may keep it.
type Header struct {
	Assets   []Asset
	Accounts []*Account // of Assets and of the chosen peers, in the order of their Index
	// Opening are the balances before the first entry, by Account.Index. In a Part above 1 they are the
	// closing balances of the part before: an entry must not book them again.
	Opening []Balance
	// From and To are the range as given: From inclusive, To exclusive, zero if open.
	From, To time.Time
	// Last is the time of the newest transfer that the export may have, in nanoseconds since the Unix
	// epoch: the export is of this moment. It is 0 if the ledger has no transfer in the range.
	Last uint64
	// DayComplete is true if no later part can have an entry of the day (UTC) of Last or an earlier one: because
	// the range ends with that day and the day is over, or because nothing will continue the export. Some formats
	// check balances at the end of a day only, and leave the last day to the next part unless it is complete.
	DayComplete bool
	Sum         Sum
	// Part counts the files of an export that is continued, from 1. The parts together are one export: an
	// entry is in one part, and later parts have later entries, maybe of the same day.
	Part int
}

// Asset is an asset of an export.
type Asset struct {
	accounts.Asset
	// Bound is at least every amount, every balance without its sign, every account's debits and
	// credits, the sum of the opening balances without their signs, and the sum of all amounts of the asset in the
	// export, all parts so far together; it may be above 2^128. It never falls from part to part.
	// A format with a largest number decides by the Bound before the first entry.
	Bound *big.Int
	// BoundBefore is the Bound that the part before was written with; nil in Part 1. A format that writes
	// numbers another way above a largest one learns from it how the part before has them.
	BoundBefore *big.Int
}

// Summary is known after the last entry. Writers only read it.
type Summary struct {
	Header *Header // of the export: its Opening has the balances before the first entry
	// Closing are the balances after the last entry, by [Account].Index. They equal those of the
	// ledger.
	Closing []Balance
	Totals  []Total // of Header.Assets
}

// Total has the control totals of an asset: readers whose sums round or wrap compare theirs with it.
type Total struct {
	Entries   uint64
	Transfers uint64
	// Amounts is the sum of the amounts of all entries: the debits of all accounts, and the credits.
	Amounts *big.Int
}

// Writer writes one file of one format. Begin comes first and once, then Write for each entry in
// order, then End once. After an error nothing follows, and the file is dropped. The calls come one after another,
// from one goroutine. End flushes what the Writer buffers.
type Writer interface {
	// Begin refuses what the format cannot carry, by name, before anything is written.
	Begin(*Header) error
	// Write must not keep the entry: the next call has the same pointer.
	Write(*Entry) error
	End(*Summary) error
}

// Format is a file format of exports.
type Format struct {
	Name      string // for a command line, "csv"
	Extension string // of a file's name, with the dot
	// Columns are the chosen columns of a table, for [WritePart]: all parts have the same. Default nil.
	Columns   []string
	NewWriter func(io.Writer) Writer
}
