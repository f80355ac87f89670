package ledgertest

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// requestCases test rules about requests as a whole, which scenarios cannot express.
var requestCases = []struct {
	name string
	run  func(*requestTest)
}{
	{"empty requests have empty answers", (*requestTest).testEmptyRequests},
	{"look-ups keep the order of the ids", (*requestTest).testLookupOrder},
	{"results have dense timestamps", (*requestTest).testDenseTimestamps},
	{"an import that is rolled back keeps its timestamp", (*requestTest).testRolledBackImports},
	{"requests above the limits are refused", (*requestTest).testOversizedRequests},
	{"invalid filters find nothing", (*requestTest).testInvalidFilters},
	{"a query for everything", (*requestTest).testReadNewest},
	{"pages join up", (*requestTest).testReadByPages},
	{"a context that has ended stops the request", (*requestTest).testEndedContext},
	{"concurrent chains stay separate", (*requestTest).testConcurrentChains},
	{"one of many concurrent creates succeeds", (*requestTest).testConcurrentCreates},
}

// requestTest is the subject and the test of one of the requestCases.
type requestTest struct {
	*subject
	t *testing.T
}

// createPair creates two accounts in a new ledger number, and returns a transfer between them.
func (r *requestTest) createPair() ledger.Transfer {
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

// copyTransfers returns n copies of the template under new ids.
func copyTransfers(template ledger.Transfer, n int) []ledger.Transfer {
	transfers := make([]ledger.Transfer, n)
	for i := range transfers {
		transfers[i] = template
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

func (r *requestTest) testEmptyRequests() {
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

func (r *requestTest) testLookupOrder() {
	transfers := copyTransfers(r.createPair(), 2)
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

func (r *requestTest) testDenseTimestamps() {
	first := r.createPair()
	second := copyTransfers(first, 1)[0]
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
	require.Greater(r.t, r.readClock(r.t), slot+3)
}

// testRolledBackImports breaks a chain of imports in the middle. Only members before the breaker
// were tried, and keep the timestamp of the import.
func (r *requestTest) testRolledBackImports() {
	chain := copyTransfers(r.createPair(), 3)
	past := r.readClock(r.t)
	r.sleepFor(r.t, importDelay)
	for i := range chain {
		chain[i].Flags, chain[i].Timestamp = ledger.TransferImported|ledger.TransferLinked, past+1+uint64(i)
	}
	chain[1].Ledger = 0
	chain[2].Flags = ledger.TransferImported
	results, err := r.CreateTransfers(r.t.Context(), chain)
	require.NoError(r.t, err)
	require.Len(r.t, results, len(chain))
	slot := results[1].Timestamp
	require.Equal(r.t, []ledger.CreateTransferResult{
		{Timestamp: past + 1, Status: ledger.TransferLinkedEventFailed},
		{Timestamp: slot, Status: ledger.TransferLedgerMustNotBeZero},
		{Timestamp: slot + 1, Status: ledger.TransferLinkedEventFailed},
	}, results)
	require.Greater(r.t, slot, past+uint64(len(chain)), "a timestamp of the ledger, not of the import")
}

func (r *requestTest) testEndedContext() {
	transfer := r.createPair()
	ctx, cancel := context.WithCancel(r.t.Context())
	cancel()
	_, err := r.CreateTransfers(ctx, []ledger.Transfer{transfer})
	require.ErrorIs(r.t, err, context.Canceled)
	require.NotErrorIs(r.t, err, ledger.ErrOutcomeUnknown)
	// The cause of the context may come from another request, and says nothing about the outcome
	// here.
	caused, cancelCause := context.WithCancelCause(r.t.Context())
	cancelCause(ledger.ErrOutcomeUnknown)
	_, err = r.CreateTransfers(caused, []ledger.Transfer{transfer})
	require.ErrorIs(r.t, err, context.Canceled)
	require.NotErrorIs(r.t, err, ledger.ErrOutcomeUnknown)
	_, err = r.QueryAccounts(ctx, ledger.QueryFilter{Limit: 1})
	require.ErrorIs(r.t, err, context.Canceled)
	r.mustCreate(transfer)
}

// testClosedLedger closes the ledger and calls every method.
func (r *requestTest) testClosedLedger() {
	transfer := r.createPair()
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
