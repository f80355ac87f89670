//go:build cgo

package tbclient_test

import (
	"fmt"
	"log"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/tbclient"
)

// The program below does not depend on this package: it takes any client.
func Example() {
	client := tbclient.New(embedded.New())
	defer client.Close()
	if err := buyOrder(client); err != nil {
		log.Fatal(err)
	}
	// Output:
	// created: TransferCreated TransferExists
	// held: 500, paid: 0
	// posted: TransferCreated TransferPendingTransferAlreadyPosted
	// held: 0, paid: 350
}

var customer, shop, order = tb.ToUint128(1), tb.ToUint128(2), tb.ToUint128(100)

// buyOrder holds 500 of the customer's money, sends the order again as after a doubt, takes 350,
// and finds that the rest cannot be taken later.
func buyOrder(client tb.Client) error {
	if _, err := client.CreateAccounts([]tb.Account{
		{ID: customer, Ledger: 1, Code: 1},
		{ID: shop, Ledger: 1, Code: 2, Flags: tb.AccountFlags{DebitsMustNotExceedCredits: true}.ToUint16()},
	}); err != nil {
		return err
	}
	hold := tb.Transfer{
		ID: order, DebitAccountID: customer, CreditAccountID: shop, Amount: tb.ToUint128(500),
		Timeout: 60, Ledger: 1, Code: 1, Flags: tb.TransferFlags{Pending: true}.ToUint16(),
	}
	if err := createPair(client, "created", hold, hold); err != nil {
		return err
	}
	post := tb.Transfer{
		ID: tb.ToUint128(101), PendingID: order, Amount: tb.ToUint128(350),
		Flags: tb.TransferFlags{PostPendingTransfer: true}.ToUint16(),
	}
	again := post
	again.ID = tb.ToUint128(102)
	return createPair(client, "posted", post, again)
}

// createPair sends two transfers and prints their statuses and the customer's balance.
func createPair(client tb.Client, what string, a, b tb.Transfer) error {
	results, err := client.CreateTransfers([]tb.Transfer{a, b})
	if err != nil {
		return err
	}
	accounts, err := client.LookupAccounts([]tb.Uint128{customer})
	if err != nil {
		return err
	}
	fmt.Printf("%s: %v %v\n", what, results[0].Status, results[1].Status)
	fmt.Printf("held: %v, paid: %v\n", accounts[0].DebitsPending.BigInt(), accounts[0].DebitsPosted.BigInt())
	return nil
}
