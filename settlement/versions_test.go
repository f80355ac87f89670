package settlement_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// placeByAnotherVersion writes an order of 100 to alice with this user_data_64, as an engine of
// another version of the library does.
func (w *world) placeByAnotherVersion(tag uint64) ledger.ID {
	w.t.Helper()
	ids := w.book.PeerIDs(w.alice)
	return w.write(ledger.Transfer{
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
	cfg := manual(r, at100)
	cfg.Clock = func() time.Time { return time.Now().Add(24 * time.Hour) }
	var failed []error
	cfg.Events.Failed = func(err error) { failed = append(failed, err) }
	e := w.engine(cfg)
	for range 2 {
		payments, err := e.Check(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrOrderVersion)
		require.Empty(t, payments)
	}
	require.Len(t, failed, 2)
	require.ErrorIs(t, failed[0], settlement.ErrOrderVersion)
	require.Equal(t, units(100), w.balance(w.alice).Settling)
	_, called := r.keys()
	require.Zero(t, called)
	claims, err := w.ledger.GetAccountTransfers(t.Context(), ledger.AccountFilter{
		AccountID: w.book.PeerIDs(w.alice).Settlement, Code: chart.CodeClaim, Limit: 10, Flags: ledger.AccountFilterDebits,
	})
	require.NoError(t, err)
	require.Empty(t, claims)
}

// An order without a check behind an order with a check is one of an engine of an earlier version.
// The order is paid, since a rail may have it already, and the engine is reported once.
func TestOrderOfAnEarlierVersionIsPaidAndReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.earn(w.alice, 200)
	r := newRail()
	cfg := manual(r, at100)
	cfg.Clock = func() time.Time { return time.Now().Add(24 * time.Hour) }
	var failed []error
	cfg.Events.Failed = func(err error) { failed = append(failed, err) }
	e := w.engine(cfg)
	_, err := e.Check(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, failed)
	w.earn(w.alice, 100)
	order := w.placeByAnotherVersion(2)
	_, err = e.Check(t.Context(), w.alice)
	require.NoError(t, err)
	require.Len(t, failed, 1)
	require.ErrorIs(t, failed[0], settlement.ErrOldEngine)
	require.Contains(t, failed[0].Error(), order.String())
	require.Zero(t, w.balance(w.alice).Settling)
	_, called := r.keys()
	require.Equal(t, 2, called)
}
