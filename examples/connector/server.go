package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/peerledger/peerledger/ledger"
)

// server serves health and metrics. A nil server serves nothing.
type server struct {
	http    *http.Server
	address string
	ended   chan struct{}
}

// readyWithin is the time that the ledger has to answer a readiness check.
const readyWithin = 3 * time.Second

// serveOn starts the server on an address, unless address is "".
func (c *connector) serveOn(address string) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", c.checkReady)
	mux.Handle("GET /metrics", promhttp.HandlerFor(c.registry, promhttp.HandlerOpts{}))
	s := &server{
		http:    &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second},
		address: listener.Addr().String(), ended: make(chan struct{}),
	}
	go func() {
		defer close(s.ended)
		_ = s.http.Serve(listener) // ends with closeServer
	}()
	c.server = s
	c.log.Info("serving", "address", s.address)
	return nil
}

// checkReady looks up an account that does not exist.
func (c *connector) checkReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyWithin)
	defer cancel()
	if _, err := c.client.Ledger.LookupAccounts(ctx, []ledger.ID{ledger.NewID(1, 0)}); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// closeServer stops the server.
func (s *server) closeServer(ctx context.Context) {
	if s == nil {
		return
	}
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close() // a client holds its connection open
	}
	<-s.ended
}
