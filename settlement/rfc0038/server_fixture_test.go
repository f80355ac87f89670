package rfc0038_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

var serverAsset = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

// serverFixture is a server on an embedded ledger.
type serverFixture struct {
	t      testing.TB
	ledger ledger.Ledger
	book   *accounts.Book
	engine *settlement.Engine
	server *rfc0038.Server
	byID   map[string]accounts.PeerAccount

	mu     sync.Mutex
	events []string // in order, by name
	errs   []error  // of the events, nil for a booking
}

// newServerFixture makes a server for peers, whose ids are also those in paths. change may alter the configuration.
func newServerFixture(tb testing.TB, change func(*rfc0038.ServerConfig), ids ...string) *serverFixture {
	tb.Helper()
	return newServerFixtureOn(tb, embedded.New(), serverAsset, change, ids...)
}

func newServerFixtureOn(
	tb testing.TB, l ledger.Ledger, asset accounts.Asset, change func(*rfc0038.ServerConfig), ids ...string,
) *serverFixture {
	tb.Helper()
	f := &serverFixture{t: tb, ledger: l, byID: make(map[string]accounts.PeerAccount)}
	var err error
	f.book, err = accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{asset}})
	require.NoError(tb, err)
	for _, id := range append([]string{"alice"}, ids...) {
		peers, err := f.book.Provision(context.Background(), accounts.PeerConfig{ID: id, Asset: asset})
		require.NoError(tb, err)
		f.byID[id] = peers[0]
	}
	f.engine, err = settlement.NewEngine(l, f.book, settlement.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = f.engine.Close(context.Background()) })
	cfg := rfc0038.ServerConfig{
		Engine: f.engine,
		Accounts: func(id string) (accounts.PeerAccount, error) {
			if account, known := f.byID[id]; known {
				return account, nil
			}
			return accounts.PeerAccount{}, rfc0038.ErrUnknownAccount
		},
		Events: rfc0038.ServerEvents{
			Booked:        func(rfc0038.Report, settlement.PaymentBooking) { f.note("booked", nil) },
			Conflict:      func(_ rfc0038.Report, err error) { f.note("conflict", err) },
			Parked:        func(_ rfc0038.Report, err error) { f.note("parked", err) },
			Unanswered:    func(_ rfc0038.Report, err error) { f.note("unanswered", err) },
			MessageFailed: func(_ accounts.PeerAccount, err error) { f.note("message failed", err) },
		},
	}
	if change != nil {
		change(&cfg)
	}
	f.server, err = rfc0038.NewServer(cfg)
	require.NoError(tb, err)
	return f
}

func (f *serverFixture) note(event string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events, f.errs = append(f.events, event), append(f.errs, err)
}

// takeEvents returns the events since the last call.
func (f *serverFixture) takeEvents() (events []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	events, f.events = f.events, nil
	return events
}

// serverAnswer is an answer; status 0: the connection was closed without one.
type serverAnswer struct {
	status int
	header http.Header
	body   string
}

// answerOf calls a handler in this process.
func answerOf(h http.Handler, r *http.Request) (answer serverAnswer) {
	w := httptest.NewRecorder()
	defer func() {
		if fault := recover(); fault != nil {
			if fault != http.ErrAbortHandler { //nolint:errorlint // it is no error but a panic
				panic(fault)
			}
			answer = serverAnswer{}
		}
	}()
	h.ServeHTTP(w, r)
	return serverAnswer{w.Code, w.Header(), w.Body.String()}
}

// newReport is the request of an engine that reports a payment. An empty key is left out.
func newReport(path, key, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://connector"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	return r
}

func (f *serverFixture) post(path, key, body string) serverAnswer {
	return answerOf(f.server, newReport(path, key, body))
}

// requireBooked requires the units booked for a peer, and its remainder in units.
func (f *serverFixture) requireBooked(id string, units uint64, remainder string) {
	f.t.Helper()
	b, err := f.book.Balance(context.Background(), f.byID[id])
	require.NoError(f.t, err)
	require.Equal(f.t, ledger.NewAmount(units), b.SettledIn)
	left, err := f.engine.Remainder(context.Background(), f.byID[id])
	require.NoError(f.t, err)
	require.Equal(f.t, remainder, left.RatString())
	ledgertest.RequireNothingHeld(f.t, f.ledger)
}

// zeroes is an endless body, which counts what is read of it.
type zeroes struct{ read int64 }

func (z *zeroes) Read(p []byte) (int, error) {
	clear(p)
	z.read += int64(len(p))
	return len(p), nil
}

var _ io.Reader = (*zeroes)(nil)
