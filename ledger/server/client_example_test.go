//go:build cgo

package server_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// A test serves a ledger with a clock of its own to TigerBeetle's Go client, and lets a hold expire
// without waiting.
func ExampleServe() {
	var passed atomic.Int64 // time that the test has let pass, in nanoseconds
	books := embedded.New(embedded.WithClock(func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- server.Serve(ctx, listener, books, server.Config{}) }()

	client, err := tb.NewClient(tb.ToUint128(0), []string{listener.Addr().String()}) // the program under test
	if err != nil {
		panic(err)
	}
	_, _ = client.CreateAccounts([]tb.Account{{ID: tb.ToUint128(1), Ledger: 700, Code: 10}, {ID: tb.ToUint128(2), Ledger: 700, Code: 10}})
	_, _ = client.CreateTransfers([]tb.Transfer{{
		ID: tb.ToUint128(1), DebitAccountID: tb.ToUint128(1), CreditAccountID: tb.ToUint128(2), Amount: tb.ToUint128(10),
		Ledger: 700, Code: 10, Timeout: 60, Flags: tb.TransferFlags{Pending: true}.ToUint16(),
	}})
	held, err := books.LookupAccounts(ctx, []ledger.ID{ledger.NewID(1, 0)}) // the ledger behind the server
	fmt.Println(held[0].DebitsPending, err)
	passed.Store(int64(61 * time.Second))
	expired, err := books.LookupAccounts(ctx, []ledger.ID{ledger.NewID(1, 0)})
	fmt.Println(expired[0].DebitsPending, err)

	client.Close()
	stop()
	fmt.Println(<-served)
	// Output:
	// 10 <nil>
	// 0 <nil>
	// <nil>
}
