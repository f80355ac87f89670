package console

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// pipes is a listener without buffers: a server's write waits until the client reads. Its connections
// work in virtual time.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// slowServer serves a console to clients that stop reading or sending.
type slowServer struct {
	*testing.T

	console *Console
	pipes   *pipes
	cookie  string
}

// serveSlowly runs a test in virtual time, with many peers, of whom alice has a statement of many rows: their
// downloads do not fit into the server's buffers.
func serveSlowly(t *testing.T, cfg Config, test func(*slowServer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
		books := embedded.New()
		book, err := accounts.NewBook(books, accounts.Config{Assets: []accounts.Asset{usd}})
		require.NoError(t, err)
		names, peers := []string{"alice"}, []accounts.PeerConfig{{ID: "alice", Asset: usd}}
		for i := range 150 {
			names, peers = append(names, fmt.Sprint(i)), append(peers, accounts.PeerConfig{ID: fmt.Sprint(i), Asset: usd})
		}
		handles, err := book.Provision(t.Context(), peers...)
		require.NoError(t, err)
		for i := range 200 {
			_, err := book.Adjust(t.Context(), accounts.Adjustment{Account: handles[0], Key: fmt.Sprint(i), Credit: ledger.NewAmount(1), ReasonCode: 1})
			require.NoError(t, err)
		}
		cfg.Book, cfg.Peers = book, func(accounts.Asset) []string { return names }
		c, err := New(cfg)
		require.NoError(t, err)
		s := &slowServer{T: t, console: c, pipes: &pipes{dialed: make(chan net.Conn), closed: make(chan struct{})}}
		session, ok := c.secrets.beginSession(c.secrets.addLogin())
		require.True(t, ok)
		s.cookie = "peerledger_console_local=" + session
		server := &http.Server{Handler: c, ReadHeaderTimeout: time.Second}
		var running sync.WaitGroup
		running.Go(func() { _ = server.Serve(s.pipes) })
		defer func() {
			c.Close()
			require.NoError(t, server.Close())
			running.Wait()
			require.NoError(t, books.Close())
		}()
		test(s)
	})
}

// send sends the bytes of a request, and returns its connection.
func (s *slowServer) send(request string) net.Conn {
	s.Helper()
	client, server := net.Pipe()
	s.Cleanup(func() { _ = client.Close() })
	s.pipes.dialed <- server
	_, err := io.WriteString(client, request)
	require.NoError(s, err)
	return client
}

// get requests a page on a connection of its own, and reads as many bytes of the answer: then all
// else waits.
func (s *slowServer) get(path string, bytes int) net.Conn {
	s.Helper()
	conn := s.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: " + s.cookie + "\r\n\r\n")
	_, err := io.ReadFull(conn, make([]byte, bytes))
	require.NoError(s, err)
	return conn
}

// open reads a whole page.
func (s *slowServer) open(path string) (int, string) {
	s.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(s.get(path, 0)), nil)
	require.NoError(s, err)
	text, err := io.ReadAll(answer.Body)
	require.NoError(s, err)
	return answer.StatusCode, string(text)
}

const aliceStatement = "/statement.csv?peer=alice&asset=USD/2&from="

// Clients that stop reading their statements hold the reads of the ledger until ExportTimeout, and not
// until their connections end.
func TestStoppedDownloadsFreeTheReads(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{ExportTimeout: time.Minute}, func(s *slowServer) {
		for range maxReads {
			s.get(aliceStatement, 1)
		}
		status, _ := s.open("/statement?peer=alice&asset=USD/2")
		require.Equal(s, http.StatusServiceUnavailable, status, "all reads are taken")
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time: ExportTimeout
		status, text := s.open("/statement?peer=alice&asset=USD/2")
		require.Equal(s, http.StatusOK, status, text)
	})
}

// Close does not wait for a client that stops reading its statement.
func TestStoppedDownloadDoesNotHoldClose(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		conn := s.get(aliceStatement, 1)
		began := time.Now()
		s.console.Close()
		require.Zero(s, time.Since(began))
		rest, err := io.ReadAll(conn)
		require.NoError(s, err)
		require.NotContains(s, string(rest), "closing", "half a statement must not look whole")
	})
}

// Close does not wait for a client that stops reading its stream.
func TestStoppedStreamDoesNotHoldClose(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		s.get("/events", 1)
		began := time.Now()
		s.console.Close()
		require.Zero(s, time.Since(began))
	})
}

// A page or a file that is not read ends its connection.
func TestStoppedPagesEnd(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		status, text := s.open("/peers")
		require.Equal(s, http.StatusOK, status)
		require.Contains(s, text, "</html>")
		for path, end := range map[string]string{"/peers": "</html>", "/login?x=1": "", "/console.css": "}", "/nothing": "</html>"} {
			conn := s.get(path, 1)
			time.Sleep(answerTime + time.Second) //nolint:forbidigo // virtual time: the client sleeps
			rest, err := io.ReadAll(conn)
			require.NoError(s, err)
			require.True(s, end == "" || !strings.HasSuffix(strings.TrimSpace(string(rest)), end), "%s ended with %q", path, rest)
			require.Less(s, len(rest), 100, path)
		}
	})
}

// A log-in, or any other post, whose body does not come ends after bodyTime.
func TestStoppedBodiesEnd(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/login", "/logout", "/nothing"} {
		serveSlowly(t, Config{}, func(s *slowServer) {
			began := time.Now()
			conn := s.send("POST " + path + " HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ntoken=")
			_, err := io.ReadAll(conn)
			require.NoError(s, err)
			require.Less(s, time.Since(began), time.Minute, path)
		})
	}
}

// The limit of a log-in's body does not end a stream that follows on its connection.
func TestStreamOutlivesTheLimitOfABody(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		body := url.Values{"token": {strings.TrimPrefix(s.console.NewLogin(), "login?token=")}}.Encode()
		conn := s.send(fmt.Sprintf("POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		answers := bufio.NewReader(conn)
		answer, err := http.ReadResponse(answers, nil)
		require.NoError(s, err)
		require.Equal(s, http.StatusSeeOther, answer.StatusCode)
		_, err = io.WriteString(conn, "GET /events HTTP/1.1\r\nHost: localhost\r\nCookie: "+s.cookie+"\r\n\r\n")
		require.NoError(s, err)
		answer, err = http.ReadResponse(answers, nil)
		require.NoError(s, err)
		began := time.Now()
		_, err = io.Copy(io.Discard, answer.Body)
		require.NoError(s, err)
		require.Equal(s, streamLife, time.Since(began).Round(time.Second))
	})
}
