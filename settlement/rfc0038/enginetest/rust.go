package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// RustConfig configures a [RustConnector]. The pauses are parts of interledger-rs; tests shorten them.
type RustConfig struct {
	Engine string // base URL of the engine. Default "": nothing is settled
	Scale  uint8  // of all accounts
	// A fulfill that brings the amount owed to SettleThreshold or above orders a settlement that leaves
	// SettleTo. With a SettleThreshold of at most 0 and a negative SettleTo an account is paid ahead when
	// it is added. Units of Scale.
	SettleThreshold, SettleTo int64
	Tries                     int           // for one settlement, each under a new key. Default 11
	Timeout                   time.Duration // for the answer to a settlement. Default 5 s
	ErrorPause                time.Duration // after a 5xx or a timeout. Default 5 s
	LostPause                 time.Duration // after a lost connection. Default 1 s
	// Message carries a message to the peer. It must be safe for concurrent calls. Default nil: messages
	// are answered with 502, as without a route to the peer.
	Message func(ctx context.Context, account string, message []byte) (answer []byte, err error)
}

// RustConnector is a connector with the habits of interledger-rs 1.0.0 (commit 544b6db), as seen on
// the wire and read in its source. As a client of an engine, it sends each attempt of a settlement
// under a new key, and settles while earlier settlements are still tried. It puts the amount of a
// settlement back after the last attempt and after a 4xx. It follows redirects, reads no answers, and
// creates its accounts again with each change. As a server of an engine, it answers untyped text, 409
// to every repeat of a key of any account, also of a key whose first answer was an error, and closes
// the connection if there is no key. Not faked are its wrong arithmetic beyond 2^53 and beyond 19
// places of scale, and the end of its keys after 24 hours.
//
// All methods may be called concurrently. Call [RustConnector.Close] in the end.
type RustConnector struct {
	cfg    RustConfig
	client *http.Client
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	accounts map[string]*rustAccount
	keys     map[string]bool // of settlements of all accounts
	attempts []Attempt
	servers  []*http.Server
}

type rustAccount struct {
	owed     int64 // settlements under way are not owed
	credited *big.Int
	rest     rfc0038.Quantity
}

// Attempt is one request for a settlement.
type Attempt struct {
	Account string
	Key     string
	Amount  int64 // units
	Status  int   // 0 without an answer
}

// NewRustConnector returns a connector without accounts. Errors match [ErrInvalidConfig].
func NewRustConnector(cfg RustConfig) (*RustConnector, error) {
	setDefault(&cfg.Tries, 11)
	setDefault(&cfg.Timeout, 5*time.Second)
	setDefault(&cfg.ErrorPause, 5*time.Second)
	setDefault(&cfg.LostPause, time.Second)
	if cfg.Tries < 1 || cfg.SettleTo > cfg.SettleThreshold {
		return nil, fmt.Errorf("%w: Tries of %d, SettleTo of %d, SettleThreshold of %d", ErrInvalidConfig, cfg.Tries, cfg.SettleTo, cfg.SettleThreshold)
	}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:forbidigo // it ends with Close
	return &RustConnector{
		cfg: cfg, client: &http.Client{Transport: &http.Transport{IdleConnTimeout: time.Minute}}, ctx: ctx, cancel: cancel,
		accounts: map[string]*rustAccount{}, keys: map[string]bool{},
	}, nil
}

// Close stops settlements and the server, and waits for both. A second Close does nothing.
func (c *RustConnector) Close() error {
	c.mu.Lock()
	c.closed = true
	servers := c.servers
	c.servers = nil
	c.mu.Unlock()
	c.cancel()
	var err error
	for _, server := range servers {
		err = errors.Join(err, server.Close())
	}
	c.work.Wait()
	c.client.CloseIdleConnections()
	return err
}

// Start serves engines on an address of TCP, and returns the base URL.
func (c *RustConnector) Start(address string) (string, error) {
	listener, err := net.Listen("tcp", address) //nolint:noctx // it listens until Close
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return "", errors.Join(ErrClosed, listener.Close())
	}
	c.servers = append(c.servers, server)
	c.work.Go(func() { _ = server.Serve(listener) }) // it ends with Close
	return "http://" + listener.Addr().String(), nil
}

// AddAccount adds an account, creates it at the engine, and pays ahead if the policy says so. The
// account is there whatever the engine answers. A create without an answer is repeated until ctx ends.
func (c *RustConnector) AddAccount(ctx context.Context, id string) error {
	c.mu.Lock()
	if c.accounts[id] == nil {
		c.accounts[id] = &rustAccount{credited: new(big.Int)}
	}
	c.mu.Unlock()
	if err := c.createAccount(ctx, id); err != nil {
		return err
	}
	c.settleIfDue(id)
	return nil
}

// RecreateAccounts creates all accounts at the engine again, as a change of the engine's URL does.
func (c *RustConnector) RecreateAccounts(ctx context.Context) error {
	c.mu.Lock()
	var ids []string
	for id := range c.accounts {
		ids = append(ids, id)
	}
	c.mu.Unlock()
	for _, id := range ids {
		if err := c.AddAccount(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (c *RustConnector) createAccount(ctx context.Context, id string) error {
	for c.cfg.Engine != "" {
		if _, err := c.post(ctx, c.cfg.Engine+"/accounts", http.Header{"Content-Type": {mediaJSON}}, fmt.Sprintf(`{"id":%q}`, id)); err == nil {
			return nil
		}
		if err := waitFor(ctx, c.cfg.LostPause); err != nil {
			return err
		}
	}
	return nil
}

// Fulfill books a fulfilled packet: the account is owed more units. A settlement may follow in the
// background. It reports whether the account is known.
func (c *RustConnector) Fulfill(id string, units int64) bool {
	c.mu.Lock()
	a := c.accounts[id]
	if a != nil {
		a.owed += units
	}
	c.mu.Unlock()
	if a == nil {
		return false
	}
	c.settleIfDue(id)
	return true
}

// settleIfDue takes the amount of a settlement off the account and sends the settlement in the
// background, beside those that are still tried.
func (c *RustConnector) settleIfDue(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.accounts[id]
	units := a.owed - c.cfg.SettleTo
	if a.owed < c.cfg.SettleThreshold || units <= 0 || c.cfg.Engine == "" || c.closed {
		return
	}
	a.owed -= units
	c.work.Go(func() {
		if !c.settle(id, units) {
			c.mu.Lock()
			a.owed += units
			c.mu.Unlock()
		}
	})
}

// settle reports whether an attempt was answered with a 2xx.
func (c *RustConnector) settle(id string, units int64) bool {
	body := fmt.Sprintf(`{"amount":"%d","scale":%d}`, units, c.cfg.Scale)
	target := c.cfg.Engine + "/accounts/" + url.PathEscape(id) + "/settlements"
	for range c.cfg.Tries {
		key := newUUID()
		ctx, cancel := context.WithTimeout(c.ctx, c.cfg.Timeout)
		status, err := c.post(ctx, target, http.Header{"Content-Type": {mediaJSON}, "Idempotency-Key": {key}}, body)
		timedOut := ctx.Err() != nil
		cancel()
		c.mu.Lock()
		c.attempts = append(c.attempts, Attempt{id, key, units, status})
		c.mu.Unlock()
		pause := c.cfg.ErrorPause
		switch {
		case status/100 == 2:
			return true
		case status/100 == 4:
			return false
		case err != nil && !timedOut:
			pause = c.cfg.LostPause
		}
		if waitFor(c.ctx, pause) != nil {
			return false
		}
	}
	return false
}

// post sends a request and returns the status; 0 with an error.
func (c *RustConnector) post(ctx context.Context, target string, header http.Header, body string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.GetBody = nil // net/http would repeat a request with an Idempotency-Key by itself, under the same key
	r.Header = header
	r.Header.Set("Accept", "*/*")
	response, err := c.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody)) // it is not read
	return response.StatusCode, response.Body.Close()
}

// Owed returns the units that an account is owed and that no settlement under way has; 0 for an
// unknown account.
func (c *RustConnector) Owed(id string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.accounts[id]; a != nil {
		return a.owed
	}
	return 0
}

// Credited returns the units that engines reported for an account; 0 for an unknown account.
func (c *RustConnector) Credited(id string) *big.Int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.accounts[id]; a != nil {
		return new(big.Int).Set(a.credited)
	}
	return new(big.Int)
}

// Attempts returns all requests for settlements so far that have ended.
func (c *RustConnector) Attempts() []Attempt {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Attempt(nil), c.attempts...)
}
