package monitoring_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

var (
	usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	eur = accounts.Asset{Code: "EUR", Scale: 9, Ledger: 2}
)

func units(n uint64) ledger.Amount { return ledger.NewAmount(n) }

// countingLedger counts look-ups of accounts. The fields make requests fail or hang.
type countingLedger struct {
	ledger.Ledger
	lookups atomic.Int64
	fail    atomic.Pointer[error]
	hang    atomic.Bool
	noRows  atomic.Bool // reads of transfers of every account but our suspense account fail
	noOwn   atomic.Bool // reads of transfers of our suspense account fail
}

func (l *countingLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	away := &l.noRows
	if filter.AccountID == chart.Namespace("").AssetAccount(chart.CodeSuspense, usd.Ledger) {
		away = &l.noOwn
	}
	if away.Load() {
		return nil, errAway
	}
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

func (l *countingLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	l.lookups.Add(1)
	if l.hang.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := l.fail.Load(); err != nil {
		return nil, *err
	}
	return l.Ledger.LookupAccounts(ctx, ids)
}

var errAway = errors.New("the ledger is away")

func (l *countingLedger) setAway(away bool) {
	if away {
		l.fail.Store(&errAway)
	} else {
		l.fail.Store(nil)
	}
}

// connector has a recorder, an engine and a book on an embedded ledger, and their metrics.
type connector struct {
	ledger   *countingLedger
	book     *accounts.Book
	recorder *transfers.Recorder
	engine   *settlement.Engine
	registry *prometheus.Registry
	metrics  *monitoring.Metrics
	peers    []accounts.PeerAccount
	sources  monitoring.Sources
}

func newConnector(t *testing.T, cfg monitoring.Config, how settlement.Config, peers ...accounts.PeerConfig) *connector {
	t.Helper()
	c := &connector{ledger: &countingLedger{Ledger: embedded.New()}, registry: prometheus.NewRegistry()}
	var err error
	c.metrics, err = monitoring.New(c.registry, cfg)
	require.NoError(t, err)
	c.book, err = accounts.NewBook(c.ledger, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	c.peers, err = c.book.Provision(t.Context(), peers...)
	require.NoError(t, err)
	how.Manual, how.Events = true, c.metrics.Settlement(how.Events)
	c.engine, err = settlement.NewEngine(c.ledger, c.book, how)
	require.NoError(t, err)
	c.recorder, err = transfers.NewRecorder(c.ledger, c.book, transfers.Config{Lanes: 1, Events: c.metrics.Recorder(transfers.Events{})})
	require.NoError(t, err)
	c.sources = monitoring.Sources{
		Recorder: c.recorder, Book: c.book, Settlement: c.engine, SettlementConfig: how,
		Accounts: func() []accounts.PeerAccount { return c.peers },
	}
	t.Cleanup(func() {
		c.ledger.hang.Store(false)
		require.NoError(t, c.recorder.Close(context.WithoutCancel(t.Context())))
		if err := c.engine.Close(context.WithoutCancel(t.Context())); !errors.Is(err, settlement.ErrOrdersOpen) {
			require.NoError(t, err)
		}
	})
	return c
}

// forward books a fulfilled packet.
func (c *connector) forward(t *testing.T, from, to accounts.PeerAccount, amount uint64) {
	t.Helper()
	_, err := c.recorder.Forward(t.Context(), transfers.Packet{From: from, To: to, In: amount, Out: amount})
	require.NoError(t, err)
	require.NoError(t, c.recorder.Flush(t.Context()))
}

// values returns the series of a metric. The key of a series has the values of its labels, in the order of
// the label names, separated by commas.
func (c *connector) values(t *testing.T, metric string) map[string]float64 {
	t.Helper()
	families, err := c.registry.Gather()
	require.NoError(t, err)
	found := map[string]float64{}
	for _, f := range families {
		if f.GetName() != metric {
			continue
		}
		for _, m := range f.GetMetric() {
			var name string
			for i, l := range m.GetLabel() {
				if i > 0 {
					name += ","
				}
				name += l.GetValue()
			}
			switch {
			case m.Gauge != nil:
				found[name] = m.GetGauge().GetValue()
			case m.Counter != nil:
				found[name] = m.GetCounter().GetValue()
			default:
				found[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return found
}

// never is a rail that never pays.
func never(context.Context, settlement.Order) (ledger.Amount, error) {
	return ledger.Amount{}, errors.New("no answer")
}

// whole is a rail that pays each order in full.
func whole(_ context.Context, o settlement.Order) (ledger.Amount, error) { return o.Amount, nil }

func railOf(name string, pay settlement.SettlerFunc) *settlement.Rail {
	return &settlement.Rail{Name: name, Settler: pay, BreakerThreshold: 1, BreakerTimeout: time.Minute}
}
