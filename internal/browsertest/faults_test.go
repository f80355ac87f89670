//go:build cgo && !race

package browsertest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// The collector of faults reports what the other tests rely on it to report.
func TestFaultsAreSeen(t *testing.T) {
	t.Parallel()
	requireBrowser(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "script-src 'unsafe-inline'; style-src 'none'")
		_, _ = w.Write([]byte(`<style>p { color: red }</style><img src="http://192.0.2.10:1/x.png">
			<script>console.error("said"); setTimeout(() => { throw new Error("thrown"); })</script>`))
	}))
	t.Cleanup(server.Close)
	b := newTab(t, server.URL)
	b.allow(".")
	b.open(server.URL)
	for _, fault := range []string{"said", "thrown", "policy: style-src", "request: http://192.0.2.10:1/x.png", "log: "} {
		require.Eventually(t, func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			for _, f := range b.faults {
				if containsFold(f, fault) {
					return true
				}
			}
			return false
		}, actionTime, pollTime, "%s is not in %q", fault, b.faults)
	}
	b.expect = nil
	require.NotEmpty(t, b.unexpected())
	b.allow(".")
}
