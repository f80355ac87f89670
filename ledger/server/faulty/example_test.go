//go:build cgo && unix

package faulty_test

import (
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
