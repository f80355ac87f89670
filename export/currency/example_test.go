package currency_test

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export/currency"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// We have 1000.00 EUR. A packet brings 110.00 USD and takes 100.00 EUR, at a time when a dollar is worth 0.92 EUR: the margin is 1.20. Then the dollar
// rises to 0.95, and the 110.00 USD are worth 3.30 more.
func Example() {
	ctx := context.Background()
	usd, eur := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}, accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2}
	now := time.Date(2026, 11, 10, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	l := embedded.New(embedded.WithClock(clock))
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(50000)}, accounts.PeerConfig{ID: "bob", Asset: eur})
	if err != nil {
		panic(err)
	}
	if _, err = book.Fund(ctx, accounts.Capital{Asset: eur, Key: "start", Amount: ledger.NewAmount(100000)}); err != nil {
		panic(err)
	}
	recorder, err := transfers.NewRecorder(l, book, transfers.Config{Clock: clock})
	if err != nil {
		panic(err)
	}
	if _, err = recorder.Forward(ctx, transfers.Packet{From: peers[0], To: peers[1], In: 11000, Out: 10000}); err != nil {
		panic(err)
	}
	if err = recorder.Close(ctx); err != nil {
		panic(err)
	}

	result, err := currency.Compute(ctx, l, book, currency.Query{
		From: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC),
		Rates: []currency.Rate{
			{Asset: eur, Worth: decimal.RequireFromString("1")},
			{Asset: usd, Worth: decimal.RequireFromString("0.92")},
			{Asset: usd, From: time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC), Worth: decimal.RequireFromString("0.95")},
		},
		Conversions: func(c *currency.Conversion) error {
			fmt.Printf("%v to %v at %s: margin %v\n", c.From, c.To, c.Rate().FloatString(6), c.Margin())
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
	t := result.Round(2).Total
	fmt.Printf("opening %s, capital %s, trading %s, revaluation %s, closing %s\n",
		t.Opening.StringFixed(2), t.Capital.StringFixed(2), t.Trading.StringFixed(2), t.Revaluation.StringFixed(2), t.Closing.StringFixed(2))
	// Output:
	// USD/2 to EUR/2 at 0.909091: margin 1.2
	// opening 0.00, capital 1000.00, trading 1.20, revaluation 3.30, closing 1004.50
}
