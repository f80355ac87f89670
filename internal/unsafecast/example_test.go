package unsafecast_test

import (
	"fmt"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
)

// result is a record of another package, with the fields of [ledger.CreateTransferResult].
type result struct {
	At       uint64
	Status   uint32
	Reserved uint32
}

func Example() {
	results := []result{{At: 7, Status: 46}, {At: 9, Status: 54}}
	for _, r := range unsafecast.Slice[ledger.CreateTransferResult](results) {
		fmt.Println(r.Timestamp, r.Status)
	}
	fmt.Println(unsafecast.Value[ledger.CreateTransferResult](results[0]).Status.Outcome())
	// Output:
	// 7 exists
	// 9 exceeds_credits
	// already applied
}
