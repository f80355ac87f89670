package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// The books: deploy/peerledger.yaml describes them to the operator's command.
const (
	namespace = "example"
	dollar    = 1_000_000_000
)

var (
	usd   = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	names = []string{"alice", "bob", "carol"}
)

// connector is a connector that runs.
type connector struct {
	log       *slog.Logger
	client    *peerledger.Client
	peers     []accounts.PeerAccount
	metrics   *monitoring.Metrics
	registry  *prometheus.Registry
	stopWatch context.CancelFunc // before the client is closed
	server    *server

	mu   sync.Mutex
	paid int // settlements
}

func newConnector(log *slog.Logger) (c *connector, err error) {
	c = &connector{log: log, registry: prometheus.NewRegistry()}
	c.metrics, err = monitoring.New(c.registry, monitoring.Config{Failed: func(err error) { log.Warn("metrics", "err", err) }})
	return c, err
}

// openConnector opens the ledger, provisions the peers, and begins to settle.
func openConnector(ctx context.Context, opts options, log *slog.Logger) (*connector, error) {
	c, err := newConnector(log)
	if err != nil {
		return nil, err
	}
	l, err := c.openLedger(ctx, opts.ledger)
	if err != nil {
		return nil, err
	}
	return c, c.startOn(ctx, l, opts.grace)
}

// startOn begins on a ledger, which is closed if it fails.
func (c *connector) startOn(ctx context.Context, l ledger.Ledger, grace time.Duration) (err error) {
	cfg := c.clientConfig()
	if c.client, err = peerledger.New(l, cfg); err != nil {
		return errors.Join(err, l.Close())
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stopWatch = stop
	if err := c.provisionPeers(ctx, watching, cfg); err != nil {
		return errors.Join(err, c.closeConnector(grace))
	}
	return nil
}

// runTraffic sends the traffic, reads the books, and ends the connector. Whoever stops it gives it
// a grace period and kills it then, so what is promised, the books and the closing have a
// third of it each.
func (c *connector) runTraffic(ctx context.Context, opts options) (summary, error) {
	third := opts.grace / 3
	err := c.sendPackets(ctx, opts)
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), third)
	defer cancel()
	sum, sumErr := c.summarizeBooks(reading)
	return sum, errors.Join(err, sumErr, c.closeConnector(third))
}

func (c *connector) provisionPeers(ctx, watching context.Context, cfg peerledger.Config) error {
	var peers []accounts.PeerConfig
	for _, name := range names {
		peers = append(peers, accounts.PeerConfig{ID: name, Asset: usd, CreditLine: ledger.NewAmount(100 * dollar)})
	}
	var err error
	var drift *accounts.DriftError
	if c.peers, err = c.client.Provision(ctx, peers...); errors.As(err, &drift) && c.peers != nil {
		c.log.Warn("an operator has changed something", "err", err) // a credit line, say: it stays as it is
		err = nil
	}
	if err != nil {
		return err
	}
	return c.metrics.Watch(watching, monitoring.Sources{
		Recorder: c.client.Recorder, Book: c.client.Book, Settlement: c.client.Settlement, SettlementConfig: cfg.Settlement,
		Accounts: func() []accounts.PeerAccount { return c.peers },
	})
}

// openLedger opens the ledger that is asked for.
func (c *connector) openLedger(ctx context.Context, which string) (ledger.Ledger, error) {
	if which == "cluster" {
		return c.openCluster(ctx)
	}
	return embedded.New(), nil
}

// clientConfig pays a peer down to a dollar when it is owed 5, on a rail that pays at once.
func (c *connector) clientConfig() peerledger.Config {
	rail := &settlement.Rail{Name: "example", Settler: settlement.SettlerFunc(c.payOrder)}
	return peerledger.Config{
		Accounts: accounts.Config{Namespace: namespace, Assets: []accounts.Asset{usd}},
		Recorder: transfers.Config{Events: c.metrics.Recorder(transfers.Events{})},
		Settlement: settlement.Config{
			Instance: "example-connector",
			Rails:    settlement.Rails{Default: rail},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(5 * dollar), SettleTo: ledger.NewAmount(dollar)}},
			Events: c.metrics.Settlement(settlement.Events{
				Failed: func(err error) { c.log.Warn("settlement", "err", err) },
			}),
		},
	}
}

// payOrder is the rail. A real one pays once for order.ID, whatever happens; this one has no
// money, so it cannot pay twice.
func (c *connector) payOrder(_ context.Context, order settlement.Order) (ledger.Amount, error) {
	c.mu.Lock()
	c.paid++
	c.mu.Unlock()
	c.log.Info("paid", "peer", order.Account.Peer(), "amount", order.Asset.Format(order.Amount), "order", order.ID)
	return order.Amount, nil
}

// closeConnector ends the connector in order.
func (c *connector) closeConnector(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	c.server.closeServer(ctx)
	c.stopWatch()
	return c.client.Close(ctx)
}

// sendPackets sends packets until there were enough or ctx ends. A packet that is refused is
// what happens to packets; an answer of the ledger that is missing ends it.
func (c *connector) sendPackets(ctx context.Context, opts options) error {
	rng := rand.New(rand.NewPCG(opts.seed, 0))
	var pace <-chan time.Time
	if opts.rate > 0 {
		ticker := time.NewTicker(time.Duration(float64(time.Second) / opts.rate))
		defer ticker.Stop()
		pace = ticker.C
	}
	for sent := 0; opts.packets == 0 || sent < opts.packets; sent++ {
		if pace != nil {
			select {
			case <-ctx.Done():
				return nil
			case <-pace:
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := c.forwardPacket(ctx, rng, opts.grace/3); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// forwardPacket takes a packet through its life: one in ten is rejected by its receiver. When ctx
// ends, what was promised still has some time.
func (c *connector) forwardPacket(ctx context.Context, rng *rand.Rand, longer time.Duration) error {
	from := rng.IntN(len(c.peers))
	to := (from + 1 + rng.IntN(len(c.peers)-1)) % len(c.peers)
	amount := 1 + rng.Uint64N(dollar)
	fulfilled := rng.IntN(10) > 0
	held, err := c.client.Recorder.Prepare(ctx, transfers.Packet{
		From: c.peers[from], To: c.peers[to], In: amount, Out: amount - amount/1000, Expiry: time.Now().Add(30 * time.Second),
	})
	if err != nil {
		c.log.Warn("refused", "code", transfers.ILPCode(err), "err", err) // and so is the sender told
		return nil
	}
	promised, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(longer, cancel) })()
	if fulfilled {
		_, err = c.client.Recorder.Fulfill(promised, held.Packet)
	} else {
		_, err = c.client.Recorder.Reject(promised, held.Packet)
	}
	if err != nil {
		return fmt.Errorf("resolve: %w", err)
	}
	return nil
}
