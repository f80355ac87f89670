package rfc0038_test

import (
	"context"
	"math/big"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/check"
)

// requireConforms runs the conformance suite on a connector of ours.
func requireConforms(t *testing.T, cfg check.Config) check.Report {
	t.Helper()
	cfg.Role, cfg.Account = check.Connector, "alice"
	report, err := check.Run(t.Context(), cfg)
	require.NoError(t, err)
	for _, r := range report.Results {
		require.NotEqual(t, check.Failed, r.Outcome, "%s: %s %v", r.ID, r.Why, r.Exchanges)
	}
	return report
}

// relayEcho answers a message with the message.
func relayEcho(c *rfc0038.ServerConfig) {
	c.Relay = func(_ context.Context, _ accounts.PeerAccount, message []byte) ([]byte, error) { return message, nil }
}

// The server keeps all rules of the suite, and books each settlement that the suite counts.
func TestServerConforms(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, relayEcho)
	server := httptest.NewServer(f.server)
	defer server.Close()
	requireConforms(t, check.Config{URL: server.URL})
	report := requireConforms(t, check.Config{URL: server.URL, Amount: big.NewInt(5), Scale: 2})
	b, err := f.book.Balance(t.Context(), f.byID["alice"])
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(uint64(5*report.Settled)), b.Prepaid)
}

// The settler repeats key and value whatever the engine answers.
func TestSettlerConforms(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, relayEcho)
	server := httptest.NewServer(f.server)
	defer server.Close()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	client, err := rfc0038.NewClient(rfc0038.ClientConfig{URL: "http://" + listener.Addr().String()})
	require.NoError(t, err)
	defer client.Close()
	ids, err := rfc0038.NewAccountIDs(f.book, nil)
	require.NoError(t, err)
	settler, err := rfc0038.NewSettler(rfc0038.SettlerConfig{Client: client, IDs: ids})
	require.NoError(t, err)
	payer, err := settlement.NewEngine(f.ledger, f.book, settlement.Config{
		Instance: "payer", Manual: true, Events: settler.Watch(settlement.Events{}),
		Rails:    settlement.Rails{Default: settler.Rail("")},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(10)}},
	})
	require.NoError(t, err)
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer func() {
		cancel()
		work.Wait()
		_ = payer.Close(t.Context())
	}()
	report := requireConforms(t, check.Config{URL: server.URL, Listener: listener, Trigger: func(context.Context) error {
		deliverPacket(ctx, f.ledger, f.book, f.byID["alice"], 15)
		work.Go(func() {
			for ctx.Err() == nil {
				if _, err := payer.Settle(ctx, f.byID["alice"]); err == nil {
					return
				}
			}
		})
		return nil
	}})
	require.Equal(t, 2, report.Count(check.Skipped), "restarts alone")
}
