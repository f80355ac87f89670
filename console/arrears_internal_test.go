package console

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

var errNoBalances = errors.New("no balances")

// withoutBalances is a ledger that may lose its histories.
type withoutBalances struct {
	ledger.Ledger

	lost bool
}

func (l *withoutBalances) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	if l.lost {
		return nil, errNoBalances
	}
	return l.Ledger.GetAccountBalances(ctx, f)
}

// Arrears are dated by the ledger, not by the first look. A time that cannot be read is unknown until it can be.
func TestArrearsAreDatedByTheLedger(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := &withoutBalances{Ledger: embedded.New(embedded.WithClock(func() time.Time { return now })), lost: true}
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	_, err = book.Adjust(t.Context(), accounts.Adjustment{
		Account: peers[0], Key: "damage", Debit: ledger.NewAmount(7), ReasonCode: 1, BeyondHeadroom: true,
	})
	require.NoError(t, err)
	looker := &looker{cfg: Config{Book: book, Peers: func(accounts.Asset) []string { return []string{"alice", "bob"} }}}
	dateOf := func() map[string]time.Time {
		k, err := looker.takeLook(t.Context())
		require.NoError(t, err)
		dates := map[string]time.Time{}
		for _, p := range k.peers {
			dates[p.name] = p.arrearsSince
		}
		return dates
	}
	require.Equal(t, map[string]time.Time{"alice": {}, "bob": {}}, dateOf())
	l.lost = false
	dates := dateOf()
	require.WithinDuration(t, now, dates["alice"], time.Second)
	require.Zero(t, dates["bob"])
	l.lost = true
	require.Equal(t, dates, dateOf(), "read once")
}
