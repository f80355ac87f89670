package bench_test

import (
	"context"
	"fmt"
	"io"

	"github.com/peerledger/peerledger/internal/bench"
)

// What is wrong with a command line is said before anything is measured.
func ExampleMain() {
	err := bench.Main(context.Background(), []string{"-ledger", "paper"}, io.Discard, io.Discard, false)
	fmt.Println(err)
	// Output: usage: -ledger is embedded or cluster, not "paper"
}
