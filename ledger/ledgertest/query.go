package ledgertest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// query is an action that reads: a look-up or a query.
type query struct {
	op        operation
	ids       []ledger.ID          // for look-ups
	filter    ledger.AccountFilter // for queries; QueryFilter and ChangeEventsFilter copy the fields they share with it
	ledger    uint32               // of a QueryFilter
	low, high timeBound
}

type operation uint8

const (
	lookupAccounts operation = iota
	lookupTransfers
	getAccountTransfers
	getAccountBalances
	queryAccounts
	queryTransfers
	getChangeEvents
)

const operationCount = int(getChangeEvents) + 1

func (v operation) String() string {
	return [...]string{
		"LookupAccounts", "LookupTransfers", "GetAccountTransfers", "GetAccountBalances",
		"QueryAccounts", "QueryTransfers", "GetChangeEvents",
	}[v]
}

// timeBound is an end of a range of timestamps: a number, or the timestamp of the n-th result of
// the run.
type timeBound struct {
	n        uint64
	ofResult bool
}

func (r *run) resolveBound(b timeBound) uint64 {
	if !b.ofResult {
		return b.n
	}
	if len(r.resultTimes) == 0 {
		return 0
	}
	return r.resultTimes[b.n%uint64(len(r.resultTimes))]
}

func (q *query) runOn(r *run) answer {
	if q.op == getChangeEvents && r.subject.feed == nil {
		return answer{}
	}
	sent := q.mapToSpace(r)
	var got answer
	var err error
	r.retryUntilSteady(func() {
		got, err = sent.sendQuery(r)
		require.NoError(r.tb, err, r.describeAction())
	})
	want := sent.computeAnswer(r.model)
	want.requireEqual(r.tb, &got, "%s: %v", r.describeAction(), sent)
	return got
}

// mapToSpace returns the query in the run's space. A query that would find objects of other spaces
// begins at the start of the run.
func (q *query) mapToSpace(r *run) *query {
	sent := *q
	sent.ids = make([]ledger.ID, len(q.ids))
	for i, id := range q.ids {
		sent.ids[i] = r.space.mapID(id)
	}
	sent.filter.AccountID = r.space.mapID(q.filter.AccountID)
	sent.filter.UserData128 = r.space.mapUserData(q.filter.UserData128)
	sent.filter.TimestampMin, sent.filter.TimestampMax = r.resolveBound(q.low), r.resolveBound(q.high)
	sent.ledger = r.space.mapLedger(q.ledger)
	findsOthers := q.op == getChangeEvents ||
		(q.op == queryAccounts || q.op == queryTransfers) && q.ledger == 0 && q.filter.UserData128.IsZero()
	if findsOthers && sent.filter.TimestampMin == 0 {
		sent.filter.TimestampMin = r.start
	}
	return &sent
}

func (q *query) sendQuery(r *run) (got answer, err error) {
	ctx := r.tb.Context()
	switch q.op {
	case lookupAccounts:
		got.accounts, err = r.subject.LookupAccounts(ctx, q.ids)
	case lookupTransfers:
		got.transfers, err = r.subject.LookupTransfers(ctx, q.ids)
	case getAccountTransfers:
		got.transfers, err = r.subject.GetAccountTransfers(ctx, q.filter)
	case getAccountBalances:
		got.balances, err = r.subject.GetAccountBalances(ctx, q.filter)
	case queryAccounts:
		got.accounts, err = r.subject.QueryAccounts(ctx, q.toQueryFilter())
	case queryTransfers:
		got.transfers, err = r.subject.QueryTransfers(ctx, q.toQueryFilter())
	case getChangeEvents:
		got.changes, err = r.subject.feed.GetChangeEvents(ctx, q.toChangesFilter())
	}
	return got, err
}

// computeAnswer returns the answer of the model.
func (q *query) computeAnswer(m *model) (want answer) {
	query, changes := q.toQueryFilter(), q.toChangesFilter()
	switch q.op {
	case lookupAccounts:
		want.accounts = m.lookupAccounts(q.ids)
	case lookupTransfers:
		want.transfers = m.lookupTransfers(q.ids)
	case getAccountTransfers:
		want.transfers = m.getAccountTransfers(&q.filter)
	case getAccountBalances:
		want.balances = m.getAccountBalances(&q.filter)
	case queryAccounts:
		want.accounts = m.queryAccounts(&query)
	case queryTransfers:
		want.transfers = m.queryTransfers(&query)
	case getChangeEvents:
		want.changes = m.getChangeEvents(&changes)
	}
	return want
}

func (q *query) toQueryFilter() ledger.QueryFilter {
	f := &q.filter
	query := ledger.QueryFilter{
		UserData128: f.UserData128, UserData64: f.UserData64, UserData32: f.UserData32,
		Ledger: q.ledger, Code: f.Code,
		TimestampMin: f.TimestampMin, TimestampMax: f.TimestampMax, Limit: f.Limit,
		Flags: ledger.QueryFilterFlags(f.Flags >> 2), // the reversed flag is bit 2 of AccountFilter and bit 0 of QueryFilter
	}
	copy(query.Reserved[:], f.Reserved[:])
	return query
}

func (q *query) toChangesFilter() ledger.ChangeEventsFilter {
	f := &q.filter
	changes := ledger.ChangeEventsFilter{
		TimestampMin: f.TimestampMin, TimestampMax: f.TimestampMax, Limit: min(f.Limit, ledger.ChangeEventsMax),
	}
	copy(changes.Reserved[:], f.Reserved[:])
	return changes
}

func (q *query) String() string {
	if q.op == lookupAccounts || q.op == lookupTransfers {
		return fmt.Sprintf("%v %v", q.op, q.ids)
	}
	return fmt.Sprintf("%v %+v ledger %d", q.op, q.filter, q.ledger)
}
