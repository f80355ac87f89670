package transfers_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// A packet that names a peer without accounts is refused. The reads of the other peers with caps
// need no more requests afterwards: a read of each peer alone would delay suspensions.
func TestUnprovisionedPeerCostsNoReads(t *testing.T) {
	t.Parallel()
	looks := map[bool]int64{}
	for _, stranger := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			l := &countingLookups{Ledger: embedded.New()}
			book, err := accounts.NewBook(l, accounts.Config{
				Assets: []accounts.Asset{usd},
				Limits: accounts.Rules[accounts.Limits]{Asset: map[accounts.Asset]accounts.Limits{usd: {PayableCap: "1000000"}}},
			})
			require.NoError(t, err)
			var peers []accounts.PeerConfig
			for i := range 200 {
				peers = append(peers, accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd, CreditLine: units(1_000_000)})
			}
			handles, err := book.Provision(t.Context(), peers...)
			require.NoError(t, err)
			r, err := transfers.NewRecorder(l, book, transfers.Config{})
			require.NoError(t, err)
			for i := 0; i < len(handles); i += 2 { // a peer with a packet in flight is read each interval
				_, err := r.Prepare(t.Context(), transfers.Packet{From: handles[i], To: handles[i+1], In: 1, Out: 1, Hold: time.Hour})
				require.NoError(t, err)
			}
			if stranger {
				unknown, err := book.PeerAccount("stranger", usd)
				require.NoError(t, err)
				_, err = r.Prepare(t.Context(), transfers.Packet{From: unknown, To: handles[0], In: 1, Out: 1, Hold: time.Hour})
				require.ErrorIs(t, err, accounts.ErrNotProvisioned)
			}
			for range 3 {
				passInterval()
			}
			l.lookups.Store(0)
			for range 10 {
				passInterval()
			}
			looks[stranger] = l.lookups.Load()
			require.NoError(t, r.Close(t.Context()))
		})
	}
	require.Positive(t, looks[false])
	require.Equal(t, looks[false], looks[true])
}
