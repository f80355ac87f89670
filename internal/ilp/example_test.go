package ilp_test

import (
	"fmt"
	"log"
	"time"

	"github.com/peerledger/peerledger/internal/ilp"
)

// A connector reads the packets of a peer.
func ExampleDecode() {
	sent := []ilp.Packet{
		ilp.Prepare{
			Amount:      1500,
			ExpiresAt:   time.Date(2026, 11, 23, 1, 47, 26, 0, time.UTC),
			Destination: "test.hub.alice",
		},
		ilp.Fulfill{},
		ilp.Reject{Code: "T04", TriggeredBy: "test.hub", Message: "credit line exceeded"},
	}
	for _, packet := range sent {
		wire, err := packet.AppendBinary(nil)
		if err != nil {
			log.Fatal(err)
		}
		received, err := ilp.Decode(wire)
		if err != nil {
			log.Fatal(err)
		}
		switch p := received.(type) {
		case ilp.Prepare:
			fmt.Println(p.Type(), p.Amount, "to", p.Destination, "until", p.ExpiresAt.Format(time.TimeOnly))
		case ilp.Fulfill:
			fmt.Printf("%v %x...\n", p.Type(), p.Fulfillment[:4])
		case ilp.Reject:
			fmt.Println(p.Type(), p.Code, p.Message)
		}
	}
	_, err := ilp.Decode([]byte{12, 3, 0, 0, 0})
	fmt.Println(err)
	// Output:
	// PREPARE 1500 to test.hub.alice until 01:47:26
	// FULFILL 00000000...
	// REJECT T04 credit line exceeded
	// ilp: malformed packet: amount at byte 2: the packet is cut: 5 bytes are missing
}
