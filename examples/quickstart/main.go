// Quickstart is the whole job in one page: two peers, a packet each way, a
// threshold crossed, a settlement paid. It runs on the embedded ledger.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1} // a unit is a billionth of a dollar
	const cent = 10_000_000

	client, err := peerledger.OpenEmbedded(peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
		Settlement: settlement.Config{
			// Pay a peer all that it is owed as soon as that is 5 cents.
			Policy: func(accounts.Account) settlement.Policy {
				return settlement.Threshold{At: ledger.NewAmount(5 * cent)}
			},
			// Your payment channel goes here. The order's ID is the key that
			// makes a second call with the same order pay nothing more.
			Settler: settlement.SettlerFunc(func(_ context.Context, order settlement.Order) (ledger.Amount, error) {
				fmt.Fprintf(out, "rail: pay %s to %s\n", order.Asset.Decimal(order.Amount), order.Account.Peer())
				return order.Amount, nil
			}),
			Manual: true, // check when this program says so, not in the background
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close(ctx)) }()

	peers, err := client.Provision(ctx,
		accounts.Peer{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(100 * cent)},
		accounts.Peer{ID: "bob", Asset: usd, CreditLine: ledger.NewAmount(2 * cent)})
	if err != nil {
		return err
	}
	alice, bob := peers[0], peers[1]

	// Alice sends 6 cents; bob gets all but a fee of a thousandth of a cent.
	held, err := client.Recorder.Prepare(ctx, transfers.Packet{
		From: alice, To: bob, In: 6 * cent, Out: 6*cent - cent/1000, Expiry: time.Now().Add(30 * time.Second),
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "a packet of alice to bob is held: forward it now")
	if _, err := client.Recorder.Fulfill(ctx, held.Packet); err != nil {
		return err
	}
	if err := show(ctx, out, client, alice, bob); err != nil {
		return err
	}

	// Bob is owed more than 5 cents now.
	if _, err := client.Settlement.Check(ctx); err != nil {
		return err
	}
	if err := show(ctx, out, client, alice, bob); err != nil {
		return err
	}

	// Bob may owe us 2 cents. A packet beyond that is refused by the ledger.
	big := transfers.Packet{From: bob, To: alice, In: 3 * cent, Out: 3 * cent, Expiry: time.Now().Add(30 * time.Second)}
	_, err = client.Recorder.Prepare(ctx, big)
	fmt.Fprintf(out, "bob sends 3 cents: ILP error %s, over its credit line: %t\n",
		transfers.Code(err), errors.Is(err, transfers.ErrCreditLine))
	small := big
	small.In, small.Out = 2*cent, 2*cent
	held, err = client.Recorder.Prepare(ctx, small)
	if err != nil {
		return err
	}
	if _, err := client.Recorder.Fulfill(ctx, held.Packet); err != nil {
		return err
	}
	return show(ctx, out, client, alice, bob)
}

// show prints what we owe each peer (above 0) or it owes us (below).
func show(ctx context.Context, out io.Writer, client *peerledger.Client, peers ...accounts.Account) error {
	balances, err := client.Book.Balances(ctx, peers...)
	for _, b := range balances {
		fmt.Fprintf(out, "  %-5s position %9s USD, settled out %s\n",
			b.Account.Peer(), b.Decimal().Position, b.Decimal().SettledOut)
	}
	return err
}
