package export_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// openBooks returns books in which we have 100.00 USD, and owe alice 2.50 for a correction.
func openBooks(ctx context.Context) (*embedded.Ledger, *accounts.Book) {
	l := embedded.New()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(5000)})
	if err != nil {
		panic(err)
	}
	if _, err = book.Fund(ctx, accounts.Capital{Asset: usd, Key: "start", Amount: ledger.NewAmount(10000)}); err != nil {
		panic(err)
	}
	correctBooks(ctx, book, peers[0], "ticket-7", 250)
	return l, book
}

func correctBooks(ctx context.Context, book *accounts.Book, peer accounts.PeerAccount, key string, units uint64) {
	_, err := book.Adjust(ctx, accounts.Adjustment{Account: peer, Key: key, Credit: ledger.NewAmount(units), ReasonCode: 3})
	if err != nil {
		panic(err)
	}
}

// Amounts are integers in the smallest unit: 250 are 2.50 of USD/2.
func Example() {
	ctx := context.Background()
	l, book := openBooks(ctx)
	csv := export.CSV("kind", "asset", "scale", "debit", "credit", "amount", "debit_balance", "credit_balance")
	summary, err := export.Run(ctx, l, book, export.Query{Names: []string{"alice"}}, csv.NewWriter(os.Stdout))
	if err != nil {
		panic(err)
	}
	fmt.Println("entries:", summary.Totals[0].Entries, "units:", summary.Totals[0].Amounts)
	// Output:
	// kind,asset,scale,debit,credit,amount,debit_balance,credit_balance
	// funding,USD,2,outside,liquidity,10000,10000,-10000
	// correction,USD,2,suspense,peer:alice,250,250,-250
	// entries: 2 units: 10250
}

// Each call writes what is new, and no entry twice.
func ExampleWritePart() {
	ctx := context.Background()
	l, book := openBooks(ctx)
	folder, err := os.MkdirTemp("", "peerledger")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	csv := export.CSV("kind", "amount")
	write := func() {
		part, err := export.WritePart(ctx, l, book, export.Query{}, folder, csv)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%q\n", part.Name)
	}
	write()
	write()
	alice, err := book.PeerAccount("alice", book.Assets()[0])
	if err != nil {
		panic(err)
	}
	correctBooks(ctx, book, alice, "ticket-8", 40)
	write()
	text, err := os.ReadFile(filepath.Join(folder, "entries-000002.csv"))
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// "entries-000001.csv"
	// ""
	// "entries-000002.csv"
	// kind,amount
	// correction,40
	// <nil>
}
