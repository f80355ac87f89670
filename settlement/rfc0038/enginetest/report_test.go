package enginetest_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// readReports reads so many requests.
func (s *stub) readReports(t *testing.T, count int) (list []report) {
	t.Helper()
	for range count {
		select {
		case one := <-s.reports:
			list = append(list, one)
		case <-time.After(20 * time.Second):
			require.Fail(t, "reports are missing", "%d of %d: %v", len(list), count, list)
		}
	}
	return list
}

// A report has one key until it is taken, whatever the connector answers.
func TestReportsByKey(t *testing.T) {
	t.Parallel()
	answers := []int{0, 409, 429, 500, 404, 302, 201}
	s := newStub(t, func(n int, r report, w http.ResponseWriter) {
		if answers[n] == 0 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(answers[n])
	})
	e, _ := newEngine(t, enginetest.Config{Connector: s.url + "/", Scale: 2})
	require.NoError(t, e.Receive("alice", "payment 1", quantity(150, 2)))
	want := report{"/accounts/alice/settlements", enginetest.ReportKey("payment 1"), `{"amount":"150","scale":2}`}
	for _, got := range s.readReports(t, len(answers)) {
		require.Equal(t, want, got)
	}
	require.NoError(t, e.Close())
	require.Empty(t, s.reports, "nothing is reported after the 2xx")
}

// A reported payment is reported again only by an engine that lost its store.
func TestReportsAfterRestarts(t *testing.T) {
	t.Parallel()
	s := newStub(t, echo)
	e, _ := newEngine(t, enginetest.Config{Connector: s.url, Folder: filepath.Join(t.TempDir(), "store")})
	require.NoError(t, e.Receive("alice", "p1", quantity(1, 0)))
	first := s.readReports(t, 1)
	require.NoError(t, e.Receive("alice", "p2", quantity(1, 0)))
	second := s.readReports(t, 1)
	require.NotEqual(t, first[0].key, second[0].key)
	waitUntilReported(t, e)
	require.NoError(t, e.Restart(false))
	require.NoError(t, e.Receive("alice", "p3", quantity(1, 0)))
	require.Equal(t, enginetest.ReportKey("p3"), s.readReports(t, 1)[0].key)
	waitUntilReported(t, e)
	require.NoError(t, e.Restart(true))
	require.Subset(t, s.readReports(t, 3), append(first, second...), "the same keys again")
}

// After an HTTP error the amount comes in the next report under the next key. A lost answer is asked
// for under the same key.
func TestReportsPutAside(t *testing.T) {
	t.Parallel()
	s := newStub(t, func(n int, r report, w http.ResponseWriter) {
		switch n {
		case 0:
			panic(http.ErrAbortHandler)
		case 1:
			w.WriteHeader(http.StatusConflict)
		default:
			echo(n, r, w)
		}
	})
	e, _ := newEngine(t, enginetest.Config{Connector: s.url, Scale: 6, Reports: enginetest.ReportsPutAside})
	require.NoError(t, e.Receive("alice", "p1", quantity(1_500_000, 6)))
	first := s.readReports(t, 2)
	require.Equal(t, report{"/accounts/alice/settlements", enginetest.ReportKey("p1"), `{"amount":"15","scale":1}`}, first[0], "the scale is the number of decimals")
	require.Equal(t, first[0], first[1])
	waitUntilReported(t, e)
	require.NoError(t, e.Restart(false), "the store keeps the amount")
	require.NoError(t, e.Receive("alice", "p2", quantity(500_000, 6)))
	require.Equal(t, report{"/accounts/alice/settlements", enginetest.ReportKey("p2"), `{"amount":"2","scale":0}`}, s.readReports(t, 1)[0])
}

// waitUntilReported waits until the engine has read the last answers to its reports.
func waitUntilReported(t *testing.T, e *enginetest.Engine) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, unreported, err := e.CountOpen()
		return err == nil && unreported == 0
	}, 20*time.Second, time.Millisecond)
}

// In draft 2 the connector's Quantity counts.
func TestReportsOfDraft2(t *testing.T) {
	t.Parallel()
	answers := []string{`{"amount":"1","scale":0}`, `RECEIVED`, `{"amount":"9","scale":0}`}
	s := newStub(t, func(n int, _ report, w http.ResponseWriter) {
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(answers[n]))
	})
	e, _ := newEngine(t, enginetest.Config{Connector: s.url, Scale: 1, Mode: enginetest.Draft2})
	for n, want := range []string{`{"amount":"15","scale":1}`, `{"amount":"20","scale":1}`, `{"amount":"35","scale":1}`} {
		require.NoError(t, e.Receive("alice", string(rune('a'+n)), quantity(15, 1)))
		require.Equal(t, want, s.readReports(t, 1)[0].body)
		waitUntilReported(t, e)
		require.NoError(t, e.Restart(false))
	}
}

// Two engines find each other through their connectors, pay and report.
func TestTwoEnginesThroughConnectors(t *testing.T) {
	t.Parallel()
	rail := enginetest.NewRail()
	a, urlA := newEngine(t, enginetest.Config{Name: "a", Scale: 2, Rail: rail})
	b, urlB := newEngine(t, enginetest.Config{Name: "b", Scale: 2, Rail: rail})
	post(t, urlA+"/accounts", `{"id":"bob"}`)
	post(t, urlB+"/accounts", `{"id":"alice"}`)
	connectorB := newStub(t, echo)
	b.SetConnector(connectorB.url)
	// The connector of a relays its engine's messages to b's account of a.
	connectorA := newStub(t, func(_ int, r report, w http.ResponseWriter) {
		if r.path != "/accounts/bob/messages" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		got := post(t, urlB+"/accounts/alice/messages", r.body)
		w.WriteHeader(got.status)
		_, _ = w.Write([]byte(got.body))
	})
	a.SetConnector(connectorA.url)
	require.Equal(t, 201, post(t, urlA+"/accounts/bob/settlements", `{"amount":"125","scale":2}`, "k").status)
	require.Equal(t, []report{{"/accounts/bob/messages", "", `{"type":"address"}`}}, connectorA.readReports(t, 1))
	got := connectorB.readReports(t, 1)[0]
	require.Equal(t, "/accounts/alice/settlements", got.path)
	require.Equal(t, `{"amount":"125","scale":2}`, got.body)
	list := waitForPayments(t, rail, 1)
	require.Equal(t, enginetest.ReportKey(list[0].ID), got.key)
	require.Equal(t, "k", list[0].Key)
}
