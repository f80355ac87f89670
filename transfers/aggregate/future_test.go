package aggregate_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// An answer that rests on a record is unknown until the record is on disk: a fulfill, and the refusal of a
// reject after it. A caller that does not wait is faster than the disk at least now and then.
func TestFutureWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1_000_000)
	r := f.open(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var unknown [3]int // of Wait for fulfills, for refused rejects, and of Journaled
	for tries := 0; unknown[0] == 0 || unknown[1] == 0 || unknown[2] == 0; tries++ {
		require.Less(t, tries, 10_000, "no answer waits for the disk: %v", unknown)
		held, err := r.Prepare(t.Context(), f.packet(0, 1, 1, 1))
		require.NoError(t, err)
		posted, err := r.Submit(t.Context(), transfers.FulfillOp(held.Packet))
		require.NoError(t, err)
		refused, err := r.Submit(t.Context(), transfers.RejectOp(held.Packet))
		require.NoError(t, err)
		require.Equal(t, held.Packet, refused.Packet())
		for i, err := range []error{posted.Wait(ended).Err, refused.Wait(ended).Err, posted.Journaled(ended)} {
			if err == nil || errors.Is(err, transfers.ErrPacketConflict) && !errors.Is(err, ledger.ErrOutcomeUnknown) {
				continue
			}
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			require.ErrorIs(t, err, context.Canceled)
			unknown[i]++
		}
		require.NoError(t, posted.Journaled(t.Context()))
		result := posted.Wait(ended)
		require.NoError(t, result.Err, "it is on disk now")
		require.Equal(t, ledger.OutcomeApplied, result.Outcome)
		require.Equal(t, held.Packet.ID, result.Packet.ID)
		require.ErrorIs(t, refused.Wait(ended).Err, transfers.ErrPacketConflict)
	}
	require.NoError(t, r.Close(t.Context()))
}
