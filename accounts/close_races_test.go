package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var closingScenarios = []scenario{
	{"peer closed while something happens", testCloseRaces},
	{"peer closed by a process that ends", testCloseCrashes},
	{"peer closed and in arrears later", testCloseFinished},
	{"peer whose closing was interrupted", testCloseInterrupted},
	{"peer closed and its arrears collected", testCloseCollects},
}

// racing counts the requests of a call. Right before one of them it runs a function, or ends the
// process.
type racing struct {
	ledger.Ledger
	at, asked int
	happens   func()
	then      func() // run right before the next transfers after the first function
	dies      bool   // ends right before the request
	diesAfter bool   // the request is done, and its answer is lost
}

func (r *racing) runBefore() error {
	r.asked++
	switch {
	case r.asked == r.at && r.happens != nil:
		r.happens()
	case r.dies && r.asked >= r.at, r.diesAfter && r.asked > r.at:
		return errAway
	}
	return nil
}

func (r *racing) runAfter(err error) error {
	if err == nil && r.diesAfter && r.asked == r.at {
		return errAway
	}
	return err
}

func (r *racing) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if then := r.then; then != nil && r.asked >= r.at {
		r.then = nil
		then()
	}
	if err := r.runBefore(); err != nil {
		return nil, err
	}
	results, err := r.Ledger.CreateTransfers(ctx, rows)
	return results, r.runAfter(err)
}

func (r *racing) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if err := r.runBefore(); err != nil {
		return nil, err
	}
	found, err := r.Ledger.LookupAccounts(ctx, ids)
	return found, r.runAfter(err)
}

func (r *racing) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	if err := r.runBefore(); err != nil {
		return nil, err
	}
	rows, err := r.Ledger.GetAccountTransfers(ctx, f)
	return rows, r.runAfter(err)
}

func (r *racing) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	if err := r.runBefore(); err != nil {
		return nil, err
	}
	rows, err := r.Ledger.GetAccountBalances(ctx, f)
	return rows, r.runAfter(err)
}

// closable is a peer that is closed during concurrent bookings.
type closable struct {
	t       *testing.T
	ledger  ledger.Ledger
	book    *accounts.Book // of the concurrent calls
	account accounts.PeerAccount
	ids     accounts.PeerIDs
	own     accounts.AssetIDs
	start   *big.Int

	moved     int64 // the change of the position by the happening
	suspended bool  // by an operator, or by reopening
	others    bool  // concurrent calls have closed or opened the peer
	finished  bool  // closed for good before the happening
	wrote     bool  // the peer may be closed for good, and owe the amount of the happening
	holds     []ledger.ID
}

// closingReason is the reason code of the tested closings.
const closingReason = 77

// standings are positions of a peer with a line of 100: each peer earns and is charged that much,
// with uncollected charges in arrears.
var standings = []struct {
	name                     string
	earned, charged, arrears uint64
}{
	{"even", 0, 0, 0},
	{"owes us", 0, 30, 0},
	{"is owed", 40, 0, 0},
	{"in arrears beside headroom", 0, 0, 25},
	{"in arrears beyond the line", 0, 100, 25},
	{"in arrears, a part of which can be collected", 0, 90, 25},
	{"has earned its arrears", 25, 0, 25},
	{"is owed more than its arrears", 60, 0, 25},
}

func newClosable(t *testing.T, l ledger.Ledger, book *accounts.Book, name string, standing int) *closable {
	t.Helper()
	c := &closable{t: t, ledger: l, book: book, account: provision(t, book, 100, name)[0]}
	c.ids = book.PeerIDs(c.account)
	c.own, _ = book.AssetIDs(usd.Ledger)
	s := standings[standing]
	for _, row := range []ledger.Transfer{
		{DebitAccountID: c.own.Liquidity, CreditAccountID: c.ids.Peer, Amount: units(s.earned)},
		{DebitAccountID: c.ids.Peer, CreditAccountID: c.own.Liquidity, Amount: units(s.charged)},
		{DebitAccountID: c.ids.Arrears, CreditAccountID: c.own.Liquidity, Amount: units(s.arrears), Code: chart.CodeCorrection},
	} {
		if !row.Amount.IsZero() {
			require.True(t, c.tryBook(row))
		}
	}
	c.start = balance(t, book, c.account).Position()
	return c
}

// tryBook writes rows as a chain, and reports whether the ledger took them.
func (c *closable) tryBook(rows ...ledger.Transfer) bool {
	c.t.Helper()
	for i := range rows {
		rows[i].ID, rows[i].Ledger = randomID(), usd.Ledger
		if rows[i].Code == 0 {
			rows[i].Code = chart.CodePacket
		}
		if i < len(rows)-1 {
			rows[i].Flags |= ledger.TransferLinked
		}
	}
	results, err := c.ledger.CreateTransfers(c.t.Context(), rows)
	require.NoError(c.t, err)
	return ledger.ChainOutcome(results).Outcome.Done()
}

// happenings are concurrent bookings during a closing.
var happenings = []struct {
	name string
	do   func(c *closable)
}{
	{"a payment comes in", func(c *closable) {
		if c.tryBook(ledger.Transfer{DebitAccountID: c.ids.Settlement, CreditAccountID: c.ids.Peer, Amount: units(10), Code: chart.CodeIncoming}) {
			c.moved += 10
		}
	}},
	{"a packet from it is held", func(c *closable) {
		c.holdPacket(ledger.Transfer{DebitAccountID: c.ids.Peer, CreditAccountID: c.own.Liquidity, Amount: units(3)})
	}},
	{"a packet to it is held", func(c *closable) {
		c.holdPacket(ledger.Transfer{DebitAccountID: c.own.Liquidity, CreditAccountID: c.ids.Peer, Amount: units(3)})
	}},
	{"an order is placed", func(c *closable) {
		c.holdPacket(ledger.Transfer{DebitAccountID: c.ids.Peer, CreditAccountID: c.ids.Settlement, Amount: units(3), Code: chart.CodeOrder})
	}},
	{"a packet of it is fulfilled late", (*closable).fulfillLate},
	{"some arrears are written off", (*closable).giveUp},
	{"an operator suspends it", func(c *closable) {
		err := c.book.Suspend(c.t.Context(), c.account, accounts.SuspendOptions{ReasonCode: 666})
		if c.suspended = err == nil; err != nil {
			require.ErrorIs(c.t, err, accounts.ErrPeerClosed)
		}
	}},
	{"an operator resumes it", func(c *closable) {
		if err := c.book.Resume(c.t.Context(), c.account); err != nil {
			require.ErrorIs(c.t, err, accounts.ErrPeerClosed)
		}
	}},
	{"an operator reopens it", func(c *closable) {
		c.suspended = balance(c.t, c.book, c.account).Closed
		c.others = c.suspended
		require.NoError(c.t, c.book.ReopenPeer(c.t.Context(), c.account))
	}},
	{"another closes it", func(c *closable) {
		c.others = true
		c.requireRefusal(c.book.ClosePeer(c.t.Context(), c.account, accounts.CloseOptions{}))
	}},
	{"another closes it by force", func(c *closable) {
		c.others = true
		c.requireRefusal(c.book.ClosePeer(c.t.Context(), c.account, accounts.CloseOptions{Force: true, ReasonCode: closingReason}))
	}},
}

func (c *closable) fulfillLate() {
	c.t.Helper()
	late := ledger.Transfer{DebitAccountID: c.ids.Arrears, CreditAccountID: c.own.Liquidity, Amount: units(5), Code: chart.CodeCorrection}
	collect := ledger.Transfer{
		DebitAccountID: c.ids.Peer, CreditAccountID: c.ids.Arrears, Amount: ledger.AmountMax, Code: chart.CodeCollection,
		Flags: ledger.TransferBalancingDebit | ledger.TransferBalancingCredit,
	}
	require.True(c.t, c.tryBook(late, collect) || c.tryBook(late), "no limit refuses it")
	c.moved -= 5
}

func (c *closable) giveUp() {
	c.t.Helper()
	gone := balance(c.t, c.book, c.account).Arrears.Min(units(5))
	require.True(c.t, c.tryBook(ledger.Transfer{
		DebitAccountID: c.own.Suspense, CreditAccountID: c.ids.Arrears, Amount: gone, Code: chart.CodeAdjust, UserData32: 1,
	}))
	c.moved += int64(gone.Lo)
}

func (c *closable) holdPacket(row ledger.Transfer) {
	c.t.Helper()
	row.Flags = ledger.TransferPending
	rows := []ledger.Transfer{row}
	if c.tryBook(rows...) {
		c.holds = append(c.holds, rows[0].ID)
	}
}

// requireRefusal requires that an error, if any, tells the operator what to do next.
func (c *closable) requireRefusal(err error) {
	c.t.Helper()
	if err != nil && !errors.Is(err, accounts.ErrHeld) && !errors.Is(err, accounts.ErrOwed) {
		require.ErrorIs(c.t, err, accounts.ErrLineConflict)
		require.True(c.t, c.others, "%v", err)
	}
}

// writtenOff returns the sum moved to suspense by closings, as a change of the position.
func (c *closable) writtenOff() int64 {
	c.t.Helper()
	sum := int64(0)
	for _, id := range []ledger.ID{c.ids.Peer, c.ids.Arrears} {
		rows, err := c.ledger.GetAccountTransfers(c.t.Context(), ledger.AccountFilter{
			AccountID: id, Code: chart.CodeAdjust, Limit: 100, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
		})
		require.NoError(c.t, err)
		for _, row := range rows {
			switch {
			case row.UserData32 != closingReason:
			case row.DebitAccountID == id:
				sum -= int64(row.Amount.Lo)
			default:
				sum += int64(row.Amount.Lo)
			}
		}
	}
	return sum
}

// requireAllOrNothing requires that the peer is closed and booked in full, or unchanged.
func (c *closable) requireAllOrNothing(err error) {
	c.t.Helper()
	b, off := balance(c.t, c.book, c.account), c.writtenOff()
	require.Equal(c.t, c.start.Int64()+c.moved+off, b.Position().Int64(), "the position is what happened")
	c.requireRefusal(err)
	for _, hold := range c.holds { // held amounts can still be fulfilled
		resolveHold(c.t, c.ledger, hold, ledger.TransferPostPending)
	}
	switch {
	case err == nil:
		require.True(c.t, b.Closed)
		require.Empty(c.t, c.holds)
		require.Zero(c.t, b.Position().Sign())
		require.Zero(c.t, b.Arrears)
	case c.finished:
		require.True(c.t, b.Closed, "%v", err)
		require.True(c.t, b.Suspended, "%v", err)
	case b.Closed && !c.others:
		require.True(c.t, c.wrote, "%v", err)
		require.NotZero(c.t, off)
	case !c.others:
		require.Zero(c.t, off, "nothing is written off: %v", err)
		require.Equal(c.t, c.suspended, b.Suspended, "%v", err)
	}
}

// testCloseRaces runs every happening before every request of a closing.
func testCloseRaces(t *testing.T, l ledger.Ledger) {
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 11))
	book, races := newBookWithoutRound(t, l), 0
	for standing := range standings {
		for _, force := range []bool{false, true} {
			h := happenings[random.IntN(len(happenings))]
			for at := 1; ; at++ {
				races++
				c := newClosable(t, l, book, fmt.Sprint("peer", races), standing)
				if !c.raceAt(at, force, h.do) {
					break
				}
			}
		}
	}
	require.Greater(t, races, 60)
	ledgertest.RequireNothingHeld(t, l)
}

// raceAt reports whether the closing reached the request with the happening.
func (c *closable) raceAt(at int, force bool, happens func(*closable)) bool {
	c.t.Helper()
	r := &racing{Ledger: c.ledger, at: at, happens: func() { happens(c) }}
	err := newBookWithoutRound(c.t, r).ClosePeer(c.t.Context(), c.account, accounts.CloseOptions{Force: force, ReasonCode: closingReason})
	c.requireAllOrNothing(err)
	return r.asked >= at
}

// All combinations, feasible on a fast ledger only.
func TestCloseRaces(t *testing.T) {
	t.Parallel()
	for i, s := range standings {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			book := newBookWithoutRound(t, l)
			for _, h := range happenings {
				for _, force := range []bool{false, true} {
					for at := 1; ; at++ {
						name := fmt.Sprintf("%s, force %v, before request %d", h.name, force, at)
						c := newClosable(t, l, book, name, i)
						if !c.raceAt(at, force, h.do) {
							break
						}
						require.False(t, t.Failed(), name)
					}
				}
			}
			ledgertest.RequireNothingHeld(t, l)
		})
	}
}

// testCloseCrashes ends the process before and after every request of a closing. Then a happening
// is run, or none, and the closing is called again.
func testCloseCrashes(t *testing.T, l ledger.Ledger) {
	book, crashes := newBookWithoutRound(t, l), 0
	quiet := func(*closable) {}
	for standing := range standings {
		for _, force := range []bool{false, true} {
			for _, happens := range []func(*closable){quiet, happenings[crashes%5].do} {
				again := accounts.CloseOptions{Force: crashes%3 > 0, ReasonCode: closingReason}
				for at := 1; ; at++ {
					c := newClosable(t, l, book, fmt.Sprint("peer", crashes), standing)
					crashes++
					r := &racing{Ledger: l, at: at, dies: at%2 == 0, diesAfter: at%2 == 1}
					kind := accounts.CloseOptions{Force: force, ReasonCode: closingReason}
					err := newBookWithoutRound(t, r).ClosePeer(t.Context(), c.account, kind)
					if r.asked < at {
						break
					}
					require.ErrorIs(t, err, errAway)
					b := balance(t, book, c.account)
					c.finished = b.Closed && b.Position().Sign() == 0 && b.Arrears.IsZero()
					happens(c)
					c.requireAllOrNothing(book.ClosePeer(t.Context(), c.account, again))
				}
			}
		}
	}
	ledgertest.RequireNothingHeld(t, l)
}

func newBookWithoutRound(t *testing.T, l ledger.Ledger) *accounts.Book {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}, SuspensionPollInterval: time.Nanosecond,
		LiquidityFloors: map[accounts.Asset]accounts.Decimal{usd: "-1"},
	})
	require.NoError(t, err)
	return book
}

// Two happenings: arrears grow, and shrink right before the closing writes again.
func TestCloseRacesTwice(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book, refused := newBookWithoutRound(t, l), 0
	for standing := range standings {
		for at := 1; ; at++ {
			c := newClosable(t, l, book, fmt.Sprint(standing, " before request ", at), standing)
			c.wrote = true
			r := &racing{Ledger: l, at: at, happens: c.fulfillLate, then: c.giveUp}
			err := newBookWithoutRound(t, r).ClosePeer(t.Context(), c.account, accounts.CloseOptions{Force: true, ReasonCode: closingReason})
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
	for i, h := range happenings[:6] {
		c := newClosable(t, l, newBookWithoutRound(t, l), h.name, 2)
		r := &beforeClosing{Ledger: l, happens: func() { h.do(c) }}
		err := newBookWithoutRound(t, r).ClosePeer(t.Context(), c.account, accounts.CloseOptions{Force: true, ReasonCode: closingReason})
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
	happens func()
}

func (l *beforeClosing) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if action := l.happens; action != nil && rows[len(rows)-1].Code == chart.CodeClose {
		l.happens = nil
		action()
	}
	return l.Ledger.CreateTransfers(ctx, rows)
}

// testCloseFinished returns a payment of a closed peer after its closing has finished: a later
// closing must not take it for its own unfinished work.
func testCloseFinished(t *testing.T, l ledger.Ledger) {
	ctx, book := t.Context(), newBookWithoutRound(t, l)
	c := newClosable(t, l, book, "alice", 0)
	require.NoError(t, book.ClosePeer(ctx, c.account, accounts.CloseOptions{}))
	require.True(t, c.tryBook(ledger.Transfer{
		DebitAccountID: c.ids.Arrears, CreditAccountID: c.ids.Settlement, Amount: units(50), Code: chart.CodeReturned,
	}))
	var owed *accounts.OwedError
	err := book.ClosePeer(ctx, c.account, accounts.CloseOptions{})
	require.ErrorAs(t, err, &owed)
	require.Equal(t, accounts.OwedError{Account: c.account, Asset: usd, Receivable: units(50), Arrears: units(50)}, *owed)
	require.ErrorContains(t, err, "alice on ledger 1 owes us 0.000000050 USD, of which 0.000000050 USD is arrears")
	b := balance(t, book, c.account)
	require.True(t, b.Closed, "as before")
	require.True(t, b.Suspended)

	force := accounts.CloseOptions{Force: true, ReasonCode: closingReason}
	require.NoError(t, book.ClosePeer(ctx, c.account, force))
	b = balance(t, book, c.account)
	require.True(t, b.Closed)
	require.Zero(t, b.Position().Sign())
	require.Equal(t, int64(50), c.writtenOff())

	// From reopening on the suspension is an operator's.
	require.NoError(t, book.ReopenPeer(ctx, c.account))
	hold := movePacket(t, l, c.ids.Peer, c.own.Liquidity, 3, ledger.TransferPending)
	require.ErrorIs(t, book.ClosePeer(ctx, c.account, force), accounts.ErrHeld)
	b = balance(t, book, c.account)
	require.False(t, b.Closed)
	require.True(t, b.Suspended, "as before")
	resolveHold(t, l, hold, ledger.TransferPostPending)
	require.Equal(t, []bool{true, false, true}, c.suspensions(), "closed; reopened, and so an operator's")

	// A suspension by an operator is left alone, with its reason code.
	require.NoError(t, book.ClosePeer(ctx, c.account, force))
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
		require.NoError(t, book.ClosePeer(t.Context(), c.account, accounts.CloseOptions{}))
		c.fulfillLate()
		c.finished = true
		r := &racing{Ledger: l, at: at, happens: c.giveUp}
		err := newBookWithoutRound(t, r).ClosePeer(t.Context(), c.account, accounts.CloseOptions{Force: true, ReasonCode: closingReason})
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
	require.NoError(t, book.ClosePeer(t.Context(), c.account, accounts.CloseOptions{}))
	c.requireAllOrNothing(nil)
	require.Zero(t, c.writtenOff())
	ledgertest.RequireNothingHeld(t, l)
}

// interruptClosing ends a forced closing right after the account is closed.
func (c *closable) interruptClosing() {
	c.t.Helper()
	for at := 1; !balance(c.t, c.book, c.account).Closed; at++ {
		r := &racing{Ledger: c.ledger, at: at, diesAfter: true}
		err := newBookWithoutRound(c.t, r).ClosePeer(c.t.Context(), c.account, accounts.CloseOptions{Force: true, ReasonCode: closingReason})
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
		r := &racing{Ledger: l, at: at, happens: func() {
			require.NoError(t, book.ClosePeer(t.Context(), c.account, accounts.CloseOptions{Force: true, ReasonCode: closingReason}))
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
	require.NoError(t, book.ClosePeer(ctx, earned.account, accounts.CloseOptions{}))
	require.Zero(t, balance(t, book, earned.account).Arrears)
	require.Zero(t, earned.writtenOff())

	// The unused line covers the arrears, which then count as a receivable in the line.
	beside := newClosable(t, l, book, "bob", 3)
	var owed *accounts.OwedError
	require.ErrorAs(t, book.ClosePeer(ctx, beside.account, accounts.CloseOptions{}), &owed)
	require.Equal(t, accounts.OwedError{Account: beside.account, Asset: usd, Receivable: units(25)}, *owed)
	require.Equal(t, units(75), balance(t, book, beside.account).Headroom)

	// Uncollectable arrears are written off from the arrears account, and the rest from the peer
	// account.
	beyond := newClosable(t, l, book, "carol", 5)
	require.NoError(t, book.ClosePeer(ctx, beyond.account, accounts.CloseOptions{Force: true, ReasonCode: closingReason}))
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
