package enginetest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// Settlements over HTTP to an engine in memory, which pays each on a rail in memory.
func BenchmarkSettlements(b *testing.B) {
	e, err := enginetest.NewEngine(enginetest.Config{Peers: toBob})
	require.NoError(b, err)
	defer e.Close() //nolint:errcheck // a benchmark
	url, err := e.Start("127.0.0.1:0")
	require.NoError(b, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	post := func(path, body, key string) error {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		r.Header.Set("Idempotency-Key", key)
		response, err := client.Do(r)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err == nil && response.StatusCode != http.StatusCreated {
			err = fmt.Errorf("status %d", response.StatusCode)
		}
		return errors.Join(err, response.Body.Close())
	}
	require.NoError(b, post("/accounts", `{"id":"alice"}`, ""))
	var keys atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := post("/accounts/alice/settlements", `{"amount":"1","scale":0}`, fmt.Sprint(keys.Add(1))); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "settlements/s")
}
