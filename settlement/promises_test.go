package settlement_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// A policy pays ahead, and the peer has no credit line: nothing is ordered, and the engine reports the
// missing line. Earnings are paid all the same, and a line ends the report.
func TestPrefundWithoutALine(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	peers, err := w.book.Provision(t.Context(), accounts.PeerConfig{ID: "zoe", Asset: usd})
	require.NoError(t, err)
	zoe := peers[0]
	cfg := manualConfig(r, settlement.Prefund{PrefundThreshold: big.NewInt(-10), SettleTo: big.NewInt(-50)})
	var told []error
	cfg.Events.Failed = func(err error) { told = append(told, err) }
	e := w.engine(cfg)
	paid, _ := e.Settle(t.Context(), zoe)
	require.Empty(t, paid)
	require.NotEmpty(t, told)
	require.ErrorIs(t, told[0], settlement.ErrPrefundLine)
	require.ErrorContains(t, told[0], "zoe")

	w.earn(zoe, 60)
	paid, _ = e.Settle(t.Context(), zoe)
	require.Equal(t, []uint64{60}, paidAmounts(paid))
	_, err = w.book.SetCreditLine(t.Context(), zoe, units(50))
	require.NoError(t, err)
	told = nil
	paid, err = e.Settle(t.Context(), zoe)
	require.NoError(t, err)
	require.Equal(t, []uint64{50}, paidAmounts(paid))
	require.Empty(t, told)
}

// In a statement, the payment of an order has no key except the order's id, vouchers have no key, and
// announcements do not appear.
func TestStatementOfWhatHasNoKey(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	e := w.engine(manualConfig(r, at100))
	w.earn(w.alice, 100)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Len(t, paid, 1)
	_, err = e.RecordVoucher(t.Context(), settlement.Voucher{Account: w.alice, Channel: "c", Cumulative: units(5)})
	require.NoError(t, err)
	_, err = e.Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "wire 1", Amount: units(7)})
	require.NoError(t, err)
	require.Equal(t, units(7), w.balance(w.alice).Announced)
	s, err := w.book.Statement(t.Context(), w.alice, time.Time{}, time.Time{}, accounts.WithKnownKeys("wire 1", "c"))
	require.NoError(t, err)
	var amounts []int64
	for entry, err := range s.Entries(t.Context()) {
		require.NoError(t, err)
		require.True(t, entry.KeyHash.IsZero(), "%v", entry.Kind)
		require.Empty(t, entry.Key)
		if entry.Amount.Int64() == -80 {
			require.Equal(t, paid[0].Order.ID, entry.Order)
		}
		if entry.Amount.Sign() != 0 {
			amounts = append(amounts, entry.Amount.Int64())
		}
	}
	require.Equal(t, []int64{100, -80, 5}, amounts)
	_, err = e.Fail(t.Context(), w.alice, "wire 1")
	require.NoError(t, err)
	w.requireConserved(r)
}
