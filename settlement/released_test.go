package settlement_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement"
)

// A Settler learns since when a rail may know an order: in no process is that later than the first call.
func TestOrderReleasedAt(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T, *releasedWorld){
		"at once":                    releasedAtOnce,
		"approved late":              releasedByApproval,
		"approved, then paused":      releasedAfterAPause,
		"a rail that was down":       releasedWhenTheRailIsUp,
		"placed by an ended process": releasedByAnHeir,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &releasedWorld{world: newWorld(t), rail: newRail()}
				w.rail.after = func(o settlement.Order) error {
					w.released = append(w.released, o.ReleasedAt)
					require.False(t, o.ReleasedAt.Before(o.PlacedAt))
					require.False(t, o.ReleasedAt.After(time.Now().Add(time.Millisecond)), "the ledger's clock is some nanoseconds ahead")
					return errRail
				}
				w.earn(w.alice, 100)
				run(t, w)
			})
		})
	}
}

// releasedWorld notes the ReleasedAt of the calls of its rail, which never has an answer.
type releasedWorld struct {
	*world

	rail     *rail
	released []time.Time
}

func (w *releasedWorld) config(name string, approveAbove uint64) settlement.Config {
	cfg := approvalAbove(name, w.rail, approveAbove)
	cfg.Manual = true
	return cfg
}

// settle settles alice, and returns the ReleasedAt of the rail's only call.
func (w *releasedWorld) settle(e *settlement.Engine) time.Time {
	w.t.Helper()
	w.released = nil
	_, err := e.Settle(w.t.Context(), w.alice)
	require.ErrorIs(w.t, err, errRail)
	require.Len(w.t, w.released, 1)
	return w.released[0]
}

// stop ends an engine, until its lease has ended too.
func (w *releasedWorld) stop(e *settlement.Engine) {
	w.t.Helper()
	require.ErrorIs(w.t, e.Close(w.t.Context()), settlement.ErrOrdersOpen)
	sleepVirtual(time.Hour)
}

func (w *releasedWorld) openOrder(e *settlement.Engine) settlement.OpenOrder {
	w.t.Helper()
	open, err := e.Orders(w.t.Context(), w.alice)
	require.NoError(w.t, err)
	require.Len(w.t, open, 1)
	return open[0]
}

func releasedAtOnce(t *testing.T, w *releasedWorld) {
	t.Helper()
	e := w.engine(w.config("owner", 100))
	first := w.settle(e)
	order := w.openOrder(e)
	require.Equal(t, order.PlacedAt, first)
	sleepVirtual(time.Hour)
	require.Equal(t, first, w.settle(e), "it may have been paid in the first call")
	w.stop(e)
	require.Equal(t, first, w.settle(w.engine(w.config("owner", 100))), "nor does a restart move it")
	require.Zero(t, order.ReleasedAt, "no Settler was called for what is read")
}

func releasedByApproval(t *testing.T, w *releasedWorld) {
	t.Helper()
	e := w.engine(w.config("owner", 50))
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
	sleepVirtual(60 * time.Hour)
	approvedAt := time.Now()
	_, err = e.Approve(t.Context(), w.alice, w.openOrder(e).ID)
	require.NoError(t, err)
	for _, name := range []string{"owner", "owner", "heir"} {
		w.stop(e)
		e = w.engine(w.config(name, 50))
		require.WithinDuration(t, approvedAt, w.settle(e), time.Second)
	}
}

func releasedAfterAPause(t *testing.T, w *releasedWorld) {
	t.Helper()
	e := w.engine(w.config("owner", 50))
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
	_, err = e.Approve(t.Context(), w.alice, w.openOrder(e).ID)
	require.NoError(t, err)
	require.NoError(t, e.StopPayments(t.Context()))
	for range 3 {
		_, err = e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrPaused)
		sleepVirtual(20 * time.Hour)
	}
	require.NoError(t, e.StartPayments(t.Context()))
	released := w.settle(e)
	require.WithinDuration(t, time.Now(), released, time.Second)
	sleepVirtual(time.Hour)
	require.Equal(t, released, w.settle(e))
}

func releasedWhenTheRailIsUp(t *testing.T, w *releasedWorld) {
	t.Helper()
	cfg := w.config("owner", 50)
	cfg.Rails.Default.BreakerThreshold, cfg.Rails.Default.BreakerTimeout = 1, 60*time.Hour
	e := w.engine(cfg)
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
	_, err = e.Approve(t.Context(), w.alice, w.openOrder(e).ID)
	require.NoError(t, err)
	approvedAt := time.Now()
	first := w.settle(e) // the only call before the rail counts as down
	require.WithinDuration(t, approvedAt, first, time.Second)
	_, err = e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrRailDown)
	sleepVirtual(61 * time.Hour)
	require.Equal(t, first, w.settle(e))
}

// Another process may have called the rail without leaving a trace.
func releasedByAnHeir(t *testing.T, w *releasedWorld) {
	t.Helper()
	owner := w.engine(w.config("owner", 100))
	w.settle(owner)
	placedAt := w.openOrder(owner).PlacedAt
	w.stop(owner)
	require.Equal(t, placedAt, w.settle(w.engine(w.config("heir", 100))))
}
