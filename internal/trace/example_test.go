package trace_test

import (
	"bytes"
	"fmt"
	"log"
	"os"

	"github.com/peerledger/peerledger/internal/trace"
)

// A replay is one loop over the events.
func ExampleRead() {
	text, err := os.ReadFile("testdata/sample.jsonl")
	if err != nil {
		log.Fatal(err)
	}
	t, err := trace.Read(bytes.NewReader(text), "sample.jsonl")
	if err != nil {
		log.Fatal(err) // with file, line and reason
	}
	for _, event := range t.Events {
		switch e := event.(type) {
		case *trace.Forward:
			fmt.Printf("%v prepare %d: %s %d -> %s %d\n", e.At, e.ID, e.From, e.In, e.To, e.Out)
		case *trace.Answer:
			fmt.Printf("%v answer to %d: fulfilled is %v\n", e.At, e.Forward.ID, e.Fulfilled)
		case *trace.SettleOut:
			fmt.Printf("%v paid %v to %s\n", e.At, e.Amount, e.Peer)
		case *trace.SettleIn:
			fmt.Printf("%v got %v from %s\n", e.At, e.Amount, e.Peer)
		}
	}
	for _, peer := range t.Peers {
		fmt.Println(peer.ID, "ends at", peer.Final)
	}
	// Output:
	// 5ms prepare 2: alice 1500 -> bob 1490
	// 7ms prepare 3: bob 200 -> alice 200
	// 9ms answer to 2: fulfilled is true
	// 9ms paid 1390 to bob
	// 11ms answer to 3: fulfilled is false
	// 15ms got 1000 from alice
	// alice ends at -500
	// bob ends at 100
}
