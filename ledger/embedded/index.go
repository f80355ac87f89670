package embedded

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// rowIndex finds the rows of a list with a given value in one field. Writes do not maintain it: a
// query reads up to the end of the list first, so a field without queries costs nothing. Rows read
// must never change or be removed, which is true for every row of a finished request. The zero
// value is not indexed, because no query can select it.
type rowIndex[K comparable] struct {
	rowsRead place // rows read so far
	rows     map[K][]place
}

// findRows returns the rows with the key among the first n, in ascending order. The slice belongs
// to the index.
func (x *rowIndex[K]) findRows(key K, n place, keyAt func(place) K) []place {
	if x.rows == nil {
		x.rows = make(map[K][]place)
	}
	var zero K
	for ; x.rowsRead < n; x.rowsRead++ {
		if k := keyAt(x.rowsRead); k != zero {
			x.rows[k] = append(x.rows[k], x.rowsRead)
		}
	}
	return x.rows[key]
}

// queryFields are the fields in a filter of accounts or transfers. A zero field matches every row.
type queryFields struct {
	userData128 uint128.Uint128
	userData64  uint64
	userData32  uint32
	ledger      uint32
	code        uint16
}

func accountFields(a *ledger.Account) queryFields {
	return queryFields{a.UserData128, a.UserData64, a.UserData32, a.Ledger, a.Code}
}

func transferFields(t *ledger.Transfer) queryFields {
	return queryFields{t.UserData128, t.UserData64, t.UserData32, t.Ledger, t.Code}
}

// matchesFields reports whether every field that is not zero is equal.
func (want *queryFields) matchesFields(have queryFields) bool {
	return (want.userData128.IsZero() || want.userData128 == have.userData128) &&
		(want.userData64 == 0 || want.userData64 == have.userData64) &&
		(want.userData32 == 0 || want.userData32 == have.userData32) &&
		(want.ledger == 0 || want.ledger == have.ledger) &&
		(want.code == 0 || want.code == have.code)
}

// fieldIndex has one index for each field.
type fieldIndex struct {
	userData128 rowIndex[uint128.Uint128]
	userData64  rowIndex[uint64]
	userData32  rowIndex[uint32]
	ledger      rowIndex[uint32]
	code        rowIndex[uint16]
}

// rowsByField returns, for each field that is not zero, the rows with its value.
func (x *fieldIndex) rowsByField(want queryFields, n place, fieldsAt func(place) queryFields) (lists [][]place) {
	if !want.userData128.IsZero() {
		lists = append(lists, x.userData128.findRows(want.userData128, n,
			func(p place) uint128.Uint128 { return fieldsAt(p).userData128 }))
	}
	if want.userData64 != 0 {
		lists = append(lists, x.userData64.findRows(want.userData64, n,
			func(p place) uint64 { return fieldsAt(p).userData64 }))
	}
	if want.userData32 != 0 {
		lists = append(lists, x.userData32.findRows(want.userData32, n,
			func(p place) uint32 { return fieldsAt(p).userData32 }))
	}
	if want.ledger != 0 {
		lists = append(lists, x.ledger.findRows(want.ledger, n,
			func(p place) uint32 { return fieldsAt(p).ledger }))
	}
	if want.code != 0 {
		lists = append(lists, x.code.findRows(want.code, n,
			func(p place) uint16 { return fieldsAt(p).code }))
	}
	return lists
}
