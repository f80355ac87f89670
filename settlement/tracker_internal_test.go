package settlement

import (
	"fmt"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// When the loop cannot keep up, the list of pending accounts is bounded, and no account is lost.
func TestTouchesAreBounded(t *testing.T) {
	t.Parallel()
	asset := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{asset}})
	require.NoError(t, err)
	own, err := book.OwnAccount(asset)
	require.NoError(t, err)
	list := []accounts.PeerAccount{own, {}}
	for i := range 1000 {
		a, err := book.PeerAccount(fmt.Sprint("peer ", i), asset)
		require.NoError(t, err)
		list = append(list, a)
	}
	r := newTracker(backoff.NewExponentialBackOff)
	now := time.Now()
	for range 1000 {
		r.addPending(list, now)
		require.LessOrEqual(t, len(r.pending), maxPending)
	}
	require.LessOrEqual(t, cap(r.pending), 2*(maxPending+len(list)))
	require.Len(t, r.takeReady(now), 1000, "each once, and not ourselves or nobody")
	require.Empty(t, r.takeReady(now))
	require.Len(t, r.allAccounts(now), 1000)
}
