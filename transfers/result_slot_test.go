package transfers

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// A ticket may be waited for by several at once, by some in vain, and afterwards.
func TestManyCallersWaitForASlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s resultSlot
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 1000 { // nothing is kept for those who gave up
			require.False(t, s.waitPublished(endedContext(t)))
		}
		require.False(t, s.waitPublished(short))
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() {
				require.True(t, s.waitPublished(t.Context()))
				require.Equal(t, ledger.OutcomeApplied, s.outcome)
			})
		}
		synctest.Wait()
		s.outcome = ledger.OutcomeApplied
		require.True(t, s.markAnswered())
		s.publishResult()
		group.Wait()
		require.True(t, s.waitPublished(endedContext(t)), "the answer is out")
		require.True(t, s.isApplied())
	})
}

func endedContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// A call that is used again starts afresh, also if its caller saw the answer
// before the lane gave the token.
func TestRecordCallsAreReused(t *testing.T) {
	t.Parallel()
	var all recordCallPool
	for i := range 1000 {
		one := all.takeCall()
		require.Zero(t, one.slot.outcome)
		require.NoError(t, one.slot.err)
		require.Empty(t, one.waiter.token)
		done := make(chan struct{})
		go func() {
			defer close(done)
			one.slot.outcome, one.slot.err = ledger.OutcomeRefused, ErrCreditLine
			one.slot.markAnswered()
			one.slot.publishResult()
		}()
		if i%2 == 0 {
			<-done
		}
		require.True(t, one.slot.waitPublished(t.Context()))
		require.Equal(t, ErrCreditLine, one.slot.err)
		all.putCall(one)
		<-done
	}
}

func TestSlotsAreUsedOnce(t *testing.T) {
	t.Parallel()
	var all resultSlotPool
	seen := map[*resultSlot]bool{}
	for range 3 * slotsPerBlock {
		s := all.takeSlot()
		require.False(t, seen[s])
		seen[s] = true
	}
}
