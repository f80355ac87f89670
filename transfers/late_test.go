package transfers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
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

// faultyLedger is a ledger with one failing request.
type faultyLedger struct {
	ledger.Ledger
	at      int  // which request, from 1
	applies bool // it is done all the same
	dies    bool // no later request is answered either

	mu       sync.Mutex
	requests int
	dead     chan struct{} // closed with the request that goes wrong
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
	phase            uint64 // that books it
	requests         int    // of an undisturbed fulfill
}{
	{"all open", false, false, 4, 2},
	{"the sender is closed", true, false, 5, 3},
	{"the receiver is closed", false, true, 14, 4},
	{"both are closed", true, true, 15, 5},
}

// closeSome closes the accounts of alice, the sender, and of bob, the receiver.
func (f *fixture) closeSome(t *testing.T, sender, receiver bool) {
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

func (f *fixture) holdOf(t *testing.T, w *virtualClock, p transfers.Packet) transfers.Packet {
	t.Helper()
	held, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	w.advance(time.Hour)
	for _, amount := range []uint64{1, 699} { // the first one lets the hold expire
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

// A late fulfill loses an answer, or its recorder dies and the next one goes on: at every
// request, with every combination of closed accounts.
func TestLateFulfillGoesWrongAtEveryRequest(t *testing.T) {
	t.Parallel()
	for _, c := range lateCases {
		for at := 1; at <= c.requests+1; at++ { // at the last one nothing goes wrong
			for _, applies := range []bool{false, true} {
				for _, dies := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, request %d, applies %v, dies %v", c.name, at, applies, dies), func(t *testing.T) {
						t.Parallel()
						bad := &faultyLedger{at: at, applies: applies, dies: dies, dead: make(chan struct{})}
						goWrong(t, bad, c.sender, c.receiver, c.phase, at <= c.requests)
					})
				}
			}
		}
	}
}

func goWrong(t *testing.T, bad *faultyLedger, sender, receiver bool, phase uint64, wrong bool) {
	t.Helper()
	f, w := newLateFixture(t, transfers.Config{})
	bad.Ledger = f.embedded
	p := f.holdExpired(t, w)
	f.closeSome(t, sender, receiver)
	r, err := transfers.NewRecorder(bad, f.book, transfers.Config{Clock: w.Now})
	require.NoError(t, err)
	future, err := r.Submit(t.Context(), transfers.FulfillOp(p))
	require.NoError(t, err)
	if bad.dies && wrong {
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
	f.closeSome(t, true, true)
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

// olderRows returns the rows of a late fulfill as a version without arrears booked it:
// suspense in place of the sender, collected from the sender under phase 4, not under phase 5.
func (f *fixture) olderRows(p transfers.Packet, phase uint64, collected uint64) []ledger.Transfer {
	own, _ := f.book.AssetIDs(usd.Ledger)
	row := func(leg uint64, debit, credit ledger.ID, amount uint64) ledger.Transfer {
		id := p.ID
		id.Lo |= leg<<4 | phase
		return ledger.Transfer{
			ID: id, DebitAccountID: debit, CreditAccountID: credit, Amount: units(amount), Ledger: 1, Code: chart.CodeCorrection,
			UserData128: uint128.Uint128(p.ID), Flags: ledger.TransferLinked,
		}
	}
	rows := []ledger.Transfer{row(0, own.Suspense, f.bob.ID(), p.Out)}
	if p.In > p.Out {
		rows = append(rows, row(1, own.Suspense, own.Revenue, p.In-p.Out))
	}
	if phase == 4 {
		rows = append(rows, row(15, f.alice.ID(), own.Suspense, collected))
	}
	rows[len(rows)-1].Flags = 0
	return rows
}

// A late fulfill booked by an older version is recognized, and not booked again.
func TestLateFulfillOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		f, w := newLateFixture(t, transfers.Config{})
		phase := 4 + uint64(i)%2
		p := f.holdOf(t, w, f.packet(600, 500+100*uint64(i/2))) // with a fee, and without one
		rows := f.olderRows(p, phase, 300)
		rows[0].UserData32 = f.tagOf(t, p)
		if phase == 5 { // the sender was closed: leg 15 of phase 4 is burnt
			f.closeAccount(t, f.alice)
			results, err := f.embedded.CreateTransfers(t.Context(), f.olderRows(p, 4, 0))
			require.NoError(t, err)
			require.Equal(t, ledger.TransferDebitAccountAlreadyClosed, results[len(results)-1].Status)
			f.openAccount(t, f.alice)
		}
		results, err := f.embedded.CreateTransfers(t.Context(), rows)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeApplied, ledger.ChainOutcome(results).Outcome)
		got, err := f.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
		require.True(t, got.Late)
		require.Equal(t, int64(700+p.Out), f.position(t, f.bob))
		require.Zero(t, f.arrears(t, f.alice))
		f.closeAndCheck(t)
	}
}

// Another transfer under the id of a correction is a conflict, and nothing is booked.
func TestLateFulfillMeetsAnotherTransfer(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	p := f.holdExpired(t, w)
	rows := f.olderRows(p, 5, 0)[:1]
	rows[0].ID.Lo ^= 4 ^ 5
	rows[0].Flags, rows[0].Amount = 0, units(1)
	results, err := f.embedded.CreateTransfers(t.Context(), rows)
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	_, err = f.recorder.Fulfill(t.Context(), p)
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	require.Zero(t, f.arrears(t, f.alice))
	f.closeAndCheck(t)
}

// tagOf returns the hash of a held packet's legs, which the first leg's transfer carries.
func (f *fixture) tagOf(t *testing.T, p transfers.Packet) uint32 {
	t.Helper()
	rows, err := f.embedded.LookupTransfers(t.Context(), []ledger.ID{p.ID})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	return rows[0].UserData32
}

// olderLedger is a ledger provisioned by a version without arrears. After that, creating
// accounts fails for a while.
type olderLedger struct {
	ledger.Ledger
	provisions bool
	fail       error
	failures   int
	asked      chan struct{} // gets one for each failure, if there is room
}

func (o *olderLedger) CreateAccounts(ctx context.Context, all []ledger.Account) ([]ledger.CreateAccountResult, error) {
	if !o.provisions {
		if o.failures--; o.failures >= 0 {
			select {
			case o.asked <- struct{}{}:
			default:
			}
			return nil, o.fail
		}
		return o.Ledger.CreateAccounts(ctx, all)
	}
	var known []ledger.Account
	for _, a := range all {
		if a.Code != chart.CodeArrears {
			known = append(known, a)
		}
	}
	created, err := o.Ledger.CreateAccounts(ctx, known)
	results := make([]ledger.CreateAccountResult, len(all))
	for i, a := range all {
		results[i].Status = ledger.AccountCreated
		if a.Code != chart.CodeArrears {
			results[i], created = created[0], created[1:]
		}
	}
	return results, err
}

// newOlderFixture returns a fixture whose peers have no arrears accounts.
func newOlderFixture(t *testing.T, o *olderLedger) (*fixture, *virtualClock) {
	t.Helper()
	w := newVirtualClock()
	f := &fixture{embedded: embedded.New(embedded.WithClock(w.Now))}
	o.Ledger, o.provisions = f.embedded, true
	var err error
	f.book, err = accounts.NewBook(o, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := f.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	f.alice, f.bob = peers[0], peers[1]
	o.provisions = false
	f.recorder, err = transfers.NewRecorder(f.embedded, f.book, transfers.Config{Clock: w.Now})
	require.NoError(t, err)
	return f, w
}

// The sender's arrears account is missing, and cannot be created at first. The fulfill waits,
// and none of its ids is burnt.
func TestLateFulfillWaitsForTheArrearsAccount(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{errors.New("no connection"), ledger.ErrOutcomeUnknown, ledger.ErrTooMuchData} {
		synctest.Test(t, func(t *testing.T) {
			o := &olderLedger{fail: fail, failures: 5}
			f, w := newOlderFixture(t, o)
			p := f.holdExpired(t, w)
			got, err := f.recorder.Fulfill(t.Context(), p)
			require.NoError(t, err)
			require.True(t, got.Late)
			require.Equal(t, ledger.OutcomeApplied, got.Outcome)
			f.requireLate(t, p, 4)
			require.Negative(t, o.failures)

			o.failures = 1 << 30 // it is known by now, and not asked for again
			_, err = f.recorder.Forward(t.Context(), f.packet(7, 7))
			require.NoError(t, err)
			require.Equal(t, int64(307), f.arrears(t, f.alice))
			f.closeAndCheck(t)
		})
	}
}

// The recorder is closed while the arrears account cannot be created. The error says that the
// fulfill was not sent, and the next recorder books it.
func TestLateFulfillIsClosedWithoutTheArrearsAccount(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{errors.New("no connection"), ledger.ErrOutcomeUnknown, ledger.ErrClosed} {
		o := &olderLedger{fail: fail, failures: 1 << 30, asked: make(chan struct{}, 1)}
		f, w := newOlderFixture(t, o)
		p := f.holdExpired(t, w)
		future, err := f.recorder.Submit(t.Context(), transfers.FulfillOp(p))
		require.NoError(t, err)
		<-o.asked
		err = f.recorder.Close(canceled(t.Context()))
		got := future.Wait(t.Context())
		require.Equal(t, ledger.OutcomeRefused, got.Outcome)
		require.NotErrorIs(t, got.Err, ledger.ErrOutcomeUnknown)
		if errors.Is(fail, ledger.ErrClosed) {
			require.ErrorIs(t, got.Err, ledger.ErrClosed)
		} else {
			var left *transfers.CloseError
			require.ErrorAs(t, err, &left)
			require.Empty(t, left.UnknownOps)
			require.Len(t, left.UnsentOps, 1)
			require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
		}
		o.failures = 0
		f.recorder, err = transfers.NewRecorder(f.embedded, f.book, transfers.Config{Clock: w.Now})
		require.NoError(t, err)
		again, err := f.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeApplied, again.Outcome)
		f.requireLate(t, p, 4)
		f.closeAndCheck(t)
	}
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
		f.closeSome(t, false, closed)
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
