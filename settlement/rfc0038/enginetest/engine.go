package enginetest

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// Config configures an [Engine]. The zero Config is an engine in memory without a connector, on a
// rail of its own.
type Config struct {
	Name      string  // of the engine on the rail. Default "engine"
	Scale     uint8   // of the rail's unit: an engine of scale 6 pays whole millionths
	Mode      Mode    // how the connector is answered. Default Draft3
	Reports   Reports // how incoming payments are reported. Default ReportsByKey
	Rail      *Rail   // default a new rail in memory
	Folder    string  // of the store; created if it is missing, its parent must exist. Default "": in memory
	Connector string  // base URL of the connector. Default "": payments are not reported, and peers not asked
	Token     string  // bearer token that requests must have. Default "": none is needed
	// ConnectorToken is the bearer token of requests to the connector. Default "": none.
	ConnectorToken string
	// Peers has, by the id of an account, the peer's account on the rail. An engine asks the peer's
	// engine through the connector for the addresses of other accounts, with the message
	// {"type":"address"}.
	Peers map[string]Address
	// Message answers messages of peers' engines, except the one for an address. It must be safe for
	// concurrent calls. Default: the answer is the message.
	Message func(ctx context.Context, account string, message []byte) (answer []byte, err error)
	// ReportTimeout bounds the wait for an answer of the connector. Default 10 s.
	ReportTimeout time.Duration
	// RetryMin and RetryMax bound the pauses between attempts; each pause doubles the one before, less
	// up to one half at random. Defaults 100 ms and 1 h.
	RetryMin, RetryMax time.Duration
	// Connections bounds the requests to the connector at one time. Default 64.
	Connections int
	// TLS is used for requests to a connector with https. Default: the system's.
	TLS *tls.Config
}

// ErrClosed is returned after [Engine.Close] or [RustConnector.Close].
var ErrClosed = errors.New("enginetest: closed")

// Engine is a settlement engine: an [http.Handler] for its connector, and a client of the connector.
// All methods may be called concurrently. Call [Engine.Close] in the end, also of an engine that was
// not started.
type Engine struct {
	cfg    Config
	client *http.Client
	slots  chan struct{} // one for each request to the connector

	restart sync.Mutex // held during Restart and Close
	closed  bool       // under restart

	mu        sync.Mutex
	run       *run // nil while the engine restarts and after Close
	faults    []*fault
	connector string
	servers   []*http.Server
	serving   sync.WaitGroup
}

// run is the life of an engine between two restarts.
type run struct {
	ctx    context.Context
	cancel context.CancelFunc
	store  *store
	work   sync.WaitGroup // goroutines and requests

	// The fields below are under Engine.mu.
	requests map[*http.Request]http.ResponseWriter // under way
	paying   map[string]bool                       // accounts with a goroutine that pays
	ready    chan struct{}                         // closed and replaced when a connector is set
}

// NewEngine opens the store and begins to pay and to report. Errors match [ErrInvalidConfig], or are
// the file system's.
func NewEngine(cfg Config) (*Engine, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		MaxIdleConnsPerHost: cfg.Connections, IdleConnTimeout: time.Minute,
		TLSClientConfig: cfg.TLS, ResponseHeaderTimeout: cfg.ReportTimeout,
	}
	e := &Engine{
		cfg: cfg, connector: cfg.Connector, slots: make(chan struct{}, cfg.Connections),
		// A redirect would repeat a POST as a GET without a body: its answer says nothing.
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	if err := e.beginRun(newState()); err != nil {
		return nil, err
	}
	return e, nil
}

func (c *Config) setDefaults() {
	setDefault(&c.Name, "engine")
	setDefault(&c.Mode, Draft3)
	setDefault(&c.Reports, ReportsByKey)
	setDefault(&c.ReportTimeout, 10*time.Second)
	setDefault(&c.RetryMin, 100*time.Millisecond)
	setDefault(&c.RetryMax, max(time.Hour, c.RetryMin))
	setDefault(&c.Connections, 64)
	if c.Rail == nil {
		c.Rail = NewRail()
	}
	if c.Message == nil {
		c.Message = func(_ context.Context, _ string, message []byte) ([]byte, error) { return message, nil }
	}
}

// setDefault sets a field that has its zero value.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// beginRun opens the store and starts the goroutines. kept is the state of a store in memory.
func (e *Engine) beginRun(kept *state) error {
	s, err := openStore(e.cfg.Folder, kept)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // a run ends with Restart or Close
	r := &run{
		ctx: ctx, cancel: cancel, store: s, ready: make(chan struct{}),
		requests: map[*http.Request]http.ResponseWriter{}, paying: map[string]bool{},
	}
	e.mu.Lock()
	e.run = r
	for id := range s.accounts {
		e.startPayer(r, id)
	}
	e.mu.Unlock()
	r.work.Go(func() { e.reportPayments(r) })
	return nil
}

// endRun stops the goroutines and cuts requests off, as the end of a process does. It returns the
// last state.
func (e *Engine) endRun() (*state, error) {
	e.mu.Lock()
	r := e.run
	e.run = nil
	var cut []http.ResponseWriter
	if r != nil {
		cut = slices.Collect(maps.Values(r.requests))
	}
	e.mu.Unlock()
	if r == nil { // a restart failed
		return newState(), nil
	}
	r.cancel()
	for _, w := range cut { // a client that sends or reads slowly must not hold up the end of the run
		conn := http.NewResponseController(w)
		_ = conn.SetReadDeadline(time.Unix(1, 0))
		_ = conn.SetWriteDeadline(time.Unix(1, 0))
	}
	r.work.Wait()
	return r.store.state, r.store.close()
}

// Restart does what the end and the start of the engine's process would do: requests without an
// answer stay without one, and reports begin again. With emptyStore the engine forgets its accounts,
// keys and payments, as after a start with another folder. Then a repeated settlement is paid again,
// and all payments of the rail are reported again, under the same keys. After an error the engine
// answers nothing; Restart may be called again.
func (e *Engine) Restart(emptyStore bool) error {
	e.restart.Lock()
	defer e.restart.Unlock()
	if e.closed {
		return ErrClosed
	}
	kept, err := e.endRun()
	if err != nil {
		return err
	}
	if emptyStore || e.cfg.Folder != "" {
		kept = newState()
	}
	if emptyStore {
		if err := removeStore(e.cfg.Folder); err != nil {
			return err
		}
	}
	return e.beginRun(kept)
}

// removeStore removes the files of a store; "" is a store in memory.
func removeStore(folder string) error {
	if folder == "" {
		return nil
	}
	names, err := wal.Names(folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// Close stops listening, paying and reporting, waits for the goroutines, and closes the store. The
// rail stays open. A second Close does nothing.
func (e *Engine) Close() error {
	e.restart.Lock()
	defer e.restart.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	_, err := e.endRun()
	e.client.CloseIdleConnections()
	e.mu.Lock()
	servers := e.servers
	e.mu.Unlock()
	for _, server := range servers {
		err = errors.Join(err, server.Close())
	}
	e.serving.Wait()
	return err
}

// Start listens on an address of TCP, as 127.0.0.1:0, and returns the engine's base URL. The engine
// answers until [Engine.Close].
func (e *Engine) Start(address string) (url string, err error) {
	listener, err := net.Listen("tcp", address) //nolint:noctx // it listens until Close
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute}
	e.restart.Lock()
	defer e.restart.Unlock()
	if e.closed {
		return "", errors.Join(ErrClosed, listener.Close())
	}
	e.mu.Lock()
	e.servers = append(e.servers, server)
	e.mu.Unlock()
	e.serving.Go(func() { _ = server.Serve(listener) }) // it ends with Close
	return "http://" + listener.Addr().String(), nil
}

// SetConnector changes the base URL of the connector: two programs with ports that the system chose
// know each other's URL only after both have started.
func (e *Engine) SetConnector(url string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.connector = url
	if e.run != nil {
		close(e.run.ready)
		e.run.ready = make(chan struct{})
	}
}

// Rail returns the rail of the engine.
func (e *Engine) Rail() *Rail { return e.cfg.Rail }

// Receive pays an amount from outside to an account of this engine, once for each id. The engine
// reports the payment to its connector.
func (e *Engine) Receive(account, id string, amount rfc0038.Quantity) error {
	return e.cfg.Rail.Pay(Payment{ID: id, From: Address{Engine: "outside"}, To: Address{Engine: e.cfg.Name, Account: account}, Amount: amount})
}

// CountOpen returns the number of settlements that were taken over and not paid, and the number of
// payments on the rail to this engine that were not reported to the end. Settlements below the rail's
// unit count as paid. Errors match [ErrClosed], or are the rail's.
func (e *Engine) CountOpen() (unpaid, unreported int, err error) {
	payments, err := e.cfg.Rail.Payments()
	if err != nil {
		return 0, 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.run == nil {
		return 0, 0, ErrClosed
	}
	for _, a := range e.run.store.accounts {
		unpaid += len(a.unpaid)
	}
	for _, p := range payments {
		if p.To.Engine == e.cfg.Name && !e.run.store.reported[p.ID] {
			unreported++
		}
	}
	return unpaid, unreported, nil
}
