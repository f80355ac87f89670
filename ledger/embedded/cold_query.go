package embedded

import (
	"iter"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// selectedTransfers returns the selected transfers, at most limit.
func (c *coldStore) selectedTransfers(s *selection, limit int) (found []ledger.Transfer, err error) {
	for segment := range c.selectSegments(s) {
		rows, err := selectRows(segment, s, limit-len(found))
		if err != nil {
			return nil, err
		}
		if found = append(found, rows...); len(found) == limit {
			break
		}
	}
	return found, nil
}

// hasSelected reports whether a segment may have selected rows.
func (c *coldStore) hasSelected(s *selection) bool {
	for range c.selectSegments(s) {
		return true
	}
	return false
}

// selectSegments are the segments with rows that the query may see within its times, in its order.
func (c *coldStore) selectSegments(s *selection) iter.Seq[coldSegment] {
	return func(yield func(coldSegment) bool) {
		for i := range c.segments {
			if s.reversed {
				i = len(c.segments) - 1 - i
			}
			e := c.segments[i].Entry
			outside := e.First == e.End || position(e.First) >= s.end || position(e.End) <= s.first || e.LastTimestamp < s.timestampMin ||
				s.timestampMax != 0 && e.FirstTimestamp > s.timestampMax
			if !outside && !yield(c.segments[i]) {
				return
			}
		}
	}
}

// coldRow is a row that was read from a segment. The pointer is valid for one step of an iteration.
type coldRow struct {
	position position
	row      *segment.Row
}

// selectRows returns the selected rows of a segment, at most limit.
func selectRows(c coldSegment, s *selection, limit int) (found []ledger.Transfer, err error) {
	if limit == 0 {
		return nil, nil
	}
	span, err := c.spanOf(s)
	if err != nil {
		return nil, err
	}
	source, err := c.smallestSource(s, span)
	if err != nil {
		return nil, err
	}
	for r, err := range source {
		if err != nil {
			return nil, err
		}
		if !s.accepts(&r.row.Transfer) {
			continue
		}
		if found = append(found, r.row.Transfer); len(found) == limit {
			break
		}
	}
	return found, nil
}

// spanOf returns the rows of the segment within the times of the selection.
func (c coldSegment) spanOf(s *selection) (span positionSpan, err error) {
	first, end := c.First, c.End
	if s.timestampMin > c.FirstTimestamp {
		if first, err = c.FirstFrom(s.timestampMin); err != nil {
			return positionSpan{}, err
		}
	}
	if s.timestampMax != 0 && s.timestampMax < c.LastTimestamp {
		if end, err = c.FirstFrom(s.timestampMax + 1); err != nil {
			return positionSpan{}, err
		}
	}
	return s.cutSpan(positionSpan{position(first), position(max(first, end))}), nil
}

// smallestSource returns rows of the segment that include all selected ones, from the shortest of the
// lists that the selection has.
func (c coldSegment) smallestSource(s *selection, span positionSpan) (iter.Seq2[coldRow, error], error) {
	size, best := int(span.end-span.first), []segment.List(nil)
	consider := func(lists ...segment.List) {
		n := 0
		for _, list := range lists {
			n += list.Len()
		}
		if n < size {
			size, best = n, lists
		}
	}
	for field, value := range s.want.fieldValues() {
		list, err := c.FindRows(field, value)
		if err != nil {
			return nil, err
		}
		consider(list)
	}
	if !s.account.IsZero() {
		sides, err := c.sideLists(s)
		if err != nil {
			return nil, err
		}
		consider(sides...)
	}
	if size == int(span.end-span.first) {
		return c.rowsIn(span, s.reversed), nil
	}
	return c.rowsOf(best, span, s.reversed), nil
}

// sideLists returns the lists of the rows on the sides of the selection's account.
func (c coldSegment) sideLists(s *selection) (lists []segment.List, err error) {
	for _, side := range []struct {
		wanted bool
		field  segment.Field
	}{{s.debits, segment.FieldDebitAccount}, {s.credits, segment.FieldCreditAccount}} {
		if !side.wanted {
			continue
		}
		list, err := c.FindRows(side.field, uint128.Uint128(s.account))
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	return lists, nil
}

// scanRatio is how many rows in sequence can be read in the time of one row by its position.
const scanRatio = 16

// rowsOfAccount are rows of the segment in ascending order that include all of an account.
func (c coldSegment) rowsOfAccount(id ledger.ID) (iter.Seq2[coldRow, error], error) {
	lists, err := c.sideLists(&selection{account: id, debits: true, credits: true})
	if err != nil {
		return nil, err
	}
	all := positionSpan{position(c.First), position(c.End)}
	if scanRatio*(lists[0].Len()+lists[1].Len()) > int(all.end-all.first) {
		return c.rowsIn(all, false), nil
	}
	return c.rowsOf(lists, all, false), nil
}

// fieldValues are the fields that are not zero.
func (want *queryFields) fieldValues() iter.Seq2[segment.Field, uint128.Uint128] {
	return func(yield func(segment.Field, uint128.Uint128) bool) {
		for _, f := range []struct {
			field segment.Field
			value uint128.Uint128
		}{
			{segment.FieldUserData128, want.userData128},
			{segment.FieldUserData64, uint128.From64(want.userData64)},
			{segment.FieldUserData32, uint128.From64(uint64(want.userData32))},
			{segment.FieldLedger, uint128.From64(uint64(want.ledger))},
			{segment.FieldCode, uint128.From64(uint64(want.code))},
		} {
			if !f.value.IsZero() && !yield(f.field, f.value) {
				return
			}
		}
	}
}

// blockRows is the number of rows read at once from a segment.
const blockRows = 256

// rowsIn are the rows of a span.
func (c coldSegment) rowsIn(span positionSpan, reversed bool) iter.Seq2[coldRow, error] {
	return func(yield func(coldRow, error) bool) {
		for span.first < span.end {
			n := min(blockRows, span.end-span.first)
			block, from := make([]segment.Row, n), span.first
			if reversed {
				from = span.end - n
			}
			if err := c.ReadRows(uint64(from), block); err != nil {
				yield(coldRow{}, err)
				return
			}
			for i := range block {
				if reversed {
					i = len(block) - 1 - i
				}
				if !yield(coldRow{from + position(i), &block[i]}, nil) {
					return
				}
			}
			if reversed {
				span.end -= n
			} else {
				span.first += n
			}
		}
	}
}

// rowsOf are the rows of lists within a span, each once.
func (c coldSegment) rowsOf(lists []segment.List, span positionSpan, reversed bool) iter.Seq2[coldRow, error] {
	return func(yield func(coldRow, error) bool) {
		var row segment.Row
		for pos, err := range mergePositions(lists, span, reversed) {
			if err == nil {
				err = c.ReadRow(pos, &row)
			}
			if !yield(coldRow{position(pos), &row}, err) || err != nil {
				return
			}
		}
	}
}

// mergePositions merges one or two lists of a segment. A row that is in both comes once: a list may
// have rows too many.
func mergePositions(lists []segment.List, span positionSpan, reversed bool) iter.Seq2[uint64, error] {
	if len(lists) == 1 {
		return lists[0].Positions(uint64(span.first), uint64(span.end), reversed)
	}
	return func(yield func(uint64, error) bool) {
		nextA, stopA := iter.Pull2(lists[0].Positions(uint64(span.first), uint64(span.end), reversed))
		defer stopA()
		nextB, stopB := iter.Pull2(lists[1].Positions(uint64(span.first), uint64(span.end), reversed))
		defer stopB()
		a, errA, okA := nextA()
		b, errB, okB := nextB()
		for okA || okB {
			switch {
			case errA != nil:
				yield(0, errA)
				return
			case errB != nil:
				yield(0, errB)
				return
			case okA && okB && a == b:
				b, errB, okB = nextB()
			case !okB || okA && (a < b) != reversed:
				if !yield(a, nil) {
					return
				}
				a, errA, okA = nextA()
			default:
				if !yield(b, nil) {
					return
				}
				b, errB, okB = nextB()
			}
		}
	}
}
