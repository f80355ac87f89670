package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/console"
)

// A new link is printed when the last one was used or has expired, until the end.
func TestLinksArePrintedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var shown []time.Duration
		p := &linkPrinter{used: make(chan struct{}, 1), show: func() error {
			shown = append(shown, time.Since(began))
			if len(shown) == 2 {
				return errors.New("closed for a moment")
			}
			if len(shown) == 4 {
				time.Sleep(4 * time.Minute) //nolint:forbidigo // virtual time: a stopped terminal
			}
			return nil
		}}
		require.NoError(t, p.printDuring(t.Context(), func(context.Context) error {
			time.Sleep(time.Minute) //nolint:forbidigo // virtual time: a log-in
			p.used <- struct{}{}
			time.Sleep(50 * time.Minute) //nolint:forbidigo // virtual time: nobody logs in
			return nil
		}))
		const life = console.LoginLifetime
		require.Equal(t, []time.Duration{0, time.Minute, time.Minute + life, time.Minute + 2*life, time.Minute + 3*life}, shown)
	})
}

// With a token one line is printed. If it cannot be, the command ends with the error.
func TestFirstLink(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shown := 0
		p := &linkPrinter{used: make(chan struct{}, 1), once: true, show: func() error { shown++; return nil }}
		require.NoError(t, p.printDuring(t.Context(), func(context.Context) error {
			p.used <- struct{}{}
			time.Sleep(time.Hour) //nolint:forbidigo // virtual time
			return nil
		}))
		require.Equal(t, 1, shown)
		closed := errors.New("closed")
		p = &linkPrinter{show: func() error { return closed }}
		require.ErrorIs(t, p.printDuring(t.Context(), func(ctx context.Context) error { <-ctx.Done(); return nil }), closed)
	})
}

// oneConn is a listener with one connection in memory, which works in virtual time.
type oneConn struct {
	accepted chan net.Conn
	closed   chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// The server cuts neither a long answer nor a long upload: the console sets the deadlines.
func TestServerCutsNoStream(t *testing.T) {
	t.Parallel()
	for _, request := range []string{"GET / HTTP/1.0\r\n\r\n", "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			l := &oneConn{accepted: make(chan net.Conn, 1), closed: make(chan struct{})}
			l.accepted <- server
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				ended <- serveHTTP(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					select {
					case <-r.Context().Done():
					case <-time.After(4 * time.Minute):
						_, _ = io.WriteString(w, "whole "+string(body))
					}
					if err != nil {
						_, _ = io.WriteString(w, "no body")
					}
				}), func() {})
			}()
			_, err := io.WriteString(client, request)
			require.NoError(t, err)
			if strings.HasPrefix(request, "POST") {
				time.Sleep(time.Minute) //nolint:forbidigo // virtual time: a slow client
				_, err := io.WriteString(client, "bytes")
				require.NoError(t, err)
			}
			answer, err := io.ReadAll(client)
			require.NoError(t, err)
			require.Contains(t, string(answer), "whole")
			require.NotContains(t, string(answer), "no body")
			cancel()
			require.NoError(t, <-ended)
		})
	}
}
