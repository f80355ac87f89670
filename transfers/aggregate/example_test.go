package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// A thousand packets are a few rounds. Each round charges alice once, and credits bob once.
func Example() {
	ctx := context.Background()
	usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1_000_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		panic(err)
	}
	parent, err := os.MkdirTemp("", "peerledger")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(parent) }()
	rounds, packets := 0, uint64(0)
	recorder, err := aggregate.NewRecorder(ctx, l, book, aggregate.Config{
		JournalFolder: filepath.Join(parent, "journal"),
		Events: aggregate.Events{Round: func(r aggregate.Round) {
			rounds, packets = rounds+1, packets+r.Packets
		}},
	})
	if err != nil {
		panic(err)
	}
	packet := transfers.Packet{From: peers[0], To: peers[1], In: 100, Out: 99, Expiry: time.Now().Add(30 * time.Second)}
	for range 1000 {
		held, err := recorder.Prepare(ctx, packet) // decided in memory
		if err != nil {
			panic(err) // do not forward the packet; transfers.ILPCode(err) is the ILP error
		}
		// ... forward the packet; its answer is a fulfill:
		if _, err = recorder.Fulfill(ctx, held.Packet); err != nil { // on disk when it returns
			panic(err)
		}
	}
	packet.In, packet.Out = 1_000_001, 1_000_001
	_, err = recorder.Prepare(ctx, packet)
	fmt.Println(errors.Is(err, transfers.ErrCreditLine))
	fmt.Println(recorder.Close(ctx))
	fmt.Println(packets, "packets, fewer than 200 rounds:", rounds < 200)
	for _, peer := range peers {
		balance, err := book.Balance(ctx, peer)
		if err != nil {
			panic(err)
		}
		fmt.Println(peer.Peer(), "owes", balance.Receivable, "is owed", balance.Payable, "held", balance.HeldIn)
	}
	// Output:
	// true
	// <nil>
	// 1000 packets, fewer than 200 rounds: true
	// alice owes 100000 is owed 0 held 0
	// bob owes 0 is owed 99000 held 0
}
