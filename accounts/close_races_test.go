package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var closingScenarios = []scenario{
	{"peer closed during a concurrent action", testCloseRaces},
	{"peer closed by a process that ends", testCloseCrashes},
	{"peer closed and in arrears later", testCloseFinished},
	{"peer whose closing was interrupted", testCloseInterrupted},
	{"peer closed and its arrears collected", testCloseCollects},
}

// racing counts the requests of a call. Right before one of them it runs a function, or ends the
// process.
type racing struct {
	ledger.Ledger
	at, asked    int
	runMeanwhile func()
	then         func() // run right before the next transfers after the first function
	dies         bool   // ends right before the request
	diesAfter    bool   // the request is done, and its answer is lost
}

func (r *racing) runBefore() error {
	r.asked++
	switch {
	case r.asked == r.at && r.runMeanwhile != nil:
		r.runMeanwhile()
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

	moved     int64 // the change of the position by the concurrent action
	suspended bool  // by an operator, or by reopening
	others    bool  // concurrent calls have closed or opened the peer
	finished  bool  // closed for good before the concurrent action
	wrote     bool  // the peer may be closed for good, and owe the amount of the concurrent action
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

// concurrentActions are calls and bookings of other programs during a closing.
var concurrentActions = []struct {
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
		err := c.book.SuspendPeer(c.t.Context(), c.account, accounts.WithReasonCode(666))
		if c.suspended = err == nil; err != nil {
			require.ErrorIs(c.t, err, accounts.ErrPeerClosed)
		}
	}},
	{"an operator resumes it", func(c *closable) {
		if err := c.book.ResumePeer(c.t.Context(), c.account); err != nil {
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
		c.requireRefusal(c.book.ClosePeer(c.t.Context(), c.account))
	}},
	{"another closes it by force", func(c *closable) {
		c.others = true
		c.requireRefusal(c.book.ClosePeer(c.t.Context(), c.account, accounts.WithForce(), accounts.WithReasonCode(closingReason)))
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

// testCloseRaces runs every concurrent action before every request of a closing.
func testCloseRaces(t *testing.T, l ledger.Ledger) {
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 11))
	book, races := newBookWithoutRound(t, l), 0
	for standing := range standings {
		for _, force := range []bool{false, true} {
			h := concurrentActions[random.IntN(len(concurrentActions))]
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

func closeOptions(force bool) []accounts.CloseOption {
	options := []accounts.CloseOption{accounts.WithReasonCode(closingReason)}
	if force {
		options = append(options, accounts.WithForce())
	}
	return options
}

// raceAt reports whether the closing reached the request with the concurrent action.
func (c *closable) raceAt(at int, force bool, runMeanwhile func(*closable)) bool {
	c.t.Helper()
	r := &racing{Ledger: c.ledger, at: at, runMeanwhile: func() { runMeanwhile(c) }}
	err := newBookWithoutRound(c.t, r).ClosePeer(c.t.Context(), c.account, closeOptions(force)...)
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
			for _, h := range concurrentActions {
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
