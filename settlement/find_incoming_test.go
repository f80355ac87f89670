package settlement_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// FindIncoming finds what RecordIncoming has booked: with its amount, for its peer, also after an announcement, which takes the
// first attempt of the key.
func TestFindIncoming(t *testing.T) {
	t.Parallel()
	findIncoming(t, newWorld(t, "bob", "carol"))
}

func findIncoming(t *testing.T, w *world) {
	t.Helper()
	e := w.engine(settlement.Config{})
	in := func(account accounts.PeerAccount, key string, amount uint64) settlement.IncomingPayment {
		return settlement.IncomingPayment{Account: account, Key: key, Amount: units(amount)}
	}
	plain, announced := in(w.alice, "plain", 5), in(w.alice, "announced", 6)
	_, err := e.Announce(t.Context(), announced)
	require.NoError(t, err)
	toSuspense := in(w.peers[2], "suspense", 7)
	reopen := w.closePeer(toSuspense.Account)
	asked := []settlement.IncomingPayment{
		plain, in(w.alice, "plain", 4), in(w.peers[1], "plain", 5), announced, in(w.alice, "none", 5), plain, toSuspense,
	}
	before, err := e.FindIncoming(t.Context(), asked)
	require.NoError(t, err)
	require.Equal(t, make([]settlement.PaymentBooking, len(asked)), before, "an announcement is no booking")

	want := make([]settlement.PaymentBooking, len(asked))
	for i, p := range map[int]settlement.IncomingPayment{0: plain, 3: announced, 6: toSuspense} {
		want[i], err = e.RecordIncoming(t.Context(), p)
		require.NoError(t, err)
		want[i].AlreadyBooked, want[i].Announced = true, units(0)
	}
	want[5] = want[0]
	require.True(t, want[6].InSuspense)
	reopen()
	got, err := e.FindIncoming(t.Context(), asked)
	require.NoError(t, err)
	require.Equal(t, want, got)

	got, err = e.FindIncoming(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, got)
	_, err = e.FindIncoming(t.Context(), []settlement.IncomingPayment{plain, in(w.alice, "zero", 0)})
	var refused *settlement.BookingError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "zero", refused.Key)
	require.ErrorIs(t, err, accounts.ErrInvalid)
	require.NoError(t, e.Close(t.Context()))
	_, err = e.FindIncoming(t.Context(), asked)
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
}
