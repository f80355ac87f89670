package check_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/peerledger/peerledger/settlement/rfc0038/check"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// An engine that answers repeats with 409 makes some connectors pay twice.
func Example() {
	engine, err := enginetest.NewEngine(enginetest.Config{Mode: enginetest.Conflict})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close() //nolint:errcheck // an example
	url, err := engine.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	report, err := check.Run(context.Background(), check.Config{URL: url, Only: []string{"create/id", "settle/repeat", "settle/parallel"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range report.Results {
		fmt.Println(strings.TrimSpace(fmt.Sprint(string(r.Outcome), " ", r.ID, " ", r.Why)))
	}
	// Output:
	// passed answers
	// passed create
	// passed create/id
	// passed account
	// passed settle
	// failed settle/repeat want a 2xx, got 409
	// skipped settle/parallel needs settle/repeat, which failed
}
