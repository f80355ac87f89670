package currency_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export/currency"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// Packets of rounds count with their fees and their remainders. They come without a call of Conversions: the ledger has only their sums.
func TestResultOfRounds(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	book, err := accounts.NewBook(l, accounts.Config{Assets: assets})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: nano, CreditLine: accounts.Unlimited},
		accounts.PeerConfig{ID: "bob", Asset: nano}, accounts.PeerConfig{ID: "bob", Asset: cent})
	require.NoError(t, err)
	_, err = book.Fund(t.Context(), accounts.Capital{Asset: cent, Key: "k", Amount: ledger.NewAmount(1000)})
	require.NoError(t, err)
	recorder, err := aggregate.NewRecorder(t.Context(), l, book, aggregate.Config{JournalFolder: filepath.Join(t.TempDir(), "journal")})
	require.NoError(t, err)
	expiry := time.Now().Add(time.Minute)
	for range 10 {
		for _, p := range []transfers.Packet{
			{From: peers[0], To: peers[1], In: 100, Out: 99, Expiry: expiry},
			{From: peers[0], To: peers[2], In: 1007, Out: 3, Dust: 7, Expiry: expiry},
		} {
			held, err := recorder.Prepare(t.Context(), p)
			require.NoError(t, err)
			_, err = recorder.Fulfill(t.Context(), held.Packet)
			require.NoError(t, err)
		}
	}
	require.NoError(t, recorder.Close(t.Context()))
	got, err := currency.Compute(t.Context(), l, book, currency.Query{
		From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour),
		Rates:       []currency.Rate{{Asset: nano, Worth: decimal.New(1, 0)}, {Asset: cent, Worth: decimal.New(1, 0)}},
		Conversions: func(*currency.Conversion) error { t.Error("a packet of a round"); return nil },
	})
	require.NoError(t, err)
	usd, eur := got.Lines[0], got.Lines[1]
	require.Equal(t, []string{"10", "10000", "70", "10080"}, []string{usd.Fees.Units.String(), usd.PacketsIn.Units.String(), usd.Dust.Units.String(), usd.Closing.Units.String()})
	require.Equal(t, []string{"-30", "1000", "970"}, []string{eur.PacketsOut.Units.String(), eur.Capital.Units.String(), eur.Closing.Units.String()})
}
