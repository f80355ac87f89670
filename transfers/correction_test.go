package transfers_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// virtualClock is a clock that the test advances.
type virtualClock struct {
	mu  sync.Mutex
	now time.Time
}

func newVirtualClock() *virtualClock {
	return &virtualClock{now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
}

func (w *virtualClock) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *virtualClock) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// newLateFixture returns a fixture whose holds expire by a virtualClock.
func newLateFixture(t *testing.T, cfg transfers.Config) (*fixture, *virtualClock) {
	t.Helper()
	w := newVirtualClock()
	cfg.Clock = w.Now
	return newFixture(t, cfg, nil, embedded.WithClock(w.Now)), w
}

// suspense returns the balance of the suspense account of USD.
func (f *fixture) suspense(t *testing.T) int64 {
	t.Helper()
	ids, _ := f.book.AssetIDs(usd.Ledger)
	found, err := f.embedded.LookupAccounts(t.Context(), []ledger.ID{ids.Suspense})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return int64(uint128.Uint128(found[0].CreditsPosted).Lo) - int64(uint128.Uint128(found[0].DebitsPosted).Lo)
}

// arrears returns the balance of a peer's arrears account. It reads the account itself,
// because an unprovisioned peer has no accounts.Balance.
func (f *fixture) arrears(t *testing.T, a accounts.PeerAccount) int64 {
	t.Helper()
	found, err := f.embedded.LookupAccounts(t.Context(), []ledger.ID{f.book.PeerIDs(a).Arrears})
	require.NoError(t, err)
	require.Len(t, found, 1)
	return int64(uint128.Uint128(found[0].DebitsPosted).Lo) - int64(uint128.Uint128(found[0].CreditsPosted).Lo)
}

// lateFulfill prepares a packet, lets its hold expire, and fulfills it.
func (f *fixture) lateFulfill(t *testing.T, w *virtualClock, p transfers.Packet) transfers.Result {
	t.Helper()
	held, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	w.advance(p.Hold + time.Second)
	got, err := f.recorder.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.True(t, got.Late)
	return got
}

func TestLateFulfillIsBooked(t *testing.T) {
	t.Parallel()
	var late []transfers.Result
	f, w := newLateFixture(t, transfers.Config{Events: transfers.Events{
		Late: func(all []transfers.Result) { late = append(late, all...) },
	}})
	got := f.lateFulfill(t, w, f.packet(100, 90))
	require.Equal(t, ledger.OutcomeApplied, got.Outcome)
	require.NotZero(t, got.BookedAt)
	require.Equal(t, int64(-100), f.position(t, f.alice))
	require.Equal(t, int64(90), f.position(t, f.bob))
	require.Zero(t, f.arrears(t, f.alice), "the sender's line covers it all")

	again, err := f.recorder.Fulfill(t.Context(), got.Packet)
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeAlreadyApplied, again.Outcome)
	require.True(t, again.Late)
	require.Equal(t, int64(90), f.position(t, f.bob), "once")

	rows, err := f.embedded.QueryTransfers(t.Context(), ledger.QueryFilter{
		UserData128: uint128.Uint128(got.Packet.ID), Code: chart.CodeCorrection, Limit: 10,
	})
	require.NoError(t, err)
	require.Len(t, rows, 2, "two legs")
	rows, err = f.embedded.QueryTransfers(t.Context(), ledger.QueryFilter{
		UserData128: uint128.Uint128(got.Packet.ID), Code: chart.CodeCollection, Limit: 10,
	})
	require.NoError(t, err)
	require.Len(t, rows, 1, "the charge of the sender")
	require.Equal(t, uint64(0xf4), rows[0].ID.Lo&0xff, "leg 15 of phase 4")
	require.Equal(t, units(100), rows[0].Amount)
	f.closeAndCheck(t)
	require.Equal(t, []transfers.Result{got, again}, late)
}

// The sender has used up its line meanwhile. The receiver is paid in full; the sender is
// charged as far as its line allows, and owes the rest as arrears.
func TestLateFulfillBeyondTheLine(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	w.advance(time.Hour)
	// The ledger gives an expired hold back with the next request or a little
	// later: the first of these may find it still there.
	_, err = f.recorder.Forward(t.Context(), f.packet(900, 900))
	require.NoError(t, err)
	_, err = f.recorder.Forward(t.Context(), f.packet(60, 60))
	require.NoError(t, err)
	got, err := f.recorder.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.True(t, got.Late)
	require.Equal(t, int64(-1060), f.position(t, f.alice), "line and arrears")
	require.Equal(t, int64(1050), f.position(t, f.bob))
	require.Equal(t, int64(60), f.arrears(t, f.alice))
	require.Zero(t, f.suspense(t))
	f.closeAndCheck(t)
}

func TestForwardBeyondTheLine(t *testing.T) {
	t.Parallel()
	f, _ := newLateFixture(t, transfers.Config{})
	got, err := f.recorder.Forward(t.Context(), f.packet(1100, 1000))
	require.NoError(t, err)
	require.True(t, got.Late)
	require.Equal(t, int64(-1100), f.position(t, f.alice))
	require.Equal(t, int64(1000), f.position(t, f.bob))
	require.Equal(t, int64(100), f.arrears(t, f.alice))
	again, err := f.recorder.Forward(t.Context(), got.Packet)
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeAlreadyApplied, again.Outcome)
	require.True(t, again.Late)
	require.Equal(t, int64(1000), f.position(t, f.bob))
	f.closeAndCheck(t)
}

// closeAccount closes a peer's account as an operator does.
func (f *fixture) closeAccount(t *testing.T, a accounts.PeerAccount) {
	t.Helper()
	ids, _ := f.book.AssetIDs(a.Ledger())
	results, err := f.embedded.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: ledger.NewID(a.ID().Lo, 42), DebitAccountID: a.ID(), CreditAccountID: ids.Control, Ledger: a.Ledger(), Code: 42,
		Flags: ledger.TransferPending | ledger.TransferClosingDebit,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
}

// The sender's account is closed and cannot be charged. The receiver is paid.
func TestLateFulfillOfAClosedSender(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	w.advance(time.Hour)
	f.closeAccount(t, f.alice)
	for _, want := range []ledger.Outcome{ledger.OutcomeApplied, ledger.OutcomeAlreadyApplied} {
		got, err := f.recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		require.Equal(t, want, got.Outcome)
		require.True(t, got.Late)
	}
	forward := f.packet(10, 10)
	forward.ID = ledger.NewID(1<<8, 9)
	for _, want := range []ledger.Outcome{ledger.OutcomeApplied, ledger.OutcomeAlreadyApplied} {
		got, err := f.recorder.Forward(t.Context(), forward)
		require.NoError(t, err)
		require.Equal(t, want, got.Outcome)
	}
	require.Equal(t, int64(-110), f.position(t, f.alice))
	require.Equal(t, int64(100), f.position(t, f.bob))
	require.Equal(t, int64(110), f.arrears(t, f.alice))
	require.NoError(t, f.recorder.Close(t.Context()))
	ledgertest.RequireConserved(t, f.embedded)
}

// A forward beyond the line to a closed receiver is refused, and nothing is booked.
func TestForwardBeyondTheLineToAClosedReceiver(t *testing.T) {
	t.Parallel()
	f, _ := newLateFixture(t, transfers.Config{})
	f.closeAccount(t, f.bob)
	p := f.packet(1100, 1000)
	p.ID = ledger.NewID(1<<8, 9)
	for range 3 {
		_, err := f.recorder.Forward(t.Context(), p)
		require.Error(t, err)
		require.Zero(t, f.position(t, f.alice))
		require.Zero(t, f.suspense(t))
	}
	f.openAccount(t, f.bob)
	_, err := f.recorder.Forward(t.Context(), p)
	require.ErrorIs(t, err, ledger.ErrIDBurnt)
	p.ID = ledger.NewID(2<<8, 9)
	got, err := f.recorder.Forward(t.Context(), p)
	require.NoError(t, err)
	require.True(t, got.Late)
	require.Equal(t, int64(100), f.arrears(t, f.alice))
	f.closeAndCheck(t)
}

// Late fulfills of every shape of packet end like fulfills in time, as long as the sender's
// line covers them.
func TestLateFulfillsEndAsThoseInTime(t *testing.T) {
	t.Parallel()
	shapes := map[string]func(*fixture) transfers.Packet{
		"no fee":  func(f *fixture) transfers.Packet { return f.packet(50, 50) },
		"fee":     func(f *fixture) transfers.Packet { return f.packet(50, 40) },
		"all fee": func(f *fixture) transfers.Packet { return f.packet(50, 0) },
		"back": func(f *fixture) transfers.Packet {
			return transfers.Packet{From: f.alice, To: f.alice, In: 50, Out: 40}
		},
		"conversion": func(f *fixture) transfers.Packet {
			return transfers.Packet{From: f.alice, To: f.bobEUR, In: 50, Out: 7, Dust: 3}
		},
		"loss": func(f *fixture) transfers.Packet {
			return transfers.Packet{From: f.aliceEUR, To: f.bobEUR, In: 50, Out: 60}
		},
		"to us": func(f *fixture) transfers.Packet {
			own, _ := f.book.OwnAccount(usd)
			return transfers.Packet{From: f.alice, To: own, In: 50, Out: 40}
		},
		"from us": func(f *fixture) transfers.Packet {
			own, _ := f.book.OwnAccount(usd)
			return transfers.Packet{From: own, To: f.bob, In: 50, Out: 40}
		},
	}
	for name, shape := range shapes {
		var books [2]map[ledger.ID]int64
		for i, late := range []bool{false, true} {
			f, w := newLateFixture(t, transfers.Config{})
			p := shape(f)
			p.Hold = time.Minute
			if late {
				f.lateFulfill(t, w, p)
			} else {
				held, err := f.recorder.Prepare(t.Context(), p)
				require.NoError(t, err)
				_, err = f.recorder.Fulfill(t.Context(), held.Packet)
				require.NoError(t, err)
			}
			all, err := f.embedded.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 100})
			require.NoError(t, err)
			books[i] = map[ledger.ID]int64{}
			for _, a := range all {
				books[i][a.ID] = int64(a.CreditsPosted.Lo) - int64(a.DebitsPosted.Lo)
			}
			f.closeAndCheck(t)
		}
		require.Equal(t, books[0], books[1], name)
	}
}

// Two recorders find the hold expired at the same time, and one recorder loses its answers.
func TestLateFulfillOfTwoRecorders(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	other, err := transfers.NewRecorder(&lossyLedger{Ledger: f.embedded, lose: 5}, f.book, transfers.Config{Clock: w.Now})
	require.NoError(t, err)
	var held []transfers.Result
	for range 20 {
		h, err := f.recorder.Prepare(t.Context(), f.packet(10, 9))
		require.NoError(t, err)
		held = append(held, h)
	}
	w.advance(time.Hour)
	var group sync.WaitGroup
	for _, r := range []*transfers.Recorder{f.recorder, other} {
		for _, h := range held {
			group.Go(func() {
				if got, err := r.Fulfill(t.Context(), h.Packet); err != nil || !got.Late {
					t.Error(got, err)
				}
			})
		}
	}
	group.Wait()
	require.NoError(t, other.Close(t.Context()))
	require.Equal(t, int64(-200), f.position(t, f.alice))
	require.Equal(t, int64(180), f.position(t, f.bob))
	require.Zero(t, f.arrears(t, f.alice))
	f.closeAndCheck(t)
}

// Corrections need more transfers than the fulfills: a full batch goes on in several requests.
func TestCorrectionsOfAFullBatch(t *testing.T) {
	t.Parallel()
	var batches []transfers.Batch
	w := newVirtualClock()
	f := newFixture(t, transfers.Config{Lanes: 1, Clock: w.Now, Events: transfers.Events{
		Batch: func(b transfers.Batch) { batches = append(batches, b) },
	}}, func(l ledger.Ledger) ledger.Ledger { return narrowLedger{l, 10} }, embedded.WithClock(w.Now))
	var ops []transfers.Op
	for range 500 {
		ops = append(ops, transfers.ForwardOp(f.packet(10, 10)))
	}
	results, err := f.recorder.RecordAll(t.Context(), ops...)
	require.NoError(t, err)
	late := 0
	for _, r := range results {
		if r.Late {
			late++
		}
	}
	require.Equal(t, 400, late, "the line is 1000")
	require.Equal(t, int64(-5000), f.position(t, f.alice))
	require.Equal(t, int64(5000), f.position(t, f.bob))
	require.Equal(t, int64(4000), f.arrears(t, f.alice))
	f.closeAndCheck(t)
	operations := 0
	for _, b := range batches {
		operations += b.Operations
	}
	require.Equal(t, 500, operations)
}
