package accounts_test

import (
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

// bookOn makes a model's book on a ledger in front of the model's.
func (m *statementModel) bookOn(l ledger.Ledger, noHistory bool) *accounts.Book {
	m.t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: m.t.Name(), Assets: []accounts.Asset{usd, xrp}, NoHistory: noHistory,
	})
	require.NoError(m.t, err)
	return book
}

// narrow refuses requests for more than most rows, like a server with --development.
type narrow struct {
	ledger.Ledger
	most uint32
}

func (n *narrow) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	if f.Limit > n.most {
		return nil, fmt.Errorf("narrow: %w", ledger.ErrTooMuchData)
	}
	return n.Ledger.GetAccountTransfers(ctx, f)
}

func TestStatementOnALedgerOfSmallRequests(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	for _, noHistory := range []bool{false, true} {
		t.Run(fmt.Sprintf("without history %v", noHistory), func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			c := newStatementModel(t, l, seed, noHistory)
			for range 40 {
				c.step()
			}
			want := c.statement(time.Time{}, time.Time{})
			for _, limit := range []uint32{1, 7, 253} {
				s, err := c.bookOn(&narrow{l, limit}, noHistory).Statement(
					t.Context(), c.peers[0], time.Time{}, time.Time{}, accounts.WithKnownAccounts(c.peers...))
				require.NoError(t, err)
				require.Equal(t, collectEntries(t, want.Entries(t.Context())), collectEntries(t, s.Entries(t.Context())))
			}
			ledgertest.RequireNothingHeld(t, l)
		})
	}
}

// meddler changes the credit line after every request for a balance.
type meddler struct {
	ledger.Ledger
	meddle func()
}

func (m *meddler) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	rows, err := m.Ledger.GetAccountBalances(ctx, f)
	m.meddle()
	return rows, err
}

// A statement may begin after the newest row: at a moment that the ledger's clock has not
// reached, for example. Rows written while it is opened are not in its balances.
func TestStatementOpenedWhileTheLineChanges(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	c := newStatementModel(t, l, 1, false)
	c.create(c.leg(chart.CodePacket, c.peers[1].ID(), 5, 77))
	book := c.bookOn(&meddler{l, func() {
		_, err := c.book.ExtendCredit(t.Context(), c.peers[0], units(1000))
		require.NoError(t, err)
	}}, false)
	now := time.Now()
	for _, window := range [][2]time.Time{
		{}, {now.Add(time.Hour)}, {now.Add(-time.Hour), now.Add(time.Hour)}, {now.Add(time.Hour), now.Add(2 * time.Hour)},
	} {
		s, err := book.Statement(t.Context(), c.peers[0], window[0], window[1])
		require.NoError(t, err)
		require.Equal(t, int64(5), s.Closing.Position.Int64(), window)
		collectEntries(t, s.Entries(t.Context()))
	}
	ledgertest.RequireNothingHeld(t, l)
}

// The accounts of a different namespace have lines unknown to this Book: their positions would be
// wrong by these lines.
func TestStatementOfAnotherNamespace(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	c := newStatementModel(t, l, 1, false)
	other, err := accounts.NewBook(l, accounts.Config{Namespace: "another", Assets: []accounts.Asset{usd, xrp}})
	require.NoError(t, err)
	_, err = other.Statement(t.Context(), c.peers[0], time.Time{}, time.Time{})
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	own, err := c.book.OwnAccount(usd)
	require.NoError(t, err)
	_, err = other.Statement(t.Context(), own, time.Time{}, time.Time{})
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	ledgertest.RequireNothingHeld(t, l)
}

// outage fails one request, counted from 1.
type outage struct {
	ledger.Ledger
	at, asked int
}

var errAway = errors.New("away")

func (f *outage) next() error {
	if f.asked++; f.asked == f.at {
		return errAway
	}
	return nil
}

func (f *outage) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.Ledger.GetAccountTransfers(ctx, filter)
}

func (f *outage) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.Ledger.GetAccountBalances(ctx, filter)
}

func (f *outage) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if err := f.next(); err != nil {
		return nil, err
	}
	return f.Ledger.LookupAccounts(ctx, ids)
}

// Whichever request fails: the error comes once and last, and without an error the statement is
// complete.
func TestStatementWithEveryRequestFailing(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	for _, noHistory := range []bool{false, true} {
		t.Run(fmt.Sprintf("without history %v", noHistory), func(t *testing.T) {
			t.Parallel()
			l := newLedger(t)
			c := newStatementModel(t, l, seed, noHistory)
			for range 12 {
				c.step()
			}
			complete := len(c.want)
			from := collectEntries(t, c.statement(time.Time{}, time.Time{}).Entries(t.Context()))[2].Time
			for at := 1; ; at++ {
				f := &outage{Ledger: l, at: at}
				s, err := c.bookOn(f, noHistory).Statement(t.Context(), c.peers[0], from, time.Time{}, accounts.WithPageSize(3))
				if err != nil {
					require.ErrorIs(t, err, errAway)
					continue
				}
				read, errs := 0, []error(nil)
				for _, err := range s.Entries(t.Context()) {
					require.Empty(t, errs, "nothing follows an error")
					if err != nil {
						errs = append(errs, err)
						continue
					}
					read++
				}
				if f.asked < at {
					require.Empty(t, errs)
					require.Equal(t, complete-2, read)
					return
				}
				require.Len(t, errs, 1)
				require.ErrorIs(t, errs[0], errAway)
			}
		})
	}
}

// Packets and lines change while statements are read, some of them beginning just now: each
// statement is exact by itself, with a history and without.
func testStatementsOfAMovingAccount(t *testing.T, l ledger.Ledger) {
	for _, noHistory := range []bool{false, true} {
		t.Run(fmt.Sprintf("without history %v", noHistory), func(t *testing.T) {
			c := newStatementModel(t, l, 1, noHistory)
			var left atomic.Int64
			var writers sync.WaitGroup
			write := func(step func() error) {
				left.Add(1)
				writers.Go(func() {
					defer left.Add(-1)
					for range 60 {
						if err := step(); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			write(func() error {
				_, err := l.CreateTransfers(t.Context(), []ledger.Transfer{c.leg(chart.CodePacket, c.peers[1].ID(), 5, 1)})
				return err
			})
			write(func() error {
				_, err := c.book.ExtendCredit(t.Context(), c.peers[0], units(7))
				return err
			})
			for n := 0; n < 3 || left.Load() > 0; n++ {
				from := time.Time{}
				if n%2 == 1 {
					from = time.Now()
				}
				s := c.statement(from, time.Time{}, accounts.WithPageSize(20))
				sum := new(big.Int).Set(s.Opening.Position)
				require.Zero(t, sum.Int64()%5, "a line is in no position")
				for _, e := range collectEntries(t, s.Entries(t.Context())) {
					sum.Add(sum, e.Amount)
				}
				require.Zero(t, sum.Cmp(s.Closing.Position))
			}
			writers.Wait()
			require.Equal(t, int64(300), c.statement(time.Time{}, time.Time{}).Closing.Position.Int64())
			ledgertest.RequireNothingHeld(t, l)
		})
	}
}
