package accounts_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// overtaken runs a function right before the n-th request that writes transfers, and loses the
// answer to the request.
type overtaken struct {
	ledger.Ledger
	n    int
	do   func()
	lost bool
}

func (o *overtaken) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if o.n--; o.n != 0 {
		return o.Ledger.CreateTransfers(ctx, rows)
	}
	o.do()
	if _, err := o.Ledger.CreateTransfers(ctx, rows); err != nil {
		return nil, err
	}
	o.lost = true
	return nil, ledger.ErrOutcomeUnknown
}

// A concurrent operator writes right before our request. The ledger refuses the request, and the
// answer is lost: when sent again, the ledger only answers id_already_failed. The call reads the
// state again, and reaches its goal.
func TestRefusalsWhoseAnswersAreLost(t *testing.T) {
	t.Parallel()
	type step func(*accounts.Book, context.Context, accounts.PeerAccount) error
	suspend := func(options ...accounts.SuspendOption) step {
		return func(b *accounts.Book, ctx context.Context, a accounts.PeerAccount) error {
			return b.SuspendPeer(ctx, a, options...)
		}
	}
	resume := func(b *accounts.Book, ctx context.Context, a accounts.PeerAccount) error { return b.ResumePeer(ctx, a) }
	closePeer := func(b *accounts.Book, ctx context.Context, a accounts.PeerAccount) error {
		return b.ClosePeer(ctx, a)
	}
	reopen := func(b *accounts.Book, ctx context.Context, a accounts.PeerAccount) error { return b.ReopenPeer(ctx, a) }
	nothing := func(*accounts.Book, context.Context, accounts.PeerAccount) error { return nil }
	both := func(first, second step) step {
		return func(b *accounts.Book, ctx context.Context, a accounts.PeerAccount) error {
			if err := first(b, ctx, a); err != nil {
				return err
			}
			return second(b, ctx, a)
		}
	}
	for name, c := range map[string]struct {
		before, meanwhile, ours step
		suspended, closed       bool
	}{
		"suspended meanwhile":               {nothing, suspend(accounts.WithReasonCode(1)), suspend(accounts.WithReasonCode(2)), true, false},
		"suspended meanwhile, revoked":      {nothing, suspend(accounts.WithReasonCode(1)), suspend(accounts.WithFreeRevoked()), true, false},
		"suspended anew meanwhile, revoked": {suspend(), both(resume, suspend()), suspend(accounts.WithFreeRevoked()), true, false},
		"resumed meanwhile":                 {suspend(), resume, resume, false, false},
		"resumed meanwhile, revoked":        {suspend(), resume, suspend(accounts.WithFreeRevoked()), true, false},
		"closed meanwhile":                  {suspend(), closePeer, closePeer, true, true},
		"opened meanwhile":                  {closePeer, reopen, reopen, true, false},
	} {
		for n := 1; ; n++ {
			l := newLedger(t)
			other, racing := newBookWithoutRound(t, l), &overtaken{Ledger: l, n: n}
			alice := provision(t, other, 100, "alice")[0]
			require.NoError(t, c.before(other, t.Context(), alice), name)
			racing.do = func() { require.NoError(t, c.meanwhile(other, t.Context(), alice), name) }
			place := fmt.Sprint(name, " before request ", n)
			require.NoError(t, c.ours(newBookWithoutRound(t, racing), t.Context(), alice), place)
			if !racing.lost {
				require.Greater(t, n, 1, place)
				break
			}
			b := balance(t, other, alice)
			require.Equal(t, c.suspended, b.Suspended, place)
			require.Equal(t, c.closed, b.Closed, place)
			ledgertest.RequireNothingHeld(t, l)
		}
	}
}
