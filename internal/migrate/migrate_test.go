package migrate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// No migration leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a clock that tests advance.
type clock struct{ now atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.now.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) currentTime() time.Time  { return time.Unix(0, c.now.Load()) }
func (c *clock) advance(d time.Duration) { c.now.Add(int64(d)) }
func (c *clock) Sleep(d time.Duration)   { c.advance(d) }

// slept is an embedded ledger whose time advances when a program sleeps.
type slept struct {
	*embedded.Ledger
	*clock
}

// newMigration returns a migration between two ledgers on one clock.
func newMigration(t *testing.T, c *clock, from, to ledger.Ledger, pageSize int) *migration {
	t.Helper()
	return &migration{ctx: t.Context(), from: from, to: to, now: c.currentTime, pageSize: pageSize, requestMax: ledger.BatchMax, holds: newOpenHolds()}
}

func newLedger(t *testing.T, c *clock) *embedded.Ledger {
	t.Helper()
	l := embedded.New(embedded.WithClock(c.currentTime))
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// All rows of a random program arrive, with any size of requests, and a second run changes nothing.
func TestRandomPrograms(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	for i := range uint64(12) {
		t.Run(fmt.Sprint(seed+i), func(t *testing.T) {
			t.Parallel()
			c := newClock()
			from, to := newLedger(t, c), newLedger(t, c)
			ledgertest.RunProgram(t, slept{from, c}, seed+i)
			c.advance(240 * time.Hour) // all holds end
			for _, most := range []int{int(1 + (seed+i)%40), 2000} {
				result, err := newMigration(t, c, from, to, most).runSteps()
				require.NoError(t, err)
				require.Equal(t, most == 2000, result.AlreadyCopied == result.Accounts+result.Transfers+result.Expired, "%+v", result)
			}
			ledgertest.RequireConserved(t, to)
		})
	}
}

// failing fails some requests, before or after they are executed.
type failing struct {
	ledger.Ledger
	count int
	every int
}

var errLost = errors.New("lost")

func (f *failing) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	f.count++
	if f.count%f.every == 0 {
		return nil, errLost
	}
	results, err := f.Ledger.CreateTransfers(ctx, events)
	if f.count%f.every == 1 {
		return nil, errLost
	}
	return results, err
}

func (f *failing) CreateAccounts(ctx context.Context, events []ledger.Account) ([]ledger.CreateAccountResult, error) {
	f.count++
	results, err := f.Ledger.CreateAccounts(ctx, events)
	if f.count%f.every == 1 {
		return nil, errLost
	}
	return results, err
}

// A migration that is interrupted many times continues each time.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	c := newClock()
	from, to := newLedger(t, c), &failing{Ledger: newLedger(t, c), every: 4}
	ledgertest.RunProgram(t, slept{from, c}, seed)
	c.advance(240 * time.Hour)
	runs := 0
	for ; ; runs++ {
		require.Less(t, runs, 10_000)
		_, err := newMigration(t, c, from, to, 7).runSteps()
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errLost)
	}
	require.Positive(t, runs)
	ledgertest.RequireConserved(t, to)
}

// newClient returns a connector's client on a ledger.
func newClient(t *testing.T, l ledger.Ledger, c *clock) *peerledger.Client {
	t.Helper()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	client, err := peerledger.New(notClosed{l}, peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}}, Recorder: transfers.Config{Clock: c.currentTime},
	})
	require.NoError(t, err)
	return client
}

type notClosed struct{ ledger.Ledger }

func (notClosed) Close() error { return nil }

// The library continues on the new ledger: balances, statements, lines, suspensions, and new
// packets.
func TestTheLibraryGoesOn(t *testing.T) {
	t.Parallel()
	c := newClock()
	from, to := newLedger(t, c), newLedger(t, c)
	old := newClient(t, from, c)
	usd := old.Book.Assets()[0]
	peers := []accounts.PeerConfig{{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000)}, {ID: "bob", Asset: usd}, {ID: "carol", Asset: usd}}
	handles, err := old.Provision(t.Context(), peers...)
	require.NoError(t, err)
	alice, bob, carol := handles[0], handles[1], handles[2]
	packet := func(client *peerledger.Client, in uint64, resolve bool) {
		held, err := client.Recorder.Prepare(t.Context(), transfers.Packet{From: alice, To: bob, In: in, Out: in - 1, Expiry: c.currentTime().Add(20 * time.Second)})
		require.NoError(t, err)
		if resolve {
			_, err = client.Recorder.Fulfill(t.Context(), held.Packet)
			require.NoError(t, err)
		}
		c.advance(time.Second)
	}
	packet(old, 100, true)
	packet(old, 50, false) // expires
	packet(old, 30, true)
	require.NoError(t, old.Book.SuspendPeer(t.Context(), carol))
	_, err = old.Book.ExtendCredit(t.Context(), alice, ledger.NewAmount(500))
	require.NoError(t, err)
	require.NoError(t, old.Close(t.Context()))
	c.advance(time.Hour)
	want, err := old.Book.Balances(t.Context(), handles...)
	require.NoError(t, err)

	result, err := newMigration(t, c, from, to, 3).runSteps()
	require.NoError(t, err)
	require.Equal(t, 2, result.Expired, "the two legs of the packet that expired")

	moved := newClient(t, to, c)
	again, err := moved.Provision(t.Context(), peers[1:]...) // alice's line has changed since
	require.NoError(t, err)
	require.Equal(t, handles[1:], again)
	got, err := moved.Book.Balances(t.Context(), handles...)
	require.NoError(t, err)
	require.Equal(t, want, got)
	statement, err := moved.Book.Statement(t.Context(), alice, time.Time{}, time.Time{})
	require.NoError(t, err)
	for _, err := range statement.Entries(t.Context()) {
		require.NoError(t, err)
	}
	packet(moved, 200, true)
	_, err = moved.Book.SetCreditLine(t.Context(), alice, ledger.NewAmount(2000))
	require.NoError(t, err)
	require.NoError(t, moved.Book.ResumePeer(t.Context(), carol))
	require.NoError(t, moved.Close(t.Context()))
	ledgertest.RequireConserved(t, to)
	ledgertest.RequireNothingHeld(t, to)
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := newClock()
	from, to := newLedger(t, c), newLedger(t, c)
	fill := func(l ledger.Ledger, first uint64) {
		_, err := l.CreateAccounts(t.Context(), []ledger.Account{{ID: ledger.NewID(first, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(first+1, 0), Ledger: 1, Code: 1}})
		require.NoError(t, err)
		_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{{
			ID: ledger.NewID(first, 0), DebitAccountID: ledger.NewID(first, 0), CreditAccountID: ledger.NewID(first+1, 0), Amount: ledger.NewAmount(5), Ledger: 1, Code: 1,
		}})
		require.NoError(t, err)
		c.advance(time.Second)
	}
	fill(from, 1)
	c.advance(time.Minute)
	fill(from, 3)
	_, err := newMigration(t, c, from, to, 1).runSteps()
	require.ErrorIs(t, err, ErrTooYoung)
	copied, err := to.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 1})
	require.NoError(t, err)
	require.Empty(t, copied, "it is said before anything is copied")
	c.advance(time.Minute)
	_, err = newMigration(t, c, from, to, 10).runSteps()
	require.NoError(t, err)

	other := newLedger(t, c)
	fill(other, 7)
	c.advance(time.Minute)
	_, err = newMigration(t, c, from, other, 10).runSteps()
	require.ErrorIs(t, err, ErrNotEmpty)

	// Another program writes to the new ledger meanwhile.
	fill(to, 8)
	c.advance(time.Minute)
	_, err = newMigration(t, c, from, to, 10).runSteps()
	require.ErrorIs(t, err, ErrNotEmpty)
}

func ExampleRun() {
	from, to := embedded.New(), embedded.New()
	result, err := Run(context.Background(), from, to, ledger.BatchMax, nil)
	fmt.Println(result, err)
	// Output: {0 0 0 0 0} migrate: the old ledger is empty
}
