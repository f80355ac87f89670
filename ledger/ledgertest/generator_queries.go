package ledgertest

import (
	"math"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// drawQuery draws a look-up or a query, with a valid filter in most cases.
func (g *generator) drawQuery() action {
	q := &query{op: operation(g.IntN(operationCount))}
	if q.op == lookupAccounts || q.op == lookupTransfers {
		for range g.IntN(12) {
			q.ids = append(q.ids, g.drawLookupID())
		}
		return q
	}
	q.ledger = []uint32{0, 1, 1, 2, 3}[g.IntN(5)]
	q.filter = ledger.AccountFilter{
		AccountID: g.pickAccount().ID,
		Flags:     ledger.AccountFilterFlags(1 + g.IntN(7)),
		Limit:     []uint32{1, 2, 5, 20, ledger.QueryMax, ledger.QueryMax}[g.IntN(6)],
	}
	if g.oneIn(4) {
		q.filter.UserData128 = uint128.From64(1 + g.Uint64N(3))
	}
	if g.oneIn(4) {
		q.filter.UserData64 = 1 + g.Uint64N(3)
	}
	if g.oneIn(4) {
		q.filter.UserData32 = 1 + g.Uint32N(3)
	}
	if g.oneIn(4) {
		q.filter.Code = uint16(1 + g.IntN(2))
	}
	q.low, q.high = g.drawTimeBound(), g.drawTimeBound()
	if g.oneIn(8) {
		filterFaults[g.IntN(len(filterFaults))](q)
	}
	return q
}

// drawLookupID returns an id drawn before in most cases.
func (g *generator) drawLookupID() ledger.ID {
	switch g.IntN(12) {
	case 0:
		return ledger.ID{}
	case 1:
		return ledger.IDMax
	}
	return ledger.NewID(1+g.Uint64N(max(g.lastAccount, g.lastTransfer)+2), 0)
}

// drawTimeBound returns no bound, the timestamp of a result, or a number above all timestamps.
func (g *generator) drawTimeBound() timeBound {
	switch n := g.IntN(16); {
	case n < 8:
		return timeBound{}
	case n < 15:
		return timeBound{n: uint64(g.IntN(1 << 12)), ofResult: true}
	default:
		return timeBound{n: []uint64{ledger.TimestampMax, ledger.TimestampMax + 1, math.MaxUint64}[g.IntN(3)]}
	}
}

// filterFaults make a filter invalid, some only for some operations.
var filterFaults = []func(*query){
	func(q *query) { q.filter.Limit = 0 },
	func(q *query) { q.filter.AccountID = ledger.ID{} },
	func(q *query) { q.filter.AccountID = ledger.IDMax },
	func(q *query) { q.filter.Reserved[0] = 1 },
	func(q *query) { q.filter.Reserved[57] = 1 },
	func(q *query) { q.filter.Flags |= 1 << 3 },
	func(q *query) { q.filter.Flags |= 1 << 31 },
	func(q *query) { q.filter.Flags = 0 },
	func(q *query) { q.filter.Flags = ledger.AccountFilterReversed },
}
