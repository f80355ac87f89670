package aggregate_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// What a recorder has reserved is listed, and keeps an operator from closing the peer and from lowering its
// line. After a suspension the recorder gives it back, and both are done.
func TestOperatorsAndReservations(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 10_000)
	quick, err := accounts.NewBook(f.ledger, accounts.Config{Assets: []accounts.Asset{usd, eur}, SuspensionPollInterval: time.Millisecond})
	require.NoError(t, err)
	f.book = quick
	r := f.open(t)
	f.fulfillPackets(t, r, 1)
	require.NoError(t, r.Flush(t.Context()))
	alice := f.peers[0]
	reserved := func() (sum ledger.Amount) {
		t.Helper()
		list, err := f.book.Reservations(t.Context(), alice)
		require.NoError(t, err)
		for _, r := range list {
			sum, _ = sum.Add(r.Amount)
		}
		return sum
	}
	list, err := f.book.Reservations(t.Context(), alice)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	balance, err := f.book.Balance(t.Context(), alice)
	require.NoError(t, err)
	require.Equal(t, reserved(), balance.HeldIn)
	require.ErrorIs(t, f.book.ClosePeer(t.Context(), alice, accounts.WithForce(), accounts.WithReasonCode(1)), accounts.ErrHeld)
	_, err = f.book.RevokeCredit(t.Context(), alice, ledger.NewAmount(9900))
	require.ErrorIs(t, err, accounts.ErrLineInUse)

	require.NoError(t, f.book.SuspendPeer(t.Context(), alice))
	require.Eventually(t, func() bool { return reserved().IsZero() }, 30*time.Second, time.Millisecond)
	require.NoError(t, f.book.SuspendPeer(t.Context(), alice, accounts.WithFreeRevoked()))
	balance, err = f.book.Balance(t.Context(), alice)
	require.NoError(t, err)
	require.Equal(t, []ledger.Amount{ledger.NewAmount(100), {}}, []ledger.Amount{balance.CreditLine, balance.Headroom}, "only the debt is left")
	require.NoError(t, f.book.ClosePeer(t.Context(), alice, accounts.WithForce(), accounts.WithReasonCode(1)))
	require.NoError(t, r.Close(t.Context()))

	content, err := aggregate.ReadJournal(f.folder)
	require.NoError(t, err)
	require.Equal(t, content.Number, list[0].Journal)
}
