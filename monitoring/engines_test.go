package monitoring_test

import (
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// newSettler returns a settler of an engine that answers each settlement with a status.
func newSettler(t *testing.T, c *connector, clock func() time.Time, status func(r *http.Request) int) *rfc0038.Settler {
	t.Helper()
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/settlements") {
			w.WriteHeader(status(r))
		}
	}))
	t.Cleanup(engine.Close)
	client, err := rfc0038.NewClient(rfc0038.ClientConfig{URL: engine.URL})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	ids, err := rfc0038.NewAccountIDs(c.book, nil)
	require.NoError(t, err)
	settler, err := rfc0038.NewSettler(rfc0038.SettlerConfig{Client: client, IDs: ids, Clock: clock})
	require.NoError(t, err)
	return settler
}

// The series of an engine that takes alice's settlement, has seen bob's key, refuses carol and does not
// answer for dave.
func TestEnginesAreShown(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{}, accounts.PeerConfig{ID: "alice", Asset: usd},
		accounts.PeerConfig{ID: "bob", Asset: usd}, accounts.PeerConfig{ID: "carol", Asset: usd}, accounts.PeerConfig{ID: "dave", Asset: usd})
	began := time.Now()
	now := began
	answers := map[string]int{"alice": 201, "bob": 409, "carol": 400, "dave": 503}
	settler := newSettler(t, c, func() time.Time { return now }, func(r *http.Request) int {
		return answers[strings.TrimPrefix(strings.Split(r.URL.Path, "/")[2], "1-")]
	})
	c.sources.Engines = map[string]*rfc0038.Settler{"bank": settler}
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.Equal(t, map[string]float64{"bank": 0}, c.values(t, "peerledger_rfc0038_oldest_unanswered_seconds"))
	for i, peer := range c.peers {
		_, err := settler.Settle(t.Context(), settlement.Order{ID: ledger.NewID(uint64(i)+1, 7), Account: peer, Asset: usd, Amount: units(100), PlacedAt: began})
		require.Equal(t, peer.Peer() == "alice", err == nil)
	}
	now = began.Add(90 * time.Second)
	require.Equal(t, map[string]float64{"bank": 3}, c.values(t, "peerledger_rfc0038_unanswered"))
	require.Equal(t, map[string]float64{"bank": 90}, c.values(t, "peerledger_rfc0038_oldest_unanswered_seconds"))
	require.Equal(t, map[string]float64{"bank,parked": 1, "bank,stopped": 1}, c.values(t, "peerledger_rfc0038_stuck"))
	requests := c.values(t, "peerledger_rfc0038_requests_total")
	require.Len(t, requests, 4*5)
	for series, want := range map[string]float64{
		"bank,create,taken": 4, "bank,settlement,taken": 1, "bank,settlement,seen": 1, "bank,settlement,refused": 1, "bank,settlement,unknown": 1,
		"bank,settlement,no_account": 0, "bank,message,taken": 0,
	} {
		require.InDelta(t, want, requests[series], 0, series)
	}
	problems, err := testutil.GatherAndLint(c.registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// The series of reports, and the remainders that they leave.
func TestReportsOfEnginesAreShown(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{Interval: time.Nanosecond}, settlement.Config{}, accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd})
	ids, err := rfc0038.NewAccountIDs(c.book, nil)
	require.NoError(t, err)
	server, err := rfc0038.NewServer(rfc0038.ServerConfig{Engine: c.engine, Accounts: ids.Account})
	require.NoError(t, err)
	c.sources.EngineServer = server
	c.sources.EngineAccounts = func() []accounts.PeerAccount { return c.peers }
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	report := func(account, key, body string) {
		r := httptest.NewRequest(http.MethodPost, "/accounts/"+account+"/settlements", strings.NewReader(body))
		r.Header.Set("Idempotency-Key", key)
		r.Header.Set("Content-Type", "application/json")
		server.ServeHTTP(httptest.NewRecorder(), r)
	}
	report("1-alice", "k1", `{"amount":"1005","scale":3}`)
	report("1-alice", "k1", `{"amount":"1005","scale":3}`)
	report("1-alice", "k1", `{"amount":"1006","scale":3}`)
	report("1-bob", "k2", `{"amount":"12","scale":4}`)
	report("nobody", "k3", `{"amount":"1","scale":2}`)
	require.Equal(t, map[string]float64{
		"booked": 2, "repeated": 1, "zero": 0, "conflict": 1, "parked": 0, "unanswered": 0, "unread": 0, "refused": 1, "message_relayed": 0, "message_failed": 0,
	}, c.values(t, "peerledger_rfc0038_reports_total"))
	remainder := c.values(t, "peerledger_rfc0038_remainder")
	require.Len(t, remainder, 1)
	require.InDelta(t, 0.0062, remainder["USD,1"], 1e-12)

	c.ledger.noRows.Store(true)
	require.Empty(t, c.values(t, "peerledger_rfc0038_remainder"), "an unknown figure is absent")
	require.Positive(t, c.values(t, "peerledger_scrape_errors_total")["remainder"])
	c.ledger.noRows.Store(false)
	many := make([]accounts.PeerAccount, 101)
	for i := range many {
		many[i] = c.peers[0]
	}
	c.sources.EngineAccounts = func() []accounts.PeerAccount { return many }
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.Empty(t, c.values(t, "peerledger_rfc0038_remainder"), "too many to read")
	c.sources.Settlement = nil
	require.ErrorIs(t, c.metrics.Watch(t.Context(), c.sources), accounts.ErrInvalid)
}

// Quantities below a unit add up over the peers without an error of rounding.
func TestRemainderIsExactBelowTheFloat(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{}, accounts.PeerConfig{ID: "alice", Asset: usd})
	for _, key := range []string{"a", "b", "c"} {
		_, err := c.engine.RecordIncomingQuantity(t.Context(), settlement.IncomingQuantity{Account: c.peers[0], Key: key, Amount: big.NewInt(1), Scale: 3})
		require.NoError(t, err)
	}
	c.sources.EngineAccounts = func() []accounts.PeerAccount { return c.peers }
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.Equal(t, map[string]float64{"USD,1": 0.003}, c.values(t, "peerledger_rfc0038_remainder"))
}
