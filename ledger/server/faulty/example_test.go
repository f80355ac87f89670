package faulty_test

import (
	"fmt"

	"github.com/peerledger/peerledger/ledger/server"
	"github.com/peerledger/peerledger/ledger/server/faulty"
)

// The answer to the second request that creates transfers is lost. The client under test repeats
// its request and gets the answer then.
func Example() {
	s, err := faulty.Start(faulty.Config{})
	if err != nil {
		panic(err)
	}
	lost := s.Inject(faulty.Fault{
		On: faulty.Requests(server.CreateTransfers), Skip: 1, Do: faulty.DropAnswer(),
	})
	// Here the client under test works on s.Addresses().
	fmt.Println(len(s.Addresses()), lost.Hits(), s.Close())
	// Output: 1 0 <nil>
}
