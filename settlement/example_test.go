package settlement_test

import (
	"context"
	"fmt"
	"log"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

func Example() {
	ctx := context.Background()
	l := embedded.New()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		log.Fatal(err)
	}
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd})
	if err != nil {
		log.Fatal(err)
	}
	alice := peers[0]

	// Pay alice when we owe her 10.00, down to 2.00.
	policy := settlement.Threshold{SettleThreshold: ledger.NewAmount(1000), SettleTo: ledger.NewAmount(200)}
	engine, err := settlement.NewEngine(l, book, settlement.Config{
		Rails:    settlement.Rails{Default: &settlement.Rail{Settler: settlement.SettlerFunc(pay)}},
		Policies: settlement.Policies{Default: policy},
		Manual:   true,
	})
	if err != nil {
		log.Fatal(err)
	}
	deliver(ctx, l, book, alice, 1250)
	if _, err := engine.Settle(ctx, alice); err != nil {
		log.Fatal(err)
	}

	// Alice's own payment, reported twice, is booked once.
	for range 2 {
		receipt, err := engine.RecordIncoming(ctx, settlement.IncomingPayment{
			Account: alice, Key: "tx-77", Amount: ledger.NewAmount(500),
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("received", usd.WholeUnits(receipt.Amount), "already booked:", receipt.AlreadyBooked)
	}
	b, err := book.Balance(ctx, alice)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("owed", b.Decimal().Payable, "of it prepaid", b.Decimal().Prepaid)
	if err := engine.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// pay alice 10.5 USD
	// received 5 already booked: false
	// received 5 already booked: true
	// owed 7 of it prepaid 5
}

// pay stands for a rail. A real rail is called with o.ID as the idempotency key.
func pay(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	fmt.Println("pay", o.Account.Peer(), o.Asset.WholeUnits(o.Amount), o.Asset.Code)
	return o.Amount, nil
}

// deliver has the peer deliver a packet of ours, for which the peer earns so many units.
func deliver(ctx context.Context, l ledger.Ledger, book *accounts.Book, peer accounts.PeerAccount, units uint64) {
	asset, _ := book.Asset(peer.Ledger())
	own, err := book.OwnAccount(asset)
	if err != nil {
		log.Fatal(err)
	}
	recorder, err := transfers.NewRecorder(l, book, transfers.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := recorder.Forward(ctx, transfers.Packet{From: own, To: peer, In: units, Out: units}); err != nil {
		log.Fatal(err)
	}
	if err := recorder.Close(ctx); err != nil {
		log.Fatal(err)
	}
}

// exampleEngine makes an engine without rails, and a peer.
func exampleEngine() (*settlement.Engine, accounts.PeerAccount) {
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		log.Fatal(err)
	}
	peers, err := book.Provision(context.Background(), accounts.PeerConfig{ID: "alice", Asset: usd})
	if err != nil {
		log.Fatal(err)
	}
	engine, err := settlement.NewEngine(l, book, settlement.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return engine, peers[0]
}

// A chain shows a payment, takes the payment back, and confirms it after all, less a fee.
func ExampleEngine_Announce() {
	ctx := context.Background()
	l := embedded.New()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		log.Fatal(err)
	}
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd})
	if err != nil {
		log.Fatal(err)
	}
	engine, err := settlement.NewEngine(l, book, settlement.Config{Manual: true})
	if err != nil {
		log.Fatal(err)
	}
	show := func(what string) {
		b, err := book.Balance(ctx, peers[0])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(what, "announced", b.Decimal().Announced, "prepaid", b.Decimal().Prepaid)
	}
	in := settlement.IncomingPayment{Account: peers[0], Key: "tx-77", Amount: ledger.NewAmount(500)}
	if _, err := engine.Announce(ctx, in); err != nil {
		log.Fatal(err)
	}
	show("seen:")
	if _, err := engine.Fail(ctx, in.Account, in.Key); err != nil {
		log.Fatal(err)
	}
	show("gone:")
	in.Amount = ledger.NewAmount(490)
	if _, err := engine.RecordIncoming(ctx, in); err != nil {
		log.Fatal(err)
	}
	show("final:")
	if err := engine.Close(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// seen: announced 5 prepaid 0
	// gone: announced 0 prepaid 0
	// final: announced 0 prepaid 4.9
}
