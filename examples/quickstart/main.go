// Quickstart shows the library on one page: two peers, a packet each way, a settlement threshold
// reached, a settlement paid. It runs on the embedded ledger.
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

var usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1} // a unit is a billionth of a dollar

const cent = 10_000_000

func main() {
	ctx := context.Background()
	client, err := openClient(os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(runDemo(ctx, os.Stdout, client), client.Close(ctx)); err != nil {
		log.Fatal(err)
	}
}

// openClient opens a client that pays a peer in full as soon as we owe the peer 5 cents.
func openClient(out io.Writer) (*peerledger.Client, error) {
	// Your payment channel goes here. The order's ID is the idempotency key: a second call with the
	// same order must pay nothing more.
	rail := func(_ context.Context, order settlement.Order) (ledger.Amount, error) {
		fmt.Fprintf(out, "rail: pay %s to %s\n", order.Asset.WholeUnits(order.Amount), order.Account.Peer())
		return order.Amount, nil
	}
	return peerledger.OpenEmbedded(peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd}},
		Settlement: settlement.Config{
			Rails:    settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(rail)}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(5 * cent)}},
			Manual:   true, // pay when this program calls Settle, not in the background
		},
	})
}

func runDemo(ctx context.Context, out io.Writer, client *peerledger.Client) error {
	peers, err := client.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(100 * cent)},
		accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: ledger.NewAmount(2 * cent)})
	if err != nil {
		return err
	}
	alice, bob := peers[0], peers[1]

	// Alice sends 6 cents. Bob gets them less a fee of a thousandth of a cent.
	err = deliverPacket(ctx, client, transfers.Packet{From: alice, To: bob, In: 6 * cent, Out: 6*cent - cent/1000})
	if err != nil {
		return err
	}
	if err := showPositions(ctx, out, client, alice, bob); err != nil {
		return err
	}

	// We owe bob more than 5 cents now.
	if _, err := client.Settlement.Settle(ctx); err != nil {
		return err
	}
	if err := showPositions(ctx, out, client, alice, bob); err != nil {
		return err
	}

	// Bob may owe us 2 cents. The ledger refuses a packet beyond this credit line.
	err = deliverPacket(ctx, client, transfers.Packet{From: bob, To: alice, In: 3 * cent, Out: 3 * cent})
	fmt.Fprintf(out, "bob sends 3 cents: ILP error %s, over its credit line: %t\n",
		transfers.ILPCode(err), errors.Is(err, transfers.ErrCreditLine))
	err = deliverPacket(ctx, client, transfers.Packet{From: bob, To: alice, In: 2 * cent, Out: 2 * cent})
	if err != nil {
		return err
	}
	return showPositions(ctx, out, client, alice, bob)
}

// deliverPacket prepares a packet and fulfills it.
func deliverPacket(ctx context.Context, client *peerledger.Client, packet transfers.Packet) error {
	packet.Expiry = time.Now().Add(30 * time.Second)
	held, err := client.Recorder.Prepare(ctx, packet)
	if err != nil {
		return err // answer the sender with the ILP error transfers.ILPCode(err)
	}
	// The amounts are held, so the packet may be forwarded. Here its answer is a fulfill. For a
	// reject, Recorder.Reject releases the amounts.
	_, err = client.Recorder.Fulfill(ctx, held.Packet)
	return err
}

// showPositions prints each position: above 0 we owe the peer, below 0 the peer owes us.
func showPositions(ctx context.Context, out io.Writer, client *peerledger.Client, peers ...accounts.PeerAccount) error {
	balances, err := client.Book.Balances(ctx, peers...)
	for _, b := range balances {
		fmt.Fprintf(out, "  %-5s position %9s USD, settled out %s\n",
			b.Account.Peer(), b.Decimal().Position, b.Decimal().SettledOut)
	}
	return err
}
