package enginetest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// newFaulty starts an engine with the account alice and a fault of its settlements.
func newFaulty(t *testing.T, f enginetest.Fault) (*enginetest.Engine, string) {
	t.Helper()
	e, url := newEngine(t, enginetest.Config{Peers: toBob})
	require.Equal(t, 201, post(t, url+"/accounts", `{"id":"alice"}`).status)
	f.Request = enginetest.Settle
	require.NoError(t, e.Inject(f))
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.DropBefore, Account: "another"}), "not ours")
	return e, url
}

const seven = `{"amount":"7","scale":0}`

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for kind, acted := range map[enginetest.FaultKind]int{enginetest.DropBefore: 0, enginetest.DropAfter: 1} {
		e, url := newFaulty(t, enginetest.Fault{Kind: kind, Times: 2})
		for range 2 {
			_, err := send(t, http.MethodPost, url+"/accounts/alice/settlements", seven, "k")
			require.Error(t, err, kind)
		}
		require.Equal(t, acted, len(waitForPayments(t, e.Rail(), acted)))
		require.Equal(t, 201, post(t, url+"/accounts/alice/settlements", seven, "k").status, "the fault is over")
		waitForPayments(t, e.Rail(), 1)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	e, url := newFaulty(t, enginetest.Fault{Kind: enginetest.StatusBefore})
	require.Equal(t, 503, post(t, url+"/accounts/alice/settlements", seven, "k").status)
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.StatusAfter, Status: 500, Request: enginetest.Settle}))
	require.Equal(t, 500, post(t, url+"/accounts/alice/settlements", seven, "k").status)
	waitForPayments(t, e.Rail(), 1)
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.Redirect, Times: -1}))
	for range 3 {
		require.Equal(t, 302, post(t, url+"/accounts/alice/settlements", seven, "k2").status)
	}
	e.ClearFaults()
	require.Equal(t, 201, post(t, url+"/accounts/alice/settlements", seven, "k2").status)
	require.NoError(t, e.Inject(enginetest.Fault{Kind: enginetest.StatusAfter, Status: 500, Request: enginetest.Delete}))
	got, err := send(t, http.MethodDelete, url+"/accounts/alice", "")
	require.NoError(t, err)
	require.Equal(t, 500, got.status)
	require.Equal(t, 404, post(t, url+"/accounts/alice/settlements", seven, "k3").status, "500, yet deleted")
}

func TestAnswerTwice(t *testing.T) {
	t.Parallel()
	_, url := newFaulty(t, enginetest.Fault{Kind: enginetest.Twice})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close() //nolint:errcheck // a test's connection
	_, err = fmt.Fprintf(conn, "POST /accounts/alice/settlements HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nContent-Length: %d\r\n\r\n%s", len(seven), seven)
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	for range 2 {
		response, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, 201, response.StatusCode)
		require.Equal(t, seven, string(body))
	}
	_, err = reader.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestLateAndSlowAnswers(t *testing.T) {
	t.Parallel()
	for _, kind := range []enginetest.FaultKind{enginetest.Late, enginetest.Slow} {
		e, url := newFaulty(t, enginetest.Fault{Kind: kind, Delay: 150 * time.Millisecond, Times: 1})
		begin := time.Now()
		got := post(t, url+"/accounts/alice/settlements", seven, "k")
		require.Equal(t, seven, strings.TrimSpace(got.body), kind)
		require.GreaterOrEqual(t, time.Since(begin), 150*time.Millisecond, kind)
		waitForPayments(t, e.Rail(), 1)

		// Neither outlives a restart, nor a client that is gone.
		require.NoError(t, e.Inject(enginetest.Fault{Kind: kind, Delay: time.Hour, Times: -1}))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/accounts", strings.NewReader(`{}`))
		require.NoError(t, err)
		response, err := newClient(t).Do(r)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			require.NoError(t, response.Body.Close())
		}
		require.Error(t, err)
		cancel()
		require.NoError(t, e.Restart(false))
	}
}

func TestHugeAnswer(t *testing.T) {
	t.Parallel()
	_, url := newFaulty(t, enginetest.Fault{Kind: enginetest.Huge, Size: 1 << 20})
	got := post(t, url+"/accounts/alice/settlements", seven, "k")
	require.Len(t, got.body, 1<<20+len(seven))
}

func TestControl(t *testing.T) {
	t.Parallel()
	e, url := newEngine(t, enginetest.Config{Name: "a", Peers: toBob})
	server := http.Server{Handler: e.Control(), ReadHeaderTimeout: time.Second}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	defer func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	}()
	control := "http://" + listener.Addr().String() + "/test/"
	post(t, url+"/accounts", `{"id":"alice"}`)
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"faults", `{"kind":"status-before","request":"settlements","status":500,"times":2}`, 204},
		{"faults", `{"kind":"boredom"}`, 400},
		{"faults", `{"sort":"late"}`, 400},
		{"payments", `{"account":"alice","id":"p","amount":{"amount":"150","scale":2}}`, 204},
		{"payments", `{"account":"alice","id":"p","amount":{"amount":"151","scale":2}}`, 400},
		{"payments", `{"account":"alice","amount":{"amount":150,"scale":2}}`, 400},
	} {
		require.Equal(t, c.status, post(t, control+c.path, c.body).status, c.body)
	}
	require.Equal(t, 500, post(t, url+"/accounts/alice/settlements", seven, "k").status)
	got, err := send(t, http.MethodDelete, control+"faults", "")
	require.NoError(t, err)
	require.Equal(t, 204, got.status)
	require.Equal(t, 201, post(t, url+"/accounts/alice/settlements", seven, "k").status)
	waitForPayments(t, e.Rail(), 2)
	got, err = send(t, http.MethodGet, control+"payments", "")
	require.NoError(t, err)
	var list []enginetest.Payment
	require.NoError(t, json.Unmarshal([]byte(got.body), &list))
	require.Equal(t, "p", list[0].ID)
	require.True(t, list[0].Amount.Equal(quantity(150, 2)))
	require.Equal(t, []string{"", "k"}, []string{list[0].Key, list[1].Key})
	require.Equal(t, 204, post(t, control+"restart", `{"empty":true}`).status)
	require.Equal(t, 404, post(t, url+"/accounts/alice/settlements", seven, "k").status)
}
