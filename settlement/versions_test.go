package settlement_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

// placeByAnotherVersion writes an order of 100 to alice with this user_data_64, as an engine of
// another version of the library does.
func (w *world) placeByAnotherVersion(tag uint64) ledger.ID {
	w.t.Helper()
	ids := w.book.PeerIDs(w.alice)
	return w.writeRow(ledger.Transfer{
		DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: units(100), UserData64: tag,
		Ledger: usd.Ledger, Code: chart.CodeOrder, Flags: ledger.TransferPending,
	})
}

// An order whose check has a version that this engine does not know stays with the engine that
// placed it, also when the lease of that engine is over: this engine writes no claim, does not
// call the rail and does not void the order.
func TestOrderOfALaterVersionIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.earn(w.alice, 100)
	w.placeByAnotherVersion(1 | 2<<56)
	r := newRail()
	cfg := manualConfig(r, at100)
	cfg.Clock = func() time.Time { return time.Now().Add(24 * time.Hour) }
	var failed []error
	cfg.Events.Failed = func(err error) { failed = append(failed, err) }
	e := w.engine(cfg)
	for range 2 {
		payments, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrOrderVersion)
		require.Empty(t, payments)
	}
	require.Len(t, failed, 2)
	require.ErrorIs(t, failed[0], settlement.ErrOrderVersion)
	require.Equal(t, units(100), w.balance(w.alice).Settling)
	_, called := r.countKeys()
	require.Zero(t, called)
	claims, err := w.ledger.GetAccountTransfers(t.Context(), ledger.AccountFilter{
		AccountID: w.book.PeerIDs(w.alice).Settlement, Code: chart.CodeClaim, Limit: 10, Flags: ledger.AccountFilterDebits,
	})
	require.NoError(t, err)
	require.Empty(t, claims)
}

// An order that needs a verdict in the ledger has a version that releases without limits do not know, so they leave the
// order alone. Other orders are unchanged.
func TestVersionOfAnOrderWithALimit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit settlement.PayoutLimit
		known bool // by those releases
	}{
		"none":          {settlement.PayoutLimit{}, true},
		"largest order": {settlement.PayoutLimit{MaxOrder: units(90)}, true},
		"not above":     {settlement.PayoutLimit{ApproveAbove: units(100)}, true},
		"a day":         {settlement.PayoutLimit{MaxPerDay: units(500)}, false},
		"approval":      {settlement.PayoutLimit{ApproveAbove: units(50)}, false},
	} {
		w, r := newWorld(t), newRail()
		r.before = func(settlement.Order) error { return settlement.ErrPending }
		w.earn(w.alice, 100)
		cfg := manualConfig(r, at100)
		cfg.PeerPayoutLimits.Default = c.limit
		e := w.engine(cfg)
		_, err := e.Settle(t.Context(), w.alice)
		require.Error(t, err)
		open, err := e.Orders(t.Context(), w.alice)
		require.NoError(t, err)
		require.Len(t, open, 1, name)
		rows, err := w.ledger.LookupTransfers(t.Context(), []ledger.ID{open[0].ID})
		require.NoError(t, err)
		const newest = 1 // of the versions that those releases know
		require.Equal(t, c.known, rows[0].UserData64>>56&63 <= newest, name)
	}
}

// An order without a check behind an order with a check is one of an engine of an earlier version.
// The order is paid, since a rail may have it already, and the engine is reported once.
func TestOrderOfAnEarlierVersionIsPaidAndReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.earn(w.alice, 200)
	r := newRail()
	cfg := manualConfig(r, at100)
	cfg.Clock = func() time.Time { return time.Now().Add(24 * time.Hour) }
	var failed []error
	cfg.Events.Failed = func(err error) { failed = append(failed, err) }
	e := w.engine(cfg)
	_, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, failed)
	w.earn(w.alice, 100)
	order := w.placeByAnotherVersion(2)
	_, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Len(t, failed, 1)
	require.ErrorIs(t, failed[0], settlement.ErrOldEngine)
	require.Contains(t, failed[0].Error(), order.String())
	require.Zero(t, w.balance(w.alice).Settling)
	_, called := r.countKeys()
	require.Equal(t, 2, called)
}

// Only the engine that placed an order can check it if the account has no history. A failed
// request between the order and its check, or in the void of an order that was too large, does
// not have the order paid: the engine makes the check when it resumes the order.
func TestOrderWithoutHistoryIsCheckedWhenItIsResumed(t *testing.T) {
	t.Parallel()
	met := 0
	for after := 1; after < 6; after++ { // requests behind the order's own until one fails
		w := &world{t: t, ledger: embedded.New()}
		var err error
		w.book, err = accounts.NewBook(w.ledger, accounts.Config{Assets: []accounts.Asset{usd}, NoHistory: true})
		require.NoError(t, err)
		w.peers, err = w.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)})
		require.NoError(t, err)
		w.alice = w.peers[0]
		w.earn(w.alice, 150)
		placed, broken := -1, false
		errBroken := errors.New("broken")
		l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
			switch {
			case placed < 0 && c.creates:
				placed = c.number
			case placed >= 0 && c.number == placed+1:
				w.spend(w.alice, 100)
			}
			if broken = broken || placed >= 0 && c.number == placed+after; broken {
				return fault{before: errBroken}
			}
			return noFault
		}}
		r := newRail()
		cfg := manualConfig(r, at100)
		var voided []error
		cfg.Events.Voided = func(_ settlement.Order, why error) { voided = append(voided, why) }
		e := w.engineOn(l, cfg)
		_, err = e.Settle(t.Context(), w.alice)
		if errors.Is(err, errBroken) {
			met++
		}
		broken, placed = false, -2
		l.fault = func(call) fault { return noFault }
		_, err = e.Settle(t.Context(), w.alice)
		require.NoError(t, err)
		require.Len(t, voided, 1, "request %d", after)
		require.ErrorIs(t, voided[0], settlement.ErrCheckFailed)
		_, called := r.countKeys()
		require.Zero(t, called, "request %d", after)
		require.Zero(t, w.balance(w.alice).Settling)
	}
	require.Greater(t, met, 1)
}
