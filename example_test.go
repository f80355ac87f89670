package peerledger_test

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

func Example() {
	ctx, usd := context.Background(), accounts.Asset{Code: "USD", Scale: 9, Ledger: 1} // Ledger: the asset's number in TigerBeetle, one per asset
	client, err := peerledger.OpenEmbedded(peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = client.Close(ctx) }()
	peers, err := client.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1_000_000)},
		accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		panic(err)
	}
	held, err := client.Recorder.Prepare(ctx, transfers.Packet{ // before forwarding the packet
		From: peers[0], To: peers[1], In: 1000, Out: 990, Expiry: time.Now().Add(30 * time.Second),
	})
	if err != nil {
		panic(err) // answer the sender with the ILP error transfers.ILPCode(err)
	}
	if _, err := client.Recorder.Fulfill(ctx, held.Packet); err != nil { // when the fulfill arrives
		panic(err)
	}
	for _, peer := range peers {
		b, err := client.Book.Balance(ctx, peer)
		fmt.Println(peer.Peer(), b.Position(), err)
	}
	// Output:
	// alice -1000 <nil>
	// bob 990 <nil>
}
