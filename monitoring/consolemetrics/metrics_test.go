package consolemetrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/monitoring/consolemetrics"
)

// openConsole opens a console over books in memory. It ends with the test or example that calls end.
func openConsole(ctx context.Context) (pages *console.Console, end func(), err error) {
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	client, err := peerledger.OpenEmbedded(peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}}})
	if err != nil {
		return nil, nil, err
	}
	pages, err = console.New(console.Config{Book: client.Book, Settlement: client.Settlement, Token: "keep this secret in a file", Peers: func(accounts.Asset) []string { return nil }})
	return pages, func() { pages.Close(); _ = client.Close(context.WithoutCancel(ctx)) }, err
}

// gather returns the values of all series of the registry.
func gather(registry *prometheus.Registry) map[string]float64 {
	values := map[string]float64{}
	families, _ := registry.Gather()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

func Example() {
	pages, end, err := openConsole(context.Background())
	if err != nil {
		panic(err)
	}
	defer end()
	registry := prometheus.NewRegistry() // serve it with promhttp.HandlerFor
	if err := consolemetrics.Register(registry, pages); err != nil {
		panic(err)
	}
	request := httptest.NewRequest(http.MethodGet, "/totals.csv", nil) // without a log-in
	request.Host = "localhost"
	pages.ServeHTTP(httptest.NewRecorder(), request)
	values := gather(registry)
	fmt.Println(values["peerledger_console_requests_total 2xx"], values["peerledger_console_requests_total 4xx"], values["peerledger_console_streams"])
	// Output: 0 1 0
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	pages, end, err := openConsole(t.Context())
	require.NoError(t, err)
	defer end()
	registry := prometheus.NewRegistry()
	require.NoError(t, consolemetrics.Register(registry, pages))
	require.ErrorAs(t, consolemetrics.Register(registry, pages), new(prometheus.AlreadyRegisteredError))
	values := gather(registry)
	require.Equal(t, map[string]float64{
		"peerledger_console_requests_total 2xx": 0, "peerledger_console_requests_total 3xx": 0, "peerledger_console_requests_total 4xx": 0,
		"peerledger_console_requests_total 5xx": 0, "peerledger_console_streams": 0, "peerledger_console_look_errors_total": 0,
	}, values, "no look yet, and no changes in a console that only shows")
}
