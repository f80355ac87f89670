package ledgertest

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// requestCases are the rules for requests as a whole, which scenarios cannot tell.
var requestCases = []struct {
	name string
	run  func(*requestTest)
}{
	{"empty requests have empty answers", (*requestTest).emptyRequests},
	{"look-ups keep the order asked", (*requestTest).lookupOrder},
	{"results have dense timestamps", (*requestTest).denseTimestamps},
	{"requests above the limits are refused", (*requestTest).tooMuch},
	{"invalid filters find nothing", (*requestTest).invalidFilters},
	{"a query for everything", (*requestTest).everything},
	{"pages join up", (*requestTest).pages},
	{"a context that has ended stops the request", (*requestTest).endedContext},
	{"concurrent chains do not meet", (*requestTest).concurrentChains},
	{"one of many creates an id", (*requestTest).concurrentCreates},
}

// requestTest is one of requestCases under way.
type requestTest struct {
	*subject
	t *testing.T
}

// pair creates two accounts, of a ledger number that nobody else uses, and returns
// a transfer between them.
func (r *requestTest) pair() ledger.Transfer {
	number := rand.Uint32() | 1
	accounts := []ledger.Account{
		{ID: randomID(), Ledger: number, Code: 1},
		{ID: randomID(), Ledger: number, Code: 1},
	}
	results, err := r.CreateAccounts(r.t.Context(), accounts)
	require.NoError(r.t, err)
	for _, result := range results {
		require.Equal(r.t, ledger.AccountCreated, result.Status)
	}
	return ledger.Transfer{
		ID: randomID(), DebitAccountID: accounts[0].ID, CreditAccountID: accounts[1].ID,
		Amount: ledger.NewAmount(1), Ledger: number, Code: 1,
	}
}

func randomID() ledger.ID { return ledger.NewID(rand.Uint64()|1, rand.Uint64()>>1) }

// copies returns n transfers like the model under new ids.
func copies(model ledger.Transfer, n int) []ledger.Transfer {
	transfers := make([]ledger.Transfer, n)
	for i := range transfers {
		transfers[i] = model
		transfers[i].ID = randomID()
	}
	return transfers
}

func (r *requestTest) mustCreate(transfers ...ledger.Transfer) []ledger.CreateTransferResult {
	results, err := r.CreateTransfers(r.t.Context(), transfers)
	require.NoError(r.t, err)
	require.Len(r.t, results, len(transfers))
	for i, result := range results {
		require.Equal(r.t, ledger.TransferCreated, result.Status, "event %d", i)
	}
	return results
}

func (r *requestTest) emptyRequests() {
	accounts, err := r.CreateAccounts(r.t.Context(), nil)
	require.NoError(r.t, err)
	require.Equal(r.t, []ledger.CreateAccountResult{}, accounts)
	transfers, err := r.CreateTransfers(r.t.Context(), nil)
	require.NoError(r.t, err)
	require.Equal(r.t, []ledger.CreateTransferResult{}, transfers)
	foundAccounts, err := r.LookupAccounts(r.t.Context(), nil)
	require.NoError(r.t, err)
	require.Equal(r.t, []ledger.Account{}, foundAccounts)
	foundTransfers, err := r.LookupTransfers(r.t.Context(), nil)
	require.NoError(r.t, err)
	require.Equal(r.t, []ledger.Transfer{}, foundTransfers)
}

func (r *requestTest) lookupOrder() {
	transfers := copies(r.pair(), 2)
	r.mustCreate(transfers...)
	a, b, unknown := transfers[0].ID, transfers[1].ID, randomID()
	found, err := r.LookupTransfers(r.t.Context(), []ledger.ID{b, unknown, a, b, {}, ledger.IDMax})
	require.NoError(r.t, err)
	var ids []ledger.ID
	for i := range found {
		ids = append(ids, found[i].ID)
	}
	require.Equal(r.t, []ledger.ID{b, a, b}, ids)

	debit, credit := transfers[0].DebitAccountID, transfers[0].CreditAccountID
	accounts, err := r.LookupAccounts(r.t.Context(), []ledger.ID{credit, {}, debit, unknown, credit})
	require.NoError(r.t, err)
	ids = nil
	for i := range accounts {
		ids = append(ids, accounts[i].ID)
	}
	require.Equal(r.t, []ledger.ID{credit, debit, credit}, ids)
}

func (r *requestTest) denseTimestamps() {
	first := r.pair()
	second := copies(first, 1)[0]
	second.Amount = ledger.Amount{}
	results, err := r.CreateTransfers(r.t.Context(), []ledger.Transfer{first, first, second, {}})
	require.NoError(r.t, err)
	slot := results[0].Timestamp
	require.Equal(r.t, []ledger.CreateTransferResult{
		{Timestamp: slot, Status: ledger.TransferCreated},
		{Timestamp: slot, Status: ledger.TransferExists},
		{Timestamp: slot + 2, Status: ledger.TransferCreated},
		{Timestamp: slot + 3, Status: ledger.TransferIDMustNotBeZero},
	}, results)
	require.Greater(r.t, r.now(r.t), slot+3)
}

func (r *requestTest) tooMuch() {
	ctx := r.t.Context()
	transfer := r.pair()
	_, err := r.CreateTransfers(ctx, copies(transfer, ledger.BatchMax+1))
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

func (r *requestTest) invalidFilters() {
	transfer := r.pair()
	timestamp := r.mustCreate(transfer)[0].Timestamp
	account := ledger.AccountFilter{AccountID: transfer.DebitAccountID, Flags: ledger.AccountFilterDebits, Limit: 1}
	query := ledger.QueryFilter{Ledger: transfer.Ledger, Limit: 1}

	require.Len(r.t, r.accountTransfers(account, func(*ledger.AccountFilter) {}), 1)
	require.Len(r.t, r.accountTransfers(account, func(f *ledger.AccountFilter) { f.TimestampMin = timestamp }), 1)
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
		require.Equal(r.t, []ledger.Transfer{}, r.accountTransfers(account, spoil), name)
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

// everything asks for the newest of all transfers and accounts.
func (r *requestTest) everything() {
	transfers := copies(r.pair(), 2)
	r.mustCreate(transfers...)
	all := ledger.QueryFilter{Limit: 2, Flags: ledger.QueryFilterReversed}
	found := r.queryTransfers(all, func(*ledger.QueryFilter) {})
	require.Equal(r.t, []ledger.ID{transfers[1].ID, transfers[0].ID}, []ledger.ID{found[0].ID, found[1].ID})
	accounts, err := r.QueryAccounts(r.t.Context(), all)
	require.NoError(r.t, err)
	require.Equal(r.t, []ledger.ID{transfers[0].CreditAccountID, transfers[0].DebitAccountID},
		[]ledger.ID{accounts[0].ID, accounts[1].ID})
	require.Equal(r.t, ledger.NewAmount(2), accounts[0].CreditsPosted, "balances are those of now")
}

func (r *requestTest) accountTransfers(
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

// pages reads 25 transfers four at a time, both ways.
func (r *requestTest) pages() {
	transfers := copies(r.pair(), 25)
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

func (r *requestTest) endedContext() {
	transfer := r.pair()
	ctx, cancel := context.WithCancel(r.t.Context())
	cancel()
	_, err := r.CreateTransfers(ctx, []ledger.Transfer{transfer})
	require.ErrorIs(r.t, err, context.Canceled)
	require.NotErrorIs(r.t, err, ledger.ErrOutcomeUnknown)
	_, err = r.QueryAccounts(ctx, ledger.QueryFilter{Limit: 1})
	require.ErrorIs(r.t, err, context.Canceled)
	r.mustCreate(transfer)
}

// concurrentChains sends chains of two at once; every other one is left open.
func (r *requestTest) concurrentChains() {
	const senders = 64
	chains := make([][]ledger.Transfer, senders)
	results := make([][]ledger.CreateTransferResult, senders)
	model := r.pair()
	for i := range chains {
		chains[i] = copies(model, 2)
		chains[i][0].Flags = ledger.TransferLinked
		if i%2 == 1 {
			chains[i][1].Flags = ledger.TransferLinked
		}
	}
	r.concurrently(senders, func(i int) error {
		var err error
		results[i], err = r.CreateTransfers(r.t.Context(), chains[i])
		return err
	})
	for i, chain := range results {
		want := []ledger.CreateTransferStatus{ledger.TransferCreated, ledger.TransferCreated}
		if i%2 == 1 {
			want = []ledger.CreateTransferStatus{ledger.TransferLinkedEventFailed, ledger.TransferLinkedEventChainOpen}
		}
		require.Equal(r.t, want, []ledger.CreateTransferStatus{chain[0].Status, chain[1].Status})
		require.Equal(r.t, chain[0].Timestamp+1, chain[1].Timestamp, "a request has its timestamps to itself")
	}
	found, err := r.LookupAccounts(r.t.Context(), []ledger.ID{model.DebitAccountID})
	require.NoError(r.t, err)
	require.Equal(r.t, ledger.NewAmount(senders), found[0].DebitsPosted)
}

// concurrentCreates sends one transfer from many sides.
func (r *requestTest) concurrentCreates() {
	const senders = 16
	transfer := r.pair()
	results := make([]ledger.CreateTransferResult, senders)
	r.concurrently(senders, func(i int) error {
		answer, err := r.CreateTransfers(r.t.Context(), []ledger.Transfer{transfer})
		if err == nil {
			results[i] = answer[0]
		}
		return err
	})
	created := 0
	for _, result := range results {
		require.True(r.t, result.Status.Outcome().Done(), "%v", result.Status)
		require.Equal(r.t, results[0].Timestamp, result.Timestamp)
		if result.Status == ledger.TransferCreated {
			created++
		}
	}
	require.Equal(r.t, 1, created)
}

// concurrently calls send for 0 to n-1 at the same time, and waits.
func (r *requestTest) concurrently(n int, send func(i int) error) {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = send(i) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(r.t, err)
	}
}

// closedLedger closes the ledger and asks it for everything.
func (r *requestTest) closedLedger() {
	transfer := r.pair()
	require.NoError(r.t, r.Close())
	require.NoError(r.t, r.Close(), "a second Close does nothing")
	ctx := r.t.Context()
	_, err := r.CreateAccounts(ctx, nil)
	require.ErrorIs(r.t, err, ledger.ErrClosed)
	_, err = r.CreateTransfers(ctx, []ledger.Transfer{transfer})
	require.ErrorIs(r.t, err, ledger.ErrClosed)
	_, err = r.LookupAccounts(ctx, nil)
	require.ErrorIs(r.t, err, ledger.ErrClosed)
	_, err = r.LookupTransfers(ctx, nil)
	require.ErrorIs(r.t, err, ledger.ErrClosed)
	_, err = r.GetAccountTransfers(ctx, ledger.AccountFilter{})
	require.ErrorIs(r.t, err, ledger.ErrClosed)
	_, err = r.GetAccountBalances(ctx, ledger.AccountFilter{})
	require.ErrorIs(r.t, err, ledger.ErrClosed)
	_, err = r.QueryAccounts(ctx, ledger.QueryFilter{})
	require.ErrorIs(r.t, err, ledger.ErrClosed)
	_, err = r.QueryTransfers(ctx, ledger.QueryFilter{})
	require.ErrorIs(r.t, err, ledger.ErrClosed)
	if r.feed != nil {
		_, err = r.feed.GetChangeEvents(ctx, ledger.ChangeEventsFilter{})
		require.ErrorIs(r.t, err, ledger.ErrClosed)
	}
}
