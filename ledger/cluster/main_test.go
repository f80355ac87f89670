//go:build cgo

package cluster_test

import (
	"flag"
	"runtime"
	"strconv"
	"testing"

	"go.uber.org/goleak"
)

// parallelTests is the least number of tests at a time without -parallel. The tests wait for the
// native client, which takes 0.6 s to open a session, more than they compute.
const parallelTests = 4

// No test of this package leaves a goroutine behind.
func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		_ = parallel.Value.Set(strconv.Itoa(max(parallelTests, runtime.GOMAXPROCS(0)))) // takes every number
	}
	goleak.VerifyTestMain(m)
}
