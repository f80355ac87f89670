package bench_test

import (
	"context"
	"fmt"
	"io"

	"github.com/peerledger/peerledger/internal/bench"
)

// A wrong command line is an error before the first measurement.
func ExampleMain() {
	err := bench.Main(context.Background(), []string{"-ledger", "paper"}, io.Discard, io.Discard, false)
	fmt.Println(err)
	// Output: usage: -ledger is embedded, cluster or folder, not "paper"
}
