//go:build unix

package realtest_test

import (
	"bytes"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// settlementCall is a settlement that went through a witness.
type settlementCall struct {
	key    string
	units  *big.Int // of EUR
	status int      // of the target's answer, or 503 if refused; 0 if there was none
	fault  fault
	told   bool // with a Quantity in the answer
}

// fault is what a witness does to a settlement.
type fault int

const (
	noFault    fault = iota
	answerLost       // the target answers, and the caller gets no answer
	refused          // the caller gets a 503, and the target nothing
)

// witness stands between a connector and its engine. It notes all settlements, and makes faults.
type witness struct {
	url    string
	target string
	calls  http.Client
	// quantity has successes be answered with the Quantity of the request, as engines of draft 2 need it.
	quantity bool

	mu     sync.Mutex
	noted  []settlementCall
	faults []fault // of the next settlements
}

// startWitness starts a witness in front of a URL.
func startWitness(t *testing.T, target string) *witness {
	t.Helper()
	w := &witness{target: target, calls: http.Client{Timeout: callTimeout}}
	server := httptest.NewServer(w)
	t.Cleanup(func() { server.Close(); w.calls.CloseIdleConnections() })
	w.url = server.URL
	return w
}

// fail has the next settlements end with faults.
func (w *witness) fail(faults ...fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, faults...)
}

// settlements returns the settlements so far.
func (w *witness) settlements() []settlementCall {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]settlementCall(nil), w.noted...)
}

func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	call := settlementCall{key: r.Header.Get("Idempotency-Key"), units: new(big.Int)}
	isSettlement := strings.HasSuffix(r.URL.Path, "/settlements")
	if isSettlement {
		if quantity, err := rfc0038.ParseQuantity(body); err == nil {
			call.units, _ = quantity.Split(eur.Scale)
		}
		call.fault = w.nextFault()
	}
	answer := http.Response{StatusCode: http.StatusServiceUnavailable}
	var text []byte
	if call.fault != refused {
		if answer, text, err = w.forward(r, body); err != nil {
			answer.StatusCode = 0
		}
	}
	if call.status = answer.StatusCode; isSettlement {
		if call.told = w.quantity && call.status == http.StatusCreated; call.told {
			answer.Header.Set("Content-Type", "application/json")
			text = body
		}
		w.mu.Lock()
		w.noted = append(w.noted, call)
		w.mu.Unlock()
	}
	if call.fault == answerLost || call.status == 0 {
		panic(http.ErrAbortHandler)
	}
	out.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	out.WriteHeader(answer.StatusCode)
	_, _ = out.Write(text)
}

func (w *witness) nextFault() (next fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) > 0 {
		next, w.faults = w.faults[0], w.faults[1:]
	}
	return next
}

func (w *witness) forward(r *http.Request, body []byte) (answer http.Response, text []byte, err error) {
	request, err := http.NewRequestWithContext(r.Context(), r.Method, w.target+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return answer, nil, err
	}
	request.Header = r.Header.Clone()
	request.GetBody = nil // else net/http itself repeats a request that has an Idempotency-Key
	response, err := w.calls.Do(request)
	if err != nil {
		return answer, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err = io.ReadAll(response.Body)
	return *response, text, err
}

// sumOf adds up the settlements for which count says so. It is given the calls before, too.
func sumOf(calls []settlementCall, count func(call settlementCall, before []settlementCall) bool) *big.Int {
	sum := new(big.Int)
	for i, call := range calls {
		if count(call, calls[:i]) {
			sum.Add(sum, call.units)
		}
	}
	return sum
}

// TestWitness has a witness lose an answer, and refuse a settlement.
func TestWitness(t *testing.T) {
	t.Parallel()
	taken := 0
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		taken++
		w.WriteHeader(http.StatusCreated)
	}))
	defer target.Close()
	w := startWitness(t, target.URL)
	w.fail(answerLost, refused)
	client, err := rfc0038.NewClient(rfc0038.ClientConfig{URL: w.url})
	require.NoError(t, err)
	defer client.Close()
	for range 3 {
		_, err = client.SendSettlement(t.Context(), "a", "key", rfc0038.Quantity{Amount: big.NewInt(12), Scale: 1})
	}
	require.NoError(t, err)
	require.Equal(t, 2, taken)
	require.Equal(t, []settlementCall{
		{"key", big.NewInt(120), 201, answerLost, false}, {"key", big.NewInt(120), 503, refused, false}, {"key", big.NewInt(120), 201, noFault, false},
	}, w.settlements())
}
