package timechart_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

var november = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// testBook is a book whose ledger has a clock of its own.
type testBook struct {
	*accounts.Book

	t      *testing.T
	ledger *embedded.Ledger
	engine *settlement.Engine
	now    time.Time
	peers  []accounts.PeerAccount
	sent   uint64
}

// newTestBook provisions peers at the beginning of November.
func newTestBook(t *testing.T, ids ...string) *testBook {
	t.Helper()
	b := &testBook{t: t, now: november}
	b.ledger = embedded.New(embedded.WithClock(func() time.Time { return b.now }))
	t.Cleanup(func() { require.NoError(t, b.ledger.Close()) })
	var err error
	b.Book, err = accounts.NewBook(b.ledger, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	for _, id := range ids {
		found, err := b.Provision(t.Context(), accounts.PeerConfig{ID: id, Asset: usd, CreditLine: ledger.NewAmount(1e12)})
		require.NoError(t, err)
		b.peers = append(b.peers, found...)
	}
	b.engine, err = settlement.NewEngine(b.ledger, b.Book, settlement.Config{Manual: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.engine.Close(t.Context())) })
	return b
}

// send books a packet from one peer to another one.
func (b *testBook) send(from, to int, cents uint64) {
	b.t.Helper()
	b.sent++
	results, err := b.ledger.CreateTransfers(b.t.Context(), []ledger.Transfer{{
		ID: ledger.NewID(b.sent, 7), DebitAccountID: b.peers[from].ID(), CreditAccountID: b.peers[to].ID(), Amount: ledger.NewAmount(cents), Ledger: 1, Code: chart.CodePacket,
	}})
	require.NoError(b.t, err)
	require.Equal(b.t, ledger.TransferCreated, results[0].Status)
}

// receive books a payment of a peer, and returns the ledger's time of the booking.
func (b *testBook) receive(from int, cents uint64) time.Time {
	b.t.Helper()
	b.sent++
	booked, err := b.engine.RecordIncoming(b.t.Context(), settlement.IncomingPayment{Account: b.peers[from], Key: fmt.Sprint(b.sent), Amount: ledger.NewAmount(cents)})
	require.NoError(b.t, err)
	return booked.BookedAt
}

// pay books a payment to a peer.
func (b *testBook) pay(to int, cents uint64) {
	b.t.Helper()
	b.sent++
	_, err := b.engine.RecordOutgoing(b.t.Context(), settlement.OutgoingPayment{Account: b.peers[to], Key: fmt.Sprint(b.sent), Amount: ledger.NewAmount(cents), BeyondHeadroom: true})
	require.NoError(b.t, err)
}

// fillMonth books a month of traffic: peers send by day, and those that owe much pay.
func (b *testBook) fillMonth(random *rand.Rand) {
	b.t.Helper()
	for hour := range 30 * 24 {
		b.now = november.Add(time.Duration(hour) * time.Hour)
		busy := 1 + hour%24/6
		for range busy * len(b.peers) {
			from, to := random.IntN(len(b.peers)), random.IntN(len(b.peers))
			if from != to {
				b.send(from, to, uint64(random.IntN(4000*(from+1))))
			}
		}
		if hour%24 != 17 {
			continue
		}
		balances, err := b.LookUpBalances(b.t.Context(), b.peers...)
		require.NoError(b.t, err)
		for i, balance := range balances {
			switch cents := balance.Position().Int64(); {
			case cents < -600_000:
				b.receive(i, uint64(-cents/2))
			case cents > 600_000:
				b.pay(i, uint64(cents/2))
			}
		}
	}
	b.now = november.AddDate(0, 1, 0)
}

// returnLast books that a part of the last payment went back.
func (b *testBook) returnLast(to int, cents uint64) {
	b.t.Helper()
	_, err := b.engine.RecordReturned(b.t.Context(), settlement.ReturnedPayment{
		Account: b.peers[to], Key: "return", Payment: fmt.Sprint(b.sent), Amount: ledger.NewAmount(cents),
	})
	require.NoError(b.t, err)
}
