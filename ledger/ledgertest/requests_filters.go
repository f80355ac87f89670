package ledgertest

import (
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

func (r *requestTest) testOversizedRequests() {
	ctx := r.t.Context()
	transfer := r.createPair()
	_, err := r.CreateTransfers(ctx, copyTransfers(transfer, ledger.BatchMax+1))
	require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
	_, err = r.CreateAccounts(ctx, make([]ledger.Account, ledger.BatchMax+1))
	require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
	_, err = r.LookupAccounts(ctx, make([]ledger.ID, ledger.BatchMax+1))
	require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
	_, err = r.LookupTransfers(ctx, make([]ledger.ID, ledger.BatchMax+1))
	require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
	for _, limit := range []uint32{ledger.QueryMax + 1, 1 << 31} {
		account := ledger.AccountFilter{AccountID: transfer.DebitAccountID, Flags: ledger.AccountFilterDebits, Limit: limit}
		_, err = r.GetAccountTransfers(ctx, account)
		require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
		_, err = r.GetAccountBalances(ctx, account)
		require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
		_, err = r.QueryAccounts(ctx, ledger.QueryFilter{Limit: limit})
		require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
		_, err = r.QueryTransfers(ctx, ledger.QueryFilter{Limit: limit})
		require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
	}
	if r.feed != nil {
		_, err = r.feed.GetChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: ledger.ChangeEventsMax + 1})
		require.ErrorIs(r.t, err, ledger.ErrTooMuchData)
	}
	found, err := r.QueryTransfers(ctx, ledger.QueryFilter{Ledger: transfer.Ledger, Limit: ledger.QueryMax})
	require.NoError(r.t, err)
	require.Empty(r.t, found, "a request that is too large is not applied")
}

func (r *requestTest) testInvalidFilters() {
	transfer := r.createPair()
	timestamp := r.mustCreate(transfer)[0].Timestamp
	account := ledger.AccountFilter{AccountID: transfer.DebitAccountID, Flags: ledger.AccountFilterDebits, Limit: 1}
	query := ledger.QueryFilter{Ledger: transfer.Ledger, Limit: 1}

	require.Len(r.t, r.getAccountTransfers(account, func(*ledger.AccountFilter) {}), 1)
	require.Len(r.t, r.getAccountTransfers(account, func(f *ledger.AccountFilter) { f.TimestampMin = timestamp }), 1)
	for name, spoil := range map[string]func(*ledger.AccountFilter){
		"reserved":    func(f *ledger.AccountFilter) { f.Reserved[57] = 1 },
		"flag":        func(f *ledger.AccountFilter) { f.Flags |= 1 << 3 },
		"late end":    func(f *ledger.AccountFilter) { f.TimestampMax = ledger.TimestampMax + 1 },
		"late start":  func(f *ledger.AccountFilter) { f.TimestampMin = ledger.TimestampMax + 1 },
		"end first":   func(f *ledger.AccountFilter) { f.TimestampMin, f.TimestampMax = timestamp, timestamp-1 },
		"no limit":    func(f *ledger.AccountFilter) { f.Limit = 0 },
		"no account":  func(f *ledger.AccountFilter) { f.AccountID = ledger.ID{} },
		"max account": func(f *ledger.AccountFilter) { f.AccountID = ledger.IDMax },
		"no side":     func(f *ledger.AccountFilter) { f.Flags = ledger.AccountFilterReversed },
	} {
		require.Equal(r.t, []ledger.Transfer{}, r.getAccountTransfers(account, spoil), name)
	}
	require.Len(r.t, r.queryTransfers(query, func(*ledger.QueryFilter) {}), 1)
	for name, spoil := range map[string]func(*ledger.QueryFilter){
		"reserved":   func(f *ledger.QueryFilter) { f.Reserved[5] = 1 },
		"flag":       func(f *ledger.QueryFilter) { f.Flags |= 1 << 1 },
		"late end":   func(f *ledger.QueryFilter) { f.TimestampMax = ledger.TimestampMax + 1 },
		"late start": func(f *ledger.QueryFilter) { f.TimestampMin = ledger.TimestampMax + 1 },
		"end first":  func(f *ledger.QueryFilter) { f.TimestampMin, f.TimestampMax = timestamp, timestamp-1 },
		"no limit":   func(f *ledger.QueryFilter) { f.Limit = 0 },
	} {
		require.Equal(r.t, []ledger.Transfer{}, r.queryTransfers(query, spoil), name)
	}
	if r.feed == nil {
		return
	}
	for _, filter := range []ledger.ChangeEventsFilter{
		{Limit: 0},
		{Limit: 1, Reserved: [44]uint8{43: 1}},
		{Limit: 1, TimestampMin: timestamp, TimestampMax: timestamp - 1},
		{Limit: 1, TimestampMax: ledger.TimestampMax + 1},
	} {
		found, err := r.feed.GetChangeEvents(r.t.Context(), filter)
		require.NoError(r.t, err)
		require.Equal(r.t, []ledger.ChangeEvent{}, found)
	}
}

// testReadNewest queries the newest of all transfers and accounts.
func (r *requestTest) testReadNewest() {
	transfers := copyTransfers(r.createPair(), 2)
	r.mustCreate(transfers...)
	all := ledger.QueryFilter{Limit: 2, Flags: ledger.QueryFilterReversed}
	found := r.queryTransfers(all, func(*ledger.QueryFilter) {})
	require.Equal(r.t, []ledger.ID{transfers[1].ID, transfers[0].ID}, []ledger.ID{found[0].ID, found[1].ID})
	accounts, err := r.QueryAccounts(r.t.Context(), all)
	require.NoError(r.t, err)
	require.Equal(r.t, []ledger.ID{transfers[0].CreditAccountID, transfers[0].DebitAccountID},
		[]ledger.ID{accounts[0].ID, accounts[1].ID})
	require.Equal(r.t, ledger.NewAmount(2), accounts[0].CreditsPosted, "balances are current")
}

// testReadByPages reads 25 transfers four at a time, in both directions.
func (r *requestTest) testReadByPages() {
	transfers := copyTransfers(r.createPair(), 25)
	r.mustCreate(transfers...)
	forward := ledger.QueryFilter{Ledger: transfers[0].Ledger, Limit: 4}
	backward := forward
	backward.Flags = ledger.QueryFilterReversed
	var up, down []ledger.ID
	for range 7 {
		for _, found := range r.queryTransfers(forward, func(*ledger.QueryFilter) {}) {
			up, forward.TimestampMin = append(up, found.ID), found.Timestamp+1
		}
		for _, found := range r.queryTransfers(backward, func(*ledger.QueryFilter) {}) {
			down, backward.TimestampMax = append([]ledger.ID{found.ID}, down...), found.Timestamp-1
		}
	}
	var want []ledger.ID
	for i := range transfers {
		want = append(want, transfers[i].ID)
	}
	require.Equal(r.t, want, up)
	require.Equal(r.t, want, down)
}

func (r *requestTest) getAccountTransfers(
	filter ledger.AccountFilter, change func(*ledger.AccountFilter),
) []ledger.Transfer {
	change(&filter)
	found, err := r.GetAccountTransfers(r.t.Context(), filter)
	require.NoError(r.t, err)
	return found
}

func (r *requestTest) queryTransfers(
	filter ledger.QueryFilter, change func(*ledger.QueryFilter),
) []ledger.Transfer {
	change(&filter)
	found, err := r.QueryTransfers(r.t.Context(), filter)
	require.NoError(r.t, err)
	return found
}
