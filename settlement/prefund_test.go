package settlement_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

var ahead50 = settlement.Prefund{PrefundThreshold: big.NewInt(-10), SettleTo: big.NewInt(-50)}

func TestPrefundThatCannotBe(t *testing.T) {
	t.Parallel()
	for field, p := range map[string]settlement.Prefund{
		"PrefundThreshold": {SettleTo: big.NewInt(-1)},
		"SettleTo":         {PrefundThreshold: big.NewInt(0), SettleTo: big.NewInt(0)},
	} {
		var fault *accounts.FieldError
		require.ErrorAs(t, p.Validate(), &fault)
		require.Equal(t, field, fault.Field)
	}
	beyond := new(big.Int).Lsh(big.NewInt(-1), 97)
	require.ErrorIs(t, settlement.Prefund{PrefundThreshold: big.NewInt(0), SettleTo: beyond}.Validate(), accounts.ErrInvalid)
	require.NoError(t, ahead50.Validate())
}

// After an order that paid ahead, the next one waits for OrderCooldown and for a random time of the same length:
// otherwise connectors that prefund each other would pay in step for ever.
func TestPrefundingOrdersAreApart(t *testing.T) {
	t.Parallel()
	const engines = 40
	early := 0
	for range engines {
		w, r := newWorld(t), newRail()
		now := time.Now()
		cfg := manualConfig(r, ahead50)
		cfg.OrderCooldown = time.Minute
		cfg.Clock = func() time.Time { return now }
		e := w.engine(cfg)
		orders := func() int {
			_, err := e.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			keys, _ := r.countKeys()
			return keys
		}
		require.Equal(t, 1, orders())
		w.earn(w.alice, 40)
		now = now.Add(time.Minute - time.Second)
		require.Equal(t, 1, orders(), "it waits for OrderCooldown")
		now = now.Add(30 * time.Second)
		early += orders() - 1
		now = now.Add(time.Minute)
		require.Equal(t, 2, orders(), "and for no more than twice as long")
		require.Equal(t, units(90), r.totalPaid(w.alice))
	}
	require.NotZero(t, early, "the random part of the wait is the same for all")
	require.NotEqual(t, engines, early, "the random part of the wait is the same for all")
}

// A second engine collects between the look-up and the collection of the first: the first collection is cut to the rest,
// without an error.
func TestCollectionsAtOnce(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	_, err := w.book.Adjust(t.Context(), accounts.Adjustment{Account: w.alice, Key: "a", Debit: units(1300), ReasonCode: 1, BeyondHeadroom: true})
	require.NoError(t, err)
	require.Equal(t, units(300), w.balance(w.alice).Arrears)
	w.earn(w.alice, 120)
	other := w.engine(manualConfig(r, at100))
	met := false
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates && !met {
			met = true
			_, err := other.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, units(180), w.balance(w.alice).Arrears)
			w.earn(w.alice, 500) // more than the rest of the arrears in the look-up
		}
		return noFault
	}}
	cfg := manualConfig(r, at100)
	cfg.Events.Failed = func(err error) { require.NoError(t, err) }
	_, err = w.engineOn(l, cfg).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.True(t, met)
	b := w.balance(w.alice)
	require.Zero(t, b.Arrears)
	require.Equal(t, units(320), b.Headroom)
	w.requireConserved(r)
}

// A policy pays ahead, and the peer has no credit line: nothing is ordered, and the engine reports the
// missing line. Earnings are paid all the same, and a line ends the report.
func TestPrefundWithoutALine(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	peers, err := w.book.Provision(t.Context(), accounts.PeerConfig{ID: "zoe", Asset: usd})
	require.NoError(t, err)
	zoe := peers[0]
	cfg := manualConfig(r, settlement.Prefund{PrefundThreshold: big.NewInt(-10), SettleTo: big.NewInt(-50)})
	var failures []error
	cfg.Events.Failed = func(err error) { failures = append(failures, err) }
	e := w.engine(cfg)
	paid, _ := e.Settle(t.Context(), zoe)
	require.Empty(t, paid)
	require.NotEmpty(t, failures)
	require.ErrorIs(t, failures[0], settlement.ErrPrefundLine)
	require.ErrorContains(t, failures[0], "zoe")

	w.earn(zoe, 60)
	paid, _ = e.Settle(t.Context(), zoe)
	require.Equal(t, []uint64{60}, paidAmounts(paid))
	_, err = w.book.SetCreditLine(t.Context(), zoe, units(50))
	require.NoError(t, err)
	failures = nil
	paid, err = e.Settle(t.Context(), zoe)
	require.NoError(t, err)
	require.Equal(t, []uint64{50}, paidAmounts(paid))
	require.Empty(t, failures)
}
