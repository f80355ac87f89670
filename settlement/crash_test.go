package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

var errCrash = errors.New("the process ended")

// TestCrashAtEveryStep ends a process before and after each request to the ledger and each call of the
// rail, in turn, and lets the next process go on. The rail must have paid each order once, and the
// books must agree.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for name, pays := range map[string]uint64{"full": 80, "part": 30, "more": 95, "nothing": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for step := 0; crashAt(t, newWorld(t), step, pays, "first"); step++ {
				require.Less(t, step, 100, "the process never gets through")
			}
			if pays == 0 {
				return // a lease later the rail may be asked again
			}
			for step := 0; crashAt(t, newWorld(t), step, pays, "second"); step++ {
				require.Less(t, step, 100)
			}
		})
	}
}

// crashAt runs a process that ends at this step, two steps to each call, and then a second process: of
// the same instance if heir is "first", else of another instance, a lease later. It returns false if
// the first process got through.
func crashAt(t *testing.T, w *world, step int, pays uint64, heir string) (crashed bool) {
	t.Helper()
	return crashWithAt(t, w, step, pays, heir, func(*settlement.Config) {})
}

// limitDay sets a limit that the order keeps to, so the order needs a verdict in the ledger.
func limitDay(cfg *settlement.Config) {
	cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(1000)})
}

// TestCrashAtEveryStepWithALimit is TestCrashAtEveryStep with a limit for both processes or for one.
func TestCrashAtEveryStepWithALimit(t *testing.T) {
	t.Parallel()
	for _, heir := range []string{"first", "second"} {
		t.Run(heir, func(t *testing.T) {
			t.Parallel()
			for step := 0; crashWithAt(t, newWorld(t), step, 95, heir, limitDay); step++ {
				require.Less(t, step, 100)
			}
			firstAlone := func(cfg *settlement.Config) {
				if cfg.Instance == "first" && cfg.Clock == nil {
					limitDay(cfg)
				}
			}
			for step := 0; crashWithAt(t, newWorld(t), step, 80, heir, firstAlone); step++ {
				require.Less(t, step, 100)
			}
		})
	}
}

// crashWithAt is crashAt with changed configurations.
func crashWithAt(t *testing.T, w *world, step int, pays uint64, heir string, change func(*settlement.Config)) (crashed bool) {
	t.Helper()
	r := newRail()
	r.pays = func(o settlement.Order) ledger.Amount {
		if o.Sequence == 1 {
			return units(pays)
		}
		return o.Amount
	}
	w.earn(w.alice, 100)

	// Each call of the ledger or the rail has two points to end at. After that point nothing gets out
	// of the process.
	point := 0
	ends := func() error {
		crashed = crashed || point == step
		point++
		if crashed {
			return errCrash
		}
		return nil
	}
	l := &faultyLedger{Ledger: w.ledger, fault: func(call) fault { return fault{before: ends(), after: ends()} }}
	settler := settlement.SettlerFunc(func(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
		if err := ends(); err != nil {
			return ledger.Amount{}, err
		}
		paid, err := r.Settle(ctx, o)
		return paid, errors.Join(err, ends())
	})
	cfg := manualConfig(settler, at100)
	cfg.Instance = "first"
	change(&cfg)
	_, err := w.engineOn(l, cfg).Settle(t.Context(), w.alice)
	if crashed {
		require.Error(t, err)
	}

	cfg = manualConfig(r, at100)
	if cfg.Instance = heir; heir != "first" {
		cfg.Clock = func() time.Time { return time.Now().Add(time.Hour) } // a lease later
	}
	change(&cfg)
	_, err = w.engine(cfg).Settle(t.Context(), w.alice)
	if pays > 0 {
		require.NoError(t, err)
	}
	open, err := w.engine(manualConfig(r, at100)).Orders(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, open, "step %d", step)
	paid, called := r.countKeys()
	require.Equal(t, 1, paid, "step %d: one crossing, one payment", step)
	require.Equal(t, 1, called, "step %d", step)
	require.Equal(t, units(pays), r.totalPaid(w.alice))
	w.requireConserved(r)
	return crashed
}

// TestLostReplies loses the answer of each request in turn, once, with the request applied or not. The
// engine finds the outcome by itself.
func TestLostReplies(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{true, false} {
		for _, pays := range []uint64{80, 95} {
			t.Run(fmt.Sprintf("applied %v, %d paid", applied, pays), func(t *testing.T) {
				t.Parallel()
				for _, change := range []func(*settlement.Config){func(*settlement.Config) {}, limitDay} {
					for lost := 0; loseReply(t, lost, applied, pays, change); lost++ {
						require.Less(t, lost, 100)
					}
				}
			})
		}
	}
}

func loseReply(t *testing.T, which int, applied bool, pays uint64, change func(*settlement.Config)) (lost bool) {
	t.Helper()
	w, r := newWorld(t), newRail()
	r.pays = func(settlement.Order) ledger.Amount { return units(pays) }
	w.earn(w.alice, 100)
	creates := 0
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if !c.creates {
			return noFault
		}
		creates++
		switch {
		case creates != which+1:
			return noFault
		case applied:
			lost = true
			return fault{after: ledger.ErrOutcomeUnknown}
		default:
			lost = true
			return fault{before: ledger.ErrOutcomeUnknown}
		}
	}}
	cfg := manualConfig(r, at100)
	change(&cfg)
	e := w.engineOn(l, cfg)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{pays}, paidAmounts(paid))
	w.requireConserved(r)
	return lost
}

// When the context ends before the outcome is known, the error says so, even if the later requests were
// never sent.
func TestOutcomeThatStaysUnknown(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	ctx, cancel := context.WithCancel(t.Context())
	creates := 0
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		switch {
		case !c.creates:
			return noFault
		case creates == 0:
			creates++
			return fault{after: ledger.ErrOutcomeUnknown}
		default:
			cancel()
			return fault{before: context.Canceled}
		}
	}}
	_, err := w.engineOn(l, manualConfig(r, at100)).Settle(ctx, w.alice)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.Equal(t, units(80), w.balance(w.alice).Settling, "it had been applied")

	paid, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	w.requireConserved(r)
}
