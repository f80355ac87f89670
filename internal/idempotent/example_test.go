package idempotent_test

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

func ExampleBook() {
	ctx := context.Background()
	l, ns := embedded.New(), chart.Namespace("example")
	empty, outside := ledger.NewID(1, 0), ledger.NewID(2, 0)
	_, err := l.CreateAccounts(ctx, []ledger.Account{
		{ID: empty, Ledger: 1, Code: 1, Flags: ledger.AccountDebitsMustNotExceedCredits}, {ID: outside, Ledger: 1, Code: 1},
	})
	if err != nil {
		panic(err)
	}
	pay := func(key string) {
		booking, err := idempotent.Book(ctx, l, func(attempt uint64) []ledger.Transfer {
			return []ledger.Transfer{{
				ID:             ns.Derive("pay", []byte(key), chart.U64(attempt)),
				DebitAccountID: empty, CreditAccountID: outside, Amount: ledger.NewAmount(5), Ledger: 1, Code: 1,
			}}
		})
		fmt.Println("attempt", booking.Attempt, "already", booking.AlreadyBooked, "error", err != nil)
	}
	pay("invoice 7") // refused, which burns the id of attempt 0
	_, err = l.CreateTransfers(ctx, []ledger.Transfer{{
		ID: ledger.NewID(9, 9), DebitAccountID: outside, CreditAccountID: empty, Amount: ledger.NewAmount(100), Ledger: 1, Code: 1,
	}})
	if err != nil {
		panic(err)
	}
	pay("invoice 7")
	pay("invoice 7")
	// Output:
	// attempt 0 already false error true
	// attempt 1 already false error false
	// attempt 1 already true error false
}
