package check_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/check"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// pipes is a listener in memory, for tests in virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours, nil
}

// An answer after 6 s counts as taken, and fails the clause about time. An answer after 11 s is none.
func TestSlowSettlements(t *testing.T) {
	t.Parallel()
	for delay, want := range map[time.Duration][]string{4 * time.Second: {}, 6 * time.Second: {"answer/time"}, 11 * time.Second: {"settle"}} {
		synctest.Test(t, func(t *testing.T) {
			engine, err := enginetest.NewEngine(enginetest.Config{})
			require.NoError(t, err)
			listener := pipes{make(chan net.Conn), make(chan struct{})}
			server := &http.Server{Handler: engine} //nolint:gosec // in memory
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(listener) }()
			require.NoError(t, engine.Inject(enginetest.Fault{Kind: enginetest.Late, Delay: delay, Account: "alice"}))
			engine.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/accounts", strings.NewReader(`{"id":"alice"}`)))
			report, err := check.Run(t.Context(), check.Config{URL: "http://engine", Dial: listener.dial, Account: "alice", Only: []string{"answer/time"}})
			require.NoError(t, err)
			requireFailed(t, report, want...)
			require.NoError(t, engine.Close())
			require.NoError(t, server.Close())
			require.ErrorIs(t, <-ended, http.ErrServerClosed)
		})
	}
}
