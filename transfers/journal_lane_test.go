package transfers

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The publisher prebuilds a batch after it has published one. If the sender is idle by then, the
// next operation must still wake it. Otherwise Close does not return.
func TestPublisherLeavesAnIdleSenderWakeable(t *testing.T) {
	t.Parallel()
	for _, atOnce := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			usd := accounts.Asset{Code: "USD", Ledger: 1}
			l := embedded.New()
			book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
			require.NoError(t, err)
			peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "bob", Asset: usd})
			require.NoError(t, err)
			us, err := book.OwnAccount(usd)
			require.NoError(t, err)
			r, err := NewRecorder(l, book, Config{Lanes: 1, JournalFolder: filepath.Join(t.TempDir(), "journal"), Events: Events{Replayed: func([]Result) {}}})
			require.NoError(t, err)
			synctest.Wait() // the sender is idle
			r.lanes[0].builder.prebuildBatch()
			if !atOnce {
				_, err := r.Forward(t.Context(), Packet{ID: ledger.NewID(256, 1), From: us, To: peers[0], In: 1, Out: 1})
				require.NoError(t, err)
			}
			require.NoError(t, r.Close(t.Context()))
			require.NoError(t, l.Close())
		})
	}
}
