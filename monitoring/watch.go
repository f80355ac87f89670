package monitoring

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/transfers"
)

// Sources are the parts to ask in a scrape. The series of a nil part are absent.
type Sources struct {
	// Recorder has the backlog, and an [aggregate.Recorder] the reservations and open packets.
	// Reading them needs no request to the ledger.
	Recorder transfers.PacketRecorder
	// Book reads our own positions and the balances of the Accounts.
	Book *accounts.Book
	// Accounts returns the peers to show. All must be provisioned: a missing account fails the
	// read of all peers. The scraping goroutine calls Accounts for each read, one read at a time.
	Accounts func() []accounts.PeerAccount
	// Settlement reads the open orders. SettlementConfig is the engine's configuration, with the
	// thresholds, the rails and the age of a stuck order. Both need Book and Accounts.
	Settlement       *settlement.Engine
	SettlementConfig settlement.Config

	// Engines are the settlers of RFC 0038 by the name that the label engine has. EngineServer takes
	// the engines' reports. Reading both needs no request to the ledger.
	Engines      map[string]*rfc0038.Settler
	EngineServer *rfc0038.Server
	// EngineAccounts returns the peers whose remainders are added up, each read with a request: those
	// that are paid by an engine with a finer scale. The sum is absent for more than 100 peers.
	// EngineAccounts is called like Accounts, and needs Settlement.
	EngineAccounts func() []accounts.PeerAccount
}

// Watch makes scrapes ask s, in place of the sources of an earlier call, until ctx ends. End ctx
// before closing the sources. The error matches [accounts.ErrInvalid] if a source is missing that
// another source needs.
func (m *Metrics) Watch(ctx context.Context, s Sources) error {
	switch {
	case s.Book == nil && (s.Accounts != nil || s.Settlement != nil):
		return &accounts.FieldError{Subject: "monitoring sources", Field: "Book", Reason: "is needed for Accounts and Settlement"}
	case s.Accounts == nil && s.Settlement != nil:
		return &accounts.FieldError{Subject: "monitoring sources", Field: "Accounts", Reason: "are needed for Settlement"}
	case s.Settlement == nil && s.EngineAccounts != nil:
		return &accounts.FieldError{Subject: "monitoring sources", Field: "Settlement", Reason: "is needed for EngineAccounts"}
	}
	for _, r := range listRails(s.SettlementConfig.Rails) {
		m.settlement.setRail(r.Name, true, true)
	}
	m.watcher.setSources(ctx, s)
	return nil
}

// listRails lists the rails named by rules.
func listRails(r settlement.Rails) (all []*settlement.Rail) {
	add := func(one *settlement.Rail) {
		if one != nil {
			all = append(all, one)
		}
	}
	add(r.Default)
	for _, one := range r.Asset {
		add(one)
	}
	for _, one := range r.Peer {
		add(one)
	}
	for _, one := range r.PeerAsset {
		add(one)
	}
	return all
}

// The values of the label read: the parts of a read of the ledger.
const (
	readBalances  = "balances"
	readOrders    = "orders"
	readLiquidity = "liquidity"
	readSuspense  = "suspense"
	readRemainder = "remainder"
)

// watcher collects the figures that a scrape asks for.
type watcher struct {
	cfg         Config
	namedPeers  map[string]struct{} // Config.Peers
	errors      *prometheus.CounterVec
	reads       prometheus.Counter
	lastSuccess *lastSuccess
	failures    atomic.Uint64      // of reads
	readGroup   singleflight.Group // scrapes during a read share the result of the read

	mu       sync.Mutex
	sources  watchedSources
	readAt   time.Time // start of the last read
	lastRead []prometheus.Metric
}

// watchedSources are sources and the context of Metrics.Watch: they may be asked until it ends.
type watchedSources struct {
	ctx context.Context
	Sources
}

func newWatcher(cfg Config) *watcher {
	w := &watcher{
		cfg: cfg, namedPeers: make(map[string]struct{}, len(cfg.Peers)),
		errors:      newCounterVec("peerledger_scrape_errors_total", "Failed reads of the ledger for a scrape; the series of a failed read are absent.", "read"),
		reads:       newCounter("peerledger_scrape_reads_total", "Reads of the ledger for scrapes. Scrapes between two reads get the figures of the last read."),
		lastSuccess: newLastSuccess("peerledger_scrape_last_success_timestamp_seconds", "When a read of the ledger for a scrape last succeeded in all parts."),
	}
	for _, peer := range cfg.Peers {
		w.namedPeers[peer] = struct{}{}
	}
	for _, read := range []string{readBalances, readOrders, readLiquidity, readSuspense, readRemainder} {
		w.errors.WithLabelValues(read)
	}
	return w
}

func (w *watcher) setSources(ctx context.Context, s Sources) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sources, w.readAt, w.lastRead = watchedSources{ctx, s}, time.Time{}, nil
}

// Describe implements prometheus.Collector.
func (w *watcher) Describe(ch chan<- *prometheus.Desc) {
	w.errors.Describe(ch)
	w.reads.Describe(ch)
	w.lastSuccess.Describe(ch)
	for _, d := range descriptions {
		ch <- d
	}
}

// Collect implements prometheus.Collector. The errors come last, so a scrape shows the errors of
// its own read.
func (w *watcher) Collect(ch chan<- prometheus.Metric) {
	w.mu.Lock()
	now := w.sources
	w.mu.Unlock()
	out := &output{}
	if now.ctx != nil && now.ctx.Err() == nil {
		if now.Recorder != nil {
			out.addRecorder(now.Recorder.Stats())
			if r, hasRounds := now.Recorder.(roundStats); hasRounds {
				stats := r.RoundStats()
				out.addRounds(&stats)
			}
		}
		out.addEngines(now.Engines)
		if now.EngineServer != nil {
			out.addReports(now.EngineServer.Stats())
		}
		if now.Book != nil {
			out.metrics = append(out.metrics, w.cachedRead(now)...)
		}
	}
	for _, m := range out.metrics {
		ch <- m
	}
	w.reads.Collect(ch)
	w.lastSuccess.Collect(ch)
	w.errors.Collect(ch)
}

// cachedRead returns the metrics of the last read. It reads again if the last read is older than
// Config.Interval.
func (w *watcher) cachedRead(now watchedSources) []prometheus.Metric {
	found, _, _ := w.readGroup.Do("", func() (any, error) {
		w.mu.Lock()
		newest, fresh := w.lastRead, !w.readAt.IsZero() && time.Since(w.readAt) < w.cfg.Interval
		if !fresh {
			w.readAt = time.Now()
		}
		w.mu.Unlock()
		if fresh {
			return newest, nil
		}
		w.reads.Inc()
		ctx, cancel := context.WithTimeout(now.ctx, w.cfg.Timeout)
		defer cancel()
		newest = w.readLedger(ctx, now.Sources)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.sources.ctx == now.ctx { // otherwise Metrics.Watch has replaced the sources during the read
			w.lastRead = newest
		}
		return newest, nil
	})
	return found.([]prometheus.Metric)
}

// readLedger reads every figure once. The series of a failed read, and of reads that depend on the
// failed read, are left out.
func (w *watcher) readLedger(ctx context.Context, s Sources) []prometheus.Metric {
	out, began := &output{}, time.Now()
	failuresBefore := w.failures.Load()
	if own, err := s.Book.OwnPositions(ctx); err != nil {
		w.reportFailure(readLiquidity, err)
	} else {
		out.addLiquidity(own)
	}
	if s.Accounts != nil {
		w.readPeers(ctx, s, out)
	}
	w.readRemainders(ctx, s, out)
	if w.failures.Load() == failuresBefore {
		w.lastSuccess.noteNow()
	}
	out.addGauge(scrapeDuration, time.Since(began).Seconds())
	return out.metrics
}

func (w *watcher) readPeers(ctx context.Context, s Sources, out *output) {
	counted, err := w.summarizePeers(ctx, s)
	if err != nil {
		w.reportFailure(readBalances, err)
		return
	}
	if counted.suspenseErr != nil {
		w.reportFailure(readSuspense, counted.suspenseErr)
	}
	out.addPeers(counted, s)
	if s.Settlement == nil {
		return
	}
	asked := counted.settling[:min(len(counted.settling), w.cfg.MaxOrders)]
	if len(asked) > 0 { // Orders without accounts reads all accounts
		open, err := s.Settlement.Orders(ctx, asked...)
		if err != nil {
			w.reportFailure(readOrders, err)
			return
		}
		out.addOrders(open, stuckAfter(s.SettlementConfig), w.cfg.Clock())
	}
}

// reportFailure counts a failed read and passes the error to Config.ReadFailed.
func (w *watcher) reportFailure(read string, err error) {
	w.failures.Add(1)
	w.errors.WithLabelValues(read).Inc()
	w.cfg.ReadFailed(&ReadError{Read: read, Err: err})
}

// ReadError is a failed read of the ledger. It wraps the cause.
type ReadError struct {
	Read string // "balances", "orders", "liquidity", "suspense" or "remainder"
	Err  error
}

// Error names the read.
func (e *ReadError) Error() string { return "monitoring: read " + e.Read + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }
