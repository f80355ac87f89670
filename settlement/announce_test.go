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

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// announcing is a payment of alice's under the key "k", of which 50 are announced.
type announcing struct {
	w       *world
	receive uint64 // what comes in at last
	model   announced
}

// announced is what is known of the payment.
type announced struct{ open, failed, received bool }

func (a *announced) state() settlement.AnnouncementState {
	switch {
	case a.received:
		return settlement.AnnouncementReceived
	case a.failed:
		return settlement.AnnouncementFailed
	default:
		return settlement.AnnouncementOpen
	}
}

// do makes a call: 'a'nnounce, 'r'eceive or 'f'ail.
func (a *announcing) do(ctx context.Context, e *settlement.Engine, call rune) (settlement.AnnouncementState, error) {
	in := settlement.IncomingPayment{Account: a.w.alice, Key: "k", Amount: units(50)}
	switch call {
	case 'a':
		got, err := e.Announce(ctx, in)
		return got.State, err
	case 'f':
		got, err := e.Fail(ctx, a.w.alice, "k")
		return got.State, err
	default:
		in.Amount = units(a.receive)
		_, err := e.RecordIncoming(ctx, in)
		return settlement.AnnouncementReceived, err
	}
}

// step makes a call, and holds its answer and the books against the model.
func (a *announcing) step(call rune) {
	t, m := a.w.t, &a.model
	t.Helper()
	e := a.w.engine(settlement.Config{})
	state, err := a.do(t.Context(), e, call)
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
	require.Equal(t, m.state(), state)
	a.check(e)
	found, err := e.FindPayment(t.Context(), a.w.alice, "k")
	require.NoError(t, err)
	require.Equal(t, m.state(), found.State)
	require.True(t, found.AlreadyAnnounced, "it writes nothing")
}

func (a *announcing) check(e *settlement.Engine) {
	t, b := a.w.t, a.w.balance(a.w.alice)
	t.Helper()
	want := map[bool]uint64{true: a.receive}[a.model.received]
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

// move goes on with a copy of the books, as peerledger migrate makes it.
func (a *announcing) move() {
	t := a.w.t
	t.Helper()
	pause(10 * time.Second) // the copy wants rows that are settled
	to := embedded.New()
	_, err := migrate.Run(t.Context(), a.w.ledger, to, 2000, nil)
	require.NoError(t, err)
	require.NoError(t, a.w.ledger.Close())
	a.w.ledger, a.w.book = to, a.w.bookOn(to)
}

// TestAnnouncementsInEveryOrder makes all sequences of up to four of the three calls, each by
// another process, and again with the books copied to another ledger in between. The payment
// may be of less than was announced, or of more.
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
				a := &announcing{w: newWorld(t), receive: []uint64{50, 49, 51}[i%3]}
				for _, call := range sequence {
					a.step(call)
					if moves {
						a.move()
						a.check(a.w.engine(settlement.Config{}))
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

// TestAnnouncementCrashAtEveryStep ends a process before and after each of its requests, or
// loses the answers, and lets another one repeat what the first one did, or only the end.
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
	a, point := &announcing{w: w, receive: 60}, 0
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
	l := &faulty{Ledger: w.ledger, fault: func(call) fault { return fault{before: ends(), after: ends()} }}
	first, heir := w.engineOn(l, settlement.Config{}), w.engine(settlement.Config{})
	for _, call := range calls {
		if _, err := a.do(t.Context(), first, call); err != nil && !crashed {
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
		if _, err := a.do(t.Context(), heir, call); err != nil {
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

// Announce, Receive and Fail by many processes at once, some of whose answers get lost: the
// payment is booked once, and nothing stays announced.
func TestAnnouncementsByManyAtOnce(t *testing.T) {
	t.Parallel()
	announcementsByMany(t, newWorld(t))
}

func announcementsByMany(t *testing.T, w *world) {
	t.Helper()
	seed := ledgertest.Seed(t)
	a := &announcing{w: w, receive: 55}
	var processes sync.WaitGroup
	for n := range 12 {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		l := &faulty{Ledger: w.ledger, fault: func(c call) fault {
			switch {
			case !c.creates:
				return pass
			case random.IntN(4) == 0:
				return fault{before: ledger.ErrOutcomeUnknown}
			case random.IntN(4) == 0:
				return fault{after: ledger.ErrOutcomeUnknown}
			default:
				return pass
			}
		}}
		e := w.engineOn(l, settlement.Config{})
		processes.Go(func() {
			for range 6 {
				call := rune("arf"[random.IntN(3)])
				_, err := a.do(t.Context(), e, call)
				if err != nil && !errors.Is(err, settlement.ErrAlreadyReceived) && !errors.Is(err, ledger.ErrOutcomeUnknown) {
					t.Error(err)
				}
			}
		})
	}
	processes.Wait()
	a.model.received = true
	_, err := a.do(t.Context(), w.engine(settlement.Config{}), 'r')
	require.NoError(t, err)
	a.check(w.engine(settlement.Config{}))
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// What is announced is shown and no more: it is no headroom, it is not due, and an engine
// settles past it.
func TestAnnouncedMoneyCannotBeUsed(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	e := w.engine(manual(r, at100))
	w.spend(w.alice, 900)
	got, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(500)})
	require.NoError(t, err)
	require.Equal(t, settlement.AnnouncementOpen, got.State)
	require.False(t, got.AlreadyAnnounced)
	rows, err := w.ledger.LookupTransfers(t.Context(), []ledger.ID{got.Transfer})
	require.NoError(t, err)
	require.Equal(t, chart.CodeAnnounced, rows[0].Code)
	require.Zero(t, rows[0].Timeout)
	require.Equal(t, got.AnnouncedAt.UnixNano(), int64(rows[0].Timestamp))
	require.InDelta(t, float64(time.Minute), float64(got.Age(got.AnnouncedAt.Add(time.Minute))), 1)

	b := w.balance(w.alice)
	require.Equal(t, units(500), b.Announced)
	require.Equal(t, "5", b.Decimal().Announced.String())
	require.Equal(t, units(100), b.Headroom)
	require.Equal(t, units(900), b.Receivable)
	require.Zero(t, b.Prepaid)
	require.Zero(t, b.SettledIn)
	results, err := w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: ledger.NewID(1, 99), DebitAccountID: w.book.PeerIDs(w.alice).Peer, CreditAccountID: w.liquidity(),
		Amount: units(101), Ledger: usd.Ledger, Code: chart.CodePacket,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferExceedsCredits, results[0].Status)
	w.earn(w.alice, 1000)
	_, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, units(80), r.total(w.alice))

	receipt, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(480)})
	require.NoError(t, err)
	require.Equal(t, units(480), receipt.Amount)
	require.Equal(t, units(500), receipt.Announced)
	require.False(t, receipt.AlreadyBooked)
	again, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(480)})
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	again.AlreadyBooked = false
	require.Equal(t, receipt, again)
	_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(500)})
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	b = w.balance(w.alice)
	require.Equal(t, units(480), b.Prepaid)
	require.Zero(t, b.Announced)
	w.conserved(r)
}

// What is announced counts against no limit, neither what is old nor what is young.
func TestAnnouncedMoneyCountsForNoLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		cfg := manual(r, all)
		limit := settlement.PayoutLimit{Day: units(100)}
		cfg.PeerPayoutLimits.Default, cfg.AssetPayoutLimits, cfg.Rails.Default.PayoutLimits = limit, dollars(limit), dollars(limit)
		e := w.engine(cfg)
		for _, key := range []string{"old", "young"} {
			for _, a := range w.peers {
				_, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: a, Key: key, Amount: units(500)})
				require.NoError(t, err)
			}
			if key == "old" {
				pause(100 * time.Hour)
			}
		}
		w.earn(w.alice, 500)
		paid, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{100}, amounts(paid))
		require.NoError(t, w.ledger.Close())
	})
}

// An announcement has the id that an earlier version books the payment under, so the ledger takes
// only one of the two.
func TestAnnouncementTakesTheIDOfTheBooking(t *testing.T) {
	t.Parallel()
	before, w := newWorld(t), newWorld(t)
	in := settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(50)}
	receipt, err := before.engine(settlement.Config{}).RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	booked, err := before.ledger.LookupTransfers(t.Context(), []ledger.ID{receipt.Transfer})
	require.NoError(t, err)
	got, err := w.engine(settlement.Config{}).Announce(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, receipt.Transfer, got.Transfer)
	booked[0].Timestamp = 0
	results, err := w.ledger.CreateTransfers(t.Context(), booked)
	require.NoError(t, err)
	require.True(t, results[0].Status.Conflict(), "%v", results[0].Status)
	require.Zero(t, w.balance(w.alice).SettledIn)
}

// An announcement of another amount is refused while it is open. Neither it nor what comes in
// at last is changed by that.
func TestAnnouncementOfAnotherAmount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	_, err := e.Announce(t.Context(), in)
	require.NoError(t, err)
	again, err := e.Announce(t.Context(), in)
	require.NoError(t, err)
	require.True(t, again.AlreadyAnnounced)
	other := in
	other.Amount = units(51)
	_, err = e.Announce(t.Context(), other)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	require.ErrorContains(t, err, "0.50 USD is announced")
	require.Equal(t, units(50), w.balance(w.alice).Announced)
	_, err = e.RecordIncoming(t.Context(), other)
	require.NoError(t, err)
	late, err := e.Announce(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, settlement.AnnouncementReceived, late.State)
	require.Equal(t, units(50), late.Amount)
	for _, bad := range []settlement.IncomingPayment{
		{Account: w.alice, Key: "b"},
		{Account: w.alice, Amount: units(1)},
		{Account: w.alice, Key: "b ", Amount: units(1)},
		{Key: "b", Amount: units(1)},
		{Account: w.alice, Key: "b", Amount: ledger.AmountMax},
	} {
		_, err = e.Announce(t.Context(), bad)
		require.ErrorIs(t, err, accounts.ErrInvalid)
		var booking *settlement.BookingError
		require.ErrorAs(t, err, &booking)
	}
	_, err = e.Fail(t.Context(), w.alice, "b ")
	require.ErrorIs(t, err, accounts.ErrInvalid)
	bob, err := w.book.PeerAccount("bob", usd)
	require.NoError(t, err)
	_, err = e.Announce(t.Context(), settlement.IncomingPayment{Account: bob, Key: "b", Amount: units(1)})
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = e.Fail(t.Context(), bob, "b")
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// A payment does not come back before it was received.
func TestReturnOfAnAnnouncedPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	back := settlement.ReturnedPayment{Account: w.alice, Key: "back", Payment: "k", Amount: units(60)}
	a := &announcing{w: w, receive: 60}
	for _, calls := range []string{"a", "f"} {
		a.step(rune(calls[0]))
		_, err := e.RecordReturned(t.Context(), back)
		require.ErrorIs(t, err, settlement.ErrNoPayment)
		require.ErrorContains(t, err, "announced, and not received")
	}
	a.step('r')
	_, err := e.RecordReturned(t.Context(), back)
	require.NoError(t, err)
	require.Zero(t, w.balance(w.alice).Position().Sign())
	again := back
	again.Key, again.Amount = "again", units(1)
	_, err = e.RecordReturned(t.Context(), again)
	require.ErrorIs(t, err, settlement.ErrReturnedTooMuch)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// A peer with announced payments is closed only with force. What is received then goes to
// suspense, also if the peer is closed between the look at it and the booking, and the
// announcement ends with it.
func TestAnnouncementOfAClosedPeer(t *testing.T) {
	t.Parallel()
	for name, race := range map[string]bool{"closed before": false, "closed in between": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := &announcing{w: w, receive: 50}
			a.step('a')
			err := w.book.ClosePeer(t.Context(), w.alice, accounts.CloseOptions{})
			require.ErrorIs(t, err, accounts.ErrHeld)
			var held *accounts.HeldError
			require.ErrorAs(t, err, &held)
			require.Equal(t, units(50), held.Announced)
			require.ErrorContains(t, err, "payments of 0.50 USD are announced")
			require.False(t, w.balance(w.alice).Suspended)
			closes := func() {
				require.NoError(t, w.book.ClosePeer(t.Context(), w.alice, accounts.CloseOptions{Force: true, ReasonCode: 1}))
				require.NoError(t, w.book.ClosePeer(t.Context(), w.alice, accounts.CloseOptions{}), "it stays closed")
				require.True(t, w.balance(w.alice).Closed)
			}
			l := w.ledger
			if race {
				var once sync.Once
				l = &faulty{Ledger: l, fault: func(c call) fault {
					if c.creates {
						once.Do(closes)
					}
					return pass
				}}
			} else {
				closes()
				got, err := w.engine(settlement.Config{}).Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "2", Amount: units(7)})
				require.NoError(t, err, "a closed peer's payments are shown, too")
				require.Equal(t, settlement.AnnouncementOpen, got.State)
				require.Equal(t, units(57), w.balance(w.alice).Announced)
				require.NoError(t, w.book.ClosePeer(t.Context(), w.alice, accounts.CloseOptions{}), "it stays closed")
				_, err = w.engine(settlement.Config{}).Fail(t.Context(), w.alice, "2")
				require.NoError(t, err)
			}
			e := w.engineOn(l, settlement.Config{})
			for range 2 {
				receipt, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(50)})
				require.NoError(t, err)
				require.True(t, receipt.InSuspense)
				require.Equal(t, units(50), receipt.Announced)
			}
			require.Zero(t, w.balance(w.alice).Announced)
			require.NoError(t, w.book.ReopenPeer(t.Context(), w.alice))
			released, err := e.Release(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, units(50), released.Amount)
			require.Equal(t, units(50), w.balance(w.alice).Prepaid)
			ledgertest.RequireNothingHeld(t, w.ledger)
		})
	}
}

// An operator finds open announcements, however many others there were since, and ends them by
// their ids.
func TestOpenAnnouncements(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	bob := w.peers[1]
	e := w.engineOn(narrowQueries{w.ledger}, settlement.Config{})
	announce := func(a accounts.PeerAccount, key string, n uint64) settlement.Announcement {
		t.Helper()
		got, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: a, Key: key, Amount: units(n)})
		require.NoError(t, err)
		return got
	}
	old := announce(w.alice, "old", 5)
	for i := range 400 {
		key := fmt.Sprint("key ", i)
		announce(w.alice, key, 2)
		if i%2 == 0 {
			w.receive(e, w.alice, key, 2)
			continue
		}
		_, err := e.Fail(t.Context(), w.alice, key)
		require.NoError(t, err)
	}
	young, others := announce(w.alice, "young", 7), announce(bob, "young", 9)
	open, err := e.Announcements(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Equal(t, []settlement.Announcement{old, young, others}, open)

	for _, none := range []ledger.ID{ledger.NewID(1, 77), others.Transfer, w.earned(bob)} {
		_, err = e.FailAnnouncement(t.Context(), w.alice, none)
		require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
		require.ErrorContains(t, err, none.String())
	}
	for _, already := range []bool{false, true} {
		got, err := e.FailAnnouncement(t.Context(), w.alice, old.Transfer)
		require.NoError(t, err)
		require.Equal(t, already, got.AlreadyAnnounced)
		require.Equal(t, settlement.AnnouncementFailed, got.State)
	}
	c := &counted{Ledger: w.ledger}
	open, err = w.engineOn(narrowQueries{c}, settlement.Config{}).Announcements(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []settlement.Announcement{young}, open)
	require.Equal(t, int64(1), c.queries.Load(), "those that are open are young: the newest page has them")
	w.receive(e, w.alice, "old", 5)
	_, err = e.FailAnnouncement(t.Context(), w.alice, old.Transfer)
	require.ErrorIs(t, err, settlement.ErrAlreadyReceived)
	w.receive(e, w.alice, "young", 7)
	_, err = e.FailAnnouncement(t.Context(), w.alice, young.Transfer)
	require.ErrorIs(t, err, settlement.ErrAlreadyReceived)
	open, err = e.Announcements(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Equal(t, []settlement.Announcement{others}, open)
	_, err = e.Fail(t.Context(), bob, "young")
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	_, err = e.Announcements(t.Context(), w.peers...)
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
	_, err = e.Fail(t.Context(), bob, "young")
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// earned is the id of a row that announces nothing.
func (w *world) earned(a accounts.PeerAccount) ledger.ID {
	w.t.Helper()
	return w.move(w.liquidity(), w.book.PeerIDs(a).Peer, 1, 0)
}

// Who asks what is known of a payment writes nothing.
func TestFindPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	writes := 0
	l := &faulty{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates {
			writes++
		}
		return pass
	}}
	e, finder := w.engine(settlement.Config{}), w.engineOn(l, settlement.Config{Instance: "finder"})
	_, err := finder.FindPayment(t.Context(), w.alice, "k")
	require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
	_, err = finder.FindPayment(t.Context(), w.alice, "k ")
	require.ErrorIs(t, err, accounts.ErrInvalid)
	placed, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(50)})
	require.NoError(t, err)
	placed.AlreadyAnnounced = true
	for _, state := range []settlement.AnnouncementState{settlement.AnnouncementOpen, settlement.AnnouncementFailed, settlement.AnnouncementReceived} {
		switch placed.State = state; state {
		case settlement.AnnouncementFailed:
			_, err = e.Fail(t.Context(), w.alice, "k")
			require.NoError(t, err)
		case settlement.AnnouncementReceived:
			w.receive(e, w.alice, "k", 49)
		case settlement.AnnouncementOpen:
		}
		found, err := finder.FindPayment(t.Context(), w.alice, "k")
		require.NoError(t, err)
		require.Equal(t, placed, found)
		found, err = finder.FindAnnouncement(t.Context(), w.alice, placed.Transfer)
		require.NoError(t, err)
		require.Equal(t, placed, found)
	}
	w.receive(e, w.alice, "never announced", 3)
	found, err := finder.FindPayment(t.Context(), w.alice, "never announced")
	require.NoError(t, err)
	require.Equal(t, []any{settlement.AnnouncementReceived, units(3)}, []any{found.State, found.Amount})
	for _, a := range []ledger.ID{found.Transfer, ledger.NewID(1, 77)} {
		_, err = finder.FindAnnouncement(t.Context(), w.alice, a)
		require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
	}
	_, err = finder.FindAnnouncement(t.Context(), w.peers[1], placed.Transfer)
	require.ErrorIs(t, err, settlement.ErrNoAnnouncement, "it is another peer's")
	_, err = finder.FindPayment(t.Context(), w.peers[1], "k")
	require.ErrorIs(t, err, settlement.ErrNoAnnouncement)
	require.Zero(t, writes)
	l.fault = func(call) fault { return fault{before: errRail} }
	_, err = finder.FindPayment(t.Context(), w.alice, "k")
	require.ErrorIs(t, err, errRail)
}

// oneRow answers queries with one row each.
type oneRow struct{ ledger.Ledger }

func (l oneRow) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if filter.Limit > 1 {
		return nil, ledger.ErrTooMuchData
	}
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

// noRows answers no query, however little it asks for, and knows how little that was.
type noRows struct {
	ledger.Ledger
	least uint32
}

func (l *noRows) GetAccountTransfers(_ context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	l.least = min(l.least, filter.Limit)
	return nil, ledger.ErrTooMuchData
}

// A ledger that does not answer with a single row is asked for no less.
func TestAnnouncementsOfALedgerWithoutAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.engine(settlement.Config{}).Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(5)})
	require.NoError(t, err)
	l := &noRows{Ledger: w.ledger, least: ledger.QueryMax}
	_, err = w.engineOn(l, settlement.Config{Instance: "other"}).Announcements(t.Context(), w.alice)
	require.ErrorIs(t, err, ledger.ErrTooMuchData)
	require.Equal(t, uint32(1), l.least)
}

// While announcements come and end, the list has those that stay: also if new ones make up the
// sum that was looked up, or change it between any two requests.
func TestOpenAnnouncementsWhileOthersEnd(t *testing.T) {
	t.Parallel()
	for _, changes := range []int{1, 3, 1000} {
		w := newWorld(t)
		e := w.engine(settlement.Config{})
		place := func(key string) {
			_, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: key, Amount: units(5)})
			require.NoError(t, err)
		}
		place("stays")
		n, placed := 0, 0
		l := &faulty{Ledger: w.ledger, fault: func(call) fault {
			if n++; n > 1 && placed < changes { // after the first look
				placed++
				place(fmt.Sprint("key ", placed))
				if placed > 2 {
					_, err := e.Fail(t.Context(), w.alice, fmt.Sprint("key ", placed-2))
					require.NoError(t, err)
				}
			}
			return pass
		}}
		open, err := w.engineOn(oneRow{l}, settlement.Config{}).Announcements(t.Context(), w.alice)
		require.NoError(t, err)
		all, err := e.Announcements(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, all[0], open[0], "the one that stays, with %d changes", changes)
		if changes < 10 {
			require.Equal(t, all, open)
		}
	}
}
