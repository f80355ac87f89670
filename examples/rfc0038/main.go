// Rfc0038 shows two connectors that pay each other through settlement engines of RFC 0038. All four parts are
// in one process and talk HTTP on loopback: each connector asks its own engine to pay, and the engine of the
// other side reports the money that came in. The engine's first answer is lost on the way, and still the peer
// is paid once. In the end the books of both connectors mirror each other.
//
//	go run ./examples/rfc0038
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
	"github.com/peerledger/peerledger/transfers"
)

var usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1} // a unit is a billionth of a dollar

// engineScale is the one of the rail: the engines pay whole millionths.
const engineScale = 6

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := runDemo(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func runDemo(ctx context.Context, out io.Writer) (err error) {
	rail := enginetest.NewRail()
	alice, err := openSide(ctx, "alice", "bob", rail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, alice.closeAll(ctx)) }()
	bob, err := openSide(ctx, "bob", "alice", rail)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bob.closeAll(ctx)) }()
	alice.other, bob.other = bob, alice

	// A packet of alice goes to bob, and both connectors book it.
	const amount = 1_999_999_999
	if err := errors.Join(alice.recordPacket(ctx, transfers.Packet{From: alice.own, To: alice.peer, In: amount, Out: amount}),
		bob.recordPacket(ctx, transfers.Packet{From: bob.peer, To: bob.own, In: amount, Out: amount})); err != nil {
		return err
	}
	if err := showPositions(ctx, out, alice, bob); err != nil {
		return err
	}
	if err := settleWithLostAnswer(ctx, out, alice); err != nil {
		return err
	}

	// Bob's engine has seen the money and reports it.
	select {
	case booked := <-bob.booked:
		fmt.Fprintf(out, "bob's connector books %s of %s, once under its key\n", booked.Quantity, booked.Account.Peer())
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := showPositions(ctx, out, alice, bob); err != nil {
		return err
	}
	payments, err := rail.Payments()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "the rail has %d payment, of %s\n", len(payments), payments[0].Amount)
	return nil
}

// settleWithLostAnswer pays the peer through an engine whose first answer is lost.
func settleWithLostAnswer(ctx context.Context, out io.Writer, s *side) error {
	if err := s.engine.Inject(enginetest.Fault{Kind: enginetest.DropAfter, Request: enginetest.Settle}); err != nil {
		return err
	}
	_, err := s.client.Settlement.Settle(ctx, s.peer)
	fmt.Fprintln(out, "the engine's answer is lost, so the outcome is unknown:", err != nil)
	payments, err := s.client.Settlement.Settle(ctx, s.peer)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "asked again under the same key, the engine has taken over %s\n", usd.Text(payments[0].Paid))
	return nil
}

// showPositions prints each position: above 0 we owe the peer, below 0 the peer owes us.
func showPositions(ctx context.Context, out io.Writer, sides ...*side) error {
	for _, s := range sides {
		b, err := s.client.Book.Balance(ctx, s.peer)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-5s position with %-5s %12s USD\n", s.name, s.peer.Peer(), b.Decimal().Position)
	}
	return nil
}
