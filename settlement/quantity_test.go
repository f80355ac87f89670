package settlement_test

import (
	"context"
	"fmt"
	"math/big"
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

// newQuantity is a payment of amount / 10^scale USD.
func newQuantity(a accounts.PeerAccount, key, amount string, scale uint8) settlement.IncomingQuantity {
	n, ok := new(big.Int).SetString(amount, 10)
	if !ok {
		panic(amount)
	}
	return settlement.IncomingQuantity{Account: a, Key: key, Amount: n, Scale: scale}
}

// requireBooked records a payment and requires the booked units, and the remainder after it in units.
func requireBooked(t *testing.T, e *settlement.Engine, in settlement.IncomingQuantity, want uint64, remainder string) settlement.PaymentBooking {
	t.Helper()
	booked, err := e.RecordIncomingQuantity(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, units(want), booked.Amount)
	requireRemainder(t, e, in.Account, remainder)
	return booked
}

func requireRemainder(t *testing.T, e *settlement.Engine, a accounts.PeerAccount, want string) {
	t.Helper()
	got, err := e.Remainder(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, want, got.RatString())
}

// quantityTests run on the embedded ledger, and on a cluster.
var quantityTests = map[string]func(*testing.T, *world){
	"remainders make units":       remaindersMakeUnits,
	"a key is bound to a value":   quantityIsBookedOnce,
	"a closed peer":               quantityOfAClosedPeer,
	"a peer that is being closed": quantityMeetsAClosing,
	"announced payments":          quantityOfAnAnnouncedPayment,
	"an announcement in between":  quantityMeetsAnAnnouncement,
	"a race for a key":            quantitiesRaceForAKey,
	"a burnt number":              burntNumberOfARemainder,
	"engines at once":             quantitiesAtOnce,
	"statements and totals":       booksWithRemainders,
}

func TestQuantities(t *testing.T) {
	t.Parallel()
	for name, run := range quantityTests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, newWorld(t))
		})
	}
}

func remaindersMakeUnits(t *testing.T, w *world) {
	t.Helper()
	e := w.engine(settlement.Config{})
	requireRemainder(t, e, w.alice, "0")
	requireBooked(t, e, newQuantity(w.alice, "a", "205", 4), 2, "1/20")
	requireBooked(t, e, newQuantity(w.alice, "b", "855", 5), 0, "181/200")
	requireBooked(t, e, newQuantity(w.alice, "whole", "7", 0), 700, "181/200")
	requireBooked(t, e, newQuantity(w.alice, "c", "95", 5), 1, "0")
	requireBooked(t, e, newQuantity(w.alice, "d", "1", 40), 0, "1/"+"1"+fmt.Sprintf("%038d", 0))
	requireBooked(t, e, newQuantity(w.alice, "e", "99999999999999999999999999999999999999", 40), 1, "0")
	require.Equal(t, units(704), w.balance(w.alice).SettledIn)
	require.Equal(t, units(704), w.balance(w.alice).Prepaid)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

func quantityIsBookedOnce(t *testing.T, w *world) {
	t.Helper()
	e := w.engine(settlement.Config{})
	first := requireBooked(t, e, newQuantity(w.alice, "f", "1999", 3), 199, "9/10")
	requireBooked(t, e, newQuantity(w.alice, "z", "1", 3), 1, "0")
	zero := requireBooked(t, e, newQuantity(w.alice, "zero", "1", 3), 0, "1/10")
	whole := requireBooked(t, e, newQuantity(w.alice, "w", "5", 1), 50, "1/10")
	for _, in := range []settlement.IncomingQuantity{newQuantity(w.alice, "f", "1999", 3), newQuantity(w.alice, "f", "199900", 5)} {
		again, err := w.engine(settlement.Config{}).RecordIncomingQuantity(t.Context(), in)
		require.NoError(t, err)
		require.True(t, again.AlreadyBooked)
		again.AlreadyBooked = false
		require.Equal(t, first, again)
	}
	for _, in := range []settlement.IncomingQuantity{newQuantity(w.alice, "zero", "10", 4), newQuantity(w.alice, "w", "500", 3)} {
		again, err := e.RecordIncomingQuantity(t.Context(), in)
		require.NoError(t, err)
		require.True(t, again.AlreadyBooked)
		require.Contains(t, []ledger.ID{zero.Transfer, whole.Transfer}, again.Transfer)
	}
	for _, in := range []settlement.IncomingQuantity{
		newQuantity(w.alice, "f", "1998", 3), newQuantity(w.alice, "f", "199", 2), newQuantity(w.alice, "f", "2", 0),
		newQuantity(w.alice, "w", "501", 3), newQuantity(w.alice, "w", "51", 2), newQuantity(w.alice, "zero", "2", 3),
	} {
		_, err := e.RecordIncomingQuantity(t.Context(), in)
		require.ErrorIs(t, err, accounts.ErrKeyReused, in)
	}
	_, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "f", Amount: units(199)})
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	same, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "w", Amount: units(50)})
	require.NoError(t, err)
	require.True(t, same.AlreadyBooked)
	requireRemainder(t, e, w.alice, "1/10")
	require.Equal(t, units(250), w.balance(w.alice).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

func TestQuantitiesThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	large := new(big.Int).Lsh(big.NewInt(1), 127)
	for name, c := range map[string]struct {
		in   settlement.IncomingQuantity
		want error
	}{
		"no amount":     {settlement.IncomingQuantity{Account: w.alice, Key: "a"}, accounts.ErrInvalid},
		"0":             {newQuantity(w.alice, "a", "0", 2), accounts.ErrInvalid},
		"below 0":       {newQuantity(w.alice, "a", "-1", 2), accounts.ErrInvalid},
		"no key":        {newQuantity(w.alice, "", "1", 2), accounts.ErrInvalid},
		"a spaced key":  {newQuantity(w.alice, "a ", "1", 2), accounts.ErrInvalid},
		"nobody":        {newQuantity(accounts.PeerAccount{}, "a", "1", 2), accounts.ErrInvalid},
		"too fine":      {newQuantity(w.alice, "a", "1", 41), settlement.ErrUnbookable},
		"the finest":    {newQuantity(w.alice, "a", "1", 255), settlement.ErrUnbookable},
		"too large":     {settlement.IncomingQuantity{Account: w.alice, Key: "a", Amount: large, Scale: 2}, settlement.ErrUnbookable},
		"far too large": {settlement.IncomingQuantity{Account: w.alice, Key: "a", Amount: large}, settlement.ErrUnbookable},
	} {
		_, err := e.RecordIncomingQuantity(t.Context(), c.in)
		require.ErrorIs(t, err, c.want, name)
		require.ErrorAs(t, err, new(*settlement.BookingError), name)
	}
	late, err := w.book.PeerAccount("late", usd)
	require.NoError(t, err)
	_, err = e.RecordIncomingQuantity(t.Context(), newQuantity(late, "a", "15", 3))
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = e.Remainder(t.Context(), accounts.PeerAccount{})
	require.ErrorIs(t, err, accounts.ErrInvalid)

	// The totals of an account fit 128 bits.
	fits := settlement.IncomingQuantity{Account: w.alice, Key: "large", Amount: new(big.Int).Sub(large, big.NewInt(1)), Scale: 2}
	_, err = e.RecordIncomingQuantity(t.Context(), fits)
	require.NoError(t, err)
	over := fits
	over.Key = "over"
	_, err = e.RecordIncomingQuantity(t.Context(), over)
	require.ErrorIs(t, err, settlement.ErrUnbookable)
	over.Scale, over.Amount = 3, new(big.Int).Add(new(big.Int).Mul(fits.Amount, big.NewInt(10)), big.NewInt(1))
	_, err = e.RecordIncomingQuantity(t.Context(), over)
	require.ErrorIs(t, err, settlement.ErrUnbookable)
	requireRemainder(t, e, w.alice, "0")
	require.NoError(t, e.Close(t.Context()))
	_, err = e.RecordIncomingQuantity(t.Context(), fits)
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
	_, err = e.Remainder(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
}

func quantityOfAClosedPeer(t *testing.T, w *world) {
	t.Helper()
	e := w.engine(settlement.Config{})
	requireBooked(t, e, newQuantity(w.alice, "a", "19", 3), 1, "9/10")
	reopen := w.closePeer(w.alice)
	booked := requireBooked(t, e, newQuantity(w.alice, "b", "32", 3), 4, "1/10")
	require.True(t, booked.InSuspense)
	again := requireBooked(t, e, newQuantity(w.alice, "b", "32", 3), 4, "1/10")
	require.True(t, again.InSuspense)
	require.False(t, requireBooked(t, e, newQuantity(w.alice, "c", "1", 3), 0, "1/5").InSuspense)
	reopen()
	released, err := e.Release(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, units(4), released.Amount)
	require.Equal(t, units(5), w.balance(w.alice).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// The peer is closed between the look-up and the booking: the ledger refuses the first attempt and burns its id.
func quantityMeetsAClosing(t *testing.T, w *world) {
	t.Helper()
	var closing sync.Once
	l := &hookedLedger{Ledger: w.ledger, beforeCreate: func([]ledger.Transfer) { closing.Do(func() { w.closePeer(w.alice) }) }}
	booked := requireBooked(t, w.engineOn(l, settlement.Config{}), newQuantity(w.alice, "a", "15", 3), 1, "1/2")
	require.True(t, booked.InSuspense)
	again := requireBooked(t, w.engine(settlement.Config{}), newQuantity(w.alice, "a", "15", 3), 1, "1/2")
	require.True(t, again.AlreadyBooked)
}

func quantityOfAnAnnouncedPayment(t *testing.T, w *world) {
	t.Helper()
	e := w.engine(settlement.Config{})
	for i, key := range []string{"open", "failed", "failed before"} {
		in := settlement.IncomingPayment{Account: w.alice, Key: key, Amount: units(9)}
		if key != "failed before" {
			_, err := e.Announce(t.Context(), in)
			require.NoError(t, err)
		}
		if key != "open" {
			_, err := e.Fail(t.Context(), in.Account, in.Key)
			require.NoError(t, err)
		}
		amounts := []uint64{1, 2, 1}
		booked := requireBooked(t, e, newQuantity(w.alice, key, "15", 3), amounts[i], []string{"1/2", "0", "1/2"}[i])
		require.Equal(t, []uint64{9, 9, 0}[i], booked.Announced.Lo)
		again := requireBooked(t, e, newQuantity(w.alice, key, "15", 3), amounts[i], []string{"1/2", "0", "1/2"}[i])
		require.True(t, again.AlreadyBooked)
		require.Equal(t, booked.Announced, again.Announced)
		found, err := e.FindPayment(t.Context(), w.alice, key)
		require.NoError(t, err)
		require.Equal(t, settlement.AnnouncementReceived, found.State)
		_, err = e.Fail(t.Context(), in.Account, in.Key)
		require.ErrorIs(t, err, settlement.ErrAlreadyReceived)
	}
	require.Equal(t, units(4), w.balance(w.alice).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// An announcement takes the key between the look-up and the booking.
func quantityMeetsAnAnnouncement(t *testing.T, w *world) {
	t.Helper()
	other := w.engine(settlement.Config{})
	var once sync.Once
	l := &hookedLedger{Ledger: w.ledger, beforeCreate: func([]ledger.Transfer) {
		once.Do(func() {
			_, err := other.Announce(context.Background(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(9)})
			require.NoError(t, err)
		})
	}}
	booked := requireBooked(t, w.engineOn(l, settlement.Config{}), newQuantity(w.alice, "a", "15", 3), 1, "1/2")
	require.Equal(t, units(9), booked.Announced)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// Two calls under one key send the same own row, as both count on one remainder: only their values differ.
func quantitiesRaceForAKey(t *testing.T, w *world) {
	t.Helper()
	other := w.engine(settlement.Config{})
	for i, c := range []struct {
		mine, theirs string
		reused       bool
	}{{"14", "13", true}, {"14", "14", false}} {
		key := fmt.Sprint("key ", i)
		var once sync.Once
		l := &hookedLedger{Ledger: w.ledger, beforeCreate: func([]ledger.Transfer) {
			once.Do(func() {
				_, err := other.RecordIncomingQuantity(context.Background(), newQuantity(w.alice, key, c.theirs, 3))
				require.NoError(t, err)
			})
		}}
		booked, err := w.engineOn(l, settlement.Config{}).RecordIncomingQuantity(t.Context(), newQuantity(w.alice, key, c.mine, 3))
		if c.reused {
			require.ErrorIs(t, err, accounts.ErrKeyReused)
			continue
		}
		require.NoError(t, err)
		require.True(t, booked.AlreadyBooked)
	}
	requireRemainder(t, other, w.alice, "7/10")
}

// The id of the next remainder is burnt: the remainder goes on behind it, for every engine.
func burntNumberOfARemainder(t *testing.T, w *world) {
	t.Helper()
	e, other := w.engine(settlement.Config{}), w.engine(settlement.Config{})
	requireBooked(t, e, newQuantity(w.alice, "a", "1", 3), 0, "1/10")
	for number := range 2 {
		id := chart.Namespace(w.book.Namespace()).Derive("remainder", chart.ID(w.book.PeerIDs(w.alice).Settlement), chart.U64(uint64(number)+2))
		results, err := w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{{
			ID: id, DebitAccountID: ledger.NewID(1, 99), CreditAccountID: ledger.NewID(2, 99), Ledger: usd.Ledger, Code: 1,
		}})
		require.NoError(t, err)
		require.True(t, results[0].Status.Transient())
	}
	requireBooked(t, e, newQuantity(w.alice, "b", "2", 3), 0, "3/10")
	requireBooked(t, other, newQuantity(w.alice, "c", "3", 3), 0, "3/5")
	requireBooked(t, e, newQuantity(w.alice, "d", "5", 3), 1, "1/10") // its own memory of the remainder is outdated
	for i, key := range []string{"a", "b", "c", "d"} {
		_, err := other.RecordIncomingQuantity(t.Context(), newQuantity(w.alice, key, []string{"1", "2", "3", "5"}[i], 3))
		require.NoError(t, err)
	}
	requireRemainder(t, other, w.alice, "1/10")
}

// A copy of the ledger has the same keys and the same remainder.
func TestRemaindersOnACopy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testRemaindersOnACopy)
}

func testRemaindersOnACopy(t *testing.T) {
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	requireBooked(t, e, newQuantity(w.alice, "a", "19", 3), 1, "9/10")
	requireBooked(t, e, newQuantity(w.alice, "b", "12", 3), 2, "1/10")
	sleepVirtual(time.Minute)
	to := embedded.New()
	_, err := migrate.Run(t.Context(), w.ledger, to, ledger.BatchMax, nil)
	require.NoError(t, err)
	moved := w.engineOn(to, settlement.Config{})
	require.True(t, requireBooked(t, moved, newQuantity(w.alice, "b", "12", 3), 2, "1/10").AlreadyBooked)
	require.True(t, requireBooked(t, moved, newQuantity(w.alice, "a", "19", 3), 1, "1/10").AlreadyBooked)
	requireBooked(t, moved, newQuantity(w.alice, "c", "9", 3), 1, "0")
}

// Several engines book fractions of one account at once: each counts once, and they add up.
func quantitiesAtOnce(t *testing.T, w *world) {
	t.Helper()
	var calls sync.WaitGroup
	for range 4 {
		e := w.engine(settlement.Config{})
		for i := range 50 {
			calls.Go(func() {
				_, err := e.RecordIncomingQuantity(context.Background(), newQuantity(w.alice, fmt.Sprint(i), "13", 3))
				require.NoError(t, err)
			})
		}
	}
	calls.Wait()
	require.Equal(t, units(65), w.balance(w.alice).SettledIn)
	requireRemainder(t, w.engine(settlement.Config{}), w.alice, "0")
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// hookedLedger calls a function before each request for transfers.
type hookedLedger struct {
	ledger.Ledger
	beforeCreate func([]ledger.Transfer)
}

func (h *hookedLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	h.beforeCreate(rows)
	return h.Ledger.CreateTransfers(ctx, rows)
}

// Statements, totals and the trial balance know the rows of remainders.
func booksWithRemainders(t *testing.T, w *world) {
	t.Helper()
	e := w.engine(settlement.Config{})
	requireBooked(t, e, newQuantity(w.alice, "a", "19", 3), 1, "9/10")
	requireBooked(t, e, newQuantity(w.alice, "b", "1", 3), 1, "0")
	requireBooked(t, e, newQuantity(w.alice, "c", "1", 3), 0, "1/10")
	statement, err := w.book.Statement(t.Context(), w.alice, time.Time{}, time.Time{}, accounts.WithKnownKeys("a", "b", "c"))
	require.NoError(t, err)
	var keys []string
	for entry, err := range statement.Entries(t.Context()) {
		require.NoError(t, err)
		if entry.Kind == accounts.EntrySettlement {
			keys = append(keys, entry.Key)
			require.Equal(t, "1", entry.Amount.String())
		}
	}
	require.Equal(t, []string{"a", "b"}, keys, "a payment without a whole unit moved nothing")
	_, err = e.RecordReturned(t.Context(), settlement.ReturnedPayment{Account: w.alice, Key: "r", Payment: "c", Amount: units(1)})
	require.ErrorIs(t, err, settlement.ErrReturnedTooMuch)
	_, err = e.RecordReturned(t.Context(), settlement.ReturnedPayment{Account: w.alice, Key: "r", Payment: "a", Amount: units(1)})
	require.NoError(t, err)
	announcements, err := e.Announcements(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, announcements)
	b := w.balance(w.alice)
	require.Equal(t, int64(1), b.Position().Int64())
	_, err = w.book.TrialBalance(t.Context(), usd)
	require.NoError(t, err)
	ledgertest.RequireConserved(t, w.ledger)
}
