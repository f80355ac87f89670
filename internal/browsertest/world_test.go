//go:build cgo && !race

package browsertest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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
	usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 840}
	eur = accounts.Asset{Code: "EUR", Scale: 2, Ledger: 978}
	xrp = accounts.Asset{Code: "XRP", Scale: 9, Ledger: 10}
)

const (
	token = "a token of the tests, long enough"
	every = 100 * time.Millisecond // between two looks of the console
)

// awayLedger is a ledger that can go away, and that can keep its callers waiting.
type awayLedger struct {
	ledger.Ledger

	away atomic.Bool
	open chan struct{} // reads wait until it is closed; nil does not make them wait
}

var errAway = errors.New("the cluster is away")

// answer returns the error of a read, after its wait.
func (l *awayLedger) answer(ctx context.Context) error {
	if l.open != nil {
		select {
		case <-l.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if l.away.Load() {
		return errAway
	}
	return nil
}

func (l *awayLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if err := l.answer(ctx); err != nil {
		return nil, err
	}
	return l.Ledger.LookupAccounts(ctx, ids)
}

func (l *awayLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if err := l.answer(ctx); err != nil {
		return nil, err
	}
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

// laggingClock is a clock that a test sets back, so that books have a past.
type laggingClock struct{ lag atomic.Int64 }

func (c *laggingClock) now() time.Time { return time.Now().Add(-time.Duration(c.lag.Load())) }

// setLag has the books be so long ago from now on.
func (c *laggingClock) setLag(lag time.Duration) { c.lag.Store(int64(lag)) }

// world is a console over books of its own, served over HTTP.
type world struct {
	t       *testing.T
	clock   laggingClock
	ledger  *awayLedger
	client  *peerledger.Client
	console *console.Console
	url     string // of the console, with a slash at its end

	peers   map[string]accounts.PeerAccount // by peer and asset, as in "kiterail USD"
	streams atomic.Int64                    // open streams of live figures
	down    atomic.Bool                     // connections are broken off
}

// pendingRail leaves every order open.
func pendingRail(context.Context, settlement.Order) (ledger.Amount, error) {
	return ledger.Amount{}, settlement.ErrPending
}

// worldOptions change a world.
type worldOptions struct {
	console func(*console.Config)
	act     bool                            // the console may change the books; its user is ann
	mount   func(http.Handler) http.Handler // serves the console; nil serves it at the root
	prefix  string                          // of the console in mount's handler, "/" without one
	lag     time.Duration                   // how long ago the books were opened
	wait    chan struct{}                   // reads of the ledger wait until it is closed, once the peers are provisioned
}

// newWorld opens books with these peers.
func newWorld(t *testing.T, o worldOptions, peers ...accounts.PeerConfig) *world {
	t.Helper()
	requireBrowser(t) // before anything is opened
	w := &world{t: t, peers: map[string]accounts.PeerAccount{}}
	w.clock.setLag(o.lag)
	w.ledger = &awayLedger{Ledger: embedded.New(embedded.WithClock(w.clock.now))}
	var err error
	w.client, err = peerledger.New(w.ledger, peerledger.Config{
		Accounts: accounts.Config{Assets: []accounts.Asset{usd, eur, xrp}, Limits: accounts.Rules[accounts.Limits]{
			PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "harborpay", Asset: usd}: {PayableCap: "5000"}, {Peer: "saffron-fx", Asset: eur}: {PayableCap: "2500"}},
		}},
		Settlement: settlement.Config{
			Manual: true, Rails: settlement.Rails{Default: &settlement.Rail{Name: "sepa", Settler: settlement.SettlerFunc(pendingRail)}},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(100_00)}},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.client.Close(context.Background()) }) // open orders are an error
	w.provision(peers...)
	names := map[accounts.Asset][]string{}
	for _, p := range peers {
		names[p.Asset] = append(names[p.Asset], p.ID)
	}
	w.ledger.open = o.wait
	cfg := console.Config{
		Book: w.client.Book, Settlement: w.client.Settlement, Token: token, Interval: every,
		Peers: func(asset accounts.Asset) []string { return names[asset] },
	}
	if o.act {
		cfg.Allow, cfg.JournalFile, cfg.Operator = console.Act, filepath.Join(t.TempDir(), "journal.jsonl"), "ann"
		cfg.Reasons = map[string]uint32{"review": 7}
	}
	if o.console != nil {
		o.console(&cfg)
	}
	w.console, err = console.New(cfg)
	require.NoError(t, err)
	w.serve(o)
	return w
}

func (w *world) serve(o worldOptions) {
	w.t.Helper()
	var h http.Handler = w.console
	if o.mount != nil {
		h = o.mount(h)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.down.Load() {
			panic(http.ErrAbortHandler)
		}
		if strings.HasSuffix(r.URL.Path, "/events") {
			w.streams.Add(1)
			defer w.streams.Add(-1)
		}
		h.ServeHTTP(rw, r)
	}))
	w.t.Cleanup(server.Close)
	w.t.Cleanup(w.console.Close) // before the server, which waits for streams
	w.url = server.URL + "/" + strings.TrimPrefix(o.prefix, "/")
}

func (w *world) provision(peers ...accounts.PeerConfig) {
	w.t.Helper()
	handles, err := w.client.Provision(w.t.Context(), peers...)
	require.NoError(w.t, err)
	for i, p := range peers {
		w.peers[p.ID+" "+p.Asset.Code] = handles[i]
	}
}

// account returns the account of a peer in an asset, as in "kiterail EUR"; "kiterail" is the one in USD.
func (w *world) account(name string) accounts.PeerAccount {
	w.t.Helper()
	if !strings.Contains(name, " ") {
		name += " USD"
	}
	require.Contains(w.t, w.peers, name)
	return w.peers[name]
}

// hold prepares a packet of this amount of units.
func (w *world) hold(from, to string, amount uint64) transfers.Packet {
	w.t.Helper()
	return w.holdWith(from, to, amount, 0)
}

// holdWith prepares a packet whose condition begins with this byte.
func (w *world) holdWith(from, to string, amount uint64, condition byte) transfers.Packet {
	w.t.Helper()
	var held transfers.Result
	var err error
	prepare := func() bool {
		held, err = w.client.Recorder.Prepare(w.t.Context(), transfers.Packet{
			From: w.account(from), To: w.account(to), In: amount, Out: amount, Expiry: time.Now().Add(10 * time.Minute), Condition: [32]byte{condition, 1},
		})
		return !errors.Is(err, errAway) // a look-up for suspensions may have begun before the ledger came back
	}
	require.Eventually(w.t, prepare, 10*time.Second, 20*time.Millisecond)
	require.NoError(w.t, err)
	return held.Packet
}

// send prepares and fulfills a packet of this amount of units.
func (w *world) send(from, to string, amount uint64) {
	w.t.Helper()
	w.sendWith(from, to, amount, 0)
}

// sendWith prepares and fulfills a packet whose condition begins with this byte.
func (w *world) sendWith(from, to string, amount uint64, condition byte) {
	w.t.Helper()
	_, err := w.client.Recorder.Fulfill(w.t.Context(), w.holdWith(from, to, amount, condition))
	require.NoError(w.t, err)
}

// balance returns the balance in the books.
func (w *world) balance(name string) accounts.Balance {
	w.t.Helper()
	b, err := w.client.Book.Balance(w.t.Context(), w.account(name))
	require.NoError(w.t, err)
	return b
}

// position is the peer's position as the pages write it, worked out from the books.
func (w *world) position(name string) string {
	w.t.Helper()
	b := w.balance(name)
	if !b.Receivable.IsZero() {
		return "-" + b.Asset.Format(b.Receivable)
	}
	return b.Asset.Format(b.Payable)
}

// order places an order that stays open.
func (w *world) order(name string) {
	w.t.Helper()
	_, err := w.client.Settlement.Settle(w.t.Context(), w.account(name))
	w.t.Logf("the order stays open: %v", err)
}

// requireConserved checks that the books of an asset balance.
func (w *world) requireConserved(asset accounts.Asset) {
	w.t.Helper()
	_, err := w.client.Book.TrialBalance(w.t.Context(), asset)
	require.NoError(w.t, err)
}

// line configures a peer with a credit line in units.
func line(id string, asset accounts.Asset, units uint64) accounts.PeerConfig {
	return accounts.PeerConfig{ID: id, Asset: asset, CreditLine: ledger.NewAmount(units)}
}

// logIn logs a new tab in with the token, and shows the overview.
func (w *world) logIn() *tab {
	w.t.Helper()
	b := newTab(w.t, w.url)
	b.open(w.url)
	b.waitForPage("login")
	b.do("type the token", typeInto("#token", token))
	b.click("button")
	b.waitFor("the overview and its script", `document.querySelector("#totals") !== null && document.readyState === "complete"`)
	return b
}

// page returns the address of a page of the console.
func (w *world) page(name string) string { return w.url + name }
