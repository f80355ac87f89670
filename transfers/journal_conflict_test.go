package transfers_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// A fulfill with wrong amounts or peers comes first and is refused. The right fulfill of the
// packet was promised, and the next recorder books it.
func TestJournalKeepsTheRightFulfillBesideAnotherOne(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]bool{"closed": false, "crashed": true} {
		for order, wrongFirst := range map[string]bool{"wrong first": true, "right first": false} {
			t.Run(name+", "+order, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { fulfillTwoWays(t, crash, wrongFirst) })
			})
		}
	}
}

func fulfillTwoWays(t *testing.T, crash, wrongFirst bool) {
	t.Helper()
	f, folder, told := newFixture(t, transfers.Config{}, nil), newFolder(t), &eventLog{}
	p := f.prepareHeld(t, 1)[0]
	other := rebuildPacket(p)
	other.Out = 0
	fulfills := []transfers.Packet{p, other}
	if wrongFirst {
		slices.Reverse(fulfills)
	}
	recorder := f.newJournaled(t, folder, told, &unreachableLedger{Ledger: f.embedded, now: true})
	for _, one := range fulfills {
		_, err := recorder.Submit(t.Context(), transfers.FulfillOp(one))
		require.NoError(t, err, "the fulfill is on disk")
	}
	synctest.Wait()
	left := folder
	if crash {
		left = newFolder(t)
		require.NoError(t, os.CopyFS(left, os.DirFS(folder)))
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Error(t, recorder.Close(soon))

	next := f.newJournaled(t, left, told, nil)
	require.NoError(t, next.Close(t.Context()))
	booked := 0
	for _, r := range told.takeReplayed() {
		if r.Packet.Out == p.Out {
			require.NoError(t, r.Err)
			booked++
			continue
		}
		require.ErrorIs(t, r.Err, ledger.ErrIDConflict)
	}
	require.Equal(t, 1, booked)
	require.Equal(t, int64(1), f.position(t, f.bob))
	f.requireEmptyJournal(t, left)
	f.closeAndCheck(t)
}
