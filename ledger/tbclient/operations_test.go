//go:build cgo

package tbclient_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"
)

var (
	pending = tb.TransferFlags{Pending: true}.ToUint16()
	post    = tb.TransferFlags{PostPendingTransfer: true}.ToUint16()
)

// openAccounts creates two empty accounts with histories.
func openAccounts(t *testing.T, c tb.Client) (debit, credit tb.Account) {
	t.Helper()
	history := tb.AccountFlags{History: true}.ToUint16()
	debit = tb.Account{ID: tb.ID(), UserData128: tb.ID(), UserData64: 2, UserData32: 3, Ledger: 1, Code: 4, Flags: history}
	credit = tb.Account{ID: tb.ID(), UserData128: debit.UserData128, Ledger: 1, Code: 5, Flags: history}
	results, err := c.CreateAccounts([]tb.Account{debit, credit})
	require.NoError(t, err)
	require.Len(t, results, 2)
	for i, account := range []*tb.Account{&debit, &credit} {
		require.Equal(t, tb.AccountCreated, results[i].Status)
		account.Timestamp = results[i].Timestamp
	}
	require.Equal(t, debit.Timestamp+1, credit.Timestamp)
	return debit, credit
}

// holdAndPost creates a pending transfer of 5 between new accounts and posts 3 of it. It returns
// both transfers as stored.
func holdAndPost(t *testing.T, c tb.Client) (hold, posted tb.Transfer) {
	t.Helper()
	debit, credit := openAccounts(t, c)
	hold = tb.Transfer{
		ID: tb.ID(), DebitAccountID: debit.ID, CreditAccountID: credit.ID, Amount: tb.ToUint128(5),
		UserData128: tb.ID(), UserData64: 6, UserData32: 7, Timeout: 3600, Ledger: 1, Code: 8, Flags: pending,
	}
	hold.Timestamp = createOne(t, c, hold)
	request := tb.Transfer{ID: tb.ID(), PendingID: hold.ID, Amount: tb.ToUint128(3), Flags: post}
	posted = hold // a post inherits its zero fields, except for the timeout
	posted.ID, posted.PendingID, posted.Amount = request.ID, hold.ID, request.Amount
	posted.Timeout, posted.Flags, posted.Timestamp = 0, post, createOne(t, c, request)
	return hold, posted
}

func createOne(t *testing.T, c tb.Client, transfer tb.Transfer) (timestamp uint64) {
	t.Helper()
	results, err := c.CreateTransfers([]tb.Transfer{transfer})
	require.NoError(t, err)
	require.Len(t, results, 1)
	require.Equal(t, tb.TransferCreated, results[0].Status)
	return results[0].Timestamp
}

func testAccounts(t *testing.T, c tb.Client) {
	t.Helper()
	debit, credit := openAccounts(t, c)
	found, err := c.LookupAccounts([]tb.Uint128{credit.ID, tb.ID(), debit.ID, credit.ID})
	require.NoError(t, err)
	require.Equal(t, []tb.Account{credit, debit, credit}, found)
}

func testTransfers(t *testing.T, c tb.Client) {
	t.Helper()
	hold, posted := holdAndPost(t, c)
	found, err := c.LookupTransfers([]tb.Uint128{posted.ID, tb.ID(), hold.ID})
	require.NoError(t, err)
	require.Equal(t, []tb.Transfer{posted, hold}, found)

	accounts, err := c.LookupAccounts([]tb.Uint128{hold.DebitAccountID, hold.CreditAccountID})
	require.NoError(t, err)
	require.Len(t, accounts, 2)
	zero, three := tb.ToUint128(0), tb.ToUint128(3)
	require.Equal(t, [4]tb.Uint128{zero, three, zero, zero}, balances(accounts[0]))
	require.Equal(t, [4]tb.Uint128{zero, zero, zero, three}, balances(accounts[1]))
}

func balances(a tb.Account) [4]tb.Uint128 {
	return [4]tb.Uint128{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted}
}

// Refused events are results and no errors: in chains, under used ids and under burnt ids.
func testRefusals(t *testing.T, c tb.Client) {
	t.Helper()
	debit, credit := openAccounts(t, c)
	debit.Timestamp = 0
	other := debit
	other.Code++
	accounts, err := c.CreateAccounts([]tb.Account{debit, other, {}})
	require.NoError(t, err)
	require.Len(t, accounts, 3)
	require.Equal(t, tb.AccountExists, accounts[0].Status)
	require.Equal(t, credit.Timestamp-1, accounts[0].Timestamp, "of the account that exists")
	require.Equal(t, tb.AccountExistsWithDifferentCode, accounts[1].Status)
	require.Equal(t, tb.AccountIDMustNotBeZero, accounts[2].Status)

	linked := tb.Transfer{
		ID: tb.ID(), DebitAccountID: debit.ID, CreditAccountID: credit.ID, Ledger: 1, Code: 1,
		Flags: tb.TransferFlags{Linked: true}.ToUint16(),
	}
	lost := linked
	lost.ID, lost.CreditAccountID, lost.Flags = tb.ID(), tb.ID(), 0
	transfers, err := c.CreateTransfers([]tb.Transfer{linked, lost, lost, linked})
	require.NoError(t, err)
	require.Len(t, transfers, 4)
	for i, want := range []tb.CreateTransferStatus{
		tb.TransferLinkedEventFailed, tb.TransferCreditAccountNotFound,
		tb.TransferIDAlreadyFailed, tb.TransferLinkedEventChainOpen,
	} {
		require.Equal(t, want, transfers[i].Status)
		require.Equal(t, transfers[0].Timestamp+uint64(i), transfers[i].Timestamp)
	}
}

func testAccountHistory(t *testing.T, c tb.Client) {
	t.Helper()
	hold, posted := holdAndPost(t, c)
	filter := tb.AccountFilter{
		AccountID: hold.DebitAccountID, Limit: 10, Flags: tb.AccountFilterFlags{Debits: true}.ToUint32(),
	}
	transfers, err := c.GetAccountTransfers(filter)
	require.NoError(t, err)
	require.Equal(t, []tb.Transfer{hold, posted}, transfers)
	history, err := c.GetAccountBalances(filter)
	require.NoError(t, err)
	require.Equal(t, []tb.AccountBalance{
		{DebitsPending: tb.ToUint128(5), Timestamp: hold.Timestamp},
		{DebitsPosted: tb.ToUint128(3), Timestamp: posted.Timestamp},
	}, history)

	filter.Flags = tb.AccountFilterFlags{Debits: true, Credits: true, Reversed: true}.ToUint32()
	filter.Limit = 1
	filter.TimestampMax = hold.Timestamp
	filter.Code = hold.Code
	transfers, err = c.GetAccountTransfers(filter)
	require.NoError(t, err)
	require.Equal(t, []tb.Transfer{hold}, transfers)

	filter.Flags = tb.AccountFilterFlags{Credits: true}.ToUint32()
	transfers, err = c.GetAccountTransfers(filter)
	require.NoError(t, err)
	require.Equal(t, []tb.Transfer{}, transfers)
}

func testQueries(t *testing.T, c tb.Client) {
	t.Helper()
	debit, credit := openAccounts(t, c)
	filter := tb.QueryFilter{UserData128: debit.UserData128, Limit: 10}
	accounts, err := c.QueryAccounts(filter)
	require.NoError(t, err)
	require.Equal(t, []tb.Account{debit, credit}, accounts)
	filter.UserData64, filter.UserData32, filter.Ledger, filter.Code = 2, 3, 1, 4
	accounts, err = c.QueryAccounts(filter)
	require.NoError(t, err)
	require.Equal(t, []tb.Account{debit}, accounts)

	hold, posted := holdAndPost(t, c)
	filter = tb.QueryFilter{
		UserData128: hold.UserData128, Limit: 10, Flags: tb.QueryFilterFlags{Reversed: true}.ToUint32(),
	}
	transfers, err := c.QueryTransfers(filter)
	require.NoError(t, err)
	require.Equal(t, []tb.Transfer{posted, hold}, transfers)
	filter.TimestampMin = posted.Timestamp + 1
	transfers, err = c.QueryTransfers(filter)
	require.NoError(t, err)
	require.Equal(t, []tb.Transfer{}, transfers)
}

func testChangeEvents(t *testing.T, c tb.Client) {
	t.Helper()
	hold, posted := holdAndPost(t, c)
	for _, want := range []struct {
		transfer tb.Transfer
		kind     tb.ChangeEventType
		held     uint64
		posted   uint64
	}{
		{hold, tb.ChangeEventTwoPhasePending, 5, 0},
		{posted, tb.ChangeEventTwoPhasePosted, 0, 3},
	} {
		at := want.transfer.Timestamp
		changes, err := c.GetChangeEvents(tb.ChangeEventsFilter{TimestampMin: at, TimestampMax: at, Limit: 10})
		require.NoError(t, err)
		require.Len(t, changes, 1)
		require.Equal(t, want.kind, changes[0].Type)
		require.Equal(t, want.transfer.ID, changes[0].TransferID)
		require.Equal(t, want.transfer.Amount, changes[0].TransferAmount)
		require.Equal(t, want.transfer.DebitAccountID, changes[0].DebitAccountID)
		require.Equal(t, tb.ToUint128(want.held), changes[0].DebitAccountDebitsPending)
		require.Equal(t, tb.ToUint128(want.posted), changes[0].CreditAccountCreditsPosted)
		require.Equal(t, at, changes[0].Timestamp)
	}
}

// Sessions see each other's accounts, and closing one session does not close another.
func testSessions(t *testing.T, one, other tb.Client) {
	t.Helper()
	defer other.Close()
	debit, _ := openAccounts(t, one)
	one.Close()
	found, err := other.LookupAccounts([]tb.Uint128{debit.ID})
	require.NoError(t, err)
	require.Equal(t, []tb.Account{debit}, found)
	require.NoError(t, other.Nop())
}
