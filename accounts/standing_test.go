package accounts_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var standingScenarios = []scenario{{"standings of peers", testStandings}, {"latest changes of peers", testLatestChanges}}

// On every ledger: the latest changes of a peer tell whether an operator has changed it, also there and back.
func testLatestChanges(t *testing.T, l ledger.Ledger) {
	book := quickBook(t, l)
	peers := provision(t, book, 1000, "alice", "bob")
	read := func() accounts.LatestChanges {
		t.Helper()
		latest, err := book.LatestChanges(t.Context(), peers[0])
		require.NoError(t, err)
		return latest
	}
	before := read()
	require.True(t, before.Suspension.IsZero() && before.Closing.IsZero())
	require.NoError(t, book.SuspendPeer(t.Context(), peers[1]))
	require.Equal(t, before, read(), "of another peer")
	require.NoError(t, book.SuspendPeer(t.Context(), peers[0]))
	suspended := read()
	require.True(t, suspended.Suspension.After(before.Line))
	require.NoError(t, book.ResumePeer(t.Context(), peers[0]))
	resumed := read()
	require.True(t, resumed.Suspension.After(suspended.Suspension))
	for _, amount := range []uint64{900, 1000} {
		_, err := book.SetCreditLine(t.Context(), peers[0], units(amount))
		require.NoError(t, err)
	}
	changed := read()
	require.True(t, changed.Line.After(resumed.Suspension))
	require.NoError(t, book.ClosePeer(t.Context(), peers[0]))
	closed := read()
	require.True(t, closed.Closing.After(changed.Line))
	require.NoError(t, book.ReopenPeer(t.Context(), peers[0]))
	require.True(t, read().Closing.After(closed.Closing))
}

// On every ledger: a standing says since when a peer is suspended, closed or in arrears, and why.
func testStandings(t *testing.T, l ledger.Ledger) {
	book := quickBook(t, l)
	peers := provision(t, book, 1000, "alice", "bob", "carol")
	read := func() []accounts.Standing {
		t.Helper()
		list, err := book.Standings(t.Context(), peers...)
		require.NoError(t, err)
		require.Len(t, list, 3)
		for i := range list {
			require.Equal(t, peers[i], list[i].Balance.Account)
		}
		return list
	}
	for _, s := range read() {
		require.True(t, s.SuspendedSince.IsZero() && s.ClosedSince.IsZero() && s.ArrearsSince.IsZero())
	}
	require.NoError(t, book.SuspendPeer(t.Context(), peers[0], accounts.WithReasonCode(7)))
	require.NoError(t, book.ClosePeer(t.Context(), peers[1], accounts.WithReasonCode(9)))
	got := read()
	require.Equal(t, []any{uint32(7), false}, []any{got[0].ReasonCode, got[0].SuspendedByClosing})
	require.False(t, got[0].SuspendedSince.Before(got[0].Balance.Opened))
	require.True(t, got[0].ClosedSince.IsZero())
	require.Equal(t, []any{uint32(9), true}, []any{got[1].ReasonCode, got[1].SuspendedByClosing})
	require.True(t, got[1].SuspendedSince.After(got[0].SuspendedSince))
	require.True(t, got[1].ClosedSince.After(got[1].SuspendedSince))
	require.Zero(t, got[2].ReasonCode)
	require.NoError(t, book.SuspendPeer(t.Context(), peers[0]))
	require.Equal(t, got[0], read()[0], "it was suspended before")
	require.NoError(t, book.ResumePeer(t.Context(), peers[0]))
	require.True(t, read()[0].SuspendedSince.IsZero())
	require.NoError(t, book.SuspendPeer(t.Context(), peers[0]))
	require.True(t, read()[0].SuspendedSince.After(got[0].SuspendedSince))
}

// For any debits and payments: the arrears are since the booking after which they have always been above 0, also when
// a page has few rows.
func TestArrearsSinceAgainstAModel(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	compared := 0
	for program := range uint64(20) {
		m := newHoldsModel(t, seed, program, false)
		book, err := accounts.NewBook(smallBalancePages{Ledger: m.Ledger, most: []uint32{1, 3, ledger.QueryMax}[program%3]}, accounts.Config{Assets: []accounts.Asset{usd}})
		require.NoError(t, err)
		alice, since := m.peers[0], time.Time{}
		for i := range 60 {
			m.now = m.now.Add(time.Second)
			a := accounts.Adjustment{Account: alice, Key: fmt.Sprint(i), ReasonCode: 1, BeyondHeadroom: true}
			if m.random.IntN(3) == 0 {
				a.Credit = units(1 + m.random.Uint64N(1<<41))
			} else {
				a.Debit = units(1 + m.random.Uint64N(1<<40))
			}
			_, err := book.Adjust(t.Context(), a)
			require.NoError(t, err)
			got, err := book.Standings(t.Context(), alice)
			require.NoError(t, err)
			switch {
			case got[0].Balance.Arrears.IsZero():
				since = time.Time{}
			case since.IsZero():
				since = m.now
			}
			if since.IsZero() {
				require.True(t, got[0].ArrearsSince.IsZero())
				continue
			}
			require.WithinDuration(t, since, got[0].ArrearsSince, time.Millisecond, "program %d, step %d", program, i)
			compared++
		}
		require.NoError(t, m.Close())
	}
	require.Greater(t, compared, 100)
}

// smallBalancePages answers requests for few balances only.
type smallBalancePages struct {
	ledger.Ledger
	most uint32
}

func (l smallBalancePages) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	if f.Limit > l.most {
		return nil, ledger.ErrTooMuchData
	}
	return l.Ledger.GetAccountBalances(ctx, f)
}
