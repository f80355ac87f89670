package main

import (
	"context"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// startTestEngine starts an engine in the test's process.
func startTestEngine(t *testing.T, cfg enginetest.Config) (engine *enginetest.Engine, url string) {
	t.Helper()
	if cfg.Peers == nil {
		cfg.Peers = map[string]enginetest.Address{"1-bob": {Engine: "bobs", Account: "us"}}
	}
	engine, err := enginetest.NewEngine(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	url, err = engine.Start("127.0.0.1:0")
	require.NoError(t, err)
	return engine, url
}

// addToConfig adds lines to the configuration.
func (s testLedger) addToConfig(t *testing.T, lines string) {
	t.Helper()
	content, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.config, append(content, lines...), 0o600))
}

// runOffline runs a command that opens no ledger, and must succeed.
func (s testLedger) runOffline(t *testing.T, args ...string) string {
	t.Helper()
	got := runApp(t, append([]string{"--config", s.config}, args...)...)
	require.Equal(t, statusDone, got.status, "%v: %s", args, got.errors)
	return got.out
}

// readOffline is runOffline with --json.
func readOffline[T any](t *testing.T, s testLedger, args ...string) []T {
	t.Helper()
	return parseRows[T](t, s.runOffline(t, append(args, "--json")...))
}

// answerWith starts an engine that answers each settlement with a status.
func answerWith(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/settlements") {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAddEngine(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	_, url := startTestEngine(t, enginetest.Config{Token: "a long secret token"})
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("a long secret token\n"), 0o600))
	before, err := os.ReadFile(s.config)
	require.NoError(t, err)
	add := []string{"engine", "add", "bank", url, "--asset", "USD", "--scale", "2", "--key-lifetime", "forever"}

	preview := s.runOffline(t, append(add, "--token-file", token)...)
	require.Contains(t, preview, "Would create these accounts at engine bank, "+url+": 1-alice, 1-bob.")
	require.Contains(t, preview, `- {name: "bank", url: "`+url+`", assets: ["USD"], token: {file: "`+token+`"}, scale: 2, key_lifetime: "forever"}`)
	require.Contains(t, preview, "Nothing was sent or written.")
	got := runApp(t, append(add, "--yes", "--config", s.config)...)
	require.NotEqual(t, statusDone, got.status, "the token is missing")
	require.Contains(t, got.errors, "was not changed")
	now, err := os.ReadFile(s.config)
	require.NoError(t, err)
	require.Equal(t, string(before), string(now))

	done := readOffline[engineAddition](t, s, append(add, "--token-file", token, "--yes")...)
	require.Len(t, done, 1)
	require.True(t, done[0].Written)
	require.Equal(t, []string{"1-alice", "1-bob"}, done[0].Accounts)
	cfg, err := parseConfig(readFileOf(t, s.config))
	require.NoError(t, err)
	require.Equal(t, "forever", cfg.Engines[0].KeyLifetime)

	got = runApp(t, append(add, "--token-file", token, "--yes", "--config", s.config)...)
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "bank is listed twice")
	s.runOffline(t, "engines", "add", "second", url, "--token-file", token, "--yes")
	rows := readOffline[engineRow](t, s, "engines")
	require.Len(t, rows, 2)
	require.Equal(t, []any{"bank", true, 2}, []any{rows[0].Name, rows[0].Answers, rows[0].Accounts})
	require.Nil(t, rows[0].Parked, "engines run has never run, so the figure is unknown")
	require.Contains(t, s.runOffline(t, "engines"), " ? │")
	require.Contains(t, s.runOffline(t, "engines", "-o", "name", "--sort", "engine"), "\nsecond\n")
	require.Contains(t, s.runOffline(t, "engines", "--stuck"), "Nothing is known of settlements")
}

func readFileOf(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return content
}

func TestEngineThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	s.addToConfig(t, "engines:\n  - {name: bank, url: \"http://"+freeAddress(t)+"\", assets: [USD]}\n")
	row := readOffline[engineRow](t, s, "engines")[0]
	require.False(t, row.Answers)
	require.Contains(t, row.Error, "refused")
	got := s.runCommand(t, "settle", "now", "bob@USD", "--yes")
	require.Equal(t, statusDone, got.status, "nothing is owed")
	s.forwardPacket(t, 3001)
	got = s.runCommand(t, "settle", "now", "bob@USD", "--yes")
	require.Equal(t, statusUnknown, got.status, got.errors)
	require.Contains(t, got.errors, "Else repeat the same command")
	require.Equal(t, "bank", readRows[orderRow](t, s, "orders")[0].Rail)
}

// An order that the engine has not answered is paid by the same command again, once.
func TestSettleNowThroughAnEngine(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	engine, url := startTestEngine(t, enginetest.Config{Scale: 2})
	s.addToConfig(t, "engines:\n  - {name: bank, url: \""+url+"\", assets: [USD]}\n")
	s.forwardPacket(t, 3001)
	preview := s.runOK(t, "settle", "now", "bob@USD")
	require.Contains(t, preview, "Would order and pay to bob in USD/2, 30.00.")
	require.Contains(t, preview, "Engine bank at "+url+" pays.")
	require.NoError(t, engine.Inject(enginetest.Fault{Kind: enginetest.DropAfter, Request: enginetest.Settle}))
	got := s.runCommand(t, "settle", "now", "bob@USD", "--yes")
	require.Equal(t, statusUnknown, got.status, got.errors)
	order := readRows[orderRow](t, s, "orders")[0].Order
	paid := readRows[paymentRow](t, s, "settle", "now", "bob@USD", "--yes")
	require.Equal(t, []paymentRow{{"bob", "USD/2", order, "30.00", "30.00"}}, paid)
	payments, err := engine.Rail().WaitFrom(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, payments, 1)
	require.Equal(t, order, payments[0].Key)
	got = s.runCommand(t, "settle", "now", "alice@EUR")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "no engine pays alice in EUR/2")
}

// A refusal and a repeat that the engine has seen keep the order open, and name the answer.
func TestSettleNowAndAnswersForAnOperator(t *testing.T) {
	t.Parallel()
	for status, body := range map[int]string{http.StatusConflict: "seen before", http.StatusUnprocessableEntity: "no such address"} {
		s := newTestLedger(t)
		s.addToConfig(t, "engines:\n  - {name: bank, url: \""+answerWith(t, status, body)+"\", assets: [USD]}\n")
		s.forwardPacket(t, 3001)
		got := s.runCommand(t, "settle", "now", "bob@USD", "--yes")
		require.Equal(t, statusUnknown, got.status, got.errors)
		require.Contains(t, got.errors, body)
		require.Len(t, readRows[orderRow](t, s, "orders"), 1)
	}
}

// runningEngines is an "engines run" in the test's process.
type runningEngines struct {
	ready enginesReady
	lines chan string // of the log
	stop  func() (status int)
}

// startEngines runs "engines run" until stop is called.
func (s testLedger) startEngines(t *testing.T) runningEngines {
	t.Helper()
	return runEngines(t, "--config", s.config, "--folder", s.folder)
}

// runEngines runs "engines run" on a ledger until stop is called.
func runEngines(t *testing.T, ledgerArgs ...string) runningEngines {
	t.Helper()
	out, outWriter := io.Pipe()
	logged, logWriter := io.Pipe()
	a := &app{stdin: strings.NewReader(""), stdout: outWriter, stderr: logWriter, getenv: func(string) string { return "" }}
	ctx, cancel := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() {
		status <- a.runCommand(ctx, append(ledgerArgs, "engines", "run", "--every", "1s", "--status-every", "50ms", "--json"))
		_ = outWriter.Close()
		_ = logWriter.Close()
	}()
	r := runningEngines{lines: make(chan string, 1000)}
	go func() {
		defer close(r.lines)
		buffer := make([]byte, 1<<16) // a line is one write
		for n, err := logged.Read(buffer); err == nil; n, err = logged.Read(buffer) {
			r.lines <- string(buffer[:n])
		}
	}()
	r.stop = func() int {
		cancel()
		return <-status
	}
	decoder := json.NewDecoder(out)
	if err := decoder.Decode(&r.ready); err != nil {
		require.Fail(t, "engines run has ended", "status %d: %s", r.stop(), <-r.lines)
	}
	return r
}

// waitFor returns the first line of the log with a text.
func (r runningEngines) waitFor(t *testing.T, text string) string {
	t.Helper()
	for line := range r.lines {
		if strings.Contains(line, text) {
			return line
		}
	}
	require.Fail(t, "the log has no "+text)
	return ""
}

// engines run pays what is owed, and books what the engine reports, each once.
func TestEnginesRun(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	engine, url := startTestEngine(t, enginetest.Config{Scale: 2})
	s.addToConfig(t, "engines:\n  - {name: bank, url: \""+url+"\", assets: [USD]}\nengine_reports: {address: \"127.0.0.1:0\"}\n")
	s.forwardPacket(t, 3001)
	r := s.startEngines(t)
	require.Equal(t, []string{"bank"}, r.ready.Engines)
	engine.SetConnector(r.ready.Reports)
	r.waitFor(t, "msg=paid peer=bob")
	require.NoError(t, engine.Receive("1-alice", "p1", rfc0038.Quantity{Amount: big.NewInt(40005), Scale: 3}))
	require.Contains(t, r.waitFor(t, "msg=received"), `quantity=40.005 booked="40.00 USD"`)
	require.Equal(t, statusDone, r.stop())
	row := readRows[peerRow](t, s, "balances", "alice@USD")[0]
	require.Equal(t, "9.99", row.Position)
	require.Equal(t, "0.00", readRows[peerRow](t, s, "balances", "bob@USD")[0].Position)
	known := readOffline[engineRow](t, s, "engines")[0]
	require.Equal(t, []int{0, 0, 0}, []int{*known.Unanswered, *known.Parked, *known.Stopped})
	require.NotEmpty(t, known.AsOf)
	require.Contains(t, s.runOffline(t, "engines", "--stuck"), "No settlement waits for an operator, as of ")
}

// A settlement that the engine refuses is listed with the answer while engines run and afterwards, until
// an operator closes the order.
func TestStuckSettlements(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	url := answerWith(t, http.StatusConflict, "this key is tied to other input")
	s.addToConfig(t, "engines:\n  - {name: bank, url: \""+url+"\", assets: [USD]}\nengine_reports: {address: \"127.0.0.1:0\"}\nengines_status: \""+filepath.Join(t.TempDir(), "state")+"\"\n")
	s.forwardPacket(t, 3001)
	r := s.startEngines(t)
	r.waitFor(t, "a settlement waits for an operator")
	require.Equal(t, statusDone, r.stop())
	stuck := readOffline[stuckRow](t, s, "engines", "--stuck")
	require.Len(t, stuck, 1)
	require.Equal(t, []any{"bank", "bob", "USD/2", "30.00", "1-bob", "30.00", stateParked, 409, "this key is tied to other input"},
		[]any{stuck[0].Engine, stuck[0].Peer, stuck[0].Asset, stuck[0].Amount, stuck[0].Account, stuck[0].Sent, stuck[0].State, stuck[0].Status, stuck[0].Answer})
	table := s.runOffline(t, "engines", "--stuck")
	require.Contains(t, table, "tied to other input")
	require.Equal(t, 1, *readOffline[engineRow](t, s, "engines")[0].Parked)
	order := readRows[orderRow](t, s, "orders")[0]
	require.Equal(t, stuck[0].Order, order.Order)
	require.Contains(t, order.Answer, "parked: ")
	require.Contains(t, order.Answer, "409")
	s.runOK(t, "settle", "resolve", "bob@USD", order.Order, "30", "--yes")
	r = s.startEngines(t)
	require.Equal(t, statusDone, r.stop())
	require.Empty(t, readOffline[stuckRow](t, s, "engines", "--stuck"))

	cfg, err := parseConfig(readFileOf(t, s.config))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(cfg.statusFile(), []byte("half a fi"), 0o600))
	got := s.runCommand(t, "orders")
	require.Equal(t, statusDone, got.status, "the orders are shown without the answers")
	require.Contains(t, got.errors, "the answers of engines are missing")
	require.Equal(t, statusFailed, runApp(t, "--config", s.config, "engines").status)
}

// With wake_every the newest settlement is repeated under its key, until the process ends.
func TestEnginesRunWakesEngines(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	keys := make(chan string, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if key := r.Header.Get("Idempotency-Key"); key != "" {
			keys <- key
		}
		w.WriteHeader(http.StatusCreated)
	}))
	t.Cleanup(server.Close)
	s.addToConfig(t, "engines:\n  - {name: bank, url: \""+server.URL+"\", assets: [USD], wake_every: 1s}\nengine_reports: {address: \"127.0.0.1:0\"}\n")
	s.forwardPacket(t, 3001)
	r := s.startEngines(t)
	r.waitFor(t, "msg=paid peer=bob")
	require.Contains(t, r.waitFor(t, "the newest settlements were repeated"), "engine=bank accounts=1")
	require.Equal(t, statusDone, r.stop())
	first := <-keys
	require.Equal(t, first, <-keys)
}

func TestEnginesRunRefuses(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	got := s.runCommand(t, "engines", "run")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "no engines are configured")
	require.Equal(t, statusUsage, runApp(t, "--config", s.config, "engines").status)
	require.Equal(t, statusUsage, runApp(t, "--config", s.config, "engines", "--folder", "x").status)
	s.addToConfig(t, "engines:\n  - {name: bank, url: \"http://127.0.0.1:1\", assets: [USD]}\nengine_reports: {address: \"0.0.0.0:0\"}\n")
	got = s.runCommand(t, "engines", "run")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "give a token, or an address of loopback")
	require.Equal(t, statusUsage, s.runCommand(t, "engines", "run", "--every", "1ms").status)
	require.Equal(t, statusUsage, s.runCommand(t, "engines", "run", "--status-every", "0s").status)
	s.addToConfig(t, "engines_status: /nonexistent/state\n")
	got = s.runCommand(t, "engines", "run")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "engines_status: open /nonexistent/")
}
