package console

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// A peer's page derives its percentages from the balance that it shows, not from that of the look.
func TestPeerPageIsOfOneBalance(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	c, err := New(Config{Book: book})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	account, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	units := ledger.NewAmount
	balance := func(owes uint64) accounts.Balance {
		return accounts.Balance{Asset: usd, CreditLine: units(100), Receivable: units(owes), Headroom: units(100 - owes)}
	}
	s := state{look: &look{at: time.Now()}}
	p := &peer{PeerEntry: accounts.PeerEntry{Account: account, Balance: balance(10)}, Asset: usd, name: "alice"}
	p.derive()
	page := c.viewPeerPage(s, p, &detail{at: time.Now(), balance: balance(90)})
	require.Equal(t, "owes us 90 USD, 90 % of the line 100 used", page.Peer.Bar.Text)
	require.True(t, page.Peer.Bar.Near)
	require.Equal(t, 10, p.lineUsed, "a look never changes")

	p.Incomplete, p.Balance = true, accounts.Balance{}
	p.derive()
	away := c.viewPeerPage(s, p, &detail{at: time.Now(), balanceErr: errors.New("away")})
	for _, text := range []string{away.Peer.Position, away.Announced, away.SettledOut, away.SettledIn, away.Sent, away.Earned, away.Opened} {
		require.Equal(t, unknown, text)
	}
	completed := c.viewPeerPage(s, p, &detail{at: time.Now(), balance: balance(90)})
	require.Equal(t, []string{"active", "-90"}, []string{completed.Peer.State, completed.Peer.Position})
}

// A download has no figures of an incomplete peer, not even 0 % of its cap.
func TestIncompletePeerHasNoPercentages(t *testing.T) {
	t.Parallel()
	p := &peer{PeerEntry: accounts.PeerEntry{Incomplete: true}, hasCap: true, payableCap: ledger.NewAmount(20)}
	p.derive()
	for _, f := range peerFields {
		if f.name == "cap_used_percent" || f.name == "line_used_percent" {
			require.Nil(t, f.value(p), f.name)
		}
	}
}
