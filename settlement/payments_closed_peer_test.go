package settlement_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// The money of a closed peer goes to suspense once, and stays there when the key is reported again, whatever the state
// of the account.
func TestReceiveForAClosedPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	reopen := w.closePeer(w.alice)
	first, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.True(t, first.InSuspense)
	require.False(t, first.AlreadyBooked)
	for range 2 {
		again, err := e.RecordIncoming(t.Context(), in)
		require.NoError(t, err)
		require.True(t, again.InSuspense)
		require.True(t, again.AlreadyBooked)
		require.Equal(t, first.Transfer, again.Transfer)
		reopen()
		reopen = func() {}
	}
	in.Amount = units(51)
	_, err = e.RecordIncoming(t.Context(), in)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	b := w.balance(w.alice)
	require.Equal(t, units(50), b.SettledIn)
	require.Zero(t, b.Payable)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// With the peer's account and suspense both closed, the payment is refused without endless attempts. Later the same key
// can be booked.
func TestReceiveWithNowhereToPutIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	own, _ := w.book.AssetIDs(usd.Ledger)
	reopen := w.closePeer(w.alice)
	w.writePacket(own.Suspense, own.Control, 0, ledger.TransferPending|ledger.TransferClosingDebit)
	_, err := e.RecordIncoming(t.Context(), in)
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	reopen()
	receipt, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.False(t, receipt.InSuspense)
	require.Equal(t, units(50), w.balance(w.alice).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// Refusals never use up a key: it is booked as soon as an account is open.
func TestReceiveRefusedForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	own, _ := w.book.AssetIDs(usd.Ledger)
	reopen := w.closePeer(w.alice)
	w.writePacket(own.Suspense, own.Control, 0, ledger.TransferPending|ledger.TransferClosingDebit)
	in := settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(5)}
	for range 50 {
		_, err := e.RecordIncoming(t.Context(), in)
		require.ErrorIs(t, err, accounts.ErrPeerClosed)
	}
	reopen()
	w.recordIncoming(e, w.alice, "k", 5)
	require.Equal(t, units(5), w.balance(w.alice).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// The payment of a closed peer is booked although each call ends after the first refused request. So is the payment of
// a peer that is closed and opened between any two requests.
func TestReceiveForAClosedPeerInCallsThatEnd(t *testing.T) {
	t.Parallel()
	for name, flips := range map[string]bool{"the peer stays closed": false, "it is closed and opened": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var open func()
			if !flips {
				w.closePeer(w.alice)
			}
			writes, calls := 0, 0
			l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
				switch {
				case !c.creates:
					return noFault
				case writes > min(calls, 16): // all burnt ids, and one more
					return fault{before: context.DeadlineExceeded}
				case flips && open == nil: // the look-up found the account open
					open = w.closePeer(w.alice)
				}
				writes++
				return noFault
			}}
			in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
			booked := 0
			for calls = range 40 {
				writes = 0
				_, err := w.engineOn(l, settlement.Config{}).RecordIncoming(t.Context(), in)
				if err == nil {
					booked++
				}
				require.NotErrorIs(t, err, accounts.ErrKeyBurnt)
				if open != nil {
					open()
					open = nil
				}
			}
			if !flips {
				require.Equal(t, 40, booked)
			}
			receipt, err := w.engine(settlement.Config{}).RecordIncoming(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, !flips, receipt.InSuspense)
			require.Equal(t, units(50), w.balance(w.alice).SettledIn)
			ledgertest.RequireNothingHeld(t, w.ledger)
		})
	}
}

func TestReceiveAgainAfterClosing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	_, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	w.closePeer(w.alice)
	again, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	require.False(t, again.InSuspense)
	ledgertest.RequireNothingHeld(t, w.ledger)
}
