package rfc0038_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// BenchmarkReports has 64 connections report payments, in turns to the server and to a handler that reads and answers the
// same and books nothing. The goal is a ratio of at least 0.7, for whole units and for fractions, over 16 accounts and
// on one.
func BenchmarkReports(b *testing.B) {
	for name, c := range map[string]struct {
		accounts int
		body     string
	}{
		"whole": {16, `{"amount":"15","scale":2}`}, "fraction": {16, `{"amount":"15","scale":3}`}, "fraction/one_account": {1, `{"amount":"15","scale":3}`},
	} {
		b.Run(name, func(b *testing.B) { benchmarkReports(b, embedded.New(), c.accounts, c.body) })
	}
}

func benchmarkReports(b *testing.B, l ledger.Ledger, accounts int, body string) {
	b.Helper()
	ids := make([]string, accounts)
	for i := range ids {
		ids[i] = fmt.Sprint("peer", i)
	}
	f := newServerFixtureOn(b, l, serverAsset, func(c *rfc0038.ServerConfig) { c.Events = rfc0038.ServerEvents{} }, ids...)
	server := f.serveBench(f.server)
	nothing := f.serveBench(http.HandlerFunc(answerQuantity))
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: reportConnections, MaxIdleConnsPerHost: reportConnections}}
	b.Cleanup(client.CloseIdleConnections)
	var next atomic.Int64
	var spent [2]time.Duration
	const turn = 2048
	for done := 0; done < b.N; done += turn {
		for i, url := range []string{server, nothing} {
			spent[i] += postReports(b, client, url, ids, body, &next, min(turn, b.N-done))
		}
	}
	rate := func(i int) float64 { return float64(b.N) / spent[i].Seconds() }
	b.ReportMetric(rate(0), "reports/s")
	b.ReportMetric(rate(1), "nothing/s")
	b.ReportMetric(rate(0)/rate(1), "ratio")
	b.ReportMetric(0, "ns/op")
}

const reportConnections = 64

// serveBench serves a handler on loopback.
func (f *serverFixture) serveBench(h http.Handler) (url string) {
	f.t.Helper()
	l, err := f.server.Listen(f.t.Context(), rfc0038.ListenConfig{Address: "127.0.0.1:0"})
	require.NoError(f.t, err)
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l)
	}()
	f.t.Cleanup(func() {
		_ = s.Close()
		<-served
	})
	return "http://" + l.Addr().String()
}

// answerQuantity answers as the server does, and books nothing.
func answerQuantity(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q, err := rfc0038.ParseQuantity(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, _ := q.MarshalJSON()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(answer)
}

// postReports posts n reports under new keys over all connections.
func postReports(b *testing.B, client *http.Client, url string, ids []string, body string, next *atomic.Int64, n int) time.Duration {
	b.Helper()
	end := next.Load() + int64(n)
	start := time.Now()
	var posts sync.WaitGroup
	for range reportConnections {
		posts.Go(func() {
			for i := next.Add(1); i <= end; i = next.Add(1) {
				r, err := http.NewRequest(http.MethodPost, url+"/accounts/"+ids[int(i)%len(ids)]+"/settlements", strings.NewReader(body))
				require.NoError(b, err)
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set("Idempotency-Key", fmt.Sprint("5f6d2a0e-6f6c-4a0e-9a52-", i))
				answer, err := client.Do(r)
				require.NoError(b, err)
				require.Equal(b, http.StatusCreated, answer.StatusCode)
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
			}
		})
	}
	posts.Wait()
	spent := time.Since(start)
	next.Store(end)
	return spent
}
