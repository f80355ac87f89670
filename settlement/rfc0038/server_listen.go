package rfc0038

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// ListenConfig configures [Server.Listen].
type ListenConfig struct {
	// Address is HOST:PORT. Default "127.0.0.1:7771", the port that interledger-rs uses.
	Address string
	// TLS is for HTTPS, and with [tls.RequireAndVerifyClientCert] and ClientCAs authenticates engines: see [NewMutualTLS].
	// Without ClientCAs everybody is let in who has bought a certificate. Default nil: HTTP, which shows payments and
	// tokens to the network.
	TLS *tls.Config
	// OpenToEverybody allows an address other than loopback without tokens and client certificates: then everybody
	// who reaches the address can credit every peer. Default false.
	OpenToEverybody bool
	// MaxConnections bounds the open connections; further ones wait. Default 1024.
	MaxConnections int
}

// NewMutualTLS returns a TLS configuration for [ListenConfig] that takes requests of clients with a certificate of
// clientCAs only. clientCAs must not be nil, which stands for the authorities of the system: they sell certificates to
// everybody.
func NewMutualTLS(certificate tls.Certificate, clientCAs *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clientCAs,
	}
}

// Listen opens the address for [Server.Serve]. The error is [ErrOpenToEverybody] for an address that other machines reach
// without authentication, or that of [net.Listen].
func (s *Server) Listen(ctx context.Context, c ListenConfig) (net.Listener, error) {
	var listening net.ListenConfig
	inner, err := listening.Listen(ctx, "tcp", cmp.Or(c.Address, "127.0.0.1:7771"))
	if err != nil {
		return nil, fmt.Errorf("rfc0038: %w", err)
	}
	authenticates := len(s.tokens) > 0 || needsClientCertificate(c.TLS)
	address, isTCP := inner.Addr().(*net.TCPAddr) // as resolved: a name may be any address
	if !authenticates && !c.OpenToEverybody && (!isTCP || !address.IP.IsLoopback()) {
		return nil, errors.Join(fmt.Errorf("%w: %v", ErrOpenToEverybody, inner.Addr()), inner.Close())
	}
	limited := newLimitListener(inner, cmp.Or(c.MaxConnections, 1024))
	if c.TLS == nil {
		return limited, nil
	}
	conf := c.TLS.Clone()
	conf.NextProtos = []string{"http/1.1"} // the limits of newHTTPServer are for HTTP/1
	return tls.NewListener(limited, conf), nil
}

// needsClientCertificate reports whether clients need a certificate of an authority that the operator has chosen.
func needsClientCertificate(c *tls.Config) bool {
	return c != nil && c.ClientAuth == tls.RequireAndVerifyClientCert && c.ClientCAs != nil
}

// Serve answers requests until ctx ends, or the listener fails. Requests under way then have Timeout and ReadTimeout to end.
// Serve closes the listener, and returns nil if ctx ended and no request was cut.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := s.newHTTPServer(ctx)
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("rfc0038: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ReadTimeout+s.cfg.Timeout)
	defer cancel()
	err := h.Shutdown(grace)
	if err != nil {
		err = fmt.Errorf("rfc0038: stop: %w", errors.Join(err, h.Close()))
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// newHTTPServer has all limits of HTTP: a slow client is cut off after ReadTimeout, and one that does not read after the
// time for its answer.
func (s *Server) newHTTPServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler: s, ReadHeaderTimeout: s.cfg.ReadTimeout, ReadTimeout: s.cfg.ReadTimeout,
		WriteTimeout: s.cfg.ReadTimeout + s.cfg.Timeout + 5*time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, DisableGeneralOptionsHandler: true,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
}

// limitListener accepts no more than a number of connections at a time.
type limitListener struct {
	net.Listener

	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newLimitListener(l net.Listener, limit int) *limitListener {
	return &limitListener{Listener: l, slots: make(chan struct{}, limit), closed: make(chan struct{})}
}

// Accept waits until a connection may be open.
func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, release: func() { <-l.slots }}, nil
}

// Close closes the listener, not its connections.
func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn

	once    sync.Once
	release func()
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.release)
	return err
}
