package replay_test

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/peerledger/peerledger/internal/replay"
)

// The replay of the embedded trace ends with the connector's own balances.
func ExampleMain() {
	err := replay.Main(context.Background(), []string{"-json"}, os.Stdout, io.Discard, false)
	fmt.Println(err)
	// Output:
	// {"json":1,"peer":"alice","asset":"USD","scale":9,"position":"-2539055","settled_out":"24698999","settled_in":"27459944","fulfilled":47,"rejected":380}
	// {"json":1,"peer":"bob","asset":"USD","scale":9,"position":"-2249500","settled_out":"62121120","settled_in":"21371620","fulfilled":35,"rejected":320}
	// {"json":1,"peer":"carol","asset":"USD","scale":6,"position":"-10363","settled_out":"20249","settled_in":"79286","fulfilled":56,"rejected":291}
	// {"json":1,"peer":"dave","asset":"USD","scale":7,"position":"96001","settled_out":"574434","settled_in":"308435","fulfilled":42,"rejected":264}
	// <nil>
}
