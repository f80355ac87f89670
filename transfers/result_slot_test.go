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

// Several callers may wait for a Future at once, give up, and wait again later.
func TestManyCallersWaitForASlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s resultSlot
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 1000 { // nothing is kept for callers that gave up
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
		require.True(t, s.waitPublished(endedContext(t)), "the result is published")
		require.True(t, s.isApplied())
	})
}

func endedContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// A reused recordCall starts empty, also if its caller saw the result before the lane put the
// token in.
func TestRecordCallsAreReused(t *testing.T) {
	t.Parallel()
	var all recordCallPool
	for i := range 1000 {
		call := all.takeCall()
		require.Zero(t, call.slot.outcome)
		require.NoError(t, call.slot.err)
		require.Empty(t, call.waiter.token)
		done := make(chan struct{})
		go func() {
			defer close(done)
			call.slot.outcome, call.slot.err = ledger.OutcomeRefused, ErrCreditLine
			call.slot.markAnswered()
			call.slot.publishResult()
		}()
		if i%2 == 0 {
			<-done
		}
		require.True(t, call.slot.waitPublished(t.Context()))
		require.Equal(t, ErrCreditLine, call.slot.err)
		all.putCall(call)
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
