package export

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// ErrBooks is returned when the entries do not add up to the balances of the ledger: a number of the
// export is wrong, so no file is left.
var ErrBooks = errors.New("export: the entries do not add up to the ledger's balances")

// Query chooses the entries of an export.
type Query struct {
	// Assets are assets of the Book, default all.
	Assets []accounts.Asset
	// Peers are the peers whose entries are exported, default all. An export of some peers has the
	// other accounts in its entries as [Account].Partial.
	Peers []string
	// Names are ids of peers known to the caller, for [Account].Peer: the ledger has only hashes. Peers are
	// known without it. In a later part of [WritePart] an account keeps the name that it has in the parts before.
	Names []string
	// From and To are the range by the ledger's clock: From inclusive, To exclusive, zero is open.
	From, To time.Time
	// Sum sums entries up; default SumNone.
	Sum Sum
	// Progress is called with the share of the time from the first to the last row that is read, in per
	// cent, each time it rises. Default: none. It must not block.
	Progress func(percent int)
}

// validate returns an error that matches [accounts.ErrInvalid] and names the field.
func (q *Query) validate(book *accounts.Book) error {
	fault := func(field, reason string) error {
		return &accounts.FieldError{Subject: "export", Field: field, Reason: reason}
	}
	if !q.From.IsZero() && !q.To.IsZero() && !q.From.Before(q.To) {
		return fault("To", "must be after From")
	}
	if q.Sum != SumNone && q.Sum != SumDay {
		return fault("Sum", fmt.Sprintf("is %q, want %q or nothing", q.Sum, SumDay))
	}
	for i, asset := range q.Assets {
		if _, err := book.OwnAccount(asset); err != nil {
			return err
		}
		if slices.Contains(q.Assets[:i], asset) {
			return fault("Assets", fmt.Sprintf("have %v twice", asset))
		}
	}
	return nil
}

// timeBounds returns the range in nanoseconds since the Unix epoch, both inclusive.
func (q *Query) timeBounds() (first, last uint64) {
	first, last = 1, lastTimestamp
	if !q.From.IsZero() {
		first = timestampOf(q.From)
	}
	if !q.To.IsZero() {
		last = timestampOf(q.To) - 1
	}
	return first, last
}
