package idempotent_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// raceLedger interferes before each request: other processes book under the same key from start to
// end, the peer account is closed and opened, and money moves.
type raceLedger struct {
	ledger.Ledger
	t          *testing.T
	random     *rand.Rand
	reopenPeer func() // opens the peer account; nil if it is open
	moved      uint64 // number of the last transfer of money
	depth      int
	booked     []idempotent.Booking
}

func (w *raceLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	w.runInterference()
	return w.Ledger.LookupTransfers(ctx, ids)
}

func (w *raceLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	w.runInterference()
	return w.Ledger.CreateTransfers(ctx, rows)
}

func (w *raceLedger) runInterference() {
	for w.random.IntN(2) == 0 {
		switch w.random.IntN(4) {
		case 0:
			if w.reopenPeer == nil {
				w.moved++
				closing := newRow(ledger.NewID(w.moved, 1), peer, outside, 0)
				closing.Flags = ledger.TransferPending | ledger.TransferClosingDebit
				createTransfer(w.t, w.Ledger, ledger.TransferCreated, closing)
				w.reopenPeer = func() {
					createTransfer(w.t, w.Ledger, ledger.TransferCreated, ledger.Transfer{
						ID: ledger.NewID(closing.ID.Lo, 2), PendingID: closing.ID, Flags: ledger.TransferVoidPending,
					})
				}
			}
		case 1:
			if w.reopenPeer != nil {
				w.reopenPeer()
				w.reopenPeer = nil
			}
		case 2:
			w.moved++
			money := newRow(ledger.NewID(w.moved, 3), outside, peer, 30)
			if w.random.IntN(2) == 0 {
				money.DebitAccountID, money.CreditAccountID = peer, outside
				money.Flags = ledger.TransferBalancingDebit
			}
			_, err := w.Ledger.CreateTransfers(w.t.Context(), []ledger.Transfer{money})
			require.NoError(w.t, err)
		case 3:
			if w.depth < 4 {
				w.bookDebit()
			}
		}
	}
}

// bookDebit books 50 under the key: by a debit of the peer account, or of its arrears.
func (w *raceLedger) bookDebit() {
	w.depth++
	defer func() { w.depth-- }()
	debit := newRow(ledger.ID{}, arrears, suspense, 50)
	if w.random.IntN(2) == 0 {
		debit.DebitAccountID = peer
	}
	got, err := name.Debit(debit, chart.Collect(peer, arrears, 1)).Book(w.t.Context(), w)
	var refused *ledger.TransferError
	if err == nil {
		w.booked = append(w.booked, got)
		return
	}
	require.Equal(w.t, peer, debit.DebitAccountID, "%v", err)
	require.ErrorAs(w.t, err, &refused)
}

// Debits of both kinds under one key are booked once, for any order of the requests of the
// processes, and whatever happens to the peer account.
func TestDebitsOfManyProcesses(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	attempts := map[uint64]int{}
	for i := range uint64(500) {
		l := newLedger(t)
		w := &raceLedger{Ledger: l, t: t, random: rand.New(rand.NewPCG(seed, i))}
		for range 4 {
			w.bookDebit()
		}
		require.LessOrEqual(t, readBalance(t, l, suspense), int64(50), "program %d", i)
		require.Equal(t, len(w.booked) > 0, readBalance(t, l, suspense) == 50, "program %d", i)
		first := 0
		for _, b := range w.booked {
			require.Equal(t, w.booked[0].Attempt, b.Attempt, "program %d", i)
			if !b.AlreadyBooked {
				first++
			}
		}
		require.LessOrEqual(t, first, 1, "program %d", i)
		if len(w.booked) > 0 {
			attempts[w.booked[0].Attempt]++
		}
	}
	t.Log("programs by the attempt that was booked:", attempts)
	require.Greater(t, len(attempts), 2)
}
