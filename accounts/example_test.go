package accounts_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

func Example() {
	ctx := context.Background()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(10_000)})
	if err != nil {
		panic(err)
	}
	b, err := book.Balance(ctx, peers[0])
	if err != nil {
		panic(err)
	}
	fmt.Println(b.Account, "may owe", b.CreditLine, "units")
	fmt.Println("that is", b.Decimal().CreditLine, b.Asset.Code, "and it owes", b.Decimal().Receivable)
	// Output:
	// alice on ledger 1 may owe 10000 units
	// that is 100 USD and it owes 0
}

// Provisioning leaves existing accounts unchanged, and reports their differences.
func ExampleBook_Provision_drift() {
	ctx := context.Background()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		panic(err)
	}
	alice := accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(100)}
	_, err = book.Provision(ctx, alice)
	fmt.Println(err)
	alice.CreditLine = ledger.NewAmount(250)
	_, err = book.Provision(ctx, alice)
	fmt.Println(err)
	fmt.Println(errors.Is(err, accounts.ErrDrift))
	// Output:
	// <nil>
	// accounts: the ledger differs from the configuration: alice on ledger 1: line account: credit_line is 1.00 USD, want 2.50 USD
	// true
}
