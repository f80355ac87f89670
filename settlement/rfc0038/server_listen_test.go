package rfc0038_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// serve serves a fixture on a free loopback port until the test ends, and returns the address.
func (f *serverFixture) serve(c rfc0038.ListenConfig) string {
	f.t.Helper()
	c.Address = "127.0.0.1:0"
	l, err := f.server.Listen(f.t.Context(), c)
	require.NoError(f.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(ctx, l) }()
	f.t.Cleanup(func() {
		cancel()
		require.NoError(f.t, <-served)
	})
	return l.Addr().String()
}

// dial opens a connection that ends with the test, at the latest after 20 s.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends text and returns the first line of the answer and whether the connection was closed behind it; "" is none.
func ask(t *testing.T, conn net.Conn, text string) string {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		require.ErrorIs(t, err, io.EOF)
	}
	return strings.TrimSpace(line)
}

const rawBody = `{"amount":"15","scale":3}`

func rawReport(key string) string {
	return fmt.Sprintf("POST //accounts/alice/settlements HTTP/1.1\r\nHost: x\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\n\r\n%s", key, len(rawBody), rawBody)
}

func TestServerOnASocket(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil)
	address := f.serve(rfc0038.ListenConfig{})
	for text, want := range map[string]string{
		rawReport("k"):                                                 "HTTP/1.1 201 Created",
		rawReport(strings.Repeat("k", 9999)):                           "HTTP/1.1 400 Bad Request",
		rawReport(strings.Repeat("k", 99999)):                          "HTTP/1.1 431 Request Header Fields Too Large",
		strings.Replace(rawReport("k"), "HTTP/1.1", "HTTP/1.0", 1):     "HTTP/1.0 201 Created",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":                        "HTTP/1.1 404 Not Found",
		"CONNECT accounts:80 HTTP/1.1\r\nHost: accounts:80\r\n\r\n":    "HTTP/1.1 404 Not Found",
		"nonsense\r\n\r\n":                                             "HTTP/1.1 400 Bad Request",
		strings.Replace(rawReport("k"), "POST /", "POST http://x/", 1): "HTTP/1.1 201 Created",
		strings.Replace(rawReport("k"), "Content-Length", "Expect: 100-continue\r\nContent-Length", 1): "HTTP/1.1 100 Continue",
	} {
		require.Equal(t, want, ask(t, dial(t, address), text), "%.60s", text)
	}
	f.byID["nobody"] = f.byID["none"]
	require.Empty(t, ask(t, dial(t, address), strings.Replace(rawReport("k"), "alice", "nobody", 1)), "the connection is closed without an answer")
	f.requireBooked("alice", 1, "1/2")
}

// A client that does not finish its request, whatever part of it, is cut off; nothing is booked.
func TestServerCutsSlowClients(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) { c.ReadTimeout = 200 * time.Millisecond })
	address := f.serve(rfc0038.ListenConfig{MaxConnections: 2})
	for _, text := range []string{
		"", "POST /acc", "POST /accounts/alice/settlements HTTP/1.1\r\nHost: x\r\nIdem", rawReport("k")[:len(rawReport("k"))-1],
		"POST /accounts/alice/settlements HTTP/1.1\r\nHost: x\r\nIdempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"amo",
	} {
		require.NotContains(t, ask(t, dial(t, address), text), "20", text)
	}
	f.requireBooked("alice", 0, "0")
	require.Equal(t, "HTTP/1.1 201 Created", ask(t, dial(t, address), rawReport("k")))
	require.Equal(t, uint64(2), f.server.Stats().Unread)
}

// Further connections wait until one ends.
func TestServerBoundsConnections(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil)
	address := f.serve(rfc0038.ListenConfig{MaxConnections: 1})
	first := dial(t, address)
	require.Equal(t, "HTTP/1.1 201 Created", ask(t, first, rawReport("k")))
	second := dial(t, address)
	answered := make(chan string, 1)
	go func() { answered <- ask(t, second, rawReport("k")) }()
	require.Equal(t, "HTTP/1.1 201 Created", ask(t, first, rawReport("l")))
	require.Empty(t, answered)
	require.NoError(t, first.Close())
	require.Equal(t, "HTTP/1.1 201 Created", <-answered)
}

// A connection without authentication ends with its answer, so that strangers do not take all places for as long
// as a connection may be idle.
func TestServerClosesConnectionsOfStrangers(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) { c.Tokens = []string{token} })
	address := f.serve(rfc0038.ListenConfig{MaxConnections: 2})
	for range 2 {
		require.Equal(t, "HTTP/1.1 401 Unauthorized", ask(t, dial(t, address), rawReport("k")))
	}
	authenticated := strings.Replace(rawReport("k"), "Host: x", "Host: x\r\nAuthorization: Bearer "+token, 1)
	require.Equal(t, "HTTP/1.1 201 Created", ask(t, dial(t, address), authenticated))
}

func TestServerListensOnLoopback(t *testing.T) {
	t.Parallel()
	open, token := newServerFixture(t, nil), newServerFixture(t, func(c *rfc0038.ServerConfig) { c.Tokens = []string{"0123456789abcdef"} })
	for _, address := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		_, err := open.server.Listen(t.Context(), rfc0038.ListenConfig{Address: address})
		require.ErrorIs(t, err, rfc0038.ErrOpenToEverybody, address)
		_, err = open.server.Listen(t.Context(), rfc0038.ListenConfig{Address: address, TLS: &tls.Config{MinVersion: tls.VersionTLS12}})
		require.ErrorIs(t, err, rfc0038.ErrOpenToEverybody, address)
		_, err = open.server.Listen(t.Context(), rfc0038.ListenConfig{Address: address, TLS: rfc0038.NewMutualTLS(tls.Certificate{}, nil)})
		require.ErrorIs(t, err, rfc0038.ErrOpenToEverybody, "%s: all authorities of the system", address)
	}
	for name, listen := range map[string]func() (net.Listener, error){
		"localhost": func() (net.Listener, error) {
			return open.server.Listen(t.Context(), rfc0038.ListenConfig{Address: "localhost:0"})
		},
		"in so many words": func() (net.Listener, error) {
			return open.server.Listen(t.Context(), rfc0038.ListenConfig{Address: "0.0.0.0:0", OpenToEverybody: true})
		},
		"tokens": func() (net.Listener, error) {
			return token.server.Listen(t.Context(), rfc0038.ListenConfig{Address: "0.0.0.0:0"})
		},
		"client certificates": func() (net.Listener, error) {
			return open.server.Listen(t.Context(), rfc0038.ListenConfig{Address: "0.0.0.0:0", TLS: rfc0038.NewMutualTLS(tls.Certificate{}, x509.NewCertPool())})
		},
	} {
		l, err := listen()
		require.NoError(t, err, name)
		require.NoError(t, l.Close())
		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		require.ErrorIs(t, open.server.Serve(t.Context(), l), net.ErrClosed)
	}
	_, err := open.server.Listen(t.Context(), rfc0038.ListenConfig{Address: "nonsense"})
	require.ErrorContains(t, err, "nonsense")
}

// Client certificates without an authority are checked against the authorities of the system: everybody can buy one.
func TestMutualTLSNeedsAnAuthority(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil)
	_, err := f.server.Listen(t.Context(), rfc0038.ListenConfig{Address: "0.0.0.0:0", TLS: rfc0038.NewMutualTLS(newCertificate(t), nil)})
	require.ErrorIs(t, err, rfc0038.ErrOpenToEverybody)
}

func TestServerWithClientCertificates(t *testing.T) {
	t.Parallel()
	ours, engine, stranger := newCertificate(t), newCertificate(t), newCertificate(t)
	f := newServerFixture(t, nil)
	address := f.serve(rfc0038.ListenConfig{TLS: rfc0038.NewMutualTLS(ours, poolOf(engine))})
	post := func(certificates ...tls.Certificate) (int, error) {
		client := http.Client{Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: poolOf(ours), Certificates: certificates},
			ForceAttemptHTTP2: true, DisableKeepAlives: true,
		}}
		r := newReport(alicePath, "k", rawBody)
		r.RequestURI, r.URL.Scheme, r.URL.Host = "", "https", address
		answer, err := client.Do(r)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	for _, certificates := range [][]tls.Certificate{nil, {stranger}} {
		_, err := post(certificates...)
		require.Error(t, err)
	}
	f.requireBooked("alice", 0, "0")
	status, err := post(engine)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, status)
	f.requireBooked("alice", 1, "1/2")
}

// newCertificate is a certificate that is its own authority.
func newCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func poolOf(c tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Leaf)
	return pool
}
