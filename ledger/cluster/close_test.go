//go:build cgo

package cluster

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// Close waits for answers within CloseTimeout. A later answer is an unknown outcome.
func TestCloseWaitsForAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		answer, close time.Duration
		timeout       time.Duration
		known         bool
	}{
		{"in time", 900 * time.Millisecond, 900 * time.Millisecond, 0, true},
		{"too late", 1100 * time.Millisecond, time.Second, 0, false},
		{"no wait", 900 * time.Millisecond, 0, -1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newServers()
				l := openFake(t, s, Config{CloseTimeout: test.timeout})
				openAccounts(t, l)
				away := make(chan struct{})
				s.setFate(func(*fakeClient) fate { return fate{before: away} })
				var calls sync.WaitGroup
				for i := range uint64(1000) {
					calls.Go(func() {
						results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newPayment(10+i, 0)})
						if !test.known {
							assert.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
							assert.NotErrorIs(t, err, ledger.ErrClosed, "ErrClosed means that nothing was sent")
						} else if assert.NoError(t, err) {
							assert.Equal(t, ledger.TransferCreated, results[0].Status)
						}
					})
				}
				synctest.Wait()
				start := time.Now()
				timer := time.AfterFunc(test.answer, func() { close(away) })
				require.NoError(t, l.Close())
				require.Equal(t, test.close, time.Since(start))
				require.Equal(t, Stats{}, withoutCounts(l.Stats()))
				timer.Stop()
				calls.Wait()
				require.NoError(t, l.Close())
				require.ErrorIs(t, l.Ping(t.Context()), ledger.ErrClosed)
			})
		})
	}
}

func withoutCounts(s Stats) Stats {
	s.Resent, s.Reopened = 0, 0
	return s
}

// Close does not wait for calls whose callers have returned.
func TestCloseDoesNotWaitForTheAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{})
		s.setFate(func(*fakeClient) fate { return fate{before: make(chan struct{})} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.Ping(ctx), ledger.ErrOutcomeUnknown)
		start := time.Now()
		require.NoError(t, l.Close())
		require.Zero(t, time.Since(start))
	})
}

// Calls that wait for memory or for a session were not sent, and are refused.
func TestCloseEndsThoseWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{MaxInFlightBytes: callBytes + 2000})
		s.setFate(func(*fakeClient) fate { return fate{before: make(chan struct{})} })
		var calls sync.WaitGroup
		var unknown, refused atomic.Int32
		for range 3 {
			synctest.Wait() // the first call has the memory
			calls.Go(func() {
				err := l.Ping(t.Context())
				if errors.Is(err, ledger.ErrOutcomeUnknown) {
					unknown.Add(1)
				} else if assert.ErrorIs(t, err, ledger.ErrClosed) {
					refused.Add(1)
				}
			})
		}
		feed := func() {
			_, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: 1})
			assert.ErrorIs(t, err, ledger.ErrClosed)
		}
		calls.Go(feed)
		calls.Go(feed)
		synctest.Wait()
		require.NoError(t, l.Close())
		calls.Wait()
		require.Equal(t, int32(1), unknown.Load())
		require.Equal(t, int32(2), refused.Load())
	})
}

// A call that waits for memory ends at the beginning of Close, and not when the call with the memory
// has ended.
func TestCloseEndsTheWaitForMemoryAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServers()
		l := openFake(t, s, Config{MaxInFlightBytes: callBytes + 2000, CloseTimeout: time.Second})
		s.setFate(func(*fakeClient) fate { return fate{before: make(chan struct{})} })
		start := time.Now()
		var calls sync.WaitGroup
		calls.Go(func() { assert.ErrorIs(t, l.Ping(t.Context()), ledger.ErrOutcomeUnknown) })
		synctest.Wait() // the first call has the memory
		calls.Go(func() {
			assert.ErrorIs(t, l.Ping(t.Context()), ledger.ErrClosed)
			assert.Zero(t, time.Since(start))
		})
		synctest.Wait()
		require.NoError(t, l.Close())
		require.Equal(t, time.Second, time.Since(start), "the first call had its time")
		calls.Wait()
	})
}

// Close leaves no session open, at any moment of losing and reopening sessions.
func TestCloseWhileSessionsAreLost(t *testing.T) {
	t.Parallel()
	for pause := range 40 {
		synctest.Test(t, func(t *testing.T) {
			s := newServers()
			l := openFake(t, s, Config{CloseTimeout: -1})
			s.setFate(func(*fakeClient) fate { return fate{lost: tb.ErrClientEvicted} })
			var calls sync.WaitGroup
			for range 4 {
				calls.Go(func() { assert.Error(t, l.Ping(t.Context())) })
			}
			time.Sleep(time.Duration(pause) * 10 * time.Millisecond) //nolint:forbidigo // virtual time
			require.NoError(t, l.Close())
			calls.Wait()
			require.Empty(t, s.openClients())
		})
	}
}

func TestCallsRaceWithClose(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := newServers()
		l := openFake(t, s, Config{})
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() {
				for l.Ping(t.Context()) == nil {
				}
			})
		}
		require.NoError(t, l.Close())
		calls.Wait()
		require.Equal(t, Stats{}, l.Stats())
	}
}
