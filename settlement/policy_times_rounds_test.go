package settlement_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement"
)

// Rounds count as packets for the policies of time, also for an engine that has just begun.
func TestTimesOfRounds(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]settlement.Policy{
		"every": settlement.Every{After: time.Hour}, "idle": settlement.Idle{After: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), newRail()
				require.NoError(t, w.book.EnsureTransit(t.Context()))
				w.earnInRound(w.alice, 100)
				settle := func() (paid []uint64) {
					payments, err := w.engine(manualConfig(r, policy)).Settle(t.Context(), w.alice)
					require.NoError(t, err)
					return paidAmounts(payments)
				}
				require.Empty(t, settle())
				sleepVirtual(59 * time.Minute)
				require.Empty(t, settle())
				sleepVirtual(2 * time.Minute)
				require.Equal(t, []uint64{100}, settle())
				w.requireConserved(r)
			})
		})
	}
}

// A packet from the peer is a post of a reservation. Renewals are no packets.
func TestIdleSinceTheLastRound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		require.NoError(t, w.book.EnsureTransit(t.Context()))
		w.earnInRound(w.alice, 100)
		settle := func() (paid []uint64) {
			payments, err := w.engine(manualConfig(r, settlement.Idle{After: time.Hour})).Settle(t.Context(), w.alice)
			require.NoError(t, err)
			return paidAmounts(payments)
		}
		sleepVirtual(59 * time.Minute)
		w.spendInRound(w.alice, 10)
		sleepVirtual(59 * time.Minute)
		require.Empty(t, settle())
		w.spendInRound(w.alice, 0) // a renewal
		sleepVirtual(2 * time.Minute)
		require.Equal(t, []uint64{90}, settle())
		w.requireConserved(r)
	})
}
