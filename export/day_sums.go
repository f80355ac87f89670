package export

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
)

// daySums sums up the entries of a day.
type daySums struct {
	day   uint64 // its first nanosecond
	index map[sumKey]int
	sums  []Entry // in the order of their first transfer
}

// sumKey is what the entries of a sum have in common.
type sumKey struct {
	debit, credit *Account
	kind          accounts.EntryKind
}

func newDaySums() *daySums { return &daySums{index: map[sumKey]int{}} }

// addEntry adds an entry of the day.
func (d *daySums) addEntry(e *Entry) error {
	key := sumKey{e.Debit, e.Credit, e.Kind}
	i, exists := d.index[key]
	if !exists {
		i = len(d.sums)
		d.index[key] = i
		d.sums = append(d.sums, Entry{Time: d.day, Kind: e.Kind, Debit: e.Debit, Credit: e.Credit})
	}
	sum, fits := &d.sums[i], false
	sum.Count++
	if sum.Amount, fits = sum.Amount.Add(e.Amount); !fits {
		return fmt.Errorf("%w: the day's entries from %s to %s exceed 2^128-1 units", ErrBooks, e.Credit.Name(), e.Debit.Name())
	}
	return nil
}

// writeSums writes the sums of the day, and begins with none.
func (x *exporter) writeSums() error {
	for i := range x.sums.sums {
		if err := x.writeEntry(&x.sums.sums[i]); err != nil {
			return err
		}
	}
	clear(x.sums.index)
	x.sums.sums = x.sums.sums[:0]
	return nil
}
