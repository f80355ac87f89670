package accounts_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Results do not depend on the largest request that the ledger takes.
func TestReadingOnALedgerOfSmallRequests(t *testing.T) {
	t.Parallel()
	for name, call := range reading {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			w.ledger.asked = 0
			want, err := call(w, t.Context())
			require.NoError(t, err)
			require.LessOrEqual(t, w.ledger.asked, 12, "what fits is asked for at once")
			for _, limit := range []int{5, 7, 16, 253} { // a peer has four accounts, read together with suspense
				w.forget(t)
				w.ledger.most = limit
				got, err := call(w, t.Context())
				require.NoError(t, err, "%d in a request", limit)
				require.Equal(t, want, got, "%d in a request", limit)
			}
		})
	}
}

// noRows answers no query from some moment on, whatever its limit, and records the smallest
// limit.
type noRows struct {
	ledger.Ledger
	mute  bool
	least uint32
}

func (l *noRows) refuse(limit uint32) error {
	if !l.mute {
		return nil
	}
	l.least = min(l.least, limit)
	return ledger.ErrTooMuchData
}

func (l *noRows) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if err := l.refuse(filter.Limit); err != nil {
		return nil, err
	}
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

func (l *noRows) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	if err := l.refuse(filter.Limit); err != nil {
		return nil, err
	}
	return l.Ledger.QueryAccounts(ctx, filter)
}

// A ledger that refuses queries of a single row is not asked for less.
func TestReadingOnALedgerWithoutAnswers(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	movePacket(t, w.ledger, w.peers["alice"].ID(), w.peers["bob"].ID(), 5, ledger.TransferPending)
	l := &noRows{Ledger: w.ledger}
	w.book = newBookWithoutRound(t, l)
	statement, err := w.book.Statement(t.Context(), w.peers["alice"], time.Time{}, time.Time{})
	require.NoError(t, err)
	l.mute = true
	for name, call := range map[string]func() error{
		"Statement": func() error {
			for _, err := range statement.Entries(t.Context()) {
				return err
			}
			return nil
		},
		"Holds":        func() error { _, err := w.book.Holds(t.Context(), w.peers["alice"]); return err },
		"TrialBalance": func() error { _, err := w.book.TrialBalance(t.Context(), usd); return err },
	} {
		l.least = ledger.QueryMax
		require.ErrorIs(t, call(), ledger.ErrTooMuchData, name)
		require.Equal(t, uint32(1), l.least, name)
	}
}
