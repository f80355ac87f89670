package settlement_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

// TestMoneySequences runs sequences that earlier versions of the money model got wrong.
func TestMoneySequences(t *testing.T) {
	t.Parallel()
	for name, play := range map[string]func(*testing.T){
		"attempt 1 is booked on an account that is open again":         testAttemptOneOnAnOpenAccount,
		"a return is asked for again on a copy of the books":           testReturnedAgainOnACopy,
		"closing is refused while an order is open":                    testClosingWithAnOpenOrder,
		"a release meets a peer that was closed again":                 testReleaseMeetsAClosing,
		"a debit behind a hold, and a payment":                         testDebitBehindAHold,
		"a hold leaves less than the minimum":                          testHoldLeavesLessThanTheMinimum,
		"a payment comes back before a payment ahead":                  testReturnedBeforePayingAhead,
		"a payment ahead was decided twice":                            testPaidAheadAlready,
		"a late fulfill for a receiver that was closed":                testLateForAClosedReceiver,
		"a payment comes back from suspense":                           testReturnedFromSuspense,
		"prepayments are turned into earnings and paid, and come back": testPrepaymentsThroughAPacket,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, play)
		})
	}
}

var at10 = newThreshold(10, 0)

func (d *moneyFixture) requireFigures(p *moneyPeer, position, prepaid, arrears int64) {
	d.t.Helper()
	b := d.readBalance(p)
	require.Equal(d.t, []int64{position, prepaid, arrears}, []int64{b.Position().Int64(), toInt64(b.Prepaid), toInt64(b.Arrears)},
		"position, prepaid and arrears")
	require.Equal(d.t, position, p.position(), "the truth")
	require.Equal(d.t, prepaid, p.prepaid, "the truth")
}

// runUpTo runs do up to a matching request for transfers, and returns the function that runs the rest.
func (d *moneyFixture) runUpTo(at func([]ledger.Transfer) bool, do func()) (rest func()) {
	d.t.Helper()
	breakpoint, done := d.ledger.setBreakpoint(at), make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-breakpoint.reached:
	case <-done:
		require.Fail(d.t, "it made no such request")
	}
	return func() {
		close(breakpoint.resume)
		<-done
	}
}

// testAttemptOneOnAnOpenAccount: the account is closed at attempt 0, and open at attempt 1, which has no row on the
// account.
func testAttemptOneOnAnOpenAccount(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, at10)
	p := d.provisionPeer("alice", 0)
	require.True(t, d.closePeer(p))
	requests := 0
	rest := d.runUpTo(func([]ledger.Transfer) bool { requests++; return requests == 2 }, func() { d.bookOutgoing(p, 80) })
	_, other := d.newBookAndEngine("other")
	d.engine, other = other, d.engine // the first engine has the account in its turn
	d.reopenPeer(p)
	d.bookIncoming(p, 100, d.nextKey())
	d.earnByPacket(p, 100)
	rest()
	d.engine = other
	d.requireFigures(p, 120, 100, 80)
	require.Equal(t, int64(20), d.readBalance(p).Net().Int64())
}

// testReturnedAgainOnACopy: a copy of the books has lost the burnt id of attempt 0.
func testReturnedAgainOnACopy(t *testing.T) {
	from := embedded.New()
	d := newMoneyFixture(t, from, accounts.Config{}, at10)
	p := d.provisionPeer("alice", 0)
	d.bookIncoming(p, 100, "payment")
	require.True(t, d.sendByPacket(p, 100))
	require.True(t, d.closePeer(p))
	back := settlement.ReturnedPayment{Account: p.account, Key: "return", Payment: "payment", Amount: units(100)}
	receipt, err := d.engine.RecordReturned(t.Context(), back)
	require.NoError(t, err)
	require.False(t, receipt.AlreadyBooked)
	p.addSent(100)
	d.requireFigures(p, -100, 0, 100)

	sleepVirtual(time.Minute)
	to := embedded.New()
	_, err = migrate.Run(t.Context(), from, to, ledger.BatchMax, nil)
	require.NoError(t, err)
	copied := newMoneyFixture(t, to, accounts.Config{}, at10)
	receipt, err = copied.engine.RecordReturned(t.Context(), back)
	require.NoError(t, err)
	require.True(t, receipt.AlreadyBooked)
	copied.requireFigures(p, -100, 0, 100)
}

func testClosingWithAnOpenOrder(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, at10)
	p := d.provisionPeer("alice", 100)
	d.earnByPacket(p, 50)
	require.Equal(t, roundResult{ordered: 50}, d.finishRound(p, "pending", 0))
	require.True(t, d.sendByPacket(p, 50))
	d.requireFigures(p, 0, 0, 0)
	require.ErrorIs(t, d.book.ClosePeer(t.Context(), p.account), accounts.ErrHeld)
	require.Equal(t, roundResult{ordered: 50, paid: 50}, d.finishRound(p, "", 0))
	d.requireFigures(p, -50, 0, 0)
}

func testReleaseMeetsAClosing(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, at10)
	p := d.provisionPeer("alice", 0)
	require.True(t, d.closePeer(p))
	d.bookIncoming(p, 70, d.nextKey())
	require.Equal(t, int64(70), d.readSuspense())
	d.reopenPeer(p)
	var err error
	rest := d.runUpTo(func([]ledger.Transfer) bool { return true }, func() {
		_, err = d.engine.Release(context.Background(), p.account)
	})
	require.True(t, d.closePeer(p))
	rest()
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	d.requireFigures(p, 0, 0, 0)
	d.reopenPeer(p)
	d.releasePeer(p)
	d.requireFigures(p, 70, 70, 0)
	d.releasePeer(p)
	d.requireFigures(p, 70, 70, 0)
	require.Zero(t, d.readSuspense())
}

func testDebitBehindAHold(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, at10)
	p := d.provisionPeer("alice", 0)
	d.bookIncoming(p, 100, d.nextKey())
	held, ok := d.preparePacket(p.account, d.ownAccount, 100, longHold)
	require.True(t, ok)
	d.bookAdjustment(p, 0, 30)
	d.bookIncoming(p, 50, d.nextKey())
	d.requireFigures(p, 120, 120, 30)
	require.Zero(t, d.readBalance(p).Net().Sign())
	d.rejectPacket(held)
}

// testHoldLeavesLessThanTheMinimum: 100 are due and 1 can be paid, less than the policy's minimum.
func testHoldLeavesLessThanTheMinimum(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, settlement.AtLeast{Amount: units(50), Of: newThreshold(100, 0)})
	p := d.provisionPeer("alice", 0)
	d.earnByPacket(p, 100)
	held, ok := d.preparePacket(p.account, d.ownAccount, 99, longHold)
	require.True(t, ok)
	for range 20 {
		require.Equal(t, roundResult{}, d.finishRound(p, "", 0))
		require.True(t, d.engine.Due(d.readBalance(p)).IsZero())
	}
	d.rejectPacket(held)
	require.Equal(t, roundResult{ordered: 100, paid: 100}, d.finishRound(p, "", 0))
}

// testReturnedBeforePayingAhead: the order fits the line when it is placed, and only the check of the order finds
// the arrears.
func testReturnedBeforePayingAhead(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, newThreshold(0, -50))
	p := d.provisionPeer("alice", 50)
	d.bookIncoming(p, 50, d.nextKey())
	require.True(t, d.sendByPacket(p, 50))
	held, ok := d.preparePacket(p.account, d.ownAccount, 30, longHold)
	require.True(t, ok)
	d.stopRoundAtOrder(p)
	_, other := d.newBookAndEngine("other")
	d.engine, other = other, d.engine
	d.bookReturns(p, 50, "")
	d.rejectPacket(held)
	d.engine = other
	require.Equal(t, roundResult{withdrawn: true}, d.finishRound(p, "", 0))
	d.requireFigures(p, -50, 0, 30)
}

// testPaidAheadAlready: the order carries the amount that may be paid ahead.
func testPaidAheadAlready(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, newThreshold(0, -20))
	p := d.provisionPeer("alice", 1000)
	d.stopRoundAtOrder(p)
	_, other := d.newBookAndEngine("other")
	d.engine, other = other, d.engine
	d.bookOutgoing(p, 20)
	d.engine = other
	require.Equal(t, roundResult{withdrawn: true}, d.finishRound(p, "", 0))
	d.requireFigures(p, -20, 0, 0)
}

func testLateForAClosedReceiver(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, at10)
	alice, bob := d.provisionPeer("alice", 100), d.provisionPeer("bob", 0)
	packet, ok := d.preparePacket(alice.account, bob.account, 40, time.Second)
	require.True(t, ok)
	d.waitForExpiry(alice)
	require.True(t, d.closePeer(bob))
	require.True(t, d.fulfillPacket(packet))
	alice.addSent(40)
	d.requireFigures(alice, -40, 0, 0)
	d.requireFigures(bob, 0, 0, 0)
	require.Equal(t, int64(40), d.readSuspense())
	d.reopenPeer(bob)
	released, err := d.engine.Release(t.Context(), bob.account)
	require.NoError(t, err)
	require.Equal(t, units(40), released.Amount)
	bob.addEarned(40)
	d.requireFigures(bob, 40, 0, 0)
	require.Zero(t, d.readSuspense())
	require.Equal(t, roundResult{ordered: 40, paid: 40}, d.finishRound(bob, "", 0))
}

func testReturnedFromSuspense(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, at10)
	p := d.provisionPeer("alice", 0)
	require.True(t, d.closePeer(p))
	d.bookIncoming(p, 70, "payment")
	d.bookReturns(p, 70, "payment")
	d.requireFigures(p, 0, 0, 0)
	require.Zero(t, d.readSuspense())
	d.reopenPeer(p)
	d.releasePeer(p)
	d.requireFigures(p, 0, 0, 0)
	require.Zero(t, d.readSuspense())
}

// testPrepaymentsThroughAPacket: a packet to oneself turns a prepayment into earnings, so payments should be
// credited when they are final.
func testPrepaymentsThroughAPacket(t *testing.T) {
	d := newMoneyFixture(t, embedded.New(), accounts.Config{}, at10)
	p := d.provisionPeer("alice", 0)
	for range 5 {
		d.bookIncoming(p, 100, d.nextKey())
		packet, ok := d.preparePacket(p.account, p.account, 100, longHold)
		require.True(t, ok)
		require.False(t, d.fulfillPacket(packet))
		p.addSent(100)
		p.addEarned(100)
		require.Equal(t, roundResult{ordered: 100, paid: 100}, d.finishRound(p, "", 0))
		d.requireFigures(p, 0, 0, 0)
	}
	d.bookReturns(p, 500, "")
	d.requireFigures(p, -500, 0, 500)
}
