package transfers

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest"
)

func TestBacklogMarks(t *testing.T) {
	t.Parallel()
	var told []bool
	b := newBacklog(4, 2, func(full bool) { told = append(told, full) })
	for range 3 {
		require.True(t, b.tryAcquire(false))
	}
	require.Empty(t, told)
	require.True(t, b.tryAcquire(false), "the last place")
	require.Equal(t, []bool{true}, told)
	require.False(t, b.tryAcquire(false))
	require.False(t, b.tryAcquire(true), "no place is free, also for promised money")
	b.releasePlaces(1)
	require.False(t, b.tryAcquire(false), "full until drained to resumeAt")
	require.True(t, b.tryAcquire(true), "promised money takes a free place")
	b.releasePlaces(1)
	require.Equal(t, []bool{true}, told)
	b.releasePlaces(1)
	require.Equal(t, []bool{true, false}, told)
	require.True(t, b.tryAcquire(false))
	b.forceAcquire(10)
	require.Equal(t, []bool{true, false, true}, told)
	require.False(t, b.tryAcquire(true))
	b.releasePlaces(10)
	require.False(t, b.tryAcquire(false), "3 places are taken")
	b.releasePlaces(3)
	require.Equal(t, []bool{true, false, true, false}, told)
	require.Zero(t, b.state.Load())
}

// Random calls against a model of maxOperations and resumeAt.
func TestBacklogFollowsItsModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 1))
	for range 200 {
		high := 1 + random.IntN(10)
		low := 1 + random.IntN(high)
		b := newBacklog(high, low, nil)
		n, shut := 0, false
		for range 300 {
			if random.IntN(3) > 0 {
				promised := random.IntN(2) == 0
				want := n < high && (promised || !shut)
				require.Equal(t, want, b.tryAcquire(promised))
				if want {
					n++
					shut = shut || n == high
				}
			} else if n > 0 {
				k := 1 + random.IntN(n)
				b.releasePlaces(k)
				n -= k
				shut = shut && n > low
			}
		}
	}
}

// Waiting callers are woken when there is a place for them, and not before.
func TestBacklogWakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(4, 1, nil)
		b.forceAcquire(4)
		var promised, prepares atomic.Int32
		var group sync.WaitGroup
		for range 2 {
			group.Go(func() { require.NoError(t, b.acquirePlace(t.Context(), false)); prepares.Add(1) })
			group.Go(func() { require.NoError(t, b.acquirePlace(t.Context(), true)); promised.Add(1) })
		}
		synctest.Wait()
		require.Zero(t, promised.Load()+prepares.Load())
		b.releasePlaces(1)
		synctest.Wait()
		require.Equal(t, int32(1), promised.Load())
		b.releasePlaces(1)
		synctest.Wait()
		require.Equal(t, int32(2), promised.Load())
		b.releasePlaces(2)
		synctest.Wait()
		require.Zero(t, prepares.Load(), "above resumeAt")
		b.releasePlaces(1)
		group.Wait()
		require.Equal(t, uint64(3), b.state.Load()>>1)
	})
}

func TestBacklogGivesUpWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBacklog(1, 1, nil)
		b.forceAcquire(1)
		ctx, cancel := context.WithCancel(t.Context())
		ended, closed := make(chan error, 2), make(chan error, 2)
		for _, promised := range []bool{false, true} {
			go func() { ended <- b.acquirePlace(ctx, promised) }()
			go func() { closed <- b.acquirePlace(t.Context(), promised) }()
		}
		synctest.Wait()
		cancel()
		for range 2 {
			err := <-ended
			require.ErrorIs(t, err, ErrBacklogFull)
			require.ErrorIs(t, err, context.Canceled)
		}
		synctest.Wait()
		require.Empty(t, closed)
		b.close()
		for range 2 {
			require.ErrorIs(t, <-closed, ErrRecorderClosed)
		}
	})
}

// Many callers take and release places: no place is lost or given twice, and no caller is left
// waiting.
func TestBacklogUnderLoad(t *testing.T) {
	t.Parallel()
	const high = 7
	b := newBacklog(high, 3, nil)
	var inside atomic.Int32
	var group sync.WaitGroup
	for i := range 32 {
		group.Go(func() {
			for range 2000 {
				if err := b.acquirePlace(t.Context(), i%2 == 0); err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n > high {
					t.Errorf("%d inside", n)
				}
				inside.Add(-1)
				b.releasePlaces(1)
			}
		})
	}
	group.Wait()
	require.Zero(t, b.state.Load())
}
