package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// exampleBook makes a book with one peer, alice. Her credit line comes from Config.Limits.
func exampleBook() (*accounts.Book, accounts.PeerAccount) {
	book, err := accounts.NewBook(embedded.New(), accounts.Config{
		Assets: []accounts.Asset{cents}, SuspensionPollInterval: time.Millisecond,
		Limits: accounts.Rules[accounts.Limits]{
			Asset: map[accounts.Asset]accounts.Limits{cents: {CreditLine: "100", InFlightShare: "0.5"}},
			Peer:  map[string]accounts.Limits{"bob": {CreditLine: "0", PayableCap: "25.50"}},
		},
		Ceilings: map[accounts.Asset]accounts.Decimal{cents: "1000"},
	})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(context.Background(), accounts.PeerConfig{ID: "alice", Asset: cents})
	if err != nil {
		panic(err)
	}
	return book, peers[0]
}

func ExampleBook_ExtendCredit() {
	book, alice := exampleBook()
	change, err := book.ExtendCredit(context.Background(), alice, ledger.NewAmount(5_000))
	fmt.Println(cents.Format(change.Before), "->", cents.Format(change.After), err)
	_, err = book.ExtendCredit(context.Background(), alice, ledger.NewAmount(90_000))
	fmt.Println(err)
	// Output:
	// 100.00 -> 150.00 <nil>
	// alice on ledger 1: CreditLine 1050.00 USD is above the ceiling of 1000.00 USD
}

func ExampleBook_RevokeCredit() {
	ctx := context.Background()
	book, alice := exampleBook()
	_, err := book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "k", Debit: ledger.NewAmount(6_000), ReasonCode: 1})
	if err != nil {
		panic(err)
	}
	_, err = book.RevokeCredit(ctx, alice, ledger.NewAmount(5_000))
	var inUse *accounts.LineInUseError
	if errors.As(err, &inUse) {
		fmt.Println("only", cents.Format(inUse.Free), "is free")
	}
	change, err := book.RevokeCredit(ctx, alice, ledger.NewAmount(5_000), accounts.WithPartialRevoke())
	fmt.Println(cents.Format(change.After), err)
	// Output:
	// only 40.00 is free
	// 60.00 <nil>
}

// A caller that decides on a line read before makes sure that the line is unchanged.
func ExampleBook_SetCreditLine() {
	ctx := context.Background()
	book, alice := exampleBook()
	_, err := book.SetCreditLine(ctx, alice, ledger.NewAmount(20_000), accounts.WithExpectedLine(ledger.NewAmount(10_000)))
	fmt.Println(err)
	_, err = book.SetCreditLine(ctx, alice, ledger.NewAmount(30_000), accounts.WithExpectedLine(ledger.NewAmount(10_000)))
	fmt.Println(err)
	// Output:
	// <nil>
	// accounts: the credit line was changed meanwhile: the line of alice on ledger 1 is 200.00 USD now
}

func ExampleBook_EffectiveLimits() {
	book, alice := exampleBook()
	bob, err := book.PeerAccount("bob", cents)
	if err != nil {
		panic(err)
	}
	for _, peer := range []accounts.PeerAccount{alice, bob} {
		a, err := book.EffectiveLimits(peer)
		fmt.Println(peer.Peer(), cents.Format(a.CreditLine), a.PayableCapped, cents.Format(a.PayableCap.Min(a.Ceiling)), a.InFlightShare, err)
	}
	// Output:
	// alice 100.00 false 1000.00 0.5 <nil>
	// bob 0.00 true 25.50 0.5 <nil>
}

func ExampleBook_SuspendPeer() {
	ctx := context.Background()
	book, alice := exampleBook()
	fmt.Println(book.SuspendPeer(ctx, alice, accounts.WithFreeRevoked(), accounts.WithReasonCode(12)))
	b, err := book.Balance(ctx, alice)
	fmt.Println(b.Suspended, b.CreditLine, err)
	fmt.Println(book.ResumePeer(ctx, alice))
	_, err = book.SetCreditLine(ctx, alice, ledger.NewAmount(10_000))
	fmt.Println(err)
	// Output:
	// <nil>
	// true 0 <nil>
	// <nil>
	// <nil>
}

func ExampleBook_ClosePeer() {
	ctx := context.Background()
	book, alice := exampleBook()
	_, err := book.Adjust(ctx, accounts.Adjustment{Account: alice, Key: "k", Debit: ledger.NewAmount(700), ReasonCode: 1})
	if err != nil {
		panic(err)
	}
	fmt.Println(book.ClosePeer(ctx, alice))
	fmt.Println(book.ClosePeer(ctx, alice, accounts.WithForce(), accounts.WithReasonCode(44)))
	b, err := book.Balance(ctx, alice)
	fmt.Println(b.Closed, b.Receivable, err)
	fmt.Println(book.ReopenPeer(ctx, alice))
	// Output:
	// accounts: something is owed: alice on ledger 1 owes us 7.00 USD
	// <nil>
	// true 0 <nil>
	// <nil>
}

func ExampleBook_Adjust() {
	ctx := context.Background()
	book, alice := exampleBook()
	for range 2 { // booked once for its key
		booking, err := book.Adjust(ctx, accounts.Adjustment{
			Account: alice, Key: "ticket 81", Credit: ledger.NewAmount(250), ReasonCode: 3,
		})
		fmt.Println(booking.AlreadyBooked, err)
	}
	b, err := book.Balance(ctx, alice)
	fmt.Println(cents.Format(b.Payable), err)
	// Output:
	// false <nil>
	// true <nil>
	// 2.50 <nil>
}

func ExampleBook_Withdraw() {
	ctx := context.Background()
	book, _ := exampleBook()
	_, err := book.Fund(ctx, accounts.Capital{Asset: cents, Key: "seed capital", Amount: ledger.NewAmount(100_000)})
	fmt.Println(err)
	_, err = book.Withdraw(ctx, accounts.Capital{Asset: cents, Key: "too much", Amount: ledger.NewAmount(100_001)})
	fmt.Println(err)
	_, err = book.Withdraw(ctx, accounts.Capital{Asset: cents, Key: "profit", Amount: ledger.NewAmount(40_000)})
	fmt.Println(err)
	positions, err := book.OwnPositions(ctx)
	fmt.Println(positions[0].Liquidity, positions[0].Capital, err)
	// Output:
	// <nil>
	// accounts: not covered: ourselves on ledger 1 has 1000.00 USD, not 1000.01 USD
	// <nil>
	// 60000 60000 <nil>
}

func ExampleLiquidityAlerts() {
	ctx := context.Background()
	book, _ := exampleBook()
	alerts, err := book.NewLiquidityAlerts(map[accounts.Asset]accounts.LiquidityThresholds{cents: {Low: "50", Margin: "10"}})
	if err != nil {
		panic(err)
	}
	look := func() {
		found, err := alerts.Check(ctx) // Run does this once a poll interval
		for _, a := range found {
			fmt.Println(a.Event, a.Position.Liquidity, err)
		}
	}
	look()
	look()
	if _, err := book.Fund(ctx, accounts.Capital{Asset: cents, Key: "k", Amount: ledger.NewAmount(8_000)}); err != nil {
		panic(err)
	}
	look()
	// Output:
	// low reached 0 <nil>
	// low cleared 8000 <nil>
}

func ExampleAsset_Parse() {
	for _, text := range []string{"12.5", "12.505", "-1"} {
		amount, err := cents.Parse(text)
		fmt.Println(amount, err)
	}
	fmt.Println(cents.Format(ledger.NewAmount(1250)))
	// Output:
	// 1250 <nil>
	// 0 USD/2: Amount "12.505" must have at most 2 decimals
	// 0 USD/2: Amount "-1" must be up to 295 digits, with at most one point between them
	// 12.50
}

func ExampleConverter() {
	yen := accounts.Asset{Code: "JPY", Scale: 0, Ledger: 2}
	converter, err := accounts.NewConverter(cents, yen, decimal.RequireFromString("149.5"))
	if err != nil {
		panic(err)
	}
	c, err := converter.Convert(ledger.NewAmount(101)) // 1.01 USD is 150.995 JPY
	fmt.Println("in", c.In, "cost", c.Cost, "dust", c.Dust, "out", c.Out, err)
	back, err := accounts.NewConverter(yen, cents, decimal.RequireFromString("0.0067"))
	if err != nil {
		panic(err)
	}
	c, err = back.Convert(ledger.NewAmount(1_000_001))
	fmt.Println("in", c.In, "cost", c.Cost, "dust", c.Dust, "out", c.Out, err)
	// Output:
	// in 101 cost 101 dust 0 out 150 <nil>
	// in 1000001 cost 1000000 dust 1 out 670000 <nil>
}

func ExampleBook_Peers() {
	ctx := context.Background()
	book, _ := exampleBook()
	if _, err := book.Provision(ctx, accounts.PeerConfig{ID: "bob", Asset: cents}); err != nil {
		panic(err)
	}
	for peer, err := range book.Peers(ctx, cents, "alice", "carol") {
		fmt.Println(peer.Known(), peer.Account, peer.Balance.CreditLine, err)
	}
	missing, err := book.MissingPeers(ctx, cents, "alice", "carol")
	fmt.Println(missing, err)
	// Output:
	// true alice on ledger 1 10000 <nil>
	// false no account 0 <nil>
	// [carol] <nil>
}

func ExampleBook_CheckAssets() {
	l := embedded.New()
	ctx := context.Background()
	for _, number := range []uint32{1, 5} {
		asset := accounts.Asset{Code: "USD", Scale: 2, Ledger: number}
		book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{asset}})
		if err != nil {
			panic(err)
		}
		fmt.Println(book.CheckAssets(ctx))
		if number == 1 {
			_, err = book.Provision(ctx)
			fmt.Println(err)
		}
	}
	// Output:
	// <nil>
	// <nil>
	// accounts: the ledger differs from the configuration: ourselves on ledger 5: liquidity account: ledger is 1 for USD, want 5
}

func ExampleBook_ProvisionAll() {
	ctx := context.Background()
	book, _ := exampleBook()
	peers := func(yield func(accounts.PeerConfig) bool) {
		for i := range 5000 {
			if !yield(accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: cents}) {
				return
			}
		}
	}
	var handles []accounts.PeerAccount
	for a, err := range book.ProvisionAll(ctx, peers) {
		if err != nil {
			panic(err)
		}
		handles = append(handles, a)
	}
	lines := 0
	for b, err := range book.AllBalances(ctx, slices.Values(handles)) {
		if err == nil && !b.CreditLine.IsZero() {
			lines++
		}
	}
	fmt.Println(len(handles), lines)
	// Output:
	// 5000 5000
}
