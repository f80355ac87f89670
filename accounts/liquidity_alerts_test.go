package accounts_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func testAlerts(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBook(t, l)
	alice := provision(t, book, 100, "alice")[0]
	ids, _ := book.AssetIDs(usd.Ledger)
	w, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{
		usd: {Low: "0.00000001", High: "0.00000005", Margin: "0.000000005"}, // 10, 50, 5
		xrp: {High: "1"},
	})
	require.NoError(t, err)
	at := int64(0)
	moveTo := func(want int64) {
		if d := want - at; d > 0 {
			movePacket(t, l, ids.Outside, ids.Liquidity, uint64(d), 0)
		} else if d < 0 {
			movePacket(t, l, ids.Liquidity, ids.Outside, uint64(-d), 0)
		}
		at = want
	}
	for _, step := range []struct {
		position int64
		want     []accounts.ThresholdEvent
	}{
		{0, []accounts.ThresholdEvent{accounts.LowReached}},
		{10, nil},
		{-3, nil},
		{15, nil}, // within the margin: no alert
		{9, nil},  // so not reached again
		{16, []accounts.ThresholdEvent{accounts.LowCleared}},
		{10, []accounts.ThresholdEvent{accounts.LowReached}},
		{50, []accounts.ThresholdEvent{accounts.LowCleared, accounts.HighReached}},
		{45, nil},
		{60, nil},
		{44, []accounts.ThresholdEvent{accounts.HighCleared}},
		{49, nil},
		{-1, []accounts.ThresholdEvent{accounts.LowReached}},
	} {
		moveTo(step.position)
		for i := range 2 { // a second check has no alerts
			alerts, err := w.Check(ctx)
			require.NoError(t, err)
			var got []accounts.ThresholdEvent
			for _, a := range alerts {
				got = append(got, a.Event)
				require.Equal(t, step.position, a.Position.Liquidity.Int64())
				require.Equal(t, usd, a.Position.Asset)
			}
			if i == 0 {
				require.Equal(t, step.want, got, step.position)
			} else {
				require.Empty(t, got)
			}
		}
	}
	require.Zero(t, balance(t, book, alice).Position().Sign())
	ledgertest.RequireNothingHeld(t, l)
}

func TestThresholdsThatCannotBe(t *testing.T) {
	t.Parallel()
	book := bookWith(t, accounts.Rules[accounts.Limits]{})
	for _, c := range []struct {
		field      string
		thresholds accounts.LiquidityThresholds
	}{
		{"Low", accounts.LiquidityThresholds{Low: "-1"}},
		{"High", accounts.LiquidityThresholds{High: "x"}},
		{"Margin", accounts.LiquidityThresholds{Margin: "1e1"}},
		{"Low", accounts.LiquidityThresholds{Low: "5", High: "5"}},
	} {
		_, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{usd: c.thresholds})
		requireField(t, err, c.field)
	}
	_, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{{Code: "EUR", Ledger: 1}: {}})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
}

// failing fails look-ups while away is set.
type failing struct {
	ledger.Ledger
	away atomic.Bool
}

func (f *failing) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if f.away.Load() {
		return nil, errors.New("away")
	}
	return f.Ledger.LookupAccounts(ctx, ids)
}

func TestAlertsRunOnceARound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		inner := embedded.New()
		defer func() { require.NoError(t, inner.Close()) }()
		l := &failing{Ledger: inner}
		book := newBook(t, l)
		provision(t, book, 0, "alice")
		w, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{usd: {Low: "0.000000001"}})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		var events []accounts.ThresholdEvent
		var failed []error
		ended := make(chan error)
		go func() {
			ended <- w.Run(ctx, func(a accounts.LiquidityAlert) { events = append(events, a.Event) }, func(err error) { failed = append(failed, err) })
		}()
		pass := func(d time.Duration) {
			time.Sleep(d) //nolint:forbidigo // virtual time
			synctest.Wait()
		}
		pass(2500 * time.Millisecond)
		require.Equal(t, []accounts.ThresholdEvent{accounts.LowReached}, events, "once, in three rounds")
		_, err = book.Fund(t.Context(), accounts.Capital{Asset: usd, Key: "k", Amount: units(100)})
		require.NoError(t, err)
		l.away.Store(true)
		pass(2 * time.Second)
		require.Len(t, failed, 2)
		require.Len(t, events, 1)
		l.away.Store(false)
		pass(time.Second)
		require.Equal(t, []accounts.ThresholdEvent{accounts.LowReached, accounts.LowCleared}, events)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}
