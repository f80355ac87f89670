package accounts_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// testCloseCrashes ends the process before and after every request of a closing. Then a
// concurrent action is run, or none, and the closing is called again.
func testCloseCrashes(t *testing.T, l ledger.Ledger) {
	book, crashes := newBookWithoutRound(t, l), 0
	quiet := func(*closable) {}
	for standing := range standings {
		for _, force := range []bool{false, true} {
			for _, runMeanwhile := range []func(*closable){quiet, concurrentActions[crashes%5].do} {
				again := closeOptions(crashes%3 > 0)
				for at := 1; ; at++ {
					c := newClosable(t, l, book, fmt.Sprint("peer", crashes), standing)
					crashes++
					r := &racing{Ledger: l, at: at, dies: at%2 == 0, diesAfter: at%2 == 1}
					options := closeOptions(force)
					err := newBookWithoutRound(t, r).ClosePeer(t.Context(), c.account, options...)
					if r.asked < at {
						break
					}
					require.ErrorIs(t, err, errAway)
					b := balance(t, book, c.account)
					c.finished = b.Closed && b.Position().Sign() == 0 && b.Arrears.IsZero()
					runMeanwhile(c)
					c.requireAllOrNothing(book.ClosePeer(t.Context(), c.account, again...))
				}
			}
		}
	}
	ledgertest.RequireNothingHeld(t, l)
}

// Two concurrent actions: arrears grow, and shrink right before the closing writes again.
func TestCloseRacesTwice(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book, refused := newBookWithoutRound(t, l), 0
	for standing := range standings {
		for at := 1; ; at++ {
			c := newClosable(t, l, book, fmt.Sprint(standing, " before request ", at), standing)
			c.wrote = true
			r := &racing{Ledger: l, at: at, runMeanwhile: c.fulfillLate, then: c.giveUp}
			err := newBookWithoutRound(t, r).ClosePeer(t.Context(), c.account, accounts.WithForce(), accounts.WithReasonCode(closingReason))
			c.requireAllOrNothing(err)
			if err != nil && c.writtenOff() != 0 {
				refused++
			}
			if r.asked < at {
				break
			}
		}
	}
	require.NotZero(t, refused, "a second write-off was refused")
	ledgertest.RequireNothingHeld(t, l)
}

// An amount that comes in right before the account is closed was not given up by the caller.
func TestForceGivesUpWhatWasSeen(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for i, h := range concurrentActions[:6] {
		c := newClosable(t, l, newBookWithoutRound(t, l), h.name, 2)
		r := &beforeClosing{Ledger: l, runMeanwhile: func() { h.do(c) }}
		err := newBookWithoutRound(t, r).ClosePeer(t.Context(), c.account, accounts.WithForce(), accounts.WithReasonCode(closingReason))
		if i < 5 {
			require.Error(t, err, h.name)
		}
		if c.moved != 0 {
			require.ErrorIs(t, err, accounts.ErrOwed, h.name)
		}
		c.requireAllOrNothing(err)
	}
	ledgertest.RequireNothingHeld(t, l)
}

// beforeClosing runs a function right before the first closing of an account.
type beforeClosing struct {
	ledger.Ledger
	runMeanwhile func()
}

func (l *beforeClosing) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if action := l.runMeanwhile; action != nil && rows[len(rows)-1].Code == chart.CodeClose {
		l.runMeanwhile = nil
		action()
	}
	return l.Ledger.CreateTransfers(ctx, rows)
}

// testCloseFinished returns a payment of a closed peer after its closing has finished: a later
// closing must not take it for its own unfinished work.
func testCloseFinished(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBookWithoutRound(t, l)
	c := newClosable(t, l, book, "alice", 0)
	require.NoError(t, book.ClosePeer(ctx, c.account))
	require.True(t, c.tryBook(ledger.Transfer{
		DebitAccountID: c.ids.Arrears, CreditAccountID: c.ids.Settlement, Amount: units(50), Code: chart.CodeReturned,
	}))
	var owed *accounts.OwedError
	err := book.ClosePeer(ctx, c.account)
	require.ErrorAs(t, err, &owed)
	require.Equal(t, accounts.OwedError{Account: c.account, Asset: usd, Receivable: units(50), Arrears: units(50)}, *owed)
	require.ErrorContains(t, err, "alice on ledger 1 owes us 0.000000050 USD, of which 0.000000050 USD is arrears")
	b := balance(t, book, c.account)
	require.True(t, b.Closed, "as before")
	require.True(t, b.Suspended)

	require.NoError(t, book.ClosePeer(ctx, c.account, closeOptions(true)...))
	b = balance(t, book, c.account)
	require.True(t, b.Closed)
	require.Zero(t, b.Position().Sign())
	require.Equal(t, int64(50), c.writtenOff())

	// From reopening on the suspension is an operator's.
	require.NoError(t, book.ReopenPeer(ctx, c.account))
	hold := movePacket(t, l, c.ids.Peer, c.own.Liquidity, 3, ledger.TransferPending)
	require.ErrorIs(t, book.ClosePeer(ctx, c.account, closeOptions(true)...), accounts.ErrHeld)
	b = balance(t, book, c.account)
	require.False(t, b.Closed)
	require.True(t, b.Suspended, "as before")
	resolveHold(t, l, hold, ledger.TransferPostPending)
	require.Equal(t, []bool{true, false, true}, c.suspensions(), "closed; reopened, and so an operator's")

	// A suspension by an operator is left alone, with its reason code.
	require.NoError(t, book.ClosePeer(ctx, c.account, closeOptions(true)...))
	require.Equal(t, int64(53), c.writtenOff())
	require.Len(t, c.suspensions(), 3)
	ledgertest.RequireNothingHeld(t, l)
}

// A closed peer has arrears since its closing: a concurrent operator writes off a part while
// ClosePeer writes off all.
func TestCloseFinishedRaces(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book, refused := newBookWithoutRound(t, l), 0
	for at := 1; ; at++ {
		c := newClosable(t, l, book, fmt.Sprint("before request ", at), 0)
		require.NoError(t, book.ClosePeer(t.Context(), c.account))
		c.fulfillLate()
		c.finished = true
		r := &racing{Ledger: l, at: at, runMeanwhile: c.giveUp}
		err := newBookWithoutRound(t, r).ClosePeer(t.Context(), c.account, accounts.WithForce(), accounts.WithReasonCode(closingReason))
		if err != nil {
			refused++
			require.ErrorIs(t, err, accounts.ErrOwed)
		}
		c.requireAllOrNothing(err)
		if r.asked < at {
			break
		}
	}
	require.NotZero(t, refused)
	ledgertest.RequireNothingHeld(t, l)
}

// A forced closing was interrupted, and the debt was paid since: the next closing has nothing to
// write off, and only collects.
func testCloseInterrupted(t *testing.T, l ledger.Ledger) {
	book := newBookWithoutRound(t, l)
	c := newClosable(t, l, book, "alice", 2)
	c.interruptClosing()
	require.True(t, c.tryBook(ledger.Transfer{
		DebitAccountID: c.ids.Arrears, CreditAccountID: c.ids.Settlement, Amount: units(40), Code: chart.CodeReturned,
	}))
	c.moved = -40
	require.NoError(t, book.ClosePeer(t.Context(), c.account))
	c.requireAllOrNothing(nil)
	require.Zero(t, c.writtenOff())
	ledgertest.RequireNothingHeld(t, l)
}

// interruptClosing ends a forced closing right after the account is closed.
func (c *closable) interruptClosing() {
	c.t.Helper()
	for at := 1; !balance(c.t, c.book, c.account).Closed; at++ {
		r := &racing{Ledger: c.ledger, at: at, diesAfter: true}
		err := newBookWithoutRound(c.t, r).ClosePeer(c.t.Context(), c.account, accounts.WithForce(), accounts.WithReasonCode(closingReason))
		require.ErrorIs(c.t, err, errAway)
	}
}

// A peer is reopened while a concurrent operator writes off its credit, which opens the account
// and closes it again.
func TestReopenRaces(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBookWithoutRound(t, l)
	for at := 1; ; at++ {
		c := newClosable(t, l, book, fmt.Sprint("before request ", at), 2)
		c.interruptClosing()
		r := &racing{Ledger: l, at: at, runMeanwhile: func() {
			require.NoError(t, book.ClosePeer(t.Context(), c.account, accounts.WithForce(), accounts.WithReasonCode(closingReason)))
		}}
		require.NoError(t, newBookWithoutRound(t, r).ReopenPeer(t.Context(), c.account))
		if r.asked < at {
			break
		}
		b := balance(t, book, c.account)
		require.False(t, b.Closed)
		require.True(t, b.Suspended)
		require.Equal(t, int64(-40), c.writtenOff())
		require.Zero(t, b.Position().Sign())
	}
	ledgertest.RequireNothingHeld(t, l)
}

// suspensions returns the suspensions of the peer as read by connectors, in order.
func (c *closable) suspensions() (changes []bool) {
	c.t.Helper()
	all, _, err := c.book.Suspensions(c.t.Context(), time.Time{})
	require.NoError(c.t, err)
	for _, change := range all {
		if change.Peer == c.account.ID() {
			changes = append(changes, change.Suspended)
		}
	}
	return changes
}

// testCloseCollects closes peers with headroom for their arrears, without Force.
func testCloseCollects(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBookWithoutRound(t, l)
	earned := newClosable(t, l, book, "alice", 6)
	require.NoError(t, book.ClosePeer(ctx, earned.account))
	require.Zero(t, balance(t, book, earned.account).Arrears)
	require.Zero(t, earned.writtenOff())

	// The unused line covers the arrears, which then count as a receivable in the line.
	beside := newClosable(t, l, book, "bob", 3)
	var owed *accounts.OwedError
	require.ErrorAs(t, book.ClosePeer(ctx, beside.account), &owed)
	require.Equal(t, accounts.OwedError{Account: beside.account, Asset: usd, Receivable: units(25)}, *owed)
	require.Equal(t, units(75), balance(t, book, beside.account).Headroom)

	// Uncollectable arrears are written off from the arrears account, and the rest from the peer
	// account.
	beyond := newClosable(t, l, book, "carol", 5)
	require.NoError(t, book.ClosePeer(ctx, beyond.account, accounts.WithForce(), accounts.WithReasonCode(closingReason)))
	require.Equal(t, int64(115), beyond.writtenOff())
	s, err := book.Statement(ctx, beyond.account, time.Time{}, time.Time{})
	require.NoError(t, err)
	var kinds []accounts.EntryKind
	for _, e := range collectEntries(t, s.Entries(ctx)) {
		kinds = append(kinds, e.Kind)
		require.Zero(t, e.ConditionTag)
	}
	require.Equal(t, []accounts.EntryKind{
		accounts.EntryCreditLine, accounts.EntryPacket, accounts.EntryCorrection, accounts.EntryWriteOff, accounts.EntryWriteOff,
	}, kinds)
	ledgertest.RequireNothingHeld(t, l)
}
