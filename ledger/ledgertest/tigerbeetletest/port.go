//go:build cgo && unix

package tigerbeetletest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The ports of replicas and of proxies, so many from each number on. They are none of those
// that systems pick for whoever connects (Linux from 32768 on), or somebody could take that of
// a replica that is down. The two are apart, as a replica's port is free until it starts.
const (
	replicaPorts  = 20000
	proxyPorts    = 26000
	portRangeSize = 6000
)

// portTries is how many ports are tried until one is free.
const portTries = 100

// randomAddress is an address with one of the ports from a number on.
func randomAddress(from int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(from+rand.IntN(portRangeSize)))
}

// freeAddress is an address for a replica, on which nobody listens.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	for range portTries {
		address := randomAddress(replicaPorts)
		if listener, err := net.Listen("tcp", address); err == nil {
			require.NoError(tb, listener.Close())
			return address
		}
	}
	require.Fail(tb, "no port for a replica is free")
	return ""
}
