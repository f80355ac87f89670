package server_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// startMax is the time from the start of a server to the answered register of its first client, in
// the fastest of several starts: this machine may be busy.
const startMax = 20 * time.Millisecond

func TestServerStartsAtOnce(t *testing.T) {
	t.Parallel()
	var took []time.Duration
	for i := range uint64(20) {
		begin := time.Now()
		_, address := start(t, embedded.New(), server.Config{Cluster: cluster})
		openSession(t, address, i+1)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	t.Logf("fastest %v, median %v, slowest %v", took[0], took[len(took)/2], took[len(took)-1])
	require.LessOrEqual(t, took[0], startMax)
}
