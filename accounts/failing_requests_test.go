package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var errRefused = errors.New("the ledger takes no request now")

// refusing refuses one request, the n-th from now on, or every request for more than a number of
// events or rows.
type refusing struct {
	ledger.Ledger
	n      int // 0: none
	failed bool
	most   int // 0: any number
	asked  int
}

func (f *refusing) refuse(size int) error {
	f.asked++
	if f.n > 0 {
		if f.n--; f.n == 0 {
			f.failed = true
			return errRefused
		}
	}
	if f.most > 0 && size > f.most {
		return fmt.Errorf("request of %d: %w", size, ledger.ErrTooMuchData)
	}
	return nil
}

func (f *refusing) CreateAccounts(ctx context.Context, rows []ledger.Account) ([]ledger.CreateAccountResult, error) {
	if err := f.refuse(len(rows)); err != nil {
		return nil, err
	}
	return f.Ledger.CreateAccounts(ctx, rows)
}

func (f *refusing) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if err := f.refuse(0); err != nil { // chains are not cut
		return nil, err
	}
	return f.Ledger.CreateTransfers(ctx, rows)
}

func (f *refusing) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if err := f.refuse(len(ids)); err != nil {
		return nil, err
	}
	return f.Ledger.LookupAccounts(ctx, ids)
}

func (f *refusing) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	if err := f.refuse(len(ids)); err != nil {
		return nil, err
	}
	return f.Ledger.LookupTransfers(ctx, ids)
}

func (f *refusing) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if err := f.refuse(int(filter.Limit)); err != nil {
		return nil, err
	}
	return f.Ledger.GetAccountTransfers(ctx, filter)
}

func (f *refusing) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	if err := f.refuse(int(filter.Limit)); err != nil {
		return nil, err
	}
	return f.Ledger.GetAccountBalances(ctx, filter)
}

func (f *refusing) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	if err := f.refuse(0); err != nil {
		return nil, err
	}
	return f.Ledger.QueryAccounts(ctx, filter)
}

func (f *refusing) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	if err := f.refuse(0); err != nil {
		return nil, err
	}
	return f.Ledger.QueryTransfers(ctx, filter)
}

// town is a book of peers in different states: alice owes us and has sent packets, we owe bob,
// carol is in arrears, dave is suspended, erin is closed, and frank was provisioned by a
// different process under an unknown name.
type town struct {
	ledger *refusing
	book   *accounts.Book
	peers  map[string]accounts.PeerAccount
}

func newTown(t *testing.T) *town {
	t.Helper()
	w := &town{ledger: &refusing{Ledger: newLedger(t)}, peers: make(map[string]accounts.PeerAccount)}
	ctx, other := t.Context(), newBookWithoutRound(t, w.ledger)
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank"}
	for i, a := range provision(t, other, 100, names...) {
		w.peers[names[i]] = a
	}
	alice, bob, carol := w.peers["alice"], w.peers["bob"], w.peers["carol"]
	movePacket(t, w.ledger, alice.ID(), bob.ID(), 60, 0)
	for i := range 3 {
		_, err := other.Adjust(ctx, accounts.Adjustment{
			Account: carol, Key: fmt.Sprint(i), Debit: units(60), ReasonCode: 1, BeyondHeadroom: true,
		})
		require.NoError(t, err)
	}
	require.Equal(t, units(80), balance(t, other, carol).Arrears)
	ids := other.PeerIDs(carol)
	for range 3 { // returned payments of carol
		back := ledger.Transfer{
			ID: randomID(), DebitAccountID: ids.Arrears, CreditAccountID: ids.Settlement, Amount: units(5),
			Ledger: usd.Ledger, Code: chart.CodeReturned,
		}
		results, err := w.ledger.CreateTransfers(ctx, []ledger.Transfer{back})
		require.NoError(t, err)
		require.Equal(t, ledger.TransferCreated, results[0].Status)
	}
	_, err := other.Fund(ctx, accounts.Capital{Asset: usd, Key: "capital", Amount: units(1000)})
	require.NoError(t, err)
	require.NoError(t, other.SuspendPeer(ctx, w.peers["dave"]))
	require.NoError(t, other.ClosePeer(ctx, w.peers["erin"]))
	w.book = newBookWithoutRound(t, w.ledger)
	for _, name := range names[:5] {
		mustAccount(t, w.book, name)
	}
	return w
}

// state returns the ledger's state of all peers, without values that differ from run to run.
func (w *town) state(t *testing.T) []string {
	t.Helper()
	book := newBookWithoutRound(t, w.ledger)
	var lines []string
	for name, a := range w.peers {
		b := balance(t, book, a)
		lines = append(lines, fmt.Sprint(name, ": ", b.CreditLine, b.Payable, b.Receivable, b.HeldIn, b.HeldOut, b.Settling,
			b.Arrears, b.Prepaid, b.Suspended, b.Closed))
	}
	slices.Sort(lines)
	positions, err := book.OwnPositions(t.Context())
	require.NoError(t, err)
	ledgertest.RequireNothingHeld(t, w.ledger)
	return append(lines, fmt.Sprint(positions[0].Liquidity, positions[0].Suspense))
}

// A call with a failing request returns an error, and does all of its work when called again.
func TestFailingRequestsOfCallsThatWrite(t *testing.T) {
	t.Parallel()
	for name, call := range writing {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clean := newTown(t)
			want, err := call(clean, t.Context())
			require.NoError(t, err)
			state := clean.state(t)
			for n := 1; ; n++ {
				w := newTown(t)
				if !w.failAt(t, n, call) {
					require.Greater(t, n, 1)
					return
				}
				got, err := call(w, t.Context())
				require.NoError(t, err, "request %d had failed", n)
				require.Equal(t, want, got, "request %d had failed", n)
				require.Equal(t, state, w.state(t), "request %d had failed", n)
			}
		})
	}
}

func TestFailingRequestsOfCallsThatRead(t *testing.T) {
	t.Parallel()
	for name, call := range reading {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			want, err := call(w, t.Context())
			require.NoError(t, err)
			for n := 1; ; n++ {
				w.forget(t)
				if !w.failAt(t, n, call) {
					require.Greater(t, n, 1)
					return
				}
				got, err := call(w, t.Context())
				require.NoError(t, err, "request %d had failed", n)
				require.Equal(t, want, got, "request %d had failed", n)
			}
		})
	}
}

// failAt calls with the n-th request refused; false if the call has fewer requests.
func (w *town) failAt(t *testing.T, n int, call call) bool {
	t.Helper()
	w.ledger.n, w.ledger.failed = n, false
	_, err := call(w, t.Context())
	w.ledger.n = 0
	if !w.ledger.failed {
		require.NoError(t, err)
		return false
	}
	require.ErrorIs(t, err, errRefused, "request %d", n)
	return true
}

// A prepayment takes several requests to read, and is unknown if one of them fails.
func TestFailingRequestsOfAPrepayment(t *testing.T) {
	t.Parallel()
	l := &refusing{Ledger: newLedger(t)}
	book := newBookWithoutRound(t, l)
	alice := provision(t, book, 100, "alice")[0]
	own, _ := book.AssetIDs(usd.Ledger)
	movePacket(t, l, own.Liquidity, alice.ID(), 40, 0)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: randomID(), DebitAccountID: book.PeerIDs(alice).Settlement, CreditAccountID: alice.ID(), Amount: units(25),
		Ledger: usd.Ledger, Code: chart.CodeIncoming,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	movePacket(t, l, alice.ID(), own.Liquidity, 20, 0) // packets use the prepayment first
	for n := 1; ; n++ {
		book = newBookWithoutRound(t, l) // with empty caches
		l.n, l.failed = n, false
		b, err := book.Balance(t.Context(), alice)
		if l.n = 0; !l.failed {
			require.NoError(t, err)
			require.Equal(t, units(5), b.Prepaid)
			require.Greater(t, n, 3)
			return
		}
		require.ErrorIs(t, err, errRefused, "request %d", n)
	}
}

// forget replaces the book by a new one with empty caches.
func (w *town) forget(t *testing.T) {
	t.Helper()
	w.book = newBookWithoutRound(t, w.ledger)
}

func (w *town) allPeers() []accounts.PeerAccount {
	var all []accounts.PeerAccount
	for _, name := range []string{"carol", "alice", "bob", "dave", "erin"} {
		all = append(all, w.peers[name])
	}
	return all
}
