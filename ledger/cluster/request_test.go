//go:build cgo

package cluster

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// awaitSessions waits, in virtual time, until n sessions are open.
func awaitSessions(t *testing.T, l *Ledger, n int) error {
	t.Helper()
	for range 1000 {
		if l.Stats().Sessions == n {
			return nil
		}
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // virtual time
	}
	return errors.New("sessions are not opened")
}

// The suite passes through this package. The recorded part is the embedded ledger's own test.
func TestConformanceOfTheEmbeddedLedger(t *testing.T) {
	t.Parallel()
	ledgertest.Run(t, func(t *testing.T) ledger.Ledger {
		t.Helper()
		return openFake(t, newServers(), Config{})
	})
}

// A call whose context ends returns at once. The native client may read the events long after, and
// finds them unchanged, even if the caller has changed its memory since.
func TestContextEndsWhileParked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		openAccounts(t, l)
		away := make(chan struct{})
		s.setNextFate(fate{before: away})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		transfers := []ledger.Transfer{newPayment(10, 0)}
		start := time.Now()
		_, err := l.CreateTransfers(ctx, transfers)
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(start))
		require.Equal(t, Stats{Sessions: 2, Calls: 1, Abandoned: 1}, l.Stats())

		transfers[0] = newPayment(11, 0)
		transfers[0].Amount = ledger.NewAmount(1000)
		close(away)
		synctest.Wait()
		require.Equal(t, Stats{Sessions: 2}, l.Stats())
		results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newPayment(10, 0)})
		require.NoError(t, err)
		require.Equal(t, ledger.TransferExists, results[0].Status)
		found, err := l.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(11, 0)})
		require.NoError(t, err)
		require.Empty(t, found)
	})
}

// With an endless context the native client reads the caller's memory, without a copy.
func TestNoCopyWithoutEnd(t *testing.T) {
	t.Parallel()
	s := newServers()
	l := openFake(t, s, Config{})
	transfers := []ledger.Transfer{newPayment(10, 0), newPayment(11, 0)}
	_, err := l.CreateTransfers(context.Background(), transfers)
	require.NoError(t, err)
	require.Equal(t, unsafe.Pointer(&transfers[0]), s.lastTransfers())
	ctx, _ := cancellableContext(t)
	_, err = l.CreateTransfers(ctx, transfers)
	require.NoError(t, err)
	require.NotEqual(t, unsafe.Pointer(&transfers[0]), s.lastTransfers())
}

// The memory of a large copy is used again, but not while an abandoned native call may still read
// it.
func TestCopyIsUsedAgainWhenItIsFree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		openAccounts(t, l)
		away := make(chan struct{})
		s.setNextFate(fate{before: away})
		large := func(first uint64) (transfers []ledger.Transfer) {
			for i := range uint64(largeRequest) {
				transfers = append(transfers, newPayment(first+i, 0))
			}
			return transfers
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := l.CreateTransfers(ctx, large(10_000))
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		left := s.lastTransfers()
		require.NotNil(t, left)
		for i := range uint64(3) {
			results, err := l.CreateTransfers(t.Context(), large(20_000+i*10_000))
			require.NoError(t, err)
			require.Equal(t, ledger.TransferCreated, results[0].Status)
			require.NotEqual(t, left, s.lastTransfers())
		}
		close(away)
		synctest.Wait()
		found, err := l.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(10_000, 0), ledger.NewID(10_000+largeRequest-1, 0)})
		require.NoError(t, err)
		require.Len(t, found, 2, "the one that was left behind is as it was")
	})
}

// A call without room was not sent, and its error reports it. An abandoned call frees its room only
// when the native client has answered.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{MaxInFlightBytes: 2*callBytes + 1000})
		openAccounts(t, l)
		away := make(chan struct{})
		s.setFate(func(*fakeClient) fate { return fate{before: away} })
		for i := range uint64(2) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := l.CreateTransfers(ctx, []ledger.Transfer{newPayment(10+i, 0)})
			cancel()
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		}
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := l.CreateTransfers(ctx, []ledger.Transfer{newPayment(12, 0)})
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
			require.ErrorContains(t, err, "2 calls wait")
		}
		require.Equal(t, 2, l.Stats().Calls, "bounded")

		var late sync.WaitGroup
		late.Go(func() {
			results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newPayment(12, 0)})
			if assert.NoError(t, err) {
				assert.Equal(t, ledger.TransferCreated, results[0].Status)
			}
		})
		synctest.Wait()
		s.setFate(nil)
		close(away)
		late.Wait()
	})
}

// While a session is reopened, an unsent call ends with the context's error, and a sent call with
// an unknown outcome.
func TestContextEndsBetweenSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{Sessions: 1})
		openAccounts(t, l)
		s.mu.Lock()
		s.dialErr = tb.ErrSystemResources
		s.mu.Unlock()
		s.setNextFate(fate{lost: tb.ErrClientEvicted, apply: true})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := l.CreateTransfers(ctx, []ledger.Transfer{newPayment(10, 0)})
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.Equal(t, Stats{}, l.Stats())

		ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err = l.Ping(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
		require.Less(t, s.dialCount(), 15, "the pause doubles")

		s.mu.Lock()
		s.dialErr = nil
		s.mu.Unlock()
		require.NoError(t, l.Ping(t.Context()))
	})
}

// Calls of a lost session continue on another session at once.
func TestOtherSessionTakesOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		openAccounts(t, l)
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		start := time.Now()
		_, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newPayment(10, 0)})
		require.NoError(t, err)
		require.Zero(t, time.Since(start))
	})
}

// Two concurrent calls are on two sessions.
func TestCallsAreSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{Sessions: 3})
		away := make(chan struct{})
		counts := map[*fakeClient]int{}
		s.setFate(func(c *fakeClient) fate {
			counts[c]++
			return fate{before: away}
		})
		var calls sync.WaitGroup
		for range 30 {
			calls.Go(func() { assert.NoError(t, l.Ping(t.Context())) })
		}
		synctest.Wait()
		require.Len(t, counts, 3)
		for _, n := range counts {
			require.Equal(t, 10, n)
		}
		close(away)
		calls.Wait()
	})
}

// TigerBeetle's client ends the process on two concurrent calls of GetChangeEvents.
func TestChangeEventsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		away := make(chan struct{})
		requests := 0
		s.setFate(func(*fakeClient) fate {
			requests++
			return fate{before: away}
		})
		ask := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := l.GetChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: 10})
			return err
		}
		require.ErrorIs(t, ask(), ledger.ErrOutcomeUnknown)
		err := ask()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown, "the first one is still with the native client")
		synctest.Wait()
		require.Equal(t, 1, requests)
		s.setFate(nil)
		close(away)
		require.NoError(t, ask())
	})
}

func TestBatchMaxIsLearnt(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 30, 252, 253, 254, 255, 1000, 8188, 8189} {
		l := openFake(t, newServers(embedded.WithBatchMax(n)), Config{})
		require.Equal(t, n, l.BatchMax())
		_, err := l.CreateTransfers(t.Context(), make([]ledger.Transfer, n))
		require.NoError(t, err)
		_, err = l.CreateTransfers(t.Context(), make([]ledger.Transfer, n+1))
		require.ErrorIs(t, err, ledger.ErrTooMuchData)
		_, err = l.CreateAccounts(t.Context(), make([]ledger.Account, n+1))
		require.ErrorIs(t, err, ledger.ErrTooMuchData)
		require.ErrorContains(t, err, "at most")
	}
}

// A query of change events that gets no memory gives its turn to the next.
func TestChangeEventsWithoutMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{MaxInFlightBytes: callBytes + 2000})
		query := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := l.GetChangeEvents(ctx, ledger.ChangeEventsFilter{Limit: 1})
			return err
		}
		away := make(chan struct{})
		s.setNextFate(fate{before: away})
		var call sync.WaitGroup
		call.Go(func() { assert.NoError(t, l.Ping(t.Context())) })
		synctest.Wait() // the look-up has the memory
		err := query()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "there is no room for another")
		close(away)
		call.Wait()
		require.NoError(t, query())
	})
}

// A call that ends while no session is open gives its memory back.
func TestMemoryOfACallWithoutSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{Sessions: 1, MaxInFlightBytes: callBytes + 2000})
		s.setNextFate(fate{lost: tb.ErrClientEvicted})
		for range 2 { // the first loses the session, and both end before the next is open
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			require.ErrorIs(t, l.Ping(ctx), context.DeadlineExceeded)
			cancel()
		}
		require.NoError(t, awaitSessions(t, l, 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.NoError(t, l.Ping(ctx))
	})
}
