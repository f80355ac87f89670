package rfc0038_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
	"github.com/peerledger/peerledger/transfers"
)

// BenchmarkSettlements sends settlements on 64 connections, in turns to an enginetest engine in process, which pays on a
// rail in memory meanwhile, and to a handler that books nothing. ratio compares the two; the goal is at least 0.7. The
// senders are bare posts of net/http, a Settler, and a settlement engine whose orders are in an embedded ledger in
// memory: it places, checks and books each order beside the request. of_bare and nothing_of_bare compare the sender with
// bare posts to the handler: they show what the sender itself costs. The metrics with cpu are of the processor time of the
// whole process, client and server together, which other programs on the machine disturb less than they disturb the time
// that passes.
func BenchmarkSettlements(b *testing.B) {
	for name, send := range map[string]func(f *settlementBench, url string) sending{"bare": (*settlementBench).sendBare, "settler": (*settlementBench).sendOrders, "engine": (*settlementBench).settleOrders} {
		b.Run(name, func(b *testing.B) {
			f, other := newSettlementBench(b), newSettlementBench(b) // each with a ledger of its own
			f.compare(send(f, f.startEngine()), send(other, other.nothing), f.sendBare(f.nothing))
		})
	}
}

// sending sends n settlements, at most one to a peer, and returns the time that it took.
type sending func(n int) timeSpent

// timeSpent is the time that passed, and the processor time of the process.
type timeSpent struct{ passed, processor time.Duration }

// measureTime returns the time that a call takes.
func measureTime(do func()) timeSpent {
	before, began := readProcessorTime(), time.Now()
	do()
	return timeSpent{passed: time.Since(began), processor: readProcessorTime() - before}
}

const settlementTurn = 1024 // settlements, one for each peer

// settlementBench is a connector with peers, and the handler that books nothing.
type settlementBench struct {
	*testing.B

	ledger  ledger.Ledger
	book    *accounts.Book
	ids     *rfc0038.AccountIDs
	own     accounts.PeerAccount
	peers   []accounts.PeerAccount
	wireIDs []string
	nothing string // URL
	next    atomic.Int64
}

func newSettlementBench(b *testing.B) *settlementBench {
	b.Helper()
	f := &settlementBench{B: b, ledger: embedded.New()}
	var err error
	f.book, err = accounts.NewBook(f.ledger, accounts.Config{Assets: []accounts.Asset{usd9}})
	require.NoError(b, err)
	f.ids, err = rfc0038.NewAccountIDs(f.book, nil)
	require.NoError(b, err)
	var configs []accounts.PeerConfig
	for i := range settlementTurn {
		configs = append(configs, accounts.PeerConfig{ID: fmt.Sprint("peer", i), Asset: usd9})
	}
	f.peers, err = f.book.Provision(b.Context(), configs...)
	require.NoError(b, err)
	f.own, err = f.book.OwnAccount(usd9)
	require.NoError(b, err)
	for _, peer := range f.peers {
		wire, err := f.ids.WireID(peer)
		require.NoError(b, err)
		f.wireIDs = append(f.wireIDs, wire)
	}
	f.nothing = f.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/accounts" {
			w.WriteHeader(http.StatusCreated)
			return
		}
		answerQuantity(w, r)
	}))
	return f
}

func (f *settlementBench) serve(h http.Handler) (url string) {
	server := httptest.NewServer(h)
	f.Cleanup(server.Close)
	return server.URL
}

// startEngine starts an engine that has the accounts of all peers.
func (f *settlementBench) startEngine() (url string) {
	f.Helper()
	peers := map[string]enginetest.Address{}
	for _, wire := range f.wireIDs {
		peers[wire] = enginetest.Address{Engine: "theirs", Account: wire}
	}
	e, err := enginetest.NewEngine(enginetest.Config{Scale: 9, Peers: peers})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, e.Close()) })
	url = f.serve(e)
	f.newSettler(url)
	return url
}

// newSettler makes a Settler that has created the accounts of all peers.
func (f *settlementBench) newSettler(url string) *rfc0038.Settler {
	f.Helper()
	client, err := rfc0038.NewClient(rfc0038.ClientConfig{URL: url, MaxConnections: reportConnections})
	require.NoError(f, err)
	f.Cleanup(client.Close)
	s, err := rfc0038.NewSettler(rfc0038.SettlerConfig{Client: client, IDs: f.ids})
	require.NoError(f, err)
	for _, peer := range f.peers {
		require.NoError(f, s.CreateAccount(f.Context(), peer))
	}
	return s
}

// sendBare posts settlements with net/http alone.
func (f *settlementBench) sendBare(url string) sending {
	f.Helper()
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: reportConnections, MaxIdleConnsPerHost: reportConnections}}
	f.Cleanup(client.CloseIdleConnections)
	return func(n int) timeSpent {
		return measureTime(func() { postReports(f.B, client, url, f.wireIDs, `{"amount":"5000","scale":9}`, &f.next, n) })
	}
}

// sendOrders has a Settler pay orders that are in no ledger.
func (f *settlementBench) sendOrders(url string) sending {
	f.Helper()
	s := f.newSettler(url)
	return func(n int) timeSpent {
		placedAt := time.Now()
		return measureTime(func() {
			f.forEach(n, func(i int) error {
				_, err := s.Settle(f.Context(), settlement.Order{
					ID: ledger.NewID(uint64(f.next.Add(1)), 1), Account: f.peers[i], Asset: usd9, Amount: ledger.NewAmount(5000), PlacedAt: placedAt,
				})
				return err
			})
		})
	}
}

// settleOrders has the peers earn, and a settlement engine place, check, pay and book an order for each of them.
func (f *settlementBench) settleOrders(url string) sending {
	f.Helper()
	recorder, err := transfers.NewRecorder(f.ledger, f.book, transfers.Config{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, recorder.Close(context.Background())) })
	rail := f.newSettler(url).Rail("")
	rail.Concurrency = reportConnections
	engine, err := settlement.NewEngine(f.ledger, f.book, settlement.Config{
		Rails: settlement.Rails{Default: rail}, Manual: true, OrderCooldown: 1,
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: ledger.NewAmount(5000)}},
	})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, engine.Close(context.Background())) })
	return func(n int) timeSpent {
		f.forEach(n, func(i int) error {
			_, err := recorder.Forward(f.Context(), transfers.Packet{From: f.own, To: f.peers[i], In: 5000, Out: 5000})
			return err
		})
		return measureTime(func() {
			payments, err := engine.Settle(f.Context(), f.peers[:n]...)
			require.NoError(f, err)
			require.Len(f, payments, n)
		})
	}
}

// forEach calls a function for 0 to n-1, 64 at a time.
func (f *settlementBench) forEach(n int, do func(i int) error) {
	f.Helper()
	var next atomic.Int64
	var calls sync.WaitGroup
	for range reportConnections {
		calls.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(i); err != nil {
					f.Error(err)
				}
			}
		})
	}
	calls.Wait()
}

// compare sends in turns to an engine, to the handler that books nothing, and by bare posts, and reports the settlements
// a second of each and their ratios.
func (f *settlementBench) compare(sendings ...sending) {
	f.Helper()
	for _, send := range sendings {
		send(settlementTurn) // connections
	}
	f.ResetTimer()
	spent := make([]timeSpent, len(sendings))
	for done := 0; done < f.N; done += settlementTurn {
		for i, send := range sendings {
			took := send(min(settlementTurn, f.N-done))
			spent[i].passed += took.passed
			spent[i].processor += took.processor
		}
	}
	ratio := func(i, of int) float64 { return spent[of].passed.Seconds() / spent[i].passed.Seconds() }
	f.ReportMetric(float64(f.N)/spent[0].passed.Seconds(), "settlements/s")
	f.ReportMetric(ratio(0, 1), "ratio")
	f.ReportMetric(ratio(0, 2), "of_bare")
	f.ReportMetric(ratio(1, 2), "nothing_of_bare")
	f.ReportMetric(spent[0].processor.Seconds()*1e6/float64(f.N), "cpu_us")
	f.ReportMetric(spent[1].processor.Seconds()*1e6/float64(f.N), "nothing_cpu_us")
	f.ReportMetric(spent[2].processor.Seconds()*1e6/float64(f.N), "bare_cpu_us")
	f.ReportMetric(spent[2].processor.Seconds()/max(spent[0].processor.Seconds(), 1e-9), "cpu_of_bare")
	f.ReportMetric(0, "ns/op")
}
