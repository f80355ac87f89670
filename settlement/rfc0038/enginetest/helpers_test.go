package enginetest_test

import (
	"bytes"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newEngine starts an engine that repeats quickly, and returns its base URL.
func newEngine(t *testing.T, cfg enginetest.Config) (*enginetest.Engine, string) {
	t.Helper()
	cfg.RetryMin, cfg.RetryMax = time.Millisecond, 5*time.Millisecond
	e, err := enginetest.NewEngine(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	url, err := e.Start("127.0.0.1:0")
	require.NoError(t, err)
	return e, url
}

// newClient returns a client whose connections end with the test. It follows no redirects.
func newClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reply is an answer.
type reply struct {
	status      int
	media, body string
}

// send sends a request with keys, and returns the answer or the error.
func send(t *testing.T, method, target, body string, keys ...string) (reply, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	if keys != nil {
		r.Header["Idempotency-Key"] = keys
	}
	response, err := newClient(t).Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close() //nolint:errcheck // a test's answer
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header.Get("Content-Type"), string(text)}, err
}

// post posts and requires an answer.
func post(t *testing.T, target, body string, keys ...string) reply {
	t.Helper()
	got, err := send(t, http.MethodPost, target, body, keys...)
	require.NoError(t, err)
	return got
}

func quantity(amount int64, scale uint8) rfc0038.Quantity {
	return rfc0038.Quantity{Amount: big.NewInt(amount), Scale: scale}
}

// report is a request of an engine to its connector.
type report struct{ path, key, body string }

// stub is a connector that answers with a func, and passes the requests on.
type stub struct {
	url     string
	reports chan report
}

// newStub starts a connector. answer has the number of the request, from 0.
func newStub(t *testing.T, answer func(n int, r report, w http.ResponseWriter)) *stub {
	t.Helper()
	s := &stub{reports: make(chan report, 1000)}
	n := 0
	one := make(chan struct{}, 1) // one request at a time
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one <- struct{}{}
		defer func() { <-one }()
		body, _ := io.ReadAll(r.Body)
		got := report{r.URL.Path, r.Header.Get("Idempotency-Key"), string(bytes.TrimSpace(body))}
		s.reports <- got
		n++
		answer(n-1, got, w)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// echo answers 201 with the request's body.
func echo(_ int, r report, w http.ResponseWriter) {
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, r.body)
}

// waitForPayments waits until the rail has so many payments, and returns them.
func waitForPayments(t *testing.T, rail *enginetest.Rail, want int) (list []enginetest.Payment) {
	t.Helper()
	require.Eventually(t, func() bool {
		var err error
		list, err = rail.Payments()
		return err != nil || len(list) >= want
	}, 20*time.Second, time.Millisecond)
	require.Len(t, list, want)
	return list
}
