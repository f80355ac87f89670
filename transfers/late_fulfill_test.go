package transfers_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// faultyLedger is a ledger with one failing request.
type faultyLedger struct {
	ledger.Ledger
	at      int  // number of the failing request, from 1
	applies bool // the failing request is applied, and its answer lost
	dies    bool // no later request is answered

	mu       sync.Mutex
	requests int
	dead     chan struct{} // with dies: closed by the failing request
}

func (f *faultyLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	f.mu.Lock()
	f.requests++
	n := f.requests
	f.mu.Unlock()
	if n < f.at || n > f.at && !f.dies {
		return f.Ledger.CreateTransfers(ctx, batch)
	}
	if n == f.at && f.applies {
		if _, err := f.Ledger.CreateTransfers(ctx, batch); err != nil {
			return nil, err
		}
	}
	if !f.dies {
		return nil, ledger.ErrOutcomeUnknown
	}
	if n == f.at {
		close(f.dead)
	}
	<-ctx.Done()
	return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, ctx.Err())
}

// lateCases are the accounts closed since the hold expired, with the phase that books the
// fulfill.
var lateCases = []struct {
	name             string
	sender, receiver bool
	phase            uint64
	requests         int // of a fulfill without faults
}{
	{"all open", false, false, 4, 2},
	{"the sender is closed", true, false, 5, 3},
	{"the receiver is closed", false, true, 14, 4},
	{"both are closed", true, true, 15, 5},
}

// closeAccounts closes alice's account if sender is set, and bob's if receiver is set.
func (f *fixture) closeAccounts(t *testing.T, sender, receiver bool) {
	t.Helper()
	if sender {
		f.closeAccount(t, f.alice)
	}
	if receiver {
		f.closeAccount(t, f.bob)
	}
}

// holdExpired prepares a packet of 600 to 500 and lets its hold expire. Meanwhile alice, whose
// line is 1000, sends 700.
func (f *fixture) holdExpired(t *testing.T, w *virtualClock) transfers.Packet {
	t.Helper()
	return f.holdOf(t, w, f.packet(600, 500))
}

// holdOf does the same with a given packet.
func (f *fixture) holdOf(t *testing.T, w *virtualClock, p transfers.Packet) transfers.Packet {
	t.Helper()
	held, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	w.advance(time.Hour)
	for _, amount := range []uint64{1, 699} { // the first forward lets the hold expire
		_, err = f.recorder.Forward(t.Context(), f.packet(amount, amount))
		require.NoError(t, err)
	}
	return held.Packet
}

// requireLate requires that a packet is booked once, under one phase, on the right accounts.
func (f *fixture) requireLate(t *testing.T, p transfers.Packet, phase uint64) {
	t.Helper()
	rows, err := f.embedded.QueryTransfers(t.Context(), ledger.QueryFilter{UserData128: uint128.Uint128(p.ID), Limit: 100})
	require.NoError(t, err)
	var booked []uint64
	for _, row := range rows {
		if ph := row.ID.Lo & 15; ph != 0 {
			booked = append(booked, ph)
		}
	}
	arrears, want := int64(600), []uint64{phase, phase}
	if phase == 4 || phase == 14 { // with leg 15
		arrears, want = 300, append(want, phase)
	}
	require.Equal(t, want, booked)
	require.Equal(t, arrears, f.arrears(t, f.alice))
	require.Equal(t, int64(-1300), f.position(t, f.alice))
	waits := int64(0)
	if phase >= 14 {
		waits = 500
	}
	require.Equal(t, waits, f.suspense(t))
	require.Equal(t, 1200-waits, f.position(t, f.bob))
}

// A late fulfill loses an answer, or its recorder dies and the next recorder goes on: at every
// request, with every combination of closed accounts.
func TestLateFulfillGoesWrongAtEveryRequest(t *testing.T) {
	t.Parallel()
	for _, c := range lateCases {
		for at := 1; at <= c.requests+1; at++ { // the last number is never reached: no fault
			for _, applies := range []bool{false, true} {
				for _, dies := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, request %d, applies %v, dies %v", c.name, at, applies, dies), func(t *testing.T) {
						t.Parallel()
						bad := &faultyLedger{at: at, applies: applies, dies: dies, dead: make(chan struct{})}
						testFaultyRequest(t, bad, c.sender, c.receiver, c.phase, at <= c.requests)
					})
				}
			}
		}
	}
}

// testFaultyRequest fulfills a late packet on a faulty ledger. The packet is booked once, also
// when two more fulfills follow. fails is false if the ledger never reaches the failing request.
func testFaultyRequest(t *testing.T, bad *faultyLedger, sender, receiver bool, phase uint64, fails bool) {
	t.Helper()
	f, w := newLateFixture(t, transfers.Config{})
	bad.Ledger = f.embedded
	p := f.holdExpired(t, w)
	f.closeAccounts(t, sender, receiver)
	r, err := transfers.NewRecorder(bad, f.book, transfers.Config{Clock: w.Now})
	require.NoError(t, err)
	future, err := r.Submit(t.Context(), transfers.FulfillOp(p))
	require.NoError(t, err)
	if bad.dies && fails {
		<-bad.dead
		require.ErrorIs(t, r.Close(canceled(t.Context())), ledger.ErrOutcomeUnknown)
		require.Equal(t, ledger.OutcomeUnknown, future.Wait(t.Context()).Outcome)
	} else {
		got := future.Wait(t.Context())
		require.NoError(t, got.Err)
		require.True(t, got.Late)
		require.NoError(t, r.Close(t.Context()))
		f.requireLate(t, p, phase)
	}
	for range 2 {
		got, err := f.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.True(t, got.Late)
		f.requireLate(t, p, phase)
	}
	require.NoError(t, f.recorder.Close(t.Context()))
	ledgertest.RequireConserved(t, f.embedded)
}

// Accounts that were closed during one recorder's attempts are open for the next recorder, and
// vice versa. The ids of the first attempts are burnt, and the next recorder goes on behind
// them.
func TestLateFulfillAfterAnotherOnesAttempts(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	p := f.holdExpired(t, w)
	f.closeAccounts(t, true, true)
	bad := &faultyLedger{Ledger: f.embedded, at: 3, dies: true, dead: make(chan struct{})} // phase 4 is burnt
	r, err := transfers.NewRecorder(bad, f.book, transfers.Config{Clock: w.Now})
	require.NoError(t, err)
	future, err := r.Submit(t.Context(), transfers.FulfillOp(p))
	require.NoError(t, err)
	<-bad.dead
	require.Error(t, r.Close(canceled(t.Context())))
	require.Error(t, future.Wait(t.Context()).Err)
	f.openAccount(t, f.alice)
	f.openAccount(t, f.bob)
	got, err := f.recorder.Fulfill(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeApplied, got.Outcome)
	f.requireLate(t, p, 5)
	f.closeAndCheck(t)
}

// A late fulfill collects the sender's earlier arrears too, and never more than the arrears.
func TestLateFulfillCollectsOldArrears(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{AllowArrears: true})
	_, err := f.recorder.Forward(t.Context(), f.packet(1100, 1100))
	require.NoError(t, err)
	require.Equal(t, int64(100), f.arrears(t, f.alice))
	back := transfers.Packet{From: f.bob, To: f.alice, In: 300, Out: 300}
	_, err = f.recorder.Forward(t.Context(), back)
	require.NoError(t, err)
	held, err := f.recorder.Prepare(t.Context(), f.packet(50, 50))
	require.NoError(t, err)
	w.advance(time.Hour)
	_, err = f.recorder.Forward(t.Context(), transfers.Packet{From: f.bob, To: f.alice, In: 1, Out: 1})
	require.NoError(t, err)
	got, err := f.recorder.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.True(t, got.Late)
	require.Zero(t, f.arrears(t, f.alice))
	require.Equal(t, int64(-849), f.position(t, f.alice))
	f.closeAndCheck(t)
}

// We have no arrears to ourselves: liquidity pays, late or in time.
func TestLateFulfillFromOurselves(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		f, w := newLateFixture(t, transfers.Config{})
		us, err := f.book.OwnAccount(usd)
		require.NoError(t, err)
		held, err := f.recorder.Prepare(t.Context(), transfers.Packet{From: us, To: f.bob, In: 50, Out: 40, Hold: time.Minute})
		require.NoError(t, err)
		w.advance(time.Hour)
		f.closeAccounts(t, false, closed)
		got, err := f.recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		require.True(t, got.Late)
		if closed {
			require.Equal(t, int64(40), f.suspense(t))
			require.Zero(t, f.position(t, f.bob))
		} else {
			require.Equal(t, int64(40), f.position(t, f.bob))
		}
		require.NoError(t, f.recorder.Close(t.Context()))
		ledgertest.RequireConserved(t, f.embedded)
	}
}
