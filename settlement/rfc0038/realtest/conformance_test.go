//go:build unix

package realtest_test

import (
	"context"
	"crypto/rand"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/check"
)

// coreFaults are the clauses that settlement-core 0.1.1 fails, with Redis as its store.
var coreFaults = map[string]string{
	"key/empty":          "takes any key without a colon, the empty one included",
	"key/two":            "joins two header lines to one key",
	"key/long":           "takes a key of any length",
	"form/doubled-slash": "answers 404",
	"caller/error":       "reads the status from a field that does not exist, and so takes 503 for final",
	"caller/conflict":    "and 409",
	"caller/redirect":    "follows a 302 with a GET",
	"caller/many":        "as caller/error",
	"delete":             "calls a function that Redis's Lua lacks, and answers 500 after it has deleted the account",
}

// TestConformanceOfARealEngine runs the conformance suite on a real engine, with a restart. An engine that passes more
// or less is not the recorded one.
func TestConformanceOfARealEngine(t *testing.T) {
	t.Parallel()
	node, modules := findEngine(t)
	redis := startRedis(t)
	var listening net.ListenConfig
	listener, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := freePort(t)
	engine := newEngine(t, node, modules, engineConfig{
		Name: "ada", Peer: "bob", Port: port,
		Connector: "http://" + listener.Addr().String(), Redis: redis.port, Database: 1,
	})
	logTakingPart(t, engine.start("ready "), redis)
	client, err := rfc0038.NewClient(rfc0038.ClientConfig{URL: formatURL(port)})
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.CreateAccount(t.Context(), "1-bob"))

	report, err := check.Run(t.Context(), check.Config{
		URL: formatURL(port), Account: "1-bob", Listener: listener, Timeout: 3 * time.Second,
		Restart: func(context.Context) error { engine.kill(); engine.start("ready "); return nil },
		Trigger: func(context.Context) error {
			var id string
			redis.read(0, &id, "XADD", "ada:payments", "*", "id", rand.Text(), "account", "1-bob", "amount", "1.5")
			return nil
		},
	})
	require.NoError(t, err)
	failed := map[string]string{}
	for _, r := range report.Results {
		if r.Outcome == check.Failed {
			failed[r.ID] = coreFaults[r.ID]
			t.Log(r.ID, r.Why, r.Exchanges)
		}
	}
	require.Equal(t, coreFaults, failed)
	require.Greater(t, report.Count(check.Passed), 40)
}
