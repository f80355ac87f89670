package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// announceCase is a payment of alice's under the key "k", of which 50 are announced.
type announceCase struct {
	w        *world
	received uint64 // the amount of the payment
	model    announceModel
}

// announceModel is the expected state of the payment.
type announceModel struct{ open, failed, received bool }

func (a *announceModel) wantState() settlement.AnnouncementState {
	switch {
	case a.received:
		return settlement.AnnouncementReceived
	case a.failed:
		return settlement.AnnouncementFailed
	default:
		return settlement.AnnouncementOpen
	}
}

// makeCall makes a call: 'a'nnounce, 'r'eceive or 'f'ail.
func (a *announceCase) makeCall(ctx context.Context, e *settlement.Engine, call rune) (settlement.AnnouncementState, error) {
	in := settlement.IncomingPayment{Account: a.w.alice, Key: "k", Amount: units(50)}
	switch call {
	case 'a':
		got, err := e.Announce(ctx, in)
		return got.State, err
	case 'f':
		got, err := e.Fail(ctx, a.w.alice, "k")
		return got.State, err
	default:
		in.Amount = units(a.received)
		_, err := e.RecordIncoming(ctx, in)
		return settlement.AnnouncementReceived, err
	}
}

// callAndCheck makes a call, and compares its answer and the books with the model.
func (a *announceCase) callAndCheck(call rune) {
	t, m := a.w.t, &a.model
	t.Helper()
	e := a.w.engine(settlement.Config{})
	state, err := a.makeCall(t.Context(), e, call)
	switch {
	case call == 'f' && m.received:
		require.ErrorIs(t, err, settlement.ErrAlreadyReceived)
		state = settlement.AnnouncementReceived
	case call == 'f':
		m.failed, m.open = true, false
	case call == 'r':
		m.received, m.open = true, false
	case !m.failed && !m.received:
		m.open = true
	}
	if !errors.Is(err, settlement.ErrAlreadyReceived) {
		require.NoError(t, err)
	}
	require.Equal(t, m.wantState(), state)
	a.requireState(e)
	found, err := e.FindPayment(t.Context(), a.w.alice, "k")
	require.NoError(t, err)
	require.Equal(t, m.wantState(), found.State)
	require.True(t, found.AlreadyAnnounced, "it writes nothing")
}

func (a *announceCase) requireState(e *settlement.Engine) {
	t, b := a.w.t, a.w.balance(a.w.alice)
	t.Helper()
	want := map[bool]uint64{true: a.received}[a.model.received]
	require.Equal(t, units(want), b.SettledIn)
	require.Equal(t, units(want), b.Prepaid)
	require.Equal(t, units(1000+want), b.Headroom)
	require.Zero(t, b.HeldOut)
	require.Zero(t, b.Settling)
	open, err := e.Announcements(t.Context(), a.w.peers...)
	require.NoError(t, err)
	if !a.model.open {
		require.Zero(t, b.Announced)
		require.Empty(t, open)
		return
	}
	require.Equal(t, units(50), b.Announced)
	require.Len(t, open, 1)
	require.Equal(t, units(50), open[0].Amount)
	require.Equal(t, settlement.AnnouncementOpen, open[0].State)
}

// migrateBooks continues with a copy of the books, made as by peerledger migrate.
func (a *announceCase) migrateBooks() {
	t := a.w.t
	t.Helper()
	sleepVirtual(10 * time.Second) // the copy needs old rows
	to := embedded.New()
	_, err := migrate.Run(t.Context(), a.w.ledger, to, 2000, nil)
	require.NoError(t, err)
	require.NoError(t, a.w.ledger.Close())
	a.w.ledger, a.w.book = to, a.w.bookOn(to)
}

// TestAnnouncementsInEveryOrder runs all sequences of up to four of the three calls, each call in another process, and
// again with the books copied to another ledger in between. The payment may be smaller or larger than announced.
func TestAnnouncementsInEveryOrder(t *testing.T) {
	t.Parallel()
	sequences := []string{""}
	for i := 0; len(sequences[i]) < 4; i++ {
		for _, call := range []string{"a", "r", "f"} {
			sequences = append(sequences, sequences[i]+call)
		}
	}
	require.Len(t, sequences, 121)
	synctest.Test(t, func(t *testing.T) {
		for i, sequence := range sequences[1:] {
			for _, moves := range []bool{false, true} {
				a := &announceCase{w: newWorld(t), received: []uint64{50, 49, 51}[i%3]}
				for _, call := range sequence {
					a.callAndCheck(call)
					if moves {
						a.migrateBooks()
						a.requireState(a.w.engine(settlement.Config{}))
					}
				}
				if t.Failed() {
					t.Fatalf("sequence %s, moved %v", sequence, moves)
				}
				require.NoError(t, a.w.ledger.Close())
			}
		}
	})
}

// TestAnnouncementCrashAtEveryStep ends a process before and after each of its requests, or loses the answers. A second
// process repeats all calls, or only the last one.
func TestAnnouncementCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, calls := range []string{"ar", "af", "afr", "fr", "fa", "ra", "rf"} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, closed %v", calls, closed), func(t *testing.T) {
				t.Parallel()
				for step := 0; announceCrashAt(t, newWorld(t), calls, closed, step); step++ {
					require.Less(t, step, 100)
				}
			})
		}
	}
}

func announceCrashAt(t *testing.T, w *world, calls string, closed bool, step int) (crashed bool) {
	t.Helper()
	a, point := &announceCase{w: w, received: 60}, 0
	if closed {
		w.closePeer(w.alice)
	}
	ends := func() error {
		crashed = crashed || point == step
		point++
		if crashed {
			return errCrash
		}
		return nil
	}
	l := &faultyLedger{Ledger: w.ledger, fault: func(call) fault { return fault{before: ends(), after: ends()} }}
	first, heir := w.engineOn(l, settlement.Config{}), w.engine(settlement.Config{})
	for _, call := range calls {
		if _, err := a.makeCall(t.Context(), first, call); err != nil && !crashed {
			require.ErrorIs(t, err, settlement.ErrAlreadyReceived)
		}
	}
	if b := w.balance(w.alice); calls == "ar" && crashed && !closed {
		found, err := heir.FindPayment(t.Context(), w.alice, "k")
		known := !errors.Is(err, settlement.ErrNoAnnouncement)
		require.Equal(t, known && found.State == settlement.AnnouncementOpen, b.Announced == units(50), "step %d", step)
		require.Equal(t, known && b.Announced.IsZero(), b.SettledIn == units(60), "step %d: it ends in the moment in which it is booked", step)
	}
	for _, call := range calls {
		if _, err := a.makeCall(t.Context(), heir, call); err != nil {
			require.ErrorIs(t, err, settlement.ErrAlreadyReceived)
			require.Equal(t, 'f', call)
		}
	}
	want := map[bool]uint64{true: 60}[strings.Contains(calls, "r")]
	b := w.balance(w.alice)
	require.Equal(t, units(want), b.SettledIn, "step %d", step)
	require.Zero(t, b.Announced, "step %d", step)
	if closed {
		waits, err := w.book.WaitingInSuspense(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, units(want), waits[0])
	}
	return crashed
}

// Announce, RecordIncoming and Fail run in many processes at once, and some answers are lost: the payment is booked
// once, and no announcement stays open.
func TestAnnouncementsByManyAtOnce(t *testing.T) {
	t.Parallel()
	announcementsByMany(t, newWorld(t))
}

func announcementsByMany(t *testing.T, w *world) {
	t.Helper()
	seed := ledgertest.Seed(t)
	a := &announceCase{w: w, received: 55}
	var processes sync.WaitGroup
	for n := range 12 {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
			switch {
			case !c.creates:
				return noFault
			case random.IntN(4) == 0:
				return fault{before: ledger.ErrOutcomeUnknown}
			case random.IntN(4) == 0:
				return fault{after: ledger.ErrOutcomeUnknown}
			default:
				return noFault
			}
		}}
		e := w.engineOn(l, settlement.Config{})
		processes.Go(func() {
			for range 6 {
				call := rune("arf"[random.IntN(3)])
				_, err := a.makeCall(t.Context(), e, call)
				if err != nil && !errors.Is(err, settlement.ErrAlreadyReceived) && !errors.Is(err, ledger.ErrOutcomeUnknown) {
					t.Error(err)
				}
			}
		})
	}
	processes.Wait()
	a.model.received = true
	_, err := a.makeCall(t.Context(), w.engine(settlement.Config{}), 'r')
	require.NoError(t, err)
	a.requireState(w.engine(settlement.Config{}))
	ledgertest.RequireNothingHeld(t, w.ledger)
}
