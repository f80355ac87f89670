package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// An engine places an order and is about to void the order: the order is too large, to an account
// without history, or below the minimum. The requests fail before the void. Another engine takes the
// order over and gives it to the rail, which does not answer yet. The first engine takes the order
// back, in a visit with one failing request, and resumes: the rail may be paying, so the order is not
// voided.
func TestOrderThatIsTakenBackIsNotVoided(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		noHistory bool
		policy    settlement.Policy
		before    func(*world) // right before the order is placed
		behind    func(*world) // right after the order is placed
	}{
		"unchecked": {noHistory: true, policy: at100, behind: func(w *world) { w.spend(w.alice, 100) }},
		"too small": {
			policy: settlement.AtLeast{Amount: units(60), Of: at100},
			before: func(w *world) { w.holdPacket(w.alice, 1000+150-30) },
		},
	} {
		for failing := range 12 {
			t.Run(fmt.Sprint(name, failing), func(t *testing.T) {
				t.Parallel()
				takeOrderBack(t, c.noHistory, c.policy, c.before, c.behind, failing)
			})
		}
	}
}

func takeOrderBack(t *testing.T, noHistory bool, policy settlement.Policy, before, behind func(*world), failing int) {
	t.Helper()
	w := &world{t: t, ledger: embedded.New()}
	var err error
	w.book, err = accounts.NewBook(w.ledger, accounts.Config{Assets: []accounts.Asset{usd}, NoHistory: noHistory})
	require.NoError(t, err)
	w.peers, err = w.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)})
	require.NoError(t, err)
	w.alice = w.peers[0]
	w.earn(w.alice, 150)

	errBroken := errors.New("broken")
	placed, broken := -1, false
	l := &faultyLedger{Ledger: w.ledger}
	l.fault = func(c call) fault { // all requests fail from the check, or from the void, on
		switch {
		case placed < 0 && c.creates:
			if placed = c.number; before != nil {
				before(w)
			}
		case placed >= 0 && c.number == placed+1 && behind != nil:
			behind(w)
		}
		if broken = broken || placed >= 0 && c.number > placed && (c.number == placed+2 && noHistory || c.creates); broken {
			return fault{before: errBroken}
		}
		return noFault
	}
	r, now := newRail(), time.Duration(0)
	cfg := manualConfig(r, policy)
	cfg.Instance, cfg.RetryInitialInterval = "owner", 1
	cfg.Clock = func() time.Time { return time.Now().Add(now) }
	cfg.Events.Voided = func(o settlement.Order, why error) { require.Fail(t, "the rail has it", "%v: %v", o.ID, why) }
	owner := w.engineOn(l, cfg)
	_, err = owner.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errBroken)
	require.NotZero(t, w.balance(w.alice).Settling)

	asked := 0
	heir := manualConfig(settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
		asked++
		return ledger.Amount{}, settlement.ErrPending
	}), policy)
	heir.Instance = "heir"
	heir.Clock = func() time.Time { return time.Now().Add(time.Hour) }
	_, err = w.engine(heir).Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrPending)
	require.Equal(t, 1, asked)

	now = 2 * time.Hour
	first := l.calls
	l.fault = func(c call) fault {
		if c.number == first+failing {
			return fault{after: errBroken}
		}
		return noFault
	}
	if _, err = owner.Settle(t.Context(), w.alice); err != nil {
		require.ErrorIs(t, err, errBroken)
	}
	l.fault = func(call) fault { return noFault }
	now += time.Hour
	_, err = owner.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	_, called := r.countKeys()
	require.NotZero(t, called)
	require.Zero(t, w.balance(w.alice).Settling)
	require.NotZero(t, w.balance(w.alice).SettledOut)
	ledgertest.RequireConserved(t, w.ledger)
}
