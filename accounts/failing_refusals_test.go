package accounts_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// refusedCalls are calls that the books do not allow, with their errors.
var refusedCalls = map[string]struct {
	call call
	want error
}{
	"Withdraw": {func(w *town, ctx context.Context) (string, error) {
		return text(w.book.Withdraw(ctx, accounts.Capital{Asset: usd, Key: "k", Amount: units(5000)}))
	}, accounts.ErrNotCovered},
	"Adjust": {func(w *town, ctx context.Context) (string, error) {
		return text(w.book.Adjust(ctx, accounts.Adjustment{Account: w.peers["alice"], Key: "k", Debit: units(41), ReasonCode: 1}))
	}, accounts.ErrNotCovered},
	"Adjust a closed peer": {func(w *town, ctx context.Context) (string, error) {
		return text(w.book.Adjust(ctx, accounts.Adjustment{Account: w.peers["erin"], Key: "k", Credit: units(41), ReasonCode: 1, BeyondHeadroom: true}))
	}, accounts.ErrPeerClosed},
	"Adjust under a key of another": {func(w *town, ctx context.Context) (string, error) {
		return text(w.book.Adjust(ctx, accounts.Adjustment{Account: w.peers["carol"], Key: "1", Credit: units(41), ReasonCode: 1}))
	}, accounts.ErrKeyReused},
	"WriteOff": {func(w *town, ctx context.Context) (string, error) {
		return text(w.book.WriteOff(ctx, accounts.WriteOff{Account: w.peers["alice"], Key: "k", Amount: units(1), ReasonCode: 1}))
	}, accounts.ErrNoArrears},
	"RevokeCredit": {func(w *town, ctx context.Context) (string, error) {
		_, err := w.book.RevokeCredit(ctx, w.peers["alice"], units(41))
		return "", err
	}, accounts.ErrLineInUse},
	"RevokeCredit of more than there is": {func(w *town, ctx context.Context) (string, error) {
		_, err := w.book.RevokeCredit(ctx, w.peers["bob"], units(101))
		return "", err
	}, accounts.ErrLineInUse},
	"ExtendCredit of a suspended peer": {func(w *town, ctx context.Context) (string, error) {
		_, err := w.book.ExtendCredit(ctx, w.peers["dave"], units(1))
		return "", err
	}, accounts.ErrSuspended},
	"ExtendCredit of a closed peer": {func(w *town, ctx context.Context) (string, error) {
		_, err := w.book.ExtendCredit(ctx, w.peers["erin"], units(1))
		return "", err
	}, accounts.ErrPeerClosed},
	"SetCreditLine of another line": {func(w *town, ctx context.Context) (string, error) {
		_, err := w.book.SetCreditLine(ctx, w.peers["bob"], units(1), accounts.WithExpectedLine(units(99)))
		return "", err
	}, accounts.ErrLineConflict},
	"ClosePeer that is owed": {func(w *town, ctx context.Context) (string, error) {
		return "", w.book.ClosePeer(ctx, w.peers["bob"])
	}, accounts.ErrOwed},
	"ClosePeer that owes": {func(w *town, ctx context.Context) (string, error) {
		return "", w.book.ClosePeer(ctx, w.peers["alice"])
	}, accounts.ErrOwed},
	"Suspend a closed peer": {func(w *town, ctx context.Context) (string, error) {
		return "", w.book.SuspendPeer(ctx, w.peers["erin"])
	}, accounts.ErrPeerClosed},
	"Resume a closed peer": {func(w *town, ctx context.Context) (string, error) {
		return "", w.book.ResumePeer(ctx, w.peers["erin"])
	}, accounts.ErrPeerClosed},
}

// A refused call changes nothing and returns its cause, also if a request fails, the requests for
// the error text included.
func TestFailingRequestsOfCallsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range refusedCalls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			state := w.state(t)
			for n := 1; ; n++ {
				w.ledger.n, w.ledger.failed = n, false
				_, err := c.call(w, t.Context())
				w.ledger.n = 0
				if !w.ledger.failed {
					require.ErrorIs(t, err, c.want)
					require.Greater(t, n, 1)
					require.Equal(t, state, w.state(t))
					return
				}
				require.ErrorIs(t, err, errRefused, "request %d", n)
				require.Equal(t, state, w.state(t), "request %d had failed", n)
			}
		})
	}
}
