package server_test

import (
	"context"
	"fmt"
	"net"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// Any TigerBeetle client of cluster 7 may connect to the address.
func Example() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() {
		served <- server.Serve(ctx, listener, embedded.New(), server.Config{Cluster: uint128.From64(7)})
	}()

	pong, err := vsr.PingReplica(ctx, listener.Addr().String(), uint128.From64(7), vsr.NewRelease(0, 17, 9))
	fmt.Println(pong.Release, err)
	stop()
	fmt.Println(<-served)
	// Output:
	// 0.17.9 <nil>
	// <nil>
}
