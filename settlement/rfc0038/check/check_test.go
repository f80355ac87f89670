package check_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/check"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// callerClauses need a listener.
var callerClauses = []string{"caller/form", "caller/once", "caller/silence", "caller/error", "caller/conflict", "caller/redirect", "caller/many"}

// newEngine starts an engine of scale 6.
func newEngine(t *testing.T, cfg enginetest.Config) (*enginetest.Engine, string) {
	t.Helper()
	cfg.Scale = 6
	e, err := enginetest.NewEngine(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	url, err := e.Start("127.0.0.1:0")
	require.NoError(t, err)
	return e, url
}

// run runs the suite.
func run(t *testing.T, cfg check.Config) check.Report {
	t.Helper()
	report, err := check.Run(t.Context(), cfg)
	require.NoError(t, err)
	return report
}

// named returns the ids of the clauses with an outcome.
func named(report check.Report, outcome check.Outcome) (ids []string) {
	for _, r := range report.Results {
		if r.Outcome == outcome {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// requireFailed requires that exactly these clauses failed, and that each tells why.
func requireFailed(t *testing.T, report check.Report, want ...string) {
	t.Helper()
	for _, r := range report.Results {
		require.Equal(t, r.Outcome == check.Passed, r.Why == "", "%s: %q", r.ID, r.Why)
	}
	require.ElementsMatch(t, want, named(report, check.Failed), "%s", explain(report))
}

// explain returns the reasons of the failed clauses.
func explain(report check.Report) (text string) {
	for _, r := range report.Results {
		if r.Outcome == check.Failed {
			text += fmt.Sprintf("%s: %s %v\n", r.ID, r.Why, r.Exchanges)
		}
	}
	return text
}

// The modes of older engines fail the clauses that they are known for, and no others.
func TestModes(t *testing.T) {
	t.Parallel()
	for mode, want := range map[enginetest.Mode][]string{
		enginetest.Draft3:   {},
		enginetest.Draft2:   {"settle/whole"},
		enginetest.Text:     {"create/id", "create/null-id", "settle/quantity"},
		enginetest.Conflict: {"settle/repeat"},
		enginetest.Early:    {"settle"},
	} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			e, url := newEngine(t, enginetest.Config{Mode: mode, Folder: filepath.Join(t.TempDir(), "store")})
			report := run(t, check.Config{URL: url, Restart: func(context.Context) error { return e.Restart(false) }})
			requireFailed(t, report, want...)
			payments, err := e.Rail().Payments()
			require.NoError(t, err)
			require.Empty(t, payments, "the suite pays nothing")
			if mode == enginetest.Draft3 {
				require.Equal(t, callerClauses, named(report, check.Skipped))
				require.Equal(t, 16, report.Settled)
			}
		})
	}
}

// Each fault of an engine is found.
func TestFaults(t *testing.T) {
	t.Parallel()
	settle := enginetest.Settle
	for name, c := range map[string]struct {
		fault   enginetest.Fault
		want    []string
		timeout time.Duration
	}{
		"the answer is lost, nothing was done": {enginetest.Fault{Kind: enginetest.DropBefore, Request: settle}, []string{"answers"}, 0},
		"the answer is lost, the work is done": {enginetest.Fault{Kind: enginetest.DropAfter, Request: enginetest.Create}, []string{"create"}, 0},
		"all answers to creates fail":          {enginetest.Fault{Kind: enginetest.StatusAfter, Request: enginetest.Create, Times: -1}, []string{"create", "account"}, 0},
		"no settlements":                       {enginetest.Fault{Kind: enginetest.StatusBefore, Request: settle, Times: -1}, []string{"settle", "settle/unknown-account", "form/method", "delete/gone"}, 0},
		"two answers":                          {enginetest.Fault{Kind: enginetest.Twice, Request: settle, Times: -1}, []string{"answer/once"}, 0},
		"redirects":                            {enginetest.Fault{Kind: enginetest.Redirect, Request: settle, Times: -1}, []string{"settle", "settle/unknown-account", "form/method", "delete/gone", "answer/redirect"}, 0},
		"a huge answer":                        {enginetest.Fault{Kind: enginetest.Huge, Request: enginetest.Message, Times: -1}, []string{"answer/size"}, 0},
		"no answer in time":                    {enginetest.Fault{Kind: enginetest.Late, Request: enginetest.Message, Times: -1}, []string{"message", "message/unknown-account"}, 2 * time.Second},
		"a body without an end":                {enginetest.Fault{Kind: enginetest.Slow, Request: enginetest.Message, Times: -1}, []string{"message", "message/unknown-account"}, 2 * time.Second},
		"deleted with an error":                {enginetest.Fault{Kind: enginetest.StatusAfter, Request: enginetest.Delete, Times: -1}, []string{"delete"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, url := newEngine(t, enginetest.Config{})
			require.NoError(t, e.Inject(c.fault))
			requireFailed(t, run(t, check.Config{URL: url, Timeout: c.timeout}), c.want...)
		})
	}
}

// A restart that loses the store is found.
func TestRestarts(t *testing.T) {
	t.Parallel()
	e, url := newEngine(t, enginetest.Config{})
	requireFailed(t, run(t, check.Config{URL: url, Restart: func(context.Context) error { return e.Restart(true) }}), "restart", "delete")
	require.NoError(t, e.Restart(true))
	create(t, url)
	report := run(t, check.Config{URL: url, Account: "alice", Restart: func(context.Context) error {
		err := e.Restart(true)
		create(t, url)
		return err
	}})
	requireFailed(t, report, "restart/keys", "delete")
	requireFailed(t, run(t, check.Config{URL: url, Account: "alice", Restart: func(context.Context) error { return errors.New("no power") }}), "restart")
	report = run(t, check.Config{URL: url})
	requireFailed(t, report)
	require.Equal(t, append([]string{"restart", "restart/keys"}, callerClauses...), named(report, check.Skipped))
}

func create(t *testing.T, url string) {
	t.Helper()
	response, err := http.Post(url+"/accounts", "application/json", strings.NewReader(`{"id":"alice"}`)) //nolint:noctx // a test
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}

// caller is a subject that calls the suite.
type caller struct {
	cfg  check.Config
	want []string // clauses that fail
}

// newListener listens for the calls of a subject.
func newListener(t *testing.T) (listener net.Listener, url string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener, "http://" + listener.Addr().String()
}

// newCallingEngine starts an engine that reports payments to the suite.
func newCallingEngine(t *testing.T, cfg enginetest.Config) check.Config {
	t.Helper()
	listener, connector := newListener(t)
	cfg.Connector, cfg.RetryMax = connector, 200*time.Millisecond
	e, url := newEngine(t, cfg)
	payments := 0
	return check.Config{URL: url, Listener: listener, Trigger: func(context.Context) error {
		payments++
		return e.Receive("alice", fmt.Sprint("payment ", payments), rfc0038.Quantity{Amount: big.NewInt(15), Scale: 1})
	}}
}

// newCallingRust starts a connector like interledger-rs that settles through the suite.
func newCallingRust(t *testing.T) check.Config {
	t.Helper()
	listener, engine := newListener(t)
	c, err := enginetest.NewRustConnector(enginetest.RustConfig{Engine: engine, Scale: 9, SettleThreshold: 10, ErrorPause: time.Millisecond, LostPause: time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	url, err := c.Start("127.0.0.1:0")
	require.NoError(t, err)
	added := false
	return check.Config{URL: url, Role: check.Connector, Listener: listener, Trigger: func(ctx context.Context) error {
		if !added { // the suite answers by now
			added = true
			if err := c.AddAccount(ctx, "alice"); err != nil {
				return err
			}
		}
		c.Fulfill("alice", 12)
		return nil
	}}
}

// Subjects that move an amount to another key, or take a redirect for an answer, are found.
func TestCallers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]caller{
		"by key":               {newCallingEngine(t, enginetest.Config{}), nil},
		"draft 2":              {newCallingEngine(t, enginetest.Config{Mode: enginetest.Draft2}), nil},
		"puts amounts aside":   {newCallingEngine(t, enginetest.Config{Reports: enginetest.ReportsPutAside}), []string{"caller/error", "caller/conflict", "caller/redirect", "caller/many"}},
		"interledger-rs 1.0.0": {newCallingRust(t), []string{"caller/silence", "caller/error", "caller/redirect"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "puts amounts aside" {
				c.cfg.Timeout = 1500 * time.Millisecond // it stays silent where a repeat is due
			}
			c.cfg.Only = slices.Clone(callerClauses)
			if c.cfg.Role == check.Connector {
				c.cfg.Only = slices.DeleteFunc(c.cfg.Only, func(id string) bool { return id == "caller/conflict" })
			}
			requireFailed(t, run(t, c.cfg), c.want...)
		})
	}
}

// newSubject starts a connector with an account, for the suite.
type newSubject func(t *testing.T) (url, account string)

// subjects are connectors with the clauses that they fail.
var subjects = map[string]struct {
	start newSubject
	want  []string
}{
	// An engine answers settlements as a connector must.
	"a model": {startModel, nil},
	"interledger-rs 1.0.0": {startRust, []string{
		"settle/quantity", "settle/repeat", "key/missing", "key/empty", "key/two", "key/long",
	}},
}

func startModel(t *testing.T) (url, account string) {
	t.Helper()
	_, url = newEngine(t, enginetest.Config{})
	create(t, url)
	return url, "alice"
}

func startRust(t *testing.T) (url, account string) {
	t.Helper()
	c, err := enginetest.NewRustConnector(enginetest.RustConfig{Scale: 9})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	account = "3f4a2548-d4bd-4786-bd1b-ea9eb35a5ed5"
	require.NoError(t, c.AddAccount(t.Context(), account))
	url, err = c.Start("127.0.0.1:0")
	require.NoError(t, err)
	return url, account
}

func TestConnectors(t *testing.T) {
	t.Parallel()
	for name, c := range subjects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, account := c.start(t)
			requireFailed(t, run(t, check.Config{URL: url, Role: check.Connector, Account: account}), c.want...)
		})
	}
}

// Without an account of the connector the suite books nothing.
func TestConnectorWithoutAccount(t *testing.T) {
	t.Parallel()
	url, _ := startModel(t)
	report := run(t, check.Config{URL: url, Role: check.Connector})
	requireFailed(t, report)
	require.Equal(t, []string{"answers", "settle/unknown-account", "message/unknown-account", "answer/size", "answer/redirect"}, named(report, check.Passed))
	require.Zero(t, report.Settled)
}

// With an amount the subject takes Settled times the amount: the rail shows each unit.
func TestAmount(t *testing.T) {
	t.Parallel()
	rail := enginetest.NewRail()
	_, url := newEngine(t, enginetest.Config{Rail: rail, Peers: map[string]enginetest.Address{"alice": {Engine: "b", Account: "c"}}})
	create(t, url)
	report := run(t, check.Config{URL: url, Account: "alice", Amount: big.NewInt(5), Scale: 6})
	requireFailed(t, report)
	total := new(big.Int)
	require.Eventually(t, func() bool {
		list, err := rail.Payments()
		total = new(big.Int)
		for _, p := range list {
			total.Add(total, p.Amount.Amount)
		}
		return err == nil && total.Int64() >= int64(5*report.Settled)
	}, 20*time.Second, time.Millisecond)
	require.EqualValues(t, 5*report.Settled, total.Int64())
}

// An engine of scale 18 pays one unit for ten settlements of the default amount, as the package says.
func TestEngineOfScale18(t *testing.T) {
	t.Parallel()
	rail := enginetest.NewRail()
	e, err := enginetest.NewEngine(enginetest.Config{Scale: 18, Rail: rail, Peers: map[string]enginetest.Address{"alice": {Engine: "b", Account: "c"}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	url, err := e.Start("127.0.0.1:0")
	require.NoError(t, err)
	create(t, url)
	report := run(t, check.Config{URL: url, Account: "alice"})
	requireFailed(t, report)
	require.Eventually(t, func() bool {
		list, err := rail.Payments()
		return err == nil && len(list) >= report.Settled/10
	}, 20*time.Second, time.Millisecond)
	require.NoError(t, e.Close())
	list, err := rail.Payments()
	require.NoError(t, err)
	require.Len(t, list, report.Settled/10)
}

func TestOnly(t *testing.T) {
	t.Parallel()
	_, url := newEngine(t, enginetest.Config{})
	var started []string
	report := run(t, check.Config{URL: url, Only: []string{"settle/repeat-answer"}, Started: func(c check.Clause, of int) {
		started = append(started, fmt.Sprint(c.ID, " of ", of))
	}})
	want := []string{"answers", "account", "settle", "settle/repeat", "settle/repeat-answer"}
	require.Equal(t, want, named(report, check.Passed), explain(report))
	require.Equal(t, "settle of 5", started[2])
}

func TestToken(t *testing.T) {
	t.Parallel()
	_, url := newEngine(t, enginetest.Config{Token: "secret"})
	requireFailed(t, run(t, check.Config{URL: url, Token: "secret"}))
	requireFailed(t, run(t, check.Config{URL: url}), "create", "account", "settle/unknown-account", "message/unknown-account")
}

// A subject that dies of a body closes the connection, as one that refuses the body.
func TestDeathOfABody(t *testing.T) {
	t.Parallel()
	engine, err := enginetest.NewEngine(enginetest.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	dead := false // requests come one by one
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if dead = dead || r.ContentLength < 0; dead { // the length of the body is not known
			panic(http.ErrAbortHandler)
		}
		engine.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	report := run(t, check.Config{URL: server.URL, Only: []string{"form/huge"}})
	requireFailed(t, report, "form/huge")
	require.Contains(t, explain(report), "after the body: want any answer")
}

// An interrupted run leaves no accounts behind.
func TestInterruptedRun(t *testing.T) {
	t.Parallel()
	engine, err := enginetest.NewEngine(enginetest.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	var mu sync.Mutex
	counts := map[int]int{} // answers by status; a cancelled request may still be answered beside the next
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		engine.ServeHTTP(answer, r)
		mu.Lock()
		counts[answer.Code]++
		mu.Unlock()
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	for _, at := range []string{"create/bad-json", "settle", "delete"} {
		mu.Lock()
		clear(counts)
		mu.Unlock()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := check.Run(ctx, check.Config{URL: server.URL, Started: func(c check.Clause, _ int) {
			if c.ID == at {
				cancel()
			}
		}})
		require.ErrorIs(t, err, context.Canceled)
		want := map[string]int{"create/bad-json": 3, "settle": 4, "delete": 4}[at]
		mu.Lock()
		deleted := counts[http.StatusNoContent]
		mu.Unlock()
		require.Equal(t, want, deleted, "deleted accounts")
	}
}

// A subject that is not there fails one clause.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	report := run(t, check.Config{URL: server.URL})
	requireFailed(t, report, "answers")
	require.Empty(t, named(report, check.Passed))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := check.Run(ctx, check.Config{URL: server.URL})
	require.ErrorIs(t, err, context.Canceled)
}

func TestInvalidConfigs(t *testing.T) {
	t.Parallel()
	for _, cfg := range []check.Config{
		{},
		{URL: "127.0.0.1:3000"},
		{URL: "ftp://x"},
		{URL: "http://x?y"},
		{URL: "http://x?"},
		{URL: "http://x/#y"},
		{URL: "http://\x00"},
		{URL: "http://x", Role: "wallet"},
		{URL: "http://x", Amount: big.NewInt(0)},
		{URL: "http://x", Amount: new(big.Int).Exp(big.NewInt(10), big.NewInt(40), nil)},
		{URL: "http://x", Amount: big.NewInt(1), Scale: 201},
		{URL: "http://x", Timeout: -1},
		{URL: "http://x", Only: []string{"settle/twice"}},
		{URL: "http://x", Role: check.Connector, Only: []string{"create"}},
	} {
		_, err := check.Run(t.Context(), cfg)
		require.ErrorIs(t, err, check.ErrInvalidConfig, "%+v", cfg)
	}
}

// Ids are unique, and each clause has its words and needs an earlier clause.
func TestClauses(t *testing.T) {
	t.Parallel()
	for _, role := range []check.Role{check.Engine, check.Connector} {
		seen := map[string]bool{}
		for _, c := range check.Clauses(role) {
			require.False(t, seen[c.ID], c.ID)
			seen[c.ID] = true
			require.NotEmpty(t, c.Text+c.Source, c.ID)
			require.Contains(t, []check.Severity{check.Must, check.Needed}, c.Severity, c.ID)
		}
	}
	require.Equal(t, rfc0038.Quantity{Amount: big.NewInt(1), Scale: 19}, check.Config{}.Quantity())
}
