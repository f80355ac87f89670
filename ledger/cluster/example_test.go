//go:build cgo

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger/cluster"
)

// The error of Open names the cause, here a server that does not run.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l, err := cluster.Open(ctx, cluster.Config{
		ClusterID: uint128.From64(7),
		Addresses: []string{"localhost:1"}, // one for each replica, in the order of their indices
	})
	var report *cluster.OpenError
	if errors.As(err, &report) {
		fmt.Println(report.Replicas[0])
		fmt.Println(report.Causes[0])
		return
	}
	defer func() { _ = l.Close() }()
	fmt.Println(l.Ping(ctx))
	// Output:
	// localhost:1 (127.0.0.1:1) does not accept TCP: dial tcp 127.0.0.1:1: connect: connection refused
	// nothing listens there (is the server running? are host and port right? is a firewall in between?)
}

func ExampleConfigFromEnv() {
	for name, value := range map[string]string{
		cluster.EnvClusterID: "7", cluster.EnvAddresses: "tb-0:3000,tb-1:3000,tb-2:3000", cluster.EnvReplicaCount: "3",
	} {
		_ = os.Setenv(name, value)
		defer func() { _ = os.Unsetenv(name) }()
	}
	cfg, err := cluster.ConfigFromEnv()
	fmt.Println(cfg.ClusterID, cfg.Addresses, err)

	_ = os.Setenv(cluster.EnvReplicaCount, "6")
	_, err = cluster.ConfigFromEnv()
	fmt.Println(err)
	// Output:
	// 7 [tb-0:3000 tb-1:3000 tb-2:3000] <nil>
	// cluster: TIGERBEETLE_REPLICA_COUNT "6" is not the number of addresses, which is 3: list all replicas in TIGERBEETLE_ADDRESSES, in the order of their indices
}
