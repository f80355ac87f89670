package transfers_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// open returns a recorder between alice, who may owe 1000 units, and bob.
func open(ctx context.Context) (recorder *transfers.Recorder, alice, bob accounts.PeerAccount) {
	usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		panic(err)
	}
	recorder, err = transfers.NewRecorder(l, book, transfers.Config{})
	if err != nil {
		panic(err)
	}
	return recorder, peers[0], peers[1]
}

func Example() {
	ctx := context.Background()
	recorder, alice, bob := open(ctx)
	held, err := recorder.Prepare(ctx, transfers.Packet{
		From: alice, To: bob, In: 100, Out: 99, Expiry: time.Now().Add(30 * time.Second),
	})
	if err != nil {
		panic(err) // do not forward the packet; transfers.ILPCode(err) is the ILP error
	}
	// ... forward the packet; its answer is a fulfill:
	posted, err := recorder.Fulfill(ctx, held.Packet)
	fmt.Println(posted.Kind, posted.Outcome, err)
	// Recording it again changes nothing.
	posted, err = recorder.Fulfill(ctx, held.Packet)
	fmt.Println(posted.Kind, posted.Outcome, err)
	fmt.Println(recorder.Close(ctx))
	// Output:
	// fulfill applied <nil>
	// fulfill already applied <nil>
	// <nil>
}

// Submit does not wait for the ledger.
func ExampleRecorder_Submit() {
	ctx := context.Background()
	recorder, alice, bob := open(ctx)
	var futures []transfers.Future
	for range 3 {
		future, err := recorder.Submit(ctx, transfers.PrepareOp(transfers.Packet{
			From: alice, To: bob, In: 400, Out: 400, Hold: time.Minute,
		}))
		if err != nil {
			panic(err)
		}
		futures = append(futures, future)
	}
	refused := 0
	for _, future := range futures {
		if result := future.Wait(ctx); errors.Is(result.Err, transfers.ErrCreditLine) {
			refused++
		}
	}
	fmt.Println("beyond the credit line:", refused)
	fmt.Println(recorder.Close(ctx))
	// Output:
	// beyond the credit line: 1
	// <nil>
}

func ExampleRecorder_RecordAll() {
	ctx := context.Background()
	recorder, alice, bob := open(ctx)
	packet := transfers.Packet{ID: ledger.NewID(1<<8, 0), From: alice, To: bob, In: 10, Out: 10, Hold: time.Minute}
	results, err := recorder.RecordAll(ctx, transfers.PrepareOp(packet), transfers.RejectOp(packet), transfers.FulfillOp(packet))
	for _, r := range results {
		fmt.Println(r.Kind, r.Outcome)
	}
	fmt.Println(errors.Is(err, transfers.ErrPacketConflict))
	fmt.Println(recorder.Close(ctx))
	// Output:
	// prepare applied
	// reject applied
	// fulfill refused
	// true
	// <nil>
}

func ExampleILPCode() {
	fmt.Println(transfers.ILPCode(transfers.ErrCreditLine))
	fmt.Println(transfers.ILPCode(transfers.ErrBacklogFull))
	fmt.Println(transfers.ILPCode(ledger.ErrOutcomeUnknown))
	// Output:
	// T04
	// T03
	// T00
}
