package aggregate_test

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// Many callers of three recorders on one ledger share a sender with a small line. At no time do the
// accepted packets that are open or fulfilled exceed the line, and no arrears arise.
func TestThreeRecordersOneLine(t *testing.T) {
	t.Parallel()
	const line, callers, packets = 10_000, 8, 300
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	f := newFixture(t, embedded.New(), line)
	var open, fulfilled, most atomic.Int64 // amounts
	var refused, late atomic.Int64
	var all sync.WaitGroup
	recorders := make([]*aggregate.Recorder, 3)
	for i := range recorders {
		recorders[i] = f.open(t, func(c *aggregate.Config) {
			c.JournalFolder = filepath.Join(t.TempDir(), "journal")
			c.Events.Round = func(r aggregate.Round) { late.Add(int64(len(r.Arrears))) }
		})
	}
	for i, r := range recorders {
		for n := range callers {
			rnd := rand.New(rand.NewPCG(seed, uint64(i*callers+n)))
			all.Go(func() {
				for range packets {
					amount := 1 + rnd.Int64N(400)
					held, err := r.Prepare(t.Context(), f.packet(0, 1, uint64(amount), uint64(amount)))
					if err != nil {
						if !errors.Is(err, transfers.ErrCreditLine) {
							t.Error(err)
						}
						refused.Add(1)
						continue
					}
					for taken := open.Add(amount); ; {
						if before := most.Load(); taken <= before || most.CompareAndSwap(before, taken) {
							break
						}
					}
					if rnd.IntN(20) == 0 {
						_, err = r.Fulfill(t.Context(), held.Packet)
						fulfilled.Add(amount)
					} else {
						open.Add(-amount) // before the reject: afterwards another caller may have the amount
						_, err = r.Reject(t.Context(), held.Packet)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	for _, r := range recorders {
		require.NoError(t, r.Close(t.Context()))
	}
	require.Equal(t, fulfilled.Load(), open.Load())
	require.LessOrEqual(t, most.Load(), int64(line))
	require.Greater(t, most.Load(), int64(line)/2, "the line was put to the test")
	require.Positive(t, refused.Load())
	require.Zero(t, late.Load())
	require.Equal(t, positionText(uint64(fulfilled.Load()), 0), f.figures(t)[f.peers[0].String()])
	t.Logf("most taken at a time %d of %d, %d refused, %d fulfilled", most.Load(), line, refused.Load(), fulfilled.Load())
}
