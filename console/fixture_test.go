package console_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

var (
	usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	eur = accounts.Asset{Code: "EUR", Scale: 9, Ledger: 2}
)

const token = "a token of the tests, long enough"

// breakable is a ledger that can go away.
type breakable struct {
	ledger.Ledger

	away atomic.Bool
	// lost makes the answers to transfers get lost, as by a broken connection.
	lost atomic.Int32
	gate atomic.Pointer[func()] // called before transfers are created
}

// The values of breakable.lost.
const (
	answered   int32 = iota
	lostBefore       // the ledger never got the request
	lostAfter        // the ledger has applied it
)

func (l *breakable) CreateTransfers(ctx context.Context, list []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if gate := l.gate.Load(); gate != nil {
		(*gate)()
	}
	lost := l.lost.Load()
	if lost == lostBefore {
		return nil, ledger.ErrOutcomeUnknown
	}
	results, err := l.Ledger.CreateTransfers(ctx, list)
	if lost == lostAfter && err == nil {
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

var errAway = errors.New("the cluster is away")

func (l *breakable) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if l.away.Load() {
		return nil, errAway
	}
	return l.Ledger.LookupAccounts(ctx, ids)
}

func (l *breakable) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if l.away.Load() {
		return nil, errAway
	}
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

// fixture is a console over a client with books of its own.
type fixture struct {
	t       *testing.T
	client  *peerledger.Client
	ledger  *breakable
	console *console.Console
	server  *httptest.Server
	browser *http.Client // with a cookie jar, which follows no redirects
	peers   map[string]accounts.PeerAccount

	names    func(accounts.Asset) []string          // as the console was given them
	instance string                                 // of the client's engine
	rail     atomic.Pointer[settlement.SettlerFunc] // nil is pendingRail
}

// settle is the rail of the fixture.
func (f *fixture) settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	if rail := f.rail.Load(); rail != nil {
		return (*rail)(ctx, o)
	}
	return pendingRail(ctx, o)
}

// pendingRail leaves every order open.
func pendingRail(_ context.Context, _ settlement.Order) (ledger.Amount, error) {
	return ledger.Amount{}, settlement.ErrPending
}

// newFixture opens books with these peers, and a console over them that a browser has logged in to. change
// may be nil.
func newFixture(t *testing.T, change func(*console.Config), peers ...accounts.PeerConfig) *fixture {
	t.Helper()
	f := &fixture{t: t, ledger: &breakable{Ledger: embedded.New()}, peers: map[string]accounts.PeerAccount{}, instance: "connector 1"}
	var err error
	f.client, err = peerledger.New(f.ledger, peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd, eur}, SuspensionPollInterval: 50 * time.Millisecond, Limits: accounts.Rules[accounts.Limits]{
			PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "capped", Asset: usd}: {PayableCap: "20"}},
		}},
		Settlement: settlement.Config{
			Instance: f.instance, Manual: true, Rails: settlement.Rails{Default: &settlement.Rail{Name: "bank", Settler: settlement.SettlerFunc(f.settle)}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(10_00)}},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.client.Close(context.Background()) }) // open orders are an error
	handles, err := f.client.Provision(t.Context(), peers...)
	require.NoError(t, err)
	names := map[accounts.Asset][]string{}
	for i, p := range peers {
		f.peers[p.ID] = handles[i]
		names[p.Asset] = append(names[p.Asset], p.ID)
	}
	f.names = func(asset accounts.Asset) []string { return names[asset] }
	cfg := console.Config{
		Book: f.client.Book, Settlement: f.client.Settlement, Token: token, Interval: time.Millisecond, Peers: f.names,
	}
	if change != nil {
		change(&cfg)
	}
	f.console, err = console.New(cfg)
	require.NoError(t, err)
	t.Cleanup(f.console.Close)
	f.serve(f.console)
	f.logIn()
	return f
}

// serve serves a handler, and gives the fixture a new browser.
func (f *fixture) serve(h http.Handler) {
	f.server = httptest.NewServer(h)
	f.t.Cleanup(f.server.Close)
	f.browser = newBrowser(f.t)
}

func newBrowser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (f *fixture) logIn() {
	f.t.Helper()
	answer := f.postLogin(f.browser, f.server.URL+"/login", token, f.server.URL)
	require.Equal(f.t, http.StatusSeeOther, answer.StatusCode)
}

// postLogin posts a token as the log-in form does.
func (f *fixture) postLogin(browser *http.Client, address, secret, origin string) *http.Response {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodPost, address, strings.NewReader(url.Values{"token": {secret}}.Encode()))
	require.NoError(f.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	answer, err := browser.Do(r)
	require.NoError(f.t, err)
	require.NoError(f.t, answer.Body.Close())
	return answer
}

// open gets a page, and returns its status and text.
func (f *fixture) open(path string) (int, string) {
	f.t.Helper()
	answer, text := f.get(f.browser, f.server.URL+path)
	return answer.StatusCode, text
}

// show gets a page that must exist.
func (f *fixture) show(path string) string {
	f.t.Helper()
	status, text := f.open(path)
	require.Equal(f.t, http.StatusOK, status, "%s: %s", path, text)
	return text
}

func (f *fixture) get(browser *http.Client, address string) (*http.Response, string) {
	f.t.Helper()
	r, err := http.NewRequestWithContext(f.t.Context(), http.MethodGet, address, nil)
	require.NoError(f.t, err)
	answer, err := browser.Do(r)
	require.NoError(f.t, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(f.t, err)
	require.NoError(f.t, answer.Body.Close())
	return answer, string(text)
}

// hold prepares a packet.
func (f *fixture) hold(from, to string, amount uint64) ledger.ID {
	f.t.Helper()
	held, err := f.client.Recorder.Prepare(f.t.Context(), transfers.Packet{
		From: f.peers[from], To: f.peers[to], In: amount, Out: amount, Expiry: time.Now().Add(10 * time.Minute),
	})
	require.NoError(f.t, err)
	return held.Packet.ID
}

// send prepares and fulfills a packet.
func (f *fixture) send(from, to string, amount uint64) {
	f.t.Helper()
	held, err := f.client.Recorder.Prepare(f.t.Context(), transfers.Packet{
		From: f.peers[from], To: f.peers[to], In: amount, Out: amount, Expiry: time.Now().Add(10 * time.Minute),
	})
	require.NoError(f.t, err)
	_, err = f.client.Recorder.Fulfill(f.t.Context(), held.Packet)
	require.NoError(f.t, err)
}

func line(id string, asset accounts.Asset, units uint64) accounts.PeerConfig {
	return accounts.PeerConfig{ID: id, Asset: asset, CreditLine: ledger.NewAmount(units)}
}
