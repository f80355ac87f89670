//go:build cgo && unix

package tigerbeetletest

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each range has portRangeSize ports from its first. The ranges lie below the ephemeral ports (on
// Linux from 32768), or a client's connection could take the port of a stopped replica. Replicas
// and proxies have separate ranges, because a replica's port is free until the replica starts.
const (
	replicaPorts  = 20000
	proxyPorts    = 26000
	portRangeSize = 6000
)

// portTries is how many random ports are tried.
const portTries = 100

// pickAddress returns an address with a random port of a range.
func pickAddress(from int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(from+rand.IntN(portRangeSize)))
}

// FindFreeAddress returns an address of 127.0.0.1 for a server that a test starts later. The port is
// free, and no client's connection takes the port meanwhile.
func FindFreeAddress(tb testing.TB) string {
	tb.Helper()
	for range portTries {
		address := pickAddress(replicaPorts)
		if listener, err := net.Listen("tcp", address); err == nil {
			require.NoError(tb, listener.Close())
			return address
		}
	}
	require.Fail(tb, "no port for a replica is free")
	return ""
}
