package embedded_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// clock is a wall clock that stands still until a test moves it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// virtualLedger is a ledger with a clock moved by ledgertest.
type virtualLedger struct {
	*embedded.Ledger
	*clock
}

func newVirtual(opts ...embedded.Option) virtualLedger {
	c := newClock()
	return virtualLedger{embedded.New(append(opts, embedded.WithClock(c.Now))...), c}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	ledgertest.RunAll(t, func(*testing.T) ledger.Ledger { return newVirtual() })
}

// The suite also passes with the real clock. Its holds expire in parallel.
func TestConformanceInRealTime(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs three seconds of real time: run without -short")
	}
	ledgertest.Run(t, func(*testing.T) ledger.Ledger { return embedded.New() })
}

// TestBatchMax checks the limits of a server started with --development, as measured on TigerBeetle
// 0.17.9.
func TestBatchMax(t *testing.T) {
	t.Parallel()
	l := embedded.New(embedded.WithBatchMax(253))
	ctx := t.Context()
	accounts, err := l.CreateAccounts(ctx, make([]ledger.Account, 253))
	require.NoError(t, err)
	require.Len(t, accounts, 253)
	_, err = l.CreateAccounts(ctx, make([]ledger.Account, 254))
	require.ErrorIs(t, err, ledger.ErrTooMuchData)
	_, err = l.CreateTransfers(ctx, make([]ledger.Transfer, 253))
	require.NoError(t, err)
	_, err = l.CreateTransfers(ctx, make([]ledger.Transfer, 254))
	require.ErrorIs(t, err, ledger.ErrTooMuchData)
	require.ErrorContains(t, err, "254 transfers, at most 253")
	_, err = l.LookupAccounts(ctx, make([]ledger.ID, 2031))
	require.NoError(t, err)
	_, err = l.LookupTransfers(ctx, make([]ledger.ID, 2032))
	require.ErrorIs(t, err, ledger.ErrTooMuchData)
	_, err = l.QueryAccounts(ctx, ledger.QueryFilter{Limit: ledger.QueryMax})
	require.NoError(t, err)
}

func TestBatchMaxDefault(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, 0, ledger.BatchMax, ledger.BatchMax + 1} {
		l := embedded.New(embedded.WithBatchMax(n))
		_, err := l.CreateTransfers(t.Context(), make([]ledger.Transfer, ledger.BatchMax))
		require.NoError(t, err)
		_, err = l.LookupTransfers(t.Context(), make([]ledger.ID, ledger.BatchMax))
		require.NoError(t, err)
	}
}

func TestChangeEventsOfSmallRequests(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2, embedded.WithBatchMax(253))
	for i := range uint64(1200) {
		createTransfers(t, l, newMovement(100+i))
	}
	require.Len(t, readChangeEvents(t, l), 1016)
	ledgertest.RequireNothingHeld(t, l)
}

// Timestamps only grow, even if the clock goes back.
func TestClock(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	last := uint64(0)
	for i, step := range []time.Duration{0, time.Hour, -2 * time.Hour, 0, -200 * 365 * 24 * time.Hour, time.Second} {
		l.Sleep(step)
		results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newMovement(uint64(100 + i))})
		require.NoError(t, err)
		require.Greater(t, results[0].Timestamp, last)
		last = results[0].Timestamp
	}
	ledgertest.RequireNothingHeld(t, l)
}

// A request of n events ends n timestamps after the clock, and a request without events takes one
// timestamp.
func TestTimestamps(t *testing.T) {
	t.Parallel()
	l := newVirtual()
	wall := uint64(l.Now().UnixNano())
	results, err := l.CreateTransfers(t.Context(), make([]ledger.Transfer, 3))
	require.NoError(t, err)
	for i, r := range results {
		require.Equal(t, wall+uint64(i)+1, r.Timestamp)
	}
	_, err = l.LookupTransfers(t.Context(), nil)
	require.NoError(t, err)
	results, err = l.CreateTransfers(t.Context(), make([]ledger.Transfer, 1))
	require.NoError(t, err)
	require.Equal(t, wall+6, results[0].Timestamp, "3 was the last, 4 the look-up, 5 the base")
}

// A server with a right clock cannot answer overflows_timeout yet.
func TestOverflowsTimeout(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	l.Sleep(time.Unix(0, math.MaxInt64).Add(-3 * time.Second).Sub(l.Now()))
	require.Equal(t, []ledger.CreateTransferStatus{
		ledger.TransferOverflowsTimeout, ledger.TransferCreated,
	}, createTransfers(t, l, newHold(100, 999), newHold(100, 1)))
	ledgertest.RequireConserved(t, l)

	l = openVirtual(t, 2)
	l.Sleep(time.Unix(0, math.MaxInt64-1e9-1).Sub(l.Now()))
	require.Equal(t, []ledger.CreateTransferStatus{
		ledger.TransferCreated, ledger.TransferOverflowsTimeout,
	}, createTransfers(t, l, newHold(100, 1), newHold(101, 1)), "the last moment that there is, and the one behind it")
	ledgertest.RequireConserved(t, l)
}

// An import must be older than the last timestamp of its request.
func TestImportJustNow(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	l.Sleep(time.Second)
	imported := newMovement(100)
	imported.Flags = ledger.TransferImported
	imported.Timestamp = uint64(l.Now().UnixNano()) + 1
	require.Equal(t, []ledger.CreateTransferStatus{
		ledger.TransferImportedEventTimestampMustNotAdvance,
	}, createTransfers(t, l, imported))
	l.Sleep(time.Second)
	imported.Timestamp = uint64(l.Now().UnixNano())
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, imported))
	ledgertest.RequireNothingHeld(t, l)
}

// TigerBeetle 0.17.9 crashes on this request; later releases answer as this ledger does.
func TestImportedPostOfTimedHold(t *testing.T) {
	t.Parallel()
	l := openVirtual(t, 2)
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{newHold(100, 60)})
	require.NoError(t, err)
	l.Sleep(time.Second)
	imported := newPost(101, 100)
	imported.Flags |= ledger.TransferImported
	imported.Timestamp = results[0].Timestamp + 5
	require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, imported))
	l.Sleep(time.Hour)
	require.Len(t, readChangeEvents(t, l), 2, "a posted hold does not expire")
	ledgertest.RequireNothingHeld(t, l)
}

// With readers and writers at once, readers see whole requests only.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	const writers, requests, batch = 4, 50, 20
	l := openVirtual(t, 2)
	var wg sync.WaitGroup
	for w := range uint64(writers) {
		wg.Go(func() {
			for r := range uint64(requests) {
				transfers := make([]ledger.Transfer, batch)
				for i := range transfers {
					transfers[i] = newMovement(1 + w<<32 + r<<16 + uint64(i))
				}
				_, err := l.CreateTransfers(t.Context(), transfers)
				assert.NoError(t, err)
			}
		})
		wg.Go(func() {
			for range requests {
				found, err := l.LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(1, 0), ledger.NewID(2, 0)})
				assert.NoError(t, err)
				assert.Equal(t, found[0].DebitsPosted, found[1].CreditsPosted)
				assert.Zero(t, found[0].DebitsPosted.Lo%batch, "a part of a request")
				filter := ledger.QueryFilter{Ledger: 1, Limit: ledger.QueryMax}
				transfers, err := l.QueryTransfers(t.Context(), filter)
				assert.NoError(t, err)
				assert.Zero(t, len(transfers)%batch)
				l.Pulse()
			}
		})
	}
	wg.Wait()
	found, err := l.LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(1, 0)})
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(writers*requests*batch), found[0].DebitsPosted)
	ledgertest.RequireNothingHeld(t, l)
}
