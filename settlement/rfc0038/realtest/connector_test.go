//go:build unix

package realtest_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/transfers"
)

// The first connector mostly sends in USD and the second in EUR, so that each always comes to owe the other.
var (
	usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	eur = accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2}

	assets = []accounts.Asset{usd, eur}
)

// railScale is the scale of the rail's smallest payments.
const railScale = 6

const (
	// engineTimeout is below pauseTime, so that engines carry out requests that the connector has given up.
	engineTimeout = time.Second

	retryAfter  = 20 * time.Millisecond
	retryAtMost = 250 * time.Millisecond
)

// setup configures a connector's process. After a crash the process reads the setup again.
type setup struct {
	Name   string `json:"name"`
	Peer   string `json:"peer"`
	Folder string `json:"folder"` // of both connectors
	Engine string `json:"engine"` // URL
	Port   int    `json:"port"`   // for the engine's reports
	Seed   uint64 `json:"seed"`
	First  bool   `json:"first"` // sends mostly in USD
}

func (s setup) ledgerFolder() string            { return filepath.Join(s.Folder, s.Name) }
func (s setup) socketPath(of string) string     { return filepath.Join(s.Folder, of+".sock") }
func (s setup) accountsConfig() accounts.Config { return accounts.Config{Assets: assets} }

func listenConfig(s setup) rfc0038.ListenConfig {
	return rfc0038.ListenConfig{Address: fmt.Sprintf("127.0.0.1:%d", s.Port)}
}

// connector is one of our connectors: a recorder, a settlement engine and both sides of RFC 0038 over a ledger in a folder.
type connector struct {
	setup

	ledger   *embedded.Ledger
	book     *accounts.Book
	ids      *rfc0038.AccountIDs
	client   *rfc0038.Client
	settler  *rfc0038.Settler
	engine   *settlement.Engine
	server   *rfc0038.Server
	recorder *transfers.Recorder
	own      map[accounts.Asset]accounts.PeerAccount
	peer     map[accounts.Asset]accounts.PeerAccount
	calls    *http.Client // to the peer
	deliver  func(ctx context.Context, account accounts.PeerAccount, prepare []byte) (answer []byte, err error)
	progress *os.File // number of the next packet
}

// openConnector opens the ledger, and everything on it.
func openConnector(ctx context.Context, s setup) (c *connector, err error) {
	c = &connector{setup: s, own: map[accounts.Asset]accounts.PeerAccount{}, peer: map[accounts.Asset]accounts.PeerAccount{}}
	c.deliver = c.postMessage
	if c.ledger, err = embedded.Open(s.ledgerFolder()); err != nil {
		return nil, err
	}
	if c.book, err = accounts.NewBook(c.ledger, s.accountsConfig()); err != nil {
		return nil, err
	}
	if err := c.openSettlement(); err != nil {
		return nil, err
	}
	c.recorder, err = transfers.NewRecorder(c.ledger, c.book, transfers.Config{
		Events: transfers.Events{BalancesChanged: c.engine.NotifyBalances},
	})
	if err != nil {
		return nil, err
	}
	c.calls = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", s.socketPath(s.Peer))
	}}}
	c.progress, err = os.OpenFile(filepath.Join(s.Folder, s.Name+".next"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return c, c.provisionPeer(ctx)
}

// provisionPeer has no credit line end the traffic: an engine that loses money lets the peer's debt grow.
func (c *connector) provisionPeer(ctx context.Context) error {
	for _, asset := range assets {
		own, err := c.book.OwnAccount(asset)
		if err != nil {
			return err
		}
		peers, err := c.book.Provision(ctx, accounts.PeerConfig{ID: c.Peer, Asset: asset, CreditLine: accounts.Unlimited})
		if err != nil {
			return err
		}
		c.own[asset], c.peer[asset] = own, peers[0]
		c.engine.Enqueue(peers)
	}
	return nil
}

// openSettlement makes the rail, the settlement engine and the server for the rail's reports.
func (c *connector) openSettlement() (err error) {
	if c.ids, err = rfc0038.NewAccountIDs(c.book, nil); err != nil {
		return err
	}
	if c.client, err = rfc0038.NewClient(rfc0038.ClientConfig{URL: c.Engine, Timeout: engineTimeout}); err != nil {
		return err
	}
	scale := uint8(railScale)
	c.settler, err = rfc0038.NewSettler(rfc0038.SettlerConfig{
		Client: c.client, IDs: c.ids, EngineScales: accounts.Rules[*uint8]{Default: &scale},
		Events: rfc0038.SettlerEvents{Stuck: func(e *rfc0038.StuckError) { c.logLine(e) }},
	})
	if err != nil {
		return err
	}
	rail := c.settler.Rail("rfc0038")
	rail.BreakerTimeout = retryAtMost
	c.engine, err = settlement.NewEngine(c.ledger, c.book, settlement.Config{
		Rails: settlement.Rails{Default: rail},
		Policies: settlement.Policies{Asset: map[accounts.Asset]settlement.Policy{
			usd: settlement.Threshold{SettleThreshold: ledger.NewAmount(2_000_000_000), SettleTo: ledger.NewAmount(500_000_000)},
			eur: settlement.Threshold{SettleThreshold: ledger.NewAmount(200), SettleTo: ledger.NewAmount(50)},
		}},
		RetryInitialInterval: retryAfter, RetryMaxInterval: retryAtMost, OrderCooldown: retryAtMost,
		CheckCooldown: retryAfter, SweepInterval: time.Second,
	})
	if err != nil {
		return err
	}
	unusual := func(r rfc0038.Report, err error) { c.logLine(r.AccountID, r.Key, err) }
	c.server, err = rfc0038.NewServer(rfc0038.ServerConfig{
		Engine: c.engine, Accounts: c.ids.Account, Relay: c.relayMessage,
		Events: rfc0038.ServerEvents{Conflict: unusual, Parked: unusual, Unanswered: unusual},
	})
	return err
}

func (c *connector) logLine(values ...any) {
	fmt.Fprintln(os.Stderr, append([]any{c.Name}, values...)...)
}

// runConnector works until the end of the input. The command "stop" ends the traffic, and "settle" pays what is owed.
// The test kills all other lives of a connector.
func runConnector(ctx context.Context, s setup, in io.Reader, out io.Writer) error {
	c, err := openConnector(ctx, s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	reports, err := c.server.Listen(ctx, listenConfig(s))
	if err != nil {
		return err
	}
	packets, err := c.listenForPackets(ctx)
	if err != nil {
		return err
	}
	fromPeer := http.NewServeMux()
	fromPeer.HandleFunc("POST /packet", handlePackets(c))
	fromPeer.HandleFunc("POST /message/{ledger}", handleMessages(c))
	peers := &http.Server{Handler: fromPeer, ReadHeaderTimeout: callTimeout}
	var work, traffic sync.WaitGroup
	var served, sent error
	stop := make(chan struct{})
	work.Go(func() { served = c.server.Serve(ctx, reports) })
	work.Go(func() { _ = peers.Serve(packets) }) // ends by Close
	traffic.Go(func() { sent = c.sendPackets(ctx, stop) })
	fmt.Fprintln(out, "ready")
	for commands := bufio.NewScanner(in); commands.Scan(); {
		switch commands.Text() {
		case "stop":
			close(stop)
			traffic.Wait()
			err = sent
		case "settle":
			err = c.settleAll(ctx)
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "done", commands.Text())
	}
	cancel()
	err = peers.Close()
	traffic.Wait()
	work.Wait()
	return errors.Join(err, served, c.recorder.Close(ctx), c.engine.Close(ctx), c.ledger.Close())
}

// settleAll pays until nothing is owed and no order is open. It wakes the engine: settlement-core does not look after
// amounts that were in its queue when it was killed.
func (c *connector) settleAll(ctx context.Context) error {
	peers := []accounts.PeerAccount{c.peer[usd], c.peer[eur]}
	_, err := retryForever(ctx, func() (struct{}, error) {
		if _, err := c.engine.SettleNow(ctx, peers...); err != nil {
			return struct{}{}, err
		}
		open, err := c.engine.Orders(ctx, peers...)
		if err == nil && len(open) > 0 {
			err = fmt.Errorf("%d orders are open: %w", len(open), open[0].LastErr)
		}
		return struct{}{}, err
	})
	for _, peer := range peers {
		_, waking := c.settler.Wake(ctx, peer)
		err = errors.Join(err, waking)
	}
	return err
}

// retryForever calls f until it succeeds, or ctx ends.
func retryForever[T any](ctx context.Context, f func() (T, error)) (T, error) {
	waits := backoff.NewExponentialBackOff()
	waits.InitialInterval, waits.MaxInterval = retryAfter, retryAtMost
	return backoff.Retry(ctx, f, backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0))
}

// readProgress returns the number of the next packet. Packets before it are in the books of both connectors.
func (c *connector) readProgress() (next uint64, err error) {
	var number [8]byte
	if _, err := c.progress.ReadAt(number[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return binary.BigEndian.Uint64(number[:]), nil
}

func (c *connector) writeProgress(next uint64) error {
	_, err := c.progress.WriteAt(binary.BigEndian.AppendUint64(nil, next), 0)
	return err
}
