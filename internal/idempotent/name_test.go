package idempotent_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

func debitRequest(amount uint64) idempotent.Request {
	return name.Debit(newRow(ledger.ID{}, arrears, suspense, amount), chart.Collect(peer, arrears, 1))
}

// closePeer closes the peer account, and returns the function to open it again.
func closePeer(t *testing.T, l ledger.Ledger) (open func()) {
	t.Helper()
	closing := newRow(ledger.NewID(8, 8), peer, outside, 0)
	closing.Flags = ledger.TransferPending | ledger.TransferClosingDebit
	createTransfer(t, l, ledger.TransferCreated, closing)
	return func() {
		createTransfer(t, l, ledger.TransferCreated, ledger.Transfer{ID: ledger.NewID(8, 9), PendingID: closing.ID, Flags: ledger.TransferVoidPending})
	}
}

// A debit is booked in one chain with the collection, and alone if the peer account is closed. The
// second call finds the same attempt.
func TestDebit(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		l := newLedger(t)
		createTransfer(t, l, ledger.TransferCreated, newRow(ledger.NewID(9, 9), outside, peer, 30))
		open := func() {}
		if closed {
			open = closePeer(t, l)
		}
		got, err := debitRequest(50).Book(t.Context(), l)
		require.NoError(t, err)
		require.False(t, got.AlreadyBooked)
		open()
		again, err := debitRequest(50).Book(t.Context(), l)
		require.NoError(t, err)
		require.True(t, again.AlreadyBooked)
		require.Equal(t, got.Attempt, again.Attempt)
		require.Equal(t, got.Timestamp, again.Timestamp)
		require.Equal(t, name.ID(got.Attempt), again.Rows[0].ID)
		if closed {
			require.Equal(t, uint64(1), got.Attempt)
			require.Equal(t, int64(-50), readBalance(t, l, arrears))
		} else {
			require.Zero(t, got.Attempt)
			require.Len(t, again.Rows, 2)
			require.Equal(t, int64(-20), readBalance(t, l, arrears))
			require.Zero(t, readBalance(t, l, peer))
		}
		require.Equal(t, int64(50), readBalance(t, l, suspense))
	}
}

// Processes that find the peer account closed, and open again, book one attempt: attempt 0 has lost
// the id of its collection.
func TestDebitWhileThePeerIsClosedAndOpened(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	request := debitRequest(50)
	request.Precheck = func(context.Context) error {
		open := closePeer(t, l)
		rows := debitRequest(50).Build(0)
		rows[0].Flags = ledger.TransferLinked
		results, err := l.CreateTransfers(t.Context(), rows) // another process, ended before attempt 1
		require.NoError(t, err)
		require.Equal(t, ledger.TransferDebitAccountAlreadyClosed, results[1].Status)
		open()
		return nil
	}
	got, err := request.Book(t.Context(), l)
	require.NoError(t, err)
	require.Equal(t, uint64(1), got.Attempt)
	require.Equal(t, int64(50), readBalance(t, l, suspense))
}

// A write-off collects first, to give up only the rest.
func TestWriteOff(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	createTransfer(t, l, ledger.TransferCreated, newRow(ledger.NewID(9, 8), arrears, suspense, 50))
	createTransfer(t, l, ledger.TransferCreated, newRow(ledger.NewID(9, 9), outside, peer, 30))
	credit := newRow(ledger.ID{}, suspense, arrears, 40)
	credit.Flags = ledger.TransferBalancingCredit
	request := name.WriteOff(credit, chart.Collect(peer, arrears, 1))
	_, err := request.Book(t.Context(), l)
	require.NoError(t, err)
	require.Zero(t, readBalance(t, l, arrears))
	require.Equal(t, int64(30), readBalance(t, l, suspense))
	got, err := request.Book(t.Context(), l)
	require.NoError(t, err)
	require.True(t, got.AlreadyBooked)
	require.Equal(t, name.ID(0), got.Rows[1].ID)
	require.Equal(t, ledger.NewAmount(20), got.Rows[1].Amount)
}

// The ledger cuts a probe as it cuts the probed transfer.
func TestProbeOfATransferThatIsCut(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for attempt := range uint64(8) {
		createTransfer(t, l, ledger.TransferDebitAccountNotFound, newRow(name.ID(attempt), missing, suspense, 5))
	}
	createTransfer(t, l, ledger.TransferCreated, newRow(ledger.NewID(9, 8), arrears, suspense, 50))
	credit := newRow(ledger.ID{}, suspense, arrears, 0)
	credit.Amount, credit.Flags = ledger.AmountMax, ledger.TransferBalancingCredit
	for _, already := range []bool{false, true} {
		got, err := name.WriteOff(credit, chart.Collect(peer, arrears, 1)).Book(t.Context(), l)
		require.NoError(t, err)
		require.Equal(t, already, got.AlreadyBooked)
		require.Equal(t, uint64(8), got.Attempt)
	}
	require.Zero(t, readBalance(t, l, arrears))
}
