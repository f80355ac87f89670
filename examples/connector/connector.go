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
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// The books; deploy/peerledger.yaml has the same settings for the operator's command.
const (
	namespace = "example"
	dollar    = 1_000_000_000
)

var (
	usd       = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	peerNames = []string{"alice", "bob", "carol"}
)

// connector is a running connector.
type connector struct {
	log       *slog.Logger
	client    *peerledger.Client
	assets    []accounts.Asset
	settles   bool // pays peers
	peers     []accounts.PeerAccount
	metrics   *monitoring.Metrics
	registry  *prometheus.Registry
	stopWatch context.CancelFunc // called before the client is closed
	server    *server

	mu          sync.Mutex
	settlements int // settlement payments made by this process
}

func newConnector(log *slog.Logger) (c *connector, err error) {
	c = &connector{log: log, assets: []accounts.Asset{usd}, settles: true, registry: prometheus.NewRegistry()}
	c.metrics, err = monitoring.New(c.registry, monitoring.Config{ReadFailed: func(err error) { log.Warn("metrics", "err", err) }})
	return c, err
}

// openConnector opens the ledger, provisions the peers, and starts the settlement engine.
func openConnector(ctx context.Context, opts options, log *slog.Logger) (*connector, error) {
	c, err := newConnector(log)
	if err != nil {
		return nil, err
	}
	l, err := c.openLedger(ctx, opts.ledger)
	if err != nil {
		return nil, err
	}
	return c, c.startOn(ctx, l, opts)
}

// startOn starts the connector on a ledger. After an error the ledger is closed.
func (c *connector) startOn(ctx context.Context, l ledger.Ledger, opts options) (err error) {
	if opts.network != nil {
		c.assets, c.settles = opts.network.assets(), false // the example's rail moves no money
	}
	cfg := c.newClientConfig(opts)
	if c.client, err = peerledger.New(l, cfg); err != nil {
		return errors.Join(err, l.Close())
	}
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stopWatch = stop
	if err := c.provisionPeers(ctx, watching, cfg, opts.peerConfigs()); err != nil {
		return errors.Join(err, c.closeConnector(opts.grace))
	}
	return nil
}

// runTraffic sends the traffic, reads the books, and closes the connector. A supervisor kills the
// process after the grace period. So promised fulfills, the books and the closing have a third of
// the period each.
func (c *connector) runTraffic(ctx context.Context, opts options) (summary, error) {
	third := opts.grace / 3
	err := c.sendPackets(ctx, opts)
	reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), third)
	defer cancel()
	sum, sumErr := c.summarizeBooks(reading)
	return sum, errors.Join(err, sumErr, c.closeConnector(third))
}

// peerConfigs returns the peers to provision.
func (opts *options) peerConfigs() (peers []accounts.PeerConfig) {
	if opts.network != nil {
		return opts.network.peerConfigs()
	}
	for _, name := range peerNames {
		peers = append(peers, accounts.PeerConfig{ID: name, Asset: usd, CreditLine: ledger.NewAmount(100 * dollar)})
	}
	return peers
}

func (c *connector) provisionPeers(ctx, watching context.Context, cfg peerledger.Config, peers []accounts.PeerConfig) error {
	var err error
	var drift *accounts.DriftError
	if c.peers, err = c.client.Provision(ctx, peers...); errors.As(err, &drift) && c.peers != nil {
		c.log.Warn("an operator has changed something", "err", err) // for example a credit line; Provision keeps the operator's value
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

// openLedger opens the ledger named by -ledger.
func (c *connector) openLedger(ctx context.Context, name string) (ledger.Ledger, error) {
	if name == "cluster" {
		return c.openCluster(ctx)
	}
	return embedded.New(), nil
}

// newClientConfig returns a configuration that pays a peer when we owe 5 dollars, down to one
// dollar, on a rail without delays.
func (c *connector) newClientConfig(opts options) peerledger.Config {
	rail := &settlement.Rail{Name: "example", Settler: settlement.SettlerFunc(c.payOrder)}
	cfg := peerledger.Config{
		Accounts: accounts.Config{Namespace: namespace, Assets: c.assets},
		Settlement: settlement.Config{
			Instance: "example-connector",
			Rails:    settlement.Rails{Default: rail},
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(5 * dollar), SettleTo: ledger.NewAmount(dollar)}},
			Events: c.metrics.Settlement(settlement.Events{
				Failed: func(err error) { c.log.Warn("settlement", "err", err) },
			}),
		},
	}
	if !c.settles {
		cfg.Settlement.Policies = settlement.Policies{}
	}
	if opts.rounds {
		cfg.Rounds = c.newRoundsConfig(opts.journal)
	} else {
		cfg.Recorder = c.newRecorderConfig(opts.journal)
	}
	return cfg
}

// newRecorderConfig returns the configuration of a recorder that writes each packet.
func (c *connector) newRecorderConfig(journal string) transfers.Config {
	return transfers.Config{JournalFolder: journal, Events: c.metrics.Recorder(transfers.Events{
		Replayed: c.reportReplayed,
	})}
}

// newRoundsConfig returns the configuration of a recorder that writes rounds. Without a journal, as
// with a ledger in memory, fulfills may be lost with the process.
func (c *connector) newRoundsConfig(journal string) *aggregate.Config {
	return &aggregate.Config{JournalFolder: journal, LoseFulfillsWithProcess: journal == "", Events: c.metrics.Rounds(aggregate.Events{
		Replayed: c.reportReplayed,
		Round: func(r aggregate.Round) {
			if len(r.Arrears)+len(r.Suspense) > 0 {
				c.log.Warn("late packets", "round", r.Number, "arrears", r.Arrears, "suspense", r.Suspense)
			}
		},
		RequestFailed: func(err error) { c.log.Warn("round", "err", err) },
		Stopped:       func(err error) { c.log.Error("recorder stopped", "err", err) },
	})}
}

// reportReplayed logs the fulfills that an earlier process left in the journal.
func (c *connector) reportReplayed(left []transfers.Result) {
	for _, r := range left {
		c.log.Info("fulfill of the earlier process", "packet", r.Packet.ID, "outcome", r.Outcome, "err", r.Err)
	}
}

// payOrder is the rail. A real rail must pay once per order.ID, even after several calls. payOrder
// moves no money, so a second call pays nothing twice.
func (c *connector) payOrder(_ context.Context, order settlement.Order) (ledger.Amount, error) {
	c.mu.Lock()
	c.settlements++
	c.mu.Unlock()
	c.log.Info("paid", "peer", order.Account.Peer(), "amount", order.Asset.Format(order.Amount), "order", order.ID)
	return order.Amount, nil
}

// closeConnector closes the connector in order.
func (c *connector) closeConnector(grace time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	c.server.closeServer(ctx)
	c.stopWatch()
	return c.client.Close(ctx)
}

// sendPackets sends packets until all are sent or ctx ends. A refused packet is normal. A missing
// answer of the ledger is an error.
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

// forwardPacket prepares a packet and then fulfills the packet, or rejects one packet of ten. The
// fulfill or reject may take the time longer after the end of ctx.
func (c *connector) forwardPacket(ctx context.Context, rng *rand.Rand, longer time.Duration) error {
	from := rng.IntN(len(c.peers))
	to := (from + 1 + rng.IntN(len(c.peers)-1)) % len(c.peers)
	amount := 1 + rng.Uint64N(dollar)
	fulfilled := rng.IntN(10) > 0
	held, err := c.client.Recorder.Prepare(ctx, transfers.Packet{
		From: c.peers[from], To: c.peers[to], In: amount, Out: amount - amount/1000, Expiry: time.Now().Add(30 * time.Second),
	})
	if err != nil {
		c.log.Warn("refused", "code", transfers.ILPCode(err), "err", err) // the sender gets this error code
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
