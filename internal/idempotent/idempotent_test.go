package idempotent_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The accounts of the tests: a peer, its arrears, suspense, an account outside, and an account that
// is not in the ledger.
var (
	peer, arrears, suspense, outside, missing = accountID(1), accountID(2), accountID(3), accountID(4), accountID(5)

	name = idempotent.Name{Namespace: "test", Kind: "pay", Account: peer, Key: "k"}
)

func accountID(n uint64) ledger.ID { return ledger.NewID(n, 0) }

func newLedger(t *testing.T) *embedded.Ledger {
	t.Helper()
	l := embedded.New()
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	results, err := l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: peer, Ledger: 1, Code: 1, Flags: chart.PeerFlags},
		{ID: arrears, Ledger: 1, Code: 1, Flags: chart.ArrearsFlags},
		{ID: suspense, Ledger: 1, Code: 1},
		{ID: outside, Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, ledger.AccountCreated, r.Status)
	}
	return l
}

func newRow(id, debit, credit ledger.ID, amount uint64) ledger.Transfer {
	return ledger.Transfer{ID: id, DebitAccountID: debit, CreditAccountID: credit, Amount: ledger.NewAmount(amount), Ledger: 1, Code: 1}
}

func createTransfer(t *testing.T, l ledger.Ledger, want ledger.CreateTransferStatus, row ledger.Transfer) {
	t.Helper()
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, want, results[0].Status)
}

func readBalance(t *testing.T, l ledger.Ledger, id ledger.ID) int64 {
	t.Helper()
	rows, err := l.LookupAccounts(t.Context(), []ledger.ID{id})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	return rows[0].CreditsPosted.Big().Int64() - rows[0].DebitsPosted.Big().Int64()
}

// singleTransfer requests a single transfer.
func singleTransfer(debit, credit ledger.ID, amount uint64) idempotent.Request {
	return idempotent.Request{Build: func(attempt uint64) []ledger.Transfer {
		return []ledger.Transfer{newRow(name.ID(attempt), debit, credit, amount)}
	}}
}

// The copy of a ledger has lost its burnt ids: a booking under a later attempt is found.
func TestLaterAttemptIsFound(t *testing.T) {
	t.Parallel()
	for attempt := range uint64(idempotent.MaxAttempts) {
		l := newLedger(t)
		stored := newRow(name.ID(attempt), outside, suspense, 5)
		createTransfer(t, l, ledger.TransferCreated, stored)
		for range 2 {
			got, err := singleTransfer(outside, suspense, 5).Book(t.Context(), l)
			require.NoError(t, err)
			require.Equal(t, attempt, got.Attempt)
			require.True(t, got.AlreadyBooked)
			require.Len(t, got.Rows, 1)
			require.Equal(t, got.Timestamp, got.Rows[0].Timestamp)
		}
		require.Equal(t, int64(5), readBalance(t, l, suspense))
	}
}

// A stored row is the wanted one if at most one of its accounts differs.
func TestWhatIsTheSame(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what   string
		change func(*ledger.Transfer)
		same   bool
	}{
		{"the same", func(*ledger.Transfer) {}, true},
		{"another debit account", func(t *ledger.Transfer) { t.DebitAccountID = arrears }, true},
		{"another credit account", func(t *ledger.Transfer) { t.CreditAccountID = peer }, true},
		{"the other direction", func(t *ledger.Transfer) { t.DebitAccountID, t.CreditAccountID = suspense, outside }, false},
		{"two other accounts", func(t *ledger.Transfer) { t.DebitAccountID, t.CreditAccountID = arrears, peer }, false},
		{"less", func(t *ledger.Transfer) { t.Amount = ledger.NewAmount(4) }, false},
		{"more", func(t *ledger.Transfer) { t.Amount = ledger.NewAmount(6) }, false},
		{"another code", func(t *ledger.Transfer) { t.Code = 2 }, false},
		{"another reason", func(t *ledger.Transfer) { t.UserData32 = 2 }, false},
		{"less, cut by the ledger", func(t *ledger.Transfer) { t.Flags = ledger.TransferBalancingDebit }, false},
	} {
		for _, race := range []bool{false, true} {
			l := newLedger(t)
			createTransfer(t, l, ledger.TransferCreated, newRow(ledger.NewID(9, 9), suspense, arrears, 0))
			stored := newRow(name.ID(0), outside, suspense, 5)
			c.change(&stored)
			request := singleTransfer(outside, suspense, 5)
			if race {
				request.Precheck = func(context.Context) error { createTransfer(t, l, ledger.TransferCreated, stored); return nil }
			} else {
				createTransfer(t, l, ledger.TransferCreated, stored)
			}
			got, err := request.Book(t.Context(), l)
			require.Equal(t, c.same, err == nil, "%s: %v", c.what, err)
			require.Equal(t, c.same, got.AlreadyBooked, c.what)
			require.Len(t, got.Rows, 1, c.what)
			if !c.same {
				require.ErrorIs(t, err, idempotent.ErrConflict, c.what)
			}
		}
	}
}

// A request for a chain finds the imported rows of a copy.
func TestImportedChainIsFound(t *testing.T) {
	t.Parallel()
	from, to := newLedger(t), embedded.New()
	t.Cleanup(func() { require.NoError(t, to.Close()) })
	createTransfer(t, from, ledger.TransferCreated, newRow(ledger.NewID(9, 9), outside, peer, 30))
	withdraw := func(amount uint64) idempotent.Request {
		return idempotent.Request{Build: func(attempt uint64) []ledger.Transfer {
			hold := newRow(name.ID(attempt), peer, outside, amount)
			hold.Flags = ledger.TransferPending | ledger.TransferBalancingDebit
			return []ledger.Transfer{hold, {
				ID: ledger.NewID(attempt, 7), PendingID: hold.ID, Amount: ledger.NewAmount(amount), Flags: ledger.TransferPostPending,
			}}
		}}
	}
	_, err := withdraw(20).Book(t.Context(), from)
	require.NoError(t, err)
	accounts, err := from.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 100})
	require.NoError(t, err)
	for i, a := range accounts {
		accounts[i] = ledger.Account{ID: a.ID, Ledger: 1, Code: 1, Flags: a.Flags | ledger.AccountImported, Timestamp: a.Timestamp}
	}
	_, err = to.CreateAccounts(t.Context(), accounts)
	require.NoError(t, err)
	rows, err := from.QueryTransfers(t.Context(), ledger.QueryFilter{Limit: 100})
	require.NoError(t, err)
	for i := range rows {
		rows[i].Flags |= ledger.TransferImported
	}
	results, err := to.CreateTransfers(t.Context(), rows)
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, ledger.TransferCreated, r.Status)
	}
	for _, l := range []ledger.Ledger{from, to} {
		got, err := withdraw(20).Book(t.Context(), l)
		require.NoError(t, err)
		require.True(t, got.AlreadyBooked)
		require.Len(t, got.Rows, 2)
		for _, amount := range []uint64{19, 21, 30} {
			_, err = withdraw(amount).Book(t.Context(), l)
			require.ErrorIs(t, err, idempotent.ErrConflict)
		}
		require.Equal(t, int64(10), readBalance(t, l, peer))
	}
}

// Request.Precheck is called once, and only if nothing is booked.
func TestMay(t *testing.T) {
	t.Parallel()
	l, errNo := newLedger(t), errors.New("no")
	request := singleTransfer(outside, suspense, 5)
	request.Precheck = func(context.Context) error { return errNo }
	_, err := request.Book(t.Context(), l)
	require.ErrorIs(t, err, errNo)
	require.Zero(t, readBalance(t, l, suspense))
	_, err = singleTransfer(outside, suspense, 5).Book(t.Context(), l)
	require.NoError(t, err)
	got, err := request.Book(t.Context(), l)
	require.NoError(t, err)
	require.True(t, got.AlreadyBooked)
}

// A key stays free however often the ledger refuses its transfers, and the attempt booked at last
// is found again.
func TestRefusedForEver(t *testing.T) {
	t.Parallel()
	refused := func(l ledger.Ledger, request idempotent.Request, want ledger.CreateTransferStatus) {
		for range 3 * idempotent.MaxAttempts {
			_, err := request.Book(t.Context(), l)
			var refused *ledger.TransferError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, want, refused.Status)
		}
	}
	for what, c := range map[string]struct {
		request idempotent.Request
		status  ledger.CreateTransferStatus
		rows    int
	}{
		"a missing account": {singleTransfer(missing, suspense, 5), ledger.TransferDebitAccountNotFound, 1},
		"a closed account":  {singleTransfer(outside, peer, 5), ledger.TransferCreditAccountAlreadyClosed, 1},
		"not covered": {
			name.Debit(newRow(ledger.ID{}, peer, suspense, 5), chart.Collect(peer, arrears, 1)), ledger.TransferExceedsCredits, 1,
		},
	} {
		l := newLedger(t)
		if c.status == ledger.TransferCreditAccountAlreadyClosed {
			closePeer(t, l)
		}
		refused(l, c.request, c.status)
		require.Zero(t, readBalance(t, l, suspense), what)
		for _, already := range []bool{false, true} {
			got, err := singleTransfer(outside, suspense, 5).Book(t.Context(), l)
			require.NoError(t, err, what)
			require.Equal(t, already, got.AlreadyBooked, what)
			require.Equal(t, uint64(8), got.Attempt, what)
			stored, err := l.LookupTransfers(t.Context(), []ledger.ID{name.ID(8)})
			require.NoError(t, err)
			require.Equal(t, got.Timestamp, stored[0].Timestamp, what)
		}
		require.Equal(t, int64(5), readBalance(t, l, suspense), what)
		held, err := l.LookupAccounts(t.Context(), []ledger.ID{peer, suspense, outside})
		require.NoError(t, err)
		for _, a := range held {
			require.Zero(t, a.DebitsPending, "a probe gives back what it holds")
			require.Zero(t, a.CreditsPending)
		}
	}
}

// Older versions burnt the ids of all attempts. Then nothing is booked: a copy would not find it.
func TestSpent(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for attempt := range uint64(idempotent.MaxAttempts) {
		createTransfer(t, l, ledger.TransferDebitAccountNotFound, newRow(name.ID(attempt), missing, suspense, 5))
	}
	_, err := singleTransfer(outside, suspense, 5).Book(t.Context(), l)
	require.ErrorIs(t, err, idempotent.ErrAllBurnt)
	require.Zero(t, readBalance(t, l, suspense))
}

// Rows under numbers before First are not compared.
func TestFirst(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	createTransfer(t, l, ledger.TransferCreated, newRow(name.ID(0), outside, suspense, 7))
	request := singleTransfer(outside, suspense, 5)
	_, err := request.Book(t.Context(), l)
	require.ErrorIs(t, err, idempotent.ErrConflict)
	request.First = 1
	for _, already := range []bool{false, true} {
		got, err := request.Book(t.Context(), l)
		require.NoError(t, err)
		require.Equal(t, already, got.AlreadyBooked)
		require.Equal(t, uint64(1), got.Attempt)
	}
	require.Equal(t, int64(12), readBalance(t, l, suspense))
}
