package accounts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var statementScenarios = []scenario{
	{"statement of every kind of entry", testStatement},
	{"statements add up however they are cut", testStatementsAddUp},
	{"statements while others write", testStatementWhileWriting},
	{"statement written and read", testStatementWritten},
	{"statements while packets and lines change", testStatementsOfAMovingAccount},
	{"statement of what was paid and given up", testStatementOfMoney},
}

func testStatement(t *testing.T, l ledger.Ledger) {
	seed := ledgertest.Seed(t)
	for _, noHistory := range []bool{false, true} {
		t.Run(fmt.Sprintf("without history %v", noHistory), func(t *testing.T) {
			c := newStatementModel(t, l, seed, noHistory)
			for range 60 {
				c.step()
			}
			want := balance(t, c.book, c.peers[0])
			var before []accounts.Entry
			for _, page := range []int{1, 2, 3, 7, ledger.QueryMax} {
				s := c.statement(time.Time{}, time.Time{}, accounts.WithPageSize(page))
				require.Zero(t, s.Opening.Position.Sign())
				require.Equal(t, want.Position().String(), s.Closing.Position.String())
				require.Equal(t, want.CreditLine, s.Closing.CreditLine)
				require.Equal(t, want.Arrears, s.Closing.Arrears)
				entries := collectEntries(t, s.Entries(t.Context()))
				require.Len(t, entries, len(c.want))
				sum := new(big.Int)
				for i, e := range entries {
					require.Equal(t, c.want[i], wantEntry{e.Kind, e.Amount.Int64(), e.Counterparty.String()}, i)
					require.Equal(t, sum.Add(sum, e.Amount).String(), e.Position.String())
				}
				if before != nil {
					require.Equal(t, before, entries, "pages make no difference")
				}
				before = entries
				withHolds := collectEntries(t, c.statement(time.Time{}, time.Time{}, accounts.WithPageSize(page), accounts.WithHolds()).Entries(t.Context()))
				require.Len(t, withHolds, len(c.want)+c.holds)
			}
			last := before[len(before)-1]
			require.Equal(t, want.CreditLine, last.CreditLine)
		})
	}
	ledgertest.RequireNothingHeld(t, l)
}

func testStatementsAddUp(t *testing.T, l ledger.Ledger) {
	seed := ledgertest.Seed(t)
	for _, noHistory := range []bool{false, true} {
		t.Run(fmt.Sprintf("without history %v", noHistory), func(t *testing.T) {
			c := newStatementModel(t, l, seed, noHistory)
			for range 40 {
				c.step()
			}
			complete := collectEntries(t, c.statement(time.Time{}, time.Time{}).Entries(t.Context()))
			for range 10 { // cut at the times of some entries, or a moment beside them
				var cuts []time.Time
				for range 3 {
					at := complete[c.random.IntN(len(complete))].Time
					cuts = append(cuts, at.Add(time.Duration(c.random.IntN(3)-1)))
				}
				c.requireParts(complete, cuts)
			}
		})
	}
}

func testStatementWhileWriting(t *testing.T, l ledger.Ledger) {
	c := newStatementModel(t, l, ledgertest.Seed(t), false)
	var left atomic.Int64
	var writers sync.WaitGroup
	for range 3 {
		left.Add(1)
		writers.Go(func() {
			defer left.Add(-1)
			for range 100 {
				rows := []ledger.Transfer{c.leg(chart.CodePacket, c.peers[1].ID(), 5, 1), c.leg(chart.CodePacket, c.peers[1].ID(), -2, 2)}
				if _, err := l.CreateTransfers(t.Context(), rows); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var last *accounts.Statement
	for n := 0; n < 3 || left.Load() > 0; n++ {
		s := c.statement(time.Time{}, time.Time{}, accounts.WithPageSize(50))
		for range 2 { // every iteration yields the same
			entries := collectEntries(t, s.Entries(t.Context()))
			require.Equal(t, s.Closing.Position.String(), entries[len(entries)-1].Position.String())
		}
		last = s
	}
	writers.Wait()
	require.LessOrEqual(t, last.Closing.Position.Int64(), balance(t, c.book, c.peers[0]).Position().Int64())
	ledgertest.RequireNothingHeld(t, l)
}

func TestStatementOfOurOwn(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	c := newStatementModel(t, l, ledgertest.Seed(t), false)
	_, err := c.book.Fund(t.Context(), accounts.Capital{Asset: usd, Key: "k", Amount: units(100)})
	require.NoError(t, err)
	c.create(c.leg(chart.CodeConversion, c.own.Liquidity, -40, 9))
	own, err := c.book.OwnAccount(usd)
	require.NoError(t, err)
	s, err := c.book.Statement(t.Context(), own, time.Time{}, time.Time{})
	require.NoError(t, err)
	require.Equal(t, int64(140), s.Closing.Position.Int64())
	entries := collectEntries(t, s.Entries(t.Context()))
	require.Len(t, entries, 2)
	require.Equal(t, accounts.EntryFunding, entries[0].Kind)
	require.Equal(t, "outside", entries[0].Counterparty.String())
	require.Equal(t, "peer account "+c.peers[0].ID().String(), entries[1].Counterparty.String())
}

func TestStatementOfNothing(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	alice := provision(t, book, 0, "alice")[0]
	now := time.Now()
	for _, c := range []struct{ from, to time.Time }{
		{},
		{from: now.Add(time.Hour)},
		{to: now.Add(-time.Hour)},
		{from: now.AddDate(-500, 0, 0), to: now.AddDate(-400, 0, 0)},
		{from: now.AddDate(500, 0, 0)},
		{to: now.AddDate(500, 0, 0)},
		{from: time.Unix(0, -5), to: time.Unix(0, 1)},
	} {
		s, err := book.Statement(t.Context(), alice, c.from, c.to)
		require.NoError(t, err)
		require.Empty(t, collectEntries(t, s.Entries(t.Context())))
		require.Zero(t, s.Closing.Position.Sign())
	}
	_, err := book.Statement(t.Context(), alice, now, now)
	requireField(t, err, "To")
	_, err = book.Statement(t.Context(), mustAccount(t, book, "stranger"), time.Time{}, time.Time{})
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = book.Statement(t.Context(), accounts.PeerAccount{}, time.Time{}, time.Time{})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
}

// unreadable fails from a number of pages on, or leaves a row out.
type unreadable struct {
	ledger.Ledger
	pages int
	skip  bool
}

func (u *unreadable) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	rows, err := u.Ledger.GetAccountTransfers(ctx, f)
	if f.Flags&ledger.AccountFilterReversed != 0 {
		return rows, err
	}
	if u.pages--; u.pages < 0 && !u.skip {
		return nil, errors.New("away")
	}
	if u.skip && len(rows) > 1 {
		rows = append(rows[:0:0], rows[1:]...)
	}
	return rows, err
}

func TestStatementIsNeverSilentlyCut(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	c := newStatementModel(t, l, ledgertest.Seed(t), false)
	for range 30 {
		c.step()
	}
	broken := &unreadable{Ledger: l, pages: 3}
	book, err := accounts.NewBook(broken, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}})
	require.NoError(t, err)
	s, err := book.Statement(t.Context(), c.peers[0], time.Time{}, time.Time{}, accounts.WithPageSize(4))
	require.NoError(t, err)
	var errs []error
	for _, err := range s.Entries(t.Context()) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	require.Len(t, errs, 1)
	require.ErrorContains(t, errs[0], "statement of alice on ledger 1: away")
	var text bytes.Buffer
	broken.pages = 2
	require.Error(t, accounts.WriteCSV(t.Context(), &text, s))
	require.NotContains(t, text.String(), "closing")
	broken.pages = 2
	require.Error(t, accounts.WriteJSON(t.Context(), &text, s))

	broken.skip = true // a row is missing
	s, err = book.Statement(t.Context(), c.peers[0], time.Time{}, time.Time{})
	require.NoError(t, err)
	var last error
	for _, last = range s.Entries(t.Context()) {
	}
	require.ErrorIs(t, last, accounts.ErrStatement)
}
