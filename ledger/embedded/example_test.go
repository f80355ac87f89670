package embedded_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// A packet costs alice 5 units: they are held, and then some of them are posted.
func Example() {
	ctx := context.Background()
	l := embedded.New()

	alice, connector := ledger.NewID(1, 0), ledger.NewID(2, 0)
	if _, err := l.CreateAccounts(ctx, []ledger.Account{
		{ID: alice, Ledger: 1, Code: 1},
		{ID: connector, Ledger: 1, Code: 1},
	}); err != nil {
		log.Fatal(err)
	}
	results, err := l.CreateTransfers(ctx, []ledger.Transfer{
		{
			ID: ledger.NewID(10, 0), DebitAccountID: alice, CreditAccountID: connector,
			Amount: ledger.NewAmount(5), Ledger: 1, Code: 1, Flags: ledger.TransferPending,
		},
		{
			ID: ledger.NewID(11, 0), PendingID: ledger.NewID(10, 0),
			Amount: ledger.NewAmount(3), Flags: ledger.TransferPostPending,
		},
		{
			ID: ledger.NewID(12, 0), PendingID: ledger.NewID(10, 0), Flags: ledger.TransferVoidPending,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		fmt.Println(r.Status)
	}
	accounts, err := l.LookupAccounts(ctx, []ledger.ID{alice})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("posted", accounts[0].DebitsPosted, "pending", accounts[0].DebitsPending)
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// created
	// created
	// pending_transfer_already_posted
	// posted 3 pending 0
}

// With a clock of its own a test lets a hold expire without waiting.
func ExampleWithClock() {
	ctx := context.Background()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l := embedded.New(embedded.WithClock(func() time.Time { return now }))

	alice, connector := ledger.NewID(1, 0), ledger.NewID(2, 0)
	if _, err := l.CreateAccounts(ctx, []ledger.Account{
		{ID: alice, Ledger: 1, Code: 1},
		{ID: connector, Ledger: 1, Code: 1},
	}); err != nil {
		log.Fatal(err)
	}
	if _, err := l.CreateTransfers(ctx, []ledger.Transfer{{
		ID: ledger.NewID(10, 0), DebitAccountID: alice, CreditAccountID: connector,
		Amount: ledger.NewAmount(5), Timeout: 30, Ledger: 1, Code: 1, Flags: ledger.TransferPending,
	}}); err != nil {
		log.Fatal(err)
	}

	now = now.Add(31 * time.Second)
	results, err := l.CreateTransfers(ctx, []ledger.Transfer{{
		ID: ledger.NewID(11, 0), PendingID: ledger.NewID(10, 0), Flags: ledger.TransferVoidPending,
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[0].Status)
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: pending_transfer_expired
}

// A ledger in a folder outlives the process.
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ledger")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	l, err := embedded.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := l.CreateAccounts(ctx, []ledger.Account{{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}}); err != nil {
		log.Fatal(err)
	}
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}

	l, err = embedded.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	found, err := l.LookupAccounts(ctx, []ledger.ID{ledger.NewID(1, 0)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(found), "account,", l.Recovery().Records, "request was run again")
	if err := l.Close(); err != nil {
		log.Fatal(err)
	}
	// Output: 1 account, 1 request was run again
}
