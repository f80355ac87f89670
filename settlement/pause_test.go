package settlement_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

// onRails pays bob by the chain and every other peer by the bank, all that is owed.
func onRails(name string, r settlement.Settler) settlement.Config {
	cfg := namedConfig(name, r)
	cfg.Policies.Default = payAll
	cfg.Rails = settlement.Rails{
		Default: &settlement.Rail{Name: "bank", Settler: r},
		Peer:    map[string]*settlement.Rail{"bob": {Name: "chain", Settler: r}},
	}
	return cfg
}

// A pause is in the ledger: running engines and new ones obey it, and the amounts owed meanwhile are paid after it.
// Each engine reports it once.
func TestPausedRail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		alice, bob := w.peers[0], w.peers[1]
		var mu sync.Mutex
		told := map[string]map[string]int{"running": {}, "starting": {}}
		engine := func(name string) *settlement.Engine {
			cfg := onRails(name, r)
			tell := func(what string) {
				mu.Lock()
				defer mu.Unlock()
				told[name][what]++
			}
			cfg.Events.Paused = func(p settlement.Pause) { tell("paused " + p.Rail) }
			cfg.Events.Resumed = func(p settlement.Pause) { tell("resumed " + p.Rail) }
			cfg.Events.Failed = func(err error) { tell("failed: " + err.Error()) }
			cfg.Events.Voided = func(o settlement.Order, _ error) { tell("voided an order to " + o.Account.Peer()) }
			return w.engine(cfg)
		}
		running := engine("running")
		running.NotifyBalances(w.peers)
		sleepVirtual(time.Minute)
		operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
		for range 2 { // a repeated call changes nothing
			require.NoError(t, operator.PauseRail(t.Context(), "bank"))
		}
		since := time.Now()
		pauses, err := operator.Pauses(t.Context())
		require.NoError(t, err)
		require.Len(t, pauses, 1)
		require.Equal(t, settlement.Pause{Asset: usd, Rail: "bank", Since: pauses[0].Since}, pauses[0])
		require.LessOrEqual(t, since.Sub(pauses[0].Since), time.Second)
		w.earn(alice, 10)
		w.earn(bob, 20)
		running.NotifyBalances(w.peers)
		starting := engine("starting")
		starting.NotifyBalances(w.peers)
		sleepVirtual(time.Hour)
		require.Zero(t, r.totalPaid(alice))
		require.Equal(t, units(20), r.totalPaid(bob), "the other rail pays")
		_, err = running.Settle(t.Context(), alice)
		require.ErrorIs(t, err, settlement.ErrPaused)
		require.ErrorContains(t, err, `rail "bank" is paused in USD/2 since `)

		require.NoError(t, operator.ResumeRail(t.Context(), "bank"))
		sleepVirtual(time.Minute + time.Second)
		require.Equal(t, units(10), r.totalPaid(alice), "within a sweep")
		require.NoError(t, running.Close(t.Context()))
		require.NoError(t, starting.Close(t.Context()))
		once := map[string]int{"paused bank": 1, "resumed bank": 1}
		require.Equal(t, map[string]map[string]int{"running": once, "starting": once}, told)
		pauses, err = operator.Pauses(t.Context())
		require.NoError(t, err)
		require.Empty(t, pauses)
		w.requireConserved(r)
	})
}

// A stop is for all rails, and separate from the pause of a rail.
func TestStoppedPayments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		alice, bob := w.peers[0], w.peers[1]
		operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
		require.NoError(t, operator.StopPayments(t.Context()))
		require.NoError(t, operator.PauseRail(t.Context(), "a name of more than sixteen bytes"))
		require.NoError(t, operator.PauseRail(t.Context(), "chain"))
		pauses, err := operator.Pauses(t.Context())
		require.NoError(t, err)
		var texts []string
		for _, p := range pauses {
			texts = append(texts, fmt.Sprint(p.All, p.Rail))
		}
		require.Equal(t, []string{"true", "falsea name of more t", "falsechain"}, texts)
		ofRail, err := operator.PausesOf(t.Context(), "a name of more than sixteen bytes")
		require.NoError(t, err)
		pauses[1].Rail = "a name of more than sixteen bytes"
		require.Equal(t, pauses[1:2], ofRail)
		w.earn(alice, 10)
		w.earn(bob, 20)
		e := w.engine(onRails("e", r))
		e.NotifyBalances(w.peers)
		sleepVirtual(time.Hour)
		requireNotCalled(t, r)
		require.NoError(t, operator.StartPayments(t.Context()))
		sleepVirtual(time.Minute + time.Second)
		require.Equal(t, units(10), r.totalPaid(alice))
		require.Zero(t, r.totalPaid(bob))
		require.NoError(t, operator.ResumeRail(t.Context(), "chain"))
		sleepVirtual(time.Minute + time.Second)
		require.Equal(t, units(20), r.totalPaid(bob))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// While a rail is paused, the sweeps only look its accounts up: no visit makes a query.
func TestPausedAccountsAreNotVisited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		l := &countingLedger{Ledger: w.ledger}
		e := w.engineOn(l, onRails("e", r))
		require.NoError(t, e.PauseRail(t.Context(), "bank"))
		w.earn(w.alice, 10)
		e.NotifyBalances(w.peers)
		sleepVirtual(10 * time.Minute)
		require.Zero(t, l.takeCounts()[2])
		require.NoError(t, e.ResumeRail(t.Context(), "bank"))
		sleepVirtual(time.Minute + time.Second)
		require.Equal(t, units(10), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
	})
}

// After any number of pauses a new engine reads the newest state, and a running engine keeps up.
func TestManyPauses(t *testing.T) {
	t.Parallel()
	manyPauses(t, newWorld(t))
}

func manyPauses(t *testing.T, w *world) {
	t.Helper()
	r := newRail()
	cfg := onRails("running", r)
	cfg.Manual = true
	running := w.engine(cfg)
	operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
	for i := range 120 {
		w.earn(w.alice, 1)
		if i%40 == 39 {
			paid, err := running.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, []uint64{40}, paidAmounts(paid))
		}
		require.NoError(t, operator.StopPayments(t.Context()))
		if i%40 == 20 {
			cfg.Instance = fmt.Sprint("starting ", i)
			for _, e := range []*settlement.Engine{running, w.engine(cfg)} {
				_, err := e.Settle(t.Context(), w.alice)
				require.ErrorIs(t, err, settlement.ErrPaused)
			}
		}
		require.NoError(t, operator.StartPayments(t.Context()))
	}
	w.requireConserved(r)
}

// Operators who pause and resume at the same moment write one row after another.
func TestPausesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var operators sync.WaitGroup
	for i := range 8 {
		e := w.engine(settlement.Config{Instance: fmt.Sprint("operator ", i), NoTakeover: true})
		operators.Go(func() {
			for range 10 {
				_ = e.StopPayments(t.Context())
				_ = e.StartPayments(t.Context())
			}
			_ = e.StopPayments(t.Context())
		})
	}
	operators.Wait()
	e := w.engine(settlement.Config{Instance: "last", NoTakeover: true})
	require.NoError(t, e.StopPayments(t.Context()))
	pauses, err := e.Pauses(t.Context())
	require.NoError(t, err)
	require.Len(t, pauses, 1)
}

// hookedFirstOrder is a ledger that calls a function before the first order is placed.
type hookedFirstOrder struct {
	ledger.Ledger
	before func()
}

func (l *hookedFirstOrder) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if do := l.before; do != nil && rows[0].Code == chart.CodeOrder {
		l.before = nil
		do()
	}
	return l.Ledger.CreateTransfers(ctx, rows)
}

// A pause between the decision and the order voids the order: no rail is asked.
func TestPauseBeforeTheOrder(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*settlement.Config){
		"":                           func(*settlement.Config) {},
		"without claims":             func(c *settlement.Config) { c.NoTakeover = true },
		"with a limit of the day":    func(c *settlement.Config) { c.PeerPayoutLimits.Default.MaxPerDay = units(1000) },
		"an order above the largest": func(c *settlement.Config) { c.PeerPayoutLimits.Default.MaxOrder = units(50) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
			l := &hookedFirstOrder{Ledger: w.ledger, before: func() { assertNoError(t, operator.PauseRail(t.Context(), "")) }}
			cfg := manualConfig(r, at100)
			change(&cfg)
			var voided []error
			cfg.Events.Voided = func(_ settlement.Order, why error) { voided = append(voided, why) }
			e := w.engineOn(l, cfg)
			w.earn(w.alice, 100)
			_, _ = e.Settle(t.Context(), w.alice)
			requireNotCalled(t, r)
			require.Len(t, voided, 1)
			require.ErrorIs(t, voided[0], settlement.ErrPaused)
			require.Zero(t, w.balance(w.alice).Settling)
			w.requireConserved(r)
		})
	}
}

func assertNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// An order that a rail was asked for goes on under its key during every pause: only the rail knows whether the key was
// paid. So does such an order of a restarted engine.
func TestPauseKeepsNoAnswerBack(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"the same engine": false, "started again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), newRail()
				var answers atomic.Bool
				r.after = func(settlement.Order) error {
					if !answers.Load() {
						return errRail
					}
					return nil
				}
				w.earn(w.alice, 100)
				cfg := namedConfig("owner", r)
				owner := w.engine(cfg)
				owner.NotifyBalances(w.peers)
				synctest.Wait()
				require.Equal(t, units(80), r.totalPaid(w.alice), "and nobody knows")
				operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
				require.NoError(t, operator.StopPayments(t.Context()))
				open, err := operator.Orders(t.Context(), w.alice)
				require.NoError(t, err)
				require.NoError(t, open[0].Waits)
				if restart {
					require.Error(t, owner.Close(t.Context()))
					owner = w.engine(cfg)
					owner.Enqueue(w.peers)
				}
				answers.Store(true)
				sleepVirtual(10 * time.Minute)
				require.Equal(t, units(80), w.balance(w.alice).SettledOut)
				require.NoError(t, owner.Close(t.Context()))
				w.requireConserved(r)
			})
		})
	}
}

// An order that was approved during the pause waits, also after a restart of the engine.
func TestApprovedDuringThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
		w.earn(w.alice, 60)
		holder := w.engine(approvalAbove("holder", r, 50))
		holder.NotifyBalances(w.peers)
		synctest.Wait()
		require.NoError(t, operator.StopPayments(t.Context()))
		open, err := operator.Orders(t.Context(), w.alice)
		require.NoError(t, err)
		require.ErrorIs(t, open[0].Waits, settlement.ErrAwaitsApproval)
		_, err = operator.Approve(t.Context(), w.alice, open[0].ID)
		require.NoError(t, err)
		require.ErrorIs(t, holder.Close(t.Context()), settlement.ErrOrdersOpen)

		again := w.engine(namedConfig("holder", r))
		again.Enqueue(w.peers)
		sleepVirtual(10 * time.Minute)
		requireNotCalled(t, r)
		open, err = operator.Orders(t.Context(), w.alice)
		require.NoError(t, err)
		require.ErrorIs(t, open[0].Waits, settlement.ErrPaused)
		require.NoError(t, operator.StartPayments(t.Context()))
		sleepVirtual(2 * time.Minute)
		require.Equal(t, units(60), r.totalPaid(w.alice))
		require.NoError(t, again.Close(t.Context()))
		w.requireConserved(r)
	})
}

// Pauses need the accounts of the assets.
func TestPauseOfABookWithoutAccounts(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	e, err := settlement.NewEngine(l, newBook(t, l), settlement.Config{})
	require.NoError(t, err)
	require.ErrorIs(t, e.StopPayments(t.Context()), accounts.ErrNotProvisioned)
	require.NoError(t, e.Close(t.Context()))
	require.ErrorIs(t, e.StopPayments(t.Context()), settlement.ErrEngineClosed)
}

// An order that an engine placed during the pause, before it crashed, is with no rail: the next owner waits for the end
// of the pause.
func TestOrderOfACrashDuringThePause(t *testing.T) {
	t.Parallel()
	for _, instance := range []string{"", "heir"} {
		t.Run(instance, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), newRail()
				operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
				l := &silentAfterOrder{Ledger: &hookedFirstOrder{Ledger: w.ledger, before: func() { assertNoError(t, operator.StopPayments(t.Context())) }}}
				w.earn(w.alice, 100)
				crashes := w.engineOn(l, manualConfig(r, at100))
				_, _ = crashes.Settle(t.Context(), w.alice)
				require.Error(t, crashes.Close(t.Context()))
				open, err := operator.Orders(t.Context(), w.alice)
				require.NoError(t, err)
				require.ErrorIs(t, open[0].Waits, settlement.ErrPaused)
				next := w.engine(namedConfig(instance, r))
				next.Enqueue(w.peers)
				sleepVirtual(time.Hour)
				requireNotCalled(t, r)
				require.NoError(t, operator.StartPayments(t.Context()))
				sleepVirtual(2 * time.Minute)
				require.Equal(t, units(80), r.totalPaid(w.alice))
				require.NoError(t, next.Close(t.Context()))
				w.requireConserved(r)
			})
		})
	}
}

// A pause after the approval, but before the owner has read the approval, keeps the order from the rail.
func TestPauseAfterTheApproval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
		w.earn(w.alice, 60)
		e := w.engine(approvalAbove("owner", r, 50))
		e.NotifyBalances(w.peers)
		sleepVirtual(time.Second)
		open, err := operator.Orders(t.Context(), w.alice)
		require.NoError(t, err)
		_, err = operator.Approve(t.Context(), w.alice, open[0].ID)
		require.NoError(t, err)
		sleepVirtual(time.Second)
		require.NoError(t, operator.StopPayments(t.Context()))
		sleepVirtual(time.Hour)
		requireNotCalled(t, r)
		require.NoError(t, operator.StartPayments(t.Context()))
		sleepVirtual(2 * time.Minute)
		require.Equal(t, units(60), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// lookupsOf253 is a ledger that looks up at most 253 transfers at once, like a server with --development.
type lookupsOf253 struct{ ledger.Ledger }

func (l lookupsOf253) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	if len(ids) > 253 {
		return nil, fmt.Errorf("%w: %d ids", ledger.ErrTooMuchData, len(ids))
	}
	return l.Ledger.LookupTransfers(ctx, ids)
}

// A new engine with many rails or assets has more rows to look up than a request takes. It finds the pauses, and
// pays by all other rails.
func TestPausesOfManyRails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "b", "c", "d", "e", "f", "g", "h"), newRail()
		w.ledger = lookupsOf253{w.ledger}
		cfg := namedConfig("", r)
		cfg.Policies.Default = payAll
		cfg.Rails = settlement.Rails{Peer: make(map[string]*settlement.Rail)}
		for _, a := range w.peers {
			cfg.Rails.Peer[a.Peer()] = &settlement.Rail{Name: "to " + a.Peer(), Settler: r}
			w.earn(a, 7)
		}
		e := w.engine(cfg)
		require.NoError(t, e.PauseRail(t.Context(), "to b"))
		e.NotifyBalances(w.peers)
		sleepVirtual(time.Second)
		for _, a := range w.peers {
			want := int64(0)
			if a.Peer() == "b" {
				want = 7
			}
			require.Equal(t, want, w.balance(a).Position().Int64(), a.Peer())
		}
		require.NoError(t, e.Close(t.Context()))
	})
}
