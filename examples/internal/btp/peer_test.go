package btp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger/examples/internal/btp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testTimeout bounds each wait of a test.
const testTimeout = 20 * time.Second

// echo answers each packet with the same packet and a name.
func echo(name string) btp.Handler {
	return func(_ context.Context, packet []byte) []byte { return append(packet, name...) }
}

// serve starts a server and returns its address for an account and a token.
func serve(t *testing.T, s *btp.Server) (address func(account, token string) string) {
	t.Helper()
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		web.Close()
	})
	return func(account, token string) string {
		return strings.Replace(web.URL, "http://", "btp+ws://"+account+":"+token+"@", 1)
	}
}

func newServer(t *testing.T, logins ...btp.Login) *btp.Server {
	t.Helper()
	s, err := btp.NewServer(logins...)
	require.NoError(t, err)
	return s
}

func newClient(t *testing.T, cfg btp.ClientConfig) *btp.Client {
	t.Helper()
	cfg.FirstPause, cfg.LongestPause = time.Millisecond, 10*time.Millisecond
	c, err := btp.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func waitLinked(t *testing.T, peers ...*btp.Peer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	for _, p := range peers {
		require.NoError(t, p.WaitLinked(ctx))
	}
}

// Many packets both ways at once are each answered by the other side.
func TestPacketsBothWays(t *testing.T) {
	t.Parallel()
	server := newServer(t, btp.Login{Account: "a", Token: "secret", Handler: echo(" from a")}, btp.Login{Account: "b", Token: "other", Handler: echo(" from b")})
	address := serve(t, server)
	a := newClient(t, btp.ClientConfig{URL: address("a", "secret"), Handler: echo(" at a")})
	b := newClient(t, btp.ClientConfig{URL: address("", "other"), Handler: echo(" at b")})
	waitLinked(t, a.Peer, b.Peer, server.Peer("a"), server.Peer("b"))
	require.Nil(t, server.Peer("c"))
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	var senders sync.WaitGroup
	for p, suffix := range map[*btp.Peer]string{a.Peer: " from a", b.Peer: " from b", server.Peer("a"): " at a", server.Peer("b"): " at b"} {
		for i := range 200 {
			senders.Go(func() {
				answer, err := p.Send(ctx, fmt.Append(nil, i))
				if err != nil || string(answer) != fmt.Sprint(i, suffix) {
					t.Errorf("packet %d: %q, %v", i, answer, err)
				}
			})
		}
	}
	senders.Wait()
	large := bytes.Repeat([]byte{1}, 70_000)
	answer, err := a.Send(ctx, large)
	require.NoError(t, err)
	require.Len(t, answer, len(large)+len(" from a"))
	_, err = a.Send(ctx, make([]byte, btp.MaxFrame))
	require.ErrorIs(t, err, btp.ErrNotSent)
}

// A wrong token or account is refused, and the client tries again.
func TestLogInsThatAreRefused(t *testing.T) {
	t.Parallel()
	address := serve(t, newServer(t, btp.Login{Account: "a", Token: "secret", Handler: echo("")}))
	for _, login := range [][2]string{{"a", "wrong"}, {"b", "secret"}, {"", ""}} {
		failures := make(chan error, 100)
		c := newClient(t, btp.ClientConfig{URL: address(login[0], login[1]), Failed: func(err error) {
			select {
			case failures <- err:
			default:
			}
		}})
		for range 3 {
			var refused *btp.RefusedError
			require.ErrorAs(t, <-failures, &refused)
			require.Equal(t, "F00", refused.Code)
			require.Equal(t, "NotAcceptedError", refused.Name)
			require.NotContains(t, refused.Error(), "wrong")
		}
		_, err := c.Send(t.Context(), []byte("x"))
		require.ErrorIs(t, err, btp.ErrNotSent)
	}
}

func TestServersAndURLsThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, logins := range [][]btp.Login{{{Account: "a"}}, {{Account: "a", Token: "1"}, {Account: "a", Token: "2"}}} {
		_, err := btp.NewServer(logins...)
		require.ErrorIs(t, err, btp.ErrLogin)
	}
	for _, url := range []string{"", "ws://a:b@c", "btp+http://a:b@c", "btp+ws://c", "btp+ws://a@c", "btp+ws://a:secret@", "btp+ws://a:secret@:x"} {
		_, err := btp.NewClient(btp.ClientConfig{URL: url})
		require.ErrorIs(t, err, btp.ErrURL, url)
		require.NotContains(t, err.Error(), "secret")
	}
}

// rawPeer serves websockets by hand: it takes the log-in, and calls each for each link.
func rawPeer(t *testing.T, each func(ctx context.Context, socket *websocket.Conn)) string {
	t.Helper()
	var links sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		links.Add(1)
		defer links.Done()
		socket, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = socket.CloseNow() }()
		socket.SetReadLimit(btp.MaxFrame)
		login, err := readFrame(ctx, socket)
		if err == nil && writeFrame(ctx, socket, btp.Frame{Type: btp.TypeResponse, RequestID: login.RequestID}) == nil {
			each(ctx, socket)
		}
	}))
	t.Cleanup(func() {
		cancel()
		web.Close()
		links.Wait()
	})
	return strings.Replace(web.URL, "http://", "btp+ws://a:b@", 1)
}

func readFrame(ctx context.Context, socket *websocket.Conn) (btp.Frame, error) {
	_, b, err := socket.Read(ctx)
	if err != nil {
		return btp.Frame{}, err
	}
	return btp.ParseFrame(b)
}

func writeFrame(ctx context.Context, socket *websocket.Conn, f btp.Frame) error {
	b, err := f.AppendBinary(nil)
	return errors.Join(err, socket.Write(ctx, websocket.MessageBinary, b))
}

// A packet that left has an unknown outcome unless an ILP packet answers it.
func TestAnswersThatTellNothing(t *testing.T) {
	t.Parallel()
	answers := map[string]btp.Frame{
		"no sub-protocol": {Type: btp.TypeResponse},
		"empty packet":    {Type: btp.TypeResponse, SubProtocols: []btp.SubProtocol{{Name: "ilp"}}},
		"other protocol":  {Type: btp.TypeResponse, SubProtocols: []btp.SubProtocol{{Name: "info", Data: []byte("x")}}},
		"error":           {Type: btp.TypeError, Error: btp.ErrorFields{Code: "T00", Name: "UnreachableError", Data: "down"}},
	}
	for title, answer := range answers {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, btp.ClientConfig{Handler: echo(""), URL: rawPeer(t, func(ctx context.Context, socket *websocket.Conn) {
				for {
					request, err := readFrame(ctx, socket)
					if err != nil {
						return
					}
					answer.RequestID = request.RequestID + 1000 // of no request: dropped
					_ = writeFrame(ctx, socket, answer)
					answer.RequestID = request.RequestID
					_ = writeFrame(ctx, socket, answer)
					_ = writeFrame(ctx, socket, answer) // twice: dropped
				}
			})})
			waitLinked(t, c.Peer)
			for range 3 {
				_, err := c.Send(t.Context(), []byte("packet"))
				require.ErrorIs(t, err, btp.ErrUnknown)
				require.NotErrorIs(t, err, btp.ErrNotSent)
			}
		})
	}
}

// A link lost after the packet left is no answer: the answer over the next link counts. Without an
// answer the outcome is unknown when the context ends.
func TestAnswerOverTheNextLink(t *testing.T) {
	t.Parallel()
	asked := make(chan btp.Frame, 1) // full from the first link to the second
	first := make(chan struct{}, 1)
	first <- struct{}{}
	c := newClient(t, btp.ClientConfig{Handler: echo(""), URL: rawPeer(t, func(ctx context.Context, socket *websocket.Conn) {
		select {
		case <-first:
			request, _ := readFrame(ctx, socket)
			asked <- request
			return // the link is lost
		default:
		}
		_ = writeFrame(ctx, socket, btp.Frame{Type: btp.TypeResponse, RequestID: (<-asked).RequestID, SubProtocols: []btp.SubProtocol{{Name: "ilp", Data: []byte("late")}}})
		_, _ = readFrame(ctx, socket)
		<-ctx.Done()
	})})
	waitLinked(t, c.Peer)
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	answer, err := c.Send(ctx, []byte("packet"))
	require.NoError(t, err)
	require.Equal(t, "late", string(answer))

	expired, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Send(expired, []byte("packet"))
	require.ErrorIs(t, err, btp.ErrUnknown)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// An answer goes over the link that is there when the handler returns.
func TestHandlerOutlivesItsLink(t *testing.T) {
	t.Parallel()
	handling, release := make(chan struct{}), make(chan struct{})
	server := newServer(t, btp.Login{Account: "a", Token: "secret", Handler: func(context.Context, []byte) []byte {
		close(handling)
		<-release
		return []byte("answer")
	}})
	address := serve(t, server)("a", "secret")
	first := newClient(t, btp.ClientConfig{URL: address, Handler: echo("")})
	waitLinked(t, first.Peer)
	answered := make(chan error, 1)
	go func() {
		_, err := first.Send(t.Context(), []byte("packet"))
		answered <- err
	}()
	<-handling
	socket, _, err := websocket.Dial(t.Context(), strings.Replace(address, "btp+ws://a:secret@", "ws://", 1), nil) //nolint:bodyclose // a websocket has none
	require.NoError(t, err)
	first.Close()
	require.ErrorIs(t, <-answered, btp.ErrUnknown)
	require.NoError(t, writeFrame(t.Context(), socket, btp.Frame{Type: btp.TypeMessage, RequestID: 5, SubProtocols: []btp.SubProtocol{{Name: "auth"}, {Name: "auth_token", Data: []byte("secret")}}}))
	login, err := readFrame(t.Context(), socket)
	require.NoError(t, err)
	require.Equal(t, btp.Frame{Type: btp.TypeResponse, RequestID: 5}, login)
	// A message without a packet is answered once the new link is in use.
	require.NoError(t, writeFrame(t.Context(), socket, btp.Frame{Type: btp.TypeMessage, RequestID: 6}))
	_, err = readFrame(t.Context(), socket)
	require.NoError(t, err)
	close(release)
	answer, err := readFrame(t.Context(), socket)
	require.NoError(t, err)
	require.Equal(t, "answer", string(answer.ILP()))
	require.NoError(t, socket.CloseNow())
}

// A peer that logs in again takes the line, and the earlier link ends.
func TestSecondLogIn(t *testing.T) {
	t.Parallel()
	server := newServer(t, btp.Login{Account: "a", Token: "secret", Handler: echo("")})
	address := strings.Replace(serve(t, server)("a", "secret"), "btp+ws://a:secret@", "ws://", 1)
	var sockets []*websocket.Conn
	for range 3 {
		socket, _, err := websocket.Dial(t.Context(), address, nil) //nolint:bodyclose // a websocket has none
		require.NoError(t, err)
		defer func() { _ = socket.CloseNow() }()
		require.NoError(t, writeFrame(t.Context(), socket, btp.Frame{Type: btp.TypeMessage, SubProtocols: []btp.SubProtocol{{Name: "auth"}, {Name: "auth_token", Data: []byte("secret")}}}))
		_, err = readFrame(t.Context(), socket)
		require.NoError(t, err)
		sockets = append(sockets, socket)
	}
	for _, earlier := range sockets[:2] {
		_, err := readFrame(t.Context(), earlier)
		require.Error(t, err)
	}
	require.NoError(t, writeFrame(t.Context(), sockets[2], btp.Frame{Type: btp.TypeTransfer, RequestID: 8, Amount: 5}))
	answer, err := readFrame(t.Context(), sockets[2])
	require.NoError(t, err)
	require.Equal(t, btp.TypeError, answer.Type)
	require.Equal(t, "F00", answer.Error.Code)
}

// Frames that cannot be, log-ins that do not come, and peers that do not read end the link alone.
func TestBadPeersAreCutOff(t *testing.T) {
	t.Parallel()
	login := btp.Frame{Type: btp.TypeMessage, SubProtocols: []btp.SubProtocol{{Name: "auth"}, {Name: "auth_token", Data: []byte("secret")}}}
	for title, misbehave := range map[string]func(ctx context.Context, socket *websocket.Conn) error{
		"silent": func(context.Context, *websocket.Conn) error { return nil },
		"noise": func(ctx context.Context, s *websocket.Conn) error {
			return s.Write(ctx, websocket.MessageBinary, []byte("noise"))
		},
		"text": func(ctx context.Context, s *websocket.Conn) error {
			return s.Write(ctx, websocket.MessageText, []byte("{}"))
		},
		"huge": func(ctx context.Context, s *websocket.Conn) error {
			return s.Write(ctx, websocket.MessageBinary, make([]byte, 1<<18))
		},
		"without auth": func(ctx context.Context, s *websocket.Conn) error {
			return writeFrame(ctx, s, btp.Frame{Type: btp.TypeMessage})
		},
		"wrong type": func(ctx context.Context, s *websocket.Conn) error {
			f := login
			f.Type = btp.TypeResponse
			return writeFrame(ctx, s, f)
		},
		"noise later": func(ctx context.Context, s *websocket.Conn) error {
			return errors.Join(writeFrame(ctx, s, login), s.Write(ctx, websocket.MessageBinary, []byte("noise")))
		},
		"no pong later": func(ctx context.Context, s *websocket.Conn) error { return writeFrame(ctx, s, login) },
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, btp.Login{Account: "a", Token: "secret", Handler: echo("")})
			server.ShortenTimeouts(100 * time.Millisecond)
			ended := make(chan struct{})
			web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				server.ServeHTTP(w, r)
				close(ended)
			}))
			defer web.Close()
			defer server.Close()
			socket, _, err := websocket.Dial(t.Context(), web.URL, nil) //nolint:bodyclose // a websocket has none
			require.NoError(t, err)
			defer func() { _ = socket.CloseNow() }()
			_ = misbehave(t.Context(), socket) // fails if the server was faster
			select {
			case <-ended:
			case <-time.After(testTimeout):
				require.Fail(t, "the link has not ended")
			}
		})
	}
}

// While as many packets of a peer are handled as may be, further ones are answered at once, and an
// answer of the peer is read: it may be a fulfillment, which is worth money until our packet expires.
func TestAnswerIsReadWhileHandlersAreBusy(t *testing.T) {
	t.Parallel()
	const most, more = 1024, 76 // as many as are handled, and further ones
	working := func(ctx context.Context, _ []byte) []byte {
		<-ctx.Done()
		return nil
	}
	server := newServer(t, btp.Login{Account: "a", Token: "secret", Handler: working, Busy: []byte("busy")})
	address := serve(t, server)
	a := newClient(t, btp.ClientConfig{URL: address("a", "secret"), Handler: echo(" at a")})
	waitLinked(t, a.Peer, server.Peer("a"))
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	answers := make(chan string, most+more)
	var senders sync.WaitGroup
	for range most + more {
		senders.Go(func() {
			if answer, err := a.Send(ctx, []byte("prepare")); err == nil {
				answers <- string(answer)
			}
		})
	}
	for range more {
		select {
		case answer := <-answers:
			require.Equal(t, "busy", answer)
		case <-ctx.Done():
			require.Fail(t, "no answer to a packet that no handler takes")
		}
	}
	answer, err := server.Peer("a").Send(ctx, []byte("x"))
	require.NoError(t, err)
	require.Equal(t, "x at a", string(answer))
	cancel()
	senders.Wait()
	require.Empty(t, answers)
}
