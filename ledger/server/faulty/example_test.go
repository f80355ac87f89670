//go:build cgo && unix

package faulty_test

import (
	"errors"
	"fmt"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger/server"
	"github.com/peerledger/peerledger/ledger/server/faulty"
)

// The first answer to a request that creates accounts is lost. The client repeats its request, and the
// account is created once.
func Example() {
	s, err := faulty.Start(faulty.Config{})
	if err != nil {
		panic(err)
	}
	lost := s.Inject(faulty.Fault{On: faulty.Requests(server.CreateAccounts), Do: faulty.DropAnswer()})

	client, err := tb.NewClient(tb.ToUint128(0), s.Addresses()) // the program under test
	if err != nil {
		panic(err)
	}
	results, err := client.CreateAccounts([]tb.Account{{ID: tb.ToUint128(1), Ledger: 700, Code: 10}})
	fmt.Println(results[0].Status, err, "after lost answers:", lost.Hits())

	client.Close()
	fmt.Println(s.Close())
	// Output:
	// AccountCreated <nil> after lost answers: 1
	// <nil>
}

// The answer to a transfer is lost, and the server restarts without its sessions. The evicted client does not know
// whether the transfer was made. A new client sends the same transfer and learns that it was.
func ExampleServer_Restart() {
	s, err := faulty.Start(faulty.Config{})
	if err != nil {
		panic(err)
	}
	client, err := tb.NewClient(tb.ToUint128(0), s.Addresses()) // the program under test
	if err != nil {
		panic(err)
	}
	_, _ = client.CreateAccounts([]tb.Account{{ID: tb.ToUint128(1), Ledger: 700, Code: 10}, {ID: tb.ToUint128(2), Ledger: 700, Code: 10}})
	transfers := []tb.Transfer{{
		ID: tb.ToUint128(1), DebitAccountID: tb.ToUint128(1), CreditAccountID: tb.ToUint128(2), Amount: tb.ToUint128(10), Ledger: 700, Code: 10,
	}}

	lost := s.Inject(faulty.Fault{On: faulty.Requests(server.CreateTransfers), Do: faulty.DropAnswer()})
	failed := make(chan error)
	go func() {
		_, err := client.CreateTransfers(transfers)
		failed <- err
	}()
	<-lost.Done() // the transfer is made, and its answer lost
	if err := s.Restart(faulty.KeepLedger); err != nil {
		panic(err)
	}
	fmt.Println("evicted:", errors.Is(<-failed, tb.ErrClientEvicted))
	client.Close()

	client, err = tb.NewClient(tb.ToUint128(0), s.Addresses())
	if err != nil {
		panic(err)
	}
	results, err := client.CreateTransfers(transfers)
	fmt.Println(results[0].Status, err)
	client.Close()
	fmt.Println(s.Close())
	// Output:
	// evicted: true
	// TransferExists <nil>
	// <nil>
}
