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

// TestMoneySequences are sequences that earlier wordings of the money model got wrong.
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

var at10 = threshold(10, 0)

func (d *desk) stands(p *purse, position, prepaid, arrears int64) {
	d.t.Helper()
	b := d.balance(p)
	require.Equal(d.t, []int64{position, prepaid, arrears}, []int64{b.Position().Int64(), small(b.Prepaid), small(b.Arrears)},
		"position, prepaid and arrears")
	require.Equal(d.t, position, p.position(), "the truth")
	require.Equal(d.t, prepaid, p.prepaid, "the truth")
}

// upTo does something up to a request for transfers, and returns what does the rest.
func (d *desk) upTo(at func([]ledger.Transfer) bool, do func()) (rest func()) {
	d.t.Helper()
	here, done := d.ledger.stopAt(at), make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-here.reached:
	case <-done:
		require.Fail(d.t, "it made no such request")
	}
	return func() {
		close(here.goOn)
		<-done
	}
}

// testAttemptOneOnAnOpenAccount: the account is closed when attempt 0 is asked for, and open
// when attempt 1 is, which has no row on it.
func testAttemptOneOnAnOpenAccount(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, at10)
	p := d.peer("alice", 0)
	require.True(t, d.close(p))
	requests := 0
	rest := d.upTo(func([]ledger.Transfer) bool { requests++; return requests == 2 }, func() { d.payByHand(p, 80) })
	_, other := d.another("other")
	d.engine, other = other, d.engine // its turn with the account is taken
	d.reopen(p)
	d.receive(p, 100, d.key())
	d.earns(p, 100)
	rest()
	d.engine = other
	d.stands(p, 120, 100, 80)
	require.Equal(t, int64(20), d.balance(p).Net().Int64())
}

// testReturnedAgainOnACopy: a copy of the books has not got the burnt id of attempt 0.
func testReturnedAgainOnACopy(t *testing.T) {
	from := embedded.New()
	d := newDesk(t, from, accounts.Config{}, at10)
	p := d.peer("alice", 0)
	d.receive(p, 100, "payment")
	require.True(t, d.sends(p, 100))
	require.True(t, d.close(p))
	back := settlement.ReturnedPayment{Account: p.account, Key: "return", Payment: "payment", Amount: units(100)}
	receipt, err := d.engine.RecordReturned(t.Context(), back)
	require.NoError(t, err)
	require.False(t, receipt.AlreadyBooked)
	p.send(100)
	d.stands(p, -100, 0, 100)

	pause(time.Minute)
	to := embedded.New()
	_, err = migrate.Run(t.Context(), from, to, ledger.BatchMax, nil)
	require.NoError(t, err)
	copied := newDesk(t, to, accounts.Config{}, at10)
	receipt, err = copied.engine.RecordReturned(t.Context(), back)
	require.NoError(t, err)
	require.True(t, receipt.AlreadyBooked)
	copied.stands(p, -100, 0, 100)
}

func testClosingWithAnOpenOrder(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, at10)
	p := d.peer("alice", 100)
	d.earns(p, 50)
	require.Equal(t, roundResult{ordered: 50}, d.round(p, "pending", 0))
	require.True(t, d.sends(p, 50))
	d.stands(p, 0, 0, 0)
	require.ErrorIs(t, d.book.ClosePeer(t.Context(), p.account, accounts.CloseOptions{}), accounts.ErrHeld)
	require.Equal(t, roundResult{ordered: 50, paid: 50}, d.round(p, "", 0))
	d.stands(p, -50, 0, 0)
}

func testReleaseMeetsAClosing(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, at10)
	p := d.peer("alice", 0)
	require.True(t, d.close(p))
	d.receive(p, 70, d.key())
	require.Equal(t, int64(70), d.suspense())
	d.reopen(p)
	var err error
	rest := d.upTo(func([]ledger.Transfer) bool { return true }, func() {
		_, err = d.engine.Release(context.Background(), p.account)
	})
	require.True(t, d.close(p))
	rest()
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	d.stands(p, 0, 0, 0)
	d.reopen(p)
	d.release(p)
	d.stands(p, 70, 70, 0)
	d.release(p)
	d.stands(p, 70, 70, 0)
	require.Zero(t, d.suspense())
}

func testDebitBehindAHold(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, at10)
	p := d.peer("alice", 0)
	d.receive(p, 100, d.key())
	held, ok := d.prepare(p.account, d.own, 100, long)
	require.True(t, ok)
	d.adjust(p, 0, 30)
	d.receive(p, 50, d.key())
	d.stands(p, 120, 120, 30)
	require.Zero(t, d.balance(p).Net().Sign())
	d.reject(held)
}

// testHoldLeavesLessThanTheMinimum: 100 are due and 1 can be paid, which the policy finds too little.
func testHoldLeavesLessThanTheMinimum(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, settlement.AtLeast{Amount: units(50), Of: threshold(100, 0)})
	p := d.peer("alice", 0)
	d.earns(p, 100)
	held, ok := d.prepare(p.account, d.own, 99, long)
	require.True(t, ok)
	for range 20 {
		require.Equal(t, roundResult{}, d.round(p, "", 0))
		require.True(t, d.engine.Due(d.balance(p)).IsZero())
	}
	d.reject(held)
	require.Equal(t, roundResult{ordered: 100, paid: 100}, d.round(p, "", 0))
}

// testReturnedBeforePayingAhead: the order fits the line when it is placed, and only its check
// knows that there are arrears.
func testReturnedBeforePayingAhead(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, threshold(0, -50))
	p := d.peer("alice", 50)
	d.receive(p, 50, d.key())
	require.True(t, d.sends(p, 50))
	held, ok := d.prepare(p.account, d.own, 30, long)
	require.True(t, ok)
	d.look(p)
	_, other := d.another("other")
	d.engine, other = other, d.engine
	d.returned(p, 50, "")
	d.reject(held)
	d.engine = other
	require.Equal(t, roundResult{withdrawn: true}, d.round(p, "", 0))
	d.stands(p, -50, 0, 30)
}

// testPaidAheadAlready: the order carries how much may be paid ahead.
func testPaidAheadAlready(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, threshold(0, -20))
	p := d.peer("alice", 1000)
	d.look(p)
	_, other := d.another("other")
	d.engine, other = other, d.engine
	d.payByHand(p, 20)
	d.engine = other
	require.Equal(t, roundResult{withdrawn: true}, d.round(p, "", 0))
	d.stands(p, -20, 0, 0)
}

func testLateForAClosedReceiver(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, at10)
	alice, bob := d.peer("alice", 100), d.peer("bob", 0)
	packet, ok := d.prepare(alice.account, bob.account, 40, time.Second)
	require.True(t, ok)
	d.expire(alice)
	require.True(t, d.close(bob))
	require.True(t, d.fulfill(packet))
	alice.send(40)
	d.stands(alice, -40, 0, 0)
	d.stands(bob, 0, 0, 0)
	require.Equal(t, int64(40), d.suspense())
	d.reopen(bob)
	released, err := d.engine.Release(t.Context(), bob.account)
	require.NoError(t, err)
	require.Equal(t, units(40), released.Amount)
	bob.earn(40)
	d.stands(bob, 40, 0, 0)
	require.Zero(t, d.suspense())
	require.Equal(t, roundResult{ordered: 40, paid: 40}, d.round(bob, "", 0))
}

func testReturnedFromSuspense(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, at10)
	p := d.peer("alice", 0)
	require.True(t, d.close(p))
	d.receive(p, 70, "payment")
	d.returned(p, 70, "payment")
	d.stands(p, 0, 0, 0)
	require.Zero(t, d.suspense())
	d.reopen(p)
	d.release(p)
	d.stands(p, 0, 0, 0)
	require.Zero(t, d.suspense())
}

// testPrepaymentsThroughAPacket: a packet to oneself makes earnings of a prepayment, so payments
// should be credited when they are final.
func testPrepaymentsThroughAPacket(t *testing.T) {
	d := newDesk(t, embedded.New(), accounts.Config{}, at10)
	p := d.peer("alice", 0)
	for range 5 {
		d.receive(p, 100, d.key())
		packet, ok := d.prepare(p.account, p.account, 100, long)
		require.True(t, ok)
		require.False(t, d.fulfill(packet))
		p.send(100)
		p.earn(100)
		require.Equal(t, roundResult{ordered: 100, paid: 100}, d.round(p, "", 0))
		d.stands(p, 0, 0, 0)
	}
	d.returned(p, 500, "")
	d.stands(p, -500, 0, 500)
}
