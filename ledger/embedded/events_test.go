package embedded_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// Events show the accounts as they were at the time, although history is computed at the first
// query, and some events were read before.
func TestChangeEventsShowThePast(t *testing.T) {
	t.Parallel()
	for _, askBetween := range []bool{false, true} {
		l := newVirtual()
		_, err := l.CreateAccounts(t.Context(), []ledger.Account{
			{
				ID: ledger.NewID(1, 0), Ledger: 1, Code: 3, UserData64: 5,
				Flags: ledger.AccountHistory | ledger.AccountCreditsMustNotExceedDebits,
			},
			{ID: ledger.NewID(2, 0), Ledger: 1, Code: 4, Flags: ledger.AccountHistory},
			{ID: ledger.NewID(3, 0), Ledger: 1, Code: 1, Flags: ledger.AccountClosed},
		})
		require.NoError(t, err)
		ask := func() {
			if askBetween {
				readChangeEvents(t, l)
			}
		}
		closing := newHold(101, 0)
		closing.Flags |= ledger.TransferClosingDebit
		void := newPost(102, 101)
		void.Flags, void.Amount = ledger.TransferVoidPending, ledger.Amount{}
		for _, transfers := range [][]ledger.Transfer{{newMovement(100), closing}, {void}, {newHold(103, 1)}} {
			createTransfers(t, l, transfers...)
			ask()
		}
		l.Sleep(2 * time.Second)
		ask()
		createTransfers(t, l, newMovement(104))

		const limit, history, closed = ledger.AccountCreditsMustNotExceedDebits, ledger.AccountHistory, ledger.AccountClosed
		want := []struct {
			kind            ledger.ChangeEventType
			pending, posted uint64
			flags           ledger.AccountFlags
		}{
			{ledger.ChangeEventSinglePhase, 0, 1, limit | history},
			{ledger.ChangeEventTwoPhasePending, 1, 1, limit | history | closed},
			{ledger.ChangeEventTwoPhaseVoided, 0, 1, limit | history},
			{ledger.ChangeEventTwoPhasePending, 1, 1, limit | history},
			{ledger.ChangeEventTwoPhaseExpired, 0, 1, limit | history},
			{ledger.ChangeEventSinglePhase, 0, 2, limit | history},
		}
		events := readChangeEvents(t, l)
		require.Len(t, events, len(want))
		for i, e := range events {
			require.Equal(t, want[i].kind, e.Type, "event %d", i)
			require.Equal(t, ledger.NewAmount(want[i].pending), e.DebitAccountDebitsPending, "event %d", i)
			require.Equal(t, ledger.NewAmount(want[i].pending), e.CreditAccountCreditsPending, "event %d", i)
			require.Equal(t, ledger.NewAmount(want[i].posted), e.DebitAccountDebitsPosted, "event %d", i)
			require.Equal(t, ledger.NewAmount(want[i].posted), e.CreditAccountCreditsPosted, "event %d", i)
			require.Equal(t, want[i].flags, e.DebitAccountFlags, "event %d", i)
			require.Equal(t, history, e.CreditAccountFlags, "event %d", i)
			require.Equal(t, uint64(5), e.DebitAccountUserData64)
			require.Equal(t, uint16(3), e.DebitAccountCode)
			require.Equal(t, uint16(4), e.CreditAccountCode)
		}
		ledgertest.RequireNothingHeld(t, l)
	}
}

// The event of an imported transfer is at its own time, perhaps behind the event of an earlier
// expiry.
func TestChangeEventsOfImports(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newHold(100, 1)})
	require.NoError(t, err)
	l.Sleep(2 * time.Second)
	l.Pulse()
	imported := newMovement(101)
	imported.Flags, imported.Timestamp = ledger.TransferImported, results[0].Timestamp+1
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, imported))

	events := readChangeEvents(t, l)
	require.Len(t, events, 3)
	require.Equal(t, ledger.NewID(100, 0), events[0].TransferID)
	require.Equal(t, ledger.NewID(101, 0), events[1].TransferID)
	require.Equal(t, ledger.ChangeEventTwoPhaseExpired, events[2].Type)
	require.True(t, events[1].DebitAccountDebitsPending.IsZero(), "it was stored after the expiry")
	ledgertest.RequireNothingHeld(t, l)
}

// A moment has one event, also after an import at that moment. A rolled-back import leaves the
// expiry in place.
func TestImportAtTheMomentOfAnExpiry(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	createTransfers(t, l, newHold(100, 1))
	l.Sleep(2 * time.Second)
	expired := readChangeEvents(t, l)[1]
	require.Equal(t, ledger.ChangeEventTwoPhaseExpired, expired.Type)

	imported, bad := newMovement(101), newMovement(102)
	imported.Flags, imported.Timestamp = ledger.TransferImported|ledger.TransferLinked, expired.Timestamp
	bad.Flags, bad.Timestamp, bad.Code = ledger.TransferImported, expired.Timestamp+1, 0
	createTransfers(t, l, imported, bad)
	require.Equal(t, expired, readChangeEvents(t, l)[1])

	imported.Flags = ledger.TransferImported
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, imported))
	events := readChangeEvents(t, l)
	require.Len(t, events, 2)
	require.Equal(t, ledger.ChangeEventSinglePhase, events[1].Type)
	require.Equal(t, expired.Timestamp, events[1].Timestamp)
	ledgertest.RequireNothingHeld(t, l)
}
