package embedded

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// index finds the rows of a list with a given value in one field. Writes do not
// touch it: it reads on to the end of the list when it is asked, so what nobody
// asks for costs nothing. Rows that it has read must never change or go, which
// holds for every row of a finished request. The zero value of the field is not
// indexed, as no query can ask for it.
type index[K comparable] struct {
	read position // rows read so far
	rows map[K][]position
}

// find returns the rows with the key among the first n, in ascending order. The
// slice is the index's own.
func (x *index[K]) find(key K, n position, keyAt func(position) K) []position {
	if x.rows == nil {
		x.rows = make(map[K][]position)
	}
	var none K
	for ; x.read < n; x.read++ {
		if k := keyAt(x.read); k != none {
			x.rows[k] = append(x.rows[k], x.read)
		}
	}
	return x.rows[key]
}

// fields are what both accounts and transfers can be queried by. In a filter a
// zero field means any.
type fields struct {
	userData128 uint128.Uint128
	userData64  uint64
	userData32  uint32
	ledger      uint32
	code        uint16
}

func accountFields(a *ledger.Account) fields {
	return fields{a.UserData128, a.UserData64, a.UserData32, a.Ledger, a.Code}
}

func transferFields(t *ledger.Transfer) fields {
	return fields{t.UserData128, t.UserData64, t.UserData32, t.Ledger, t.Code}
}

// accept reports whether every field that is asked for is equal.
func (want *fields) accept(have fields) bool {
	return (want.userData128.IsZero() || want.userData128 == have.userData128) &&
		(want.userData64 == 0 || want.userData64 == have.userData64) &&
		(want.userData32 == 0 || want.userData32 == have.userData32) &&
		(want.ledger == 0 || want.ledger == have.ledger) &&
		(want.code == 0 || want.code == have.code)
}

// fieldIndex is one index for each of the fields.
type fieldIndex struct {
	userData128 index[uint128.Uint128]
	userData64  index[uint64]
	userData32  index[uint32]
	ledger      index[uint32]
	code        index[uint16]
}

// lists returns, for each field that is asked for, the rows that have it.
func (x *fieldIndex) lists(want fields, n position, at func(position) fields) (lists [][]position) {
	if !want.userData128.IsZero() {
		lists = append(lists, x.userData128.find(want.userData128, n,
			func(p position) uint128.Uint128 { return at(p).userData128 }))
	}
	if want.userData64 != 0 {
		lists = append(lists, x.userData64.find(want.userData64, n,
			func(p position) uint64 { return at(p).userData64 }))
	}
	if want.userData32 != 0 {
		lists = append(lists, x.userData32.find(want.userData32, n,
			func(p position) uint32 { return at(p).userData32 }))
	}
	if want.ledger != 0 {
		lists = append(lists, x.ledger.find(want.ledger, n,
			func(p position) uint32 { return at(p).ledger }))
	}
	if want.code != 0 {
		lists = append(lists, x.code.find(want.code, n,
			func(p position) uint16 { return at(p).code }))
	}
	return lists
}
