package aggregate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// A packet that is too large, and one that is cut to the longest hold.
func Example_limits() {
	ctx := context.Background()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{
		Assets: []accounts.Asset{usd},
		Limits: accounts.Rules[accounts.Limits]{
			Asset: map[accounts.Asset]accounts.Limits{usd: {CreditLine: "100", MaxPacket: "10", MaxHold: 30 * time.Second}},
		},
	})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		panic(err)
	}
	recorder, err := aggregate.NewRecorder(ctx, l, book, aggregate.Config{LoseFulfillsWithProcess: true})
	if err != nil {
		panic(err)
	}
	defer recorder.Close(ctx) //nolint:errcheck // the example ends

	tooLarge := transfers.Packet{From: peers[0], To: peers[1], In: 1500, Out: 1490, Expiry: time.Now().Add(time.Minute)}
	_, err = recorder.Prepare(ctx, tooLarge)
	fmt.Printf("%s %x\n", transfers.ILPCode(err), transfers.RejectData(err))

	inAYear := transfers.Packet{From: peers[0], To: peers[1], In: 900, Out: 890, Expiry: time.Now().AddDate(1, 0, 0)}
	held, err := recorder.Prepare(ctx, inAYear)
	fmt.Println(held.Packet.Hold.Round(time.Second), err) // the PREPARE that goes on has held.Packet.Expiry
	// Output:
	// F08 00000000000005dc00000000000003e8
	// 32s <nil>
}
