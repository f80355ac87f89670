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

// Two calls with one key: the second books after the look-up of the first, and uses up the amount
// for which the first would be refused. The first then finds the booking.
func TestRefusedAfterAnotherCallHasBooked(t *testing.T) {
	t.Parallel()
	l, ns := embedded.New(), chart.Namespace("")
	from, to := ledger.NewID(1, 0), ledger.NewID(2, 0)
	_, err := l.CreateAccounts(t.Context(), []ledger.Account{{ID: from, Ledger: 1, Code: 1}, {ID: to, Ledger: 1, Code: 1}})
	require.NoError(t, err)
	build := func(attempt uint64) []ledger.Transfer {
		return []ledger.Transfer{{
			ID:             ns.Derive("pay", chart.U64(attempt)),
			DebitAccountID: from, CreditAccountID: to, Amount: ledger.NewAmount(5), Ledger: 1, Code: 1,
		}}
	}
	errNothingLeft := errors.New("nothing is left")
	first, err := idempotent.Request{Build: build, Precheck: func(ctx context.Context) error {
		second, err := idempotent.Book(ctx, l, build)
		require.NoError(t, err)
		require.False(t, second.AlreadyBooked)
		return errNothingLeft
	}}.Book(t.Context(), l)
	require.NoError(t, err)
	require.True(t, first.AlreadyBooked)

	_, err = idempotent.Request{
		Build: func(attempt uint64) []ledger.Transfer {
			rows := build(attempt)
			rows[0].ID = ns.Derive("another", chart.U64(attempt))
			return rows
		},
		Precheck: func(context.Context) error { return errNothingLeft },
	}.Book(t.Context(), l)
	require.ErrorIs(t, err, errNothingLeft)
}
