package enginetest_test

import (
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

const uuid = "3f4a2548-d4bd-4786-bd1b-ea9eb35a5ed5"

// newRust starts a connector with short pauses.
func newRust(t *testing.T, cfg enginetest.RustConfig) (*enginetest.RustConnector, string) {
	t.Helper()
	cfg.ErrorPause, cfg.LostPause = time.Millisecond, time.Millisecond
	c, err := enginetest.NewRustConnector(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	url, err := c.Start("127.0.0.1:0")
	require.NoError(t, err)
	return c, url
}

// waitForOwed waits until so many units are owed.
func waitForOwed(t *testing.T, c *enginetest.RustConnector, want int64) {
	t.Helper()
	require.Eventually(t, func() bool { return c.Owed(uuid) == want }, 20*time.Second, time.Millisecond)
}

// 11 attempts have 11 keys, and then the amount is owed again.
func TestRustAttempts(t *testing.T) {
	t.Parallel()
	e, url := newEngine(t, enginetest.Config{Scale: 2})
	c, _ := newRust(t, enginetest.RustConfig{Engine: url, Scale: 2, SettleThreshold: 100})
	require.NoError(t, c.AddAccount(t.Context(), uuid))
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.StatusBefore, Request: enginetest.Settle, Times: 6}))
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.DropAfter, Request: enginetest.Settle, Times: 5}))
	require.True(t, c.Fulfill(uuid, 150))
	require.False(t, c.Fulfill("unknown", 150))
	require.Eventually(t, func() bool { return len(c.Attempts()) == 11 }, 20*time.Second, time.Millisecond)
	waitForOwed(t, c, 150)
	keys := map[string]bool{}
	for _, one := range c.Attempts() {
		keys[one.Key] = true
		require.EqualValues(t, 150, one.Amount)
	}
	require.Len(t, keys, 11)
	require.Equal(t, []int{503, 0}, []int{c.Attempts()[5].Status, c.Attempts()[6].Status})

	// A 4xx ends the attempts at once; the next fulfill settles the sum.
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.StatusBefore, Status: 409, Request: enginetest.Settle}))
	c.Fulfill(uuid, 1)
	require.Eventually(t, func() bool { return len(c.Attempts()) == 12 }, 20*time.Second, time.Millisecond)
	waitForOwed(t, c, 151)
	c.Fulfill(uuid, 5)
	require.Eventually(t, func() bool { return len(c.Attempts()) == 13 }, 20*time.Second, time.Millisecond)
	last := c.Attempts()[12]
	require.Equal(t, []int{201, 156}, []int{last.Status, int(last.Amount)})
}

// A settlement goes beside one that has no answer, and a redirect counts as paid.
func TestRustSettlesInParallel(t *testing.T) {
	t.Parallel()
	e, url := newEngine(t, enginetest.Config{})
	c, _ := newRust(t, enginetest.RustConfig{Engine: url, SettleThreshold: 100, SettleTo: 10, Timeout: time.Minute})
	require.NoError(t, c.AddAccount(t.Context(), uuid))
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.Late, Delay: time.Hour, Request: enginetest.Settle}))
	c.Fulfill(uuid, 135)
	require.EqualValues(t, 10, c.Owed(uuid))
	require.Eventually(t, func() bool { // the fault has its request
		unpaid, _, err := e.CountOpen()
		return err == nil && unpaid == 1
	}, 20*time.Second, time.Millisecond)
	c.Fulfill(uuid, 95)
	require.Eventually(t, func() bool { return len(c.Attempts()) == 1 }, 20*time.Second, time.Millisecond)
	require.EqualValues(t, 95, c.Attempts()[0].Amount)
	require.NoError(t, c.Close(), "it ends the request without an answer")
}

// An account is paid ahead when it is added, and each change creates the accounts again.
func TestRustPaysAhead(t *testing.T) {
	t.Parallel()
	creates := make(chan struct{}, 10)
	s := newStub(t, func(_ int, r report, w http.ResponseWriter) {
		if r.path == "/accounts" {
			creates <- struct{}{}
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	c, _ := newRust(t, enginetest.RustConfig{Engine: s.url, Scale: 9, SettleTo: -20, Tries: 1})
	require.NoError(t, c.AddAccount(t.Context(), uuid))
	<-creates
	require.Eventually(t, func() bool { return len(c.Attempts()) == 1 }, 20*time.Second, time.Millisecond)
	require.Equal(t, []report{{"/accounts", "", `{"id":"` + uuid + `"}`}}, s.readReports(t, 1))
	got := s.readReports(t, 1)[0]
	require.Equal(t, `{"amount":"20","scale":9}`, got.body)
	waitForOwed(t, c, 0)
	require.NoError(t, c.RecreateAccounts(t.Context()))
	<-creates
}

func TestRustServer(t *testing.T) {
	t.Parallel()
	c, url := newRust(t, enginetest.RustConfig{Scale: 2})
	require.NoError(t, c.AddAccount(t.Context(), uuid))
	settle := url + "/accounts/" + uuid + "/settlements"
	require.Equal(t, reply{201, "", "RECEIVED"}, post(t, settle, `{"amount":"1005","scale":3}`, "k"))
	require.Equal(t, 409, post(t, settle, `{"amount":"1005","scale":3}`, "k").status, "a repeat")
	require.Equal(t, reply{201, "", "RECEIVED"}, post(t, settle, `{"amount":"5","scale":3}`, "k2"))
	require.Equal(t, big.NewInt(101), c.Credited(uuid), "1.005 and 0.005 are 1.01")
	_, err := send(t, http.MethodPost, settle, `{"amount":"1","scale":2}`)
	require.Error(t, err, "no key, no answer")
	require.Equal(t, 404, post(t, url+"/accounts/"+uuid[1:]+"/settlements", `{"amount":"1","scale":2}`, "k3").status)
	require.Equal(t, 409, post(t, settle, `{"amount":"1","scale":2}`, "k3").status, "errors use keys up")
	require.Equal(t, 400, post(t, settle, `{"amount":1,"scale":2}`, "k4").status)
	got, err := send(t, http.MethodGet, settle, "")
	require.NoError(t, err)
	require.Equal(t, 405, got.status)
	require.Equal(t, 502, post(t, url+"/accounts/"+uuid+"/messages", "hello").status)
}

// Two such connectors and two engines: all money that the one was owed is credited at the other.
func TestRustConnectorsWithEngines(t *testing.T) {
	t.Parallel()
	rail := enginetest.NewRail()
	a, urlA := newEngine(t, enginetest.Config{Name: "a", Scale: 3, Rail: rail})
	b, urlB := newEngine(t, enginetest.Config{Name: "b", Scale: 3, Rail: rail})
	right, urlRight := newRust(t, enginetest.RustConfig{Engine: urlB, Scale: 2, SettleThreshold: 1 << 40})
	left, urlLeft := newRust(t, enginetest.RustConfig{Engine: urlA, Scale: 4, SettleThreshold: 10, Message: right.DeliverMessage})
	for _, c := range []*enginetest.RustConnector{left, right} {
		require.NoError(t, c.AddAccount(t.Context(), uuid))
	}
	a.SetConnector(urlLeft)
	b.SetConnector(urlRight)
	for range 10 {
		left.Fulfill(uuid, 10_025)
	}
	// 10.025 units of scale 4 in all are 10.02 of scale 2, and 0.005 that the connector keeps.
	require.Eventually(t, func() bool { return right.Credited(uuid).Int64() == 1002 }, 20*time.Second, time.Millisecond)
	// The engine books a settlement before the connector has the answer.
	require.Eventually(t, func() bool { return len(left.Attempts()) == 10 }, 20*time.Second, time.Millisecond)
	require.Zero(t, left.Owed(uuid))
	waitUntilReported(t, b)
}
