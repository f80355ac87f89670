package rfc0038_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// seen is a request that a scripted engine got.
type seen struct {
	method, path string
	header       http.Header
	body         string
}

// scriptedEngine answers each request with the next answer, the last one for ever, and notes the requests.
type scriptedEngine struct {
	*httptest.Server

	mu       sync.Mutex
	answers  []http.HandlerFunc
	requests []seen
}

func newScriptedEngine(t *testing.T, answers ...http.HandlerFunc) *scriptedEngine {
	t.Helper()
	e := &scriptedEngine{answers: answers}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *scriptedEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	e.mu.Lock()
	e.requests = append(e.requests, seen{r.Method, r.URL.EscapedPath(), r.Header, string(body)})
	answer := e.answers[0]
	if len(e.answers) > 1 {
		e.answers = e.answers[1:]
	}
	e.mu.Unlock()
	answer(w, r)
}

// script sets the next answers.
func (e *scriptedEngine) script(answers ...http.HandlerFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers = answers
}

// take returns the requests since the last call.
func (e *scriptedEngine) take() []seen {
	e.mu.Lock()
	defer e.mu.Unlock()
	got := e.requests
	e.requests = nil
	return got
}

// answerWith answers with a status and a body.
func answerWith(status int, mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if mediaType != "" {
			w.Header().Set("Content-Type", mediaType)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// answerRaw writes bytes to the connection and closes it.
func answerRaw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
}

// answerNever keeps the connection open until the client goes away.
func answerNever(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func newClient(t *testing.T, url string, options ...func(*rfc0038.ClientConfig)) *rfc0038.Client {
	t.Helper()
	cfg := rfc0038.ClientConfig{URL: url}
	for _, set := range options {
		set(&cfg)
	}
	c, err := rfc0038.NewClient(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestClientWritesRequests(t *testing.T) {
	t.Parallel()
	for base, prefix := range map[string]string{"": "", "/": "", "//": "", "/se/v1": "/se/v1", "/se/v1/": "/se/v1", "/a%2Fb/": "/a%2Fb"} {
		e := newScriptedEngine(t, answerWith(201, "", ""))
		c := newClient(t, e.URL+base)
		require.NoError(t, c.CreateAccount(t.Context(), "1-alice"))
		_, err := c.SendSettlement(t.Context(), "1-alice", "key-1", quantity(t, "150", 2))
		require.NoError(t, err)
		reply, err := c.SendMessage(t.Context(), "1-alice", []byte{0, 0xff})
		require.NoError(t, err)
		require.Empty(t, reply)
		require.NoError(t, c.DeleteAccount(t.Context(), "1-alice"))
		got := e.take()
		require.Len(t, got, 4)
		for i, want := range []struct{ method, path, mediaType, key, body string }{
			{"POST", "/accounts", "application/json", "", `{"id":"1-alice"}`},
			{"POST", "/accounts/1-alice/settlements", "application/json", "key-1", `{"amount":"150","scale":2}`},
			{"POST", "/accounts/1-alice/messages", "application/octet-stream", "", "\x00\xff"},
			{"DELETE", "/accounts/1-alice", "", "", ""},
		} {
			require.Equal(t, want.method, got[i].method)
			require.Equal(t, prefix+want.path, got[i].path)
			require.Equal(t, want.mediaType, got[i].header.Get("Content-Type"))
			require.Equal(t, want.key, got[i].header.Get("Idempotency-Key"))
			require.Equal(t, want.body, got[i].body)
			require.Equal(t, "peerledger", got[i].header.Get("User-Agent"))
			require.Empty(t, got[i].header.Get("Accept-Encoding"))
			require.Empty(t, got[i].header.Get("Authorization"))
		}
	}
}

func TestClientAuthenticates(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, answerWith(201, "", ""))
	c := newClient(t, e.URL, func(c *rfc0038.ClientConfig) {
		c.BearerToken, c.HeaderName, c.HeaderValue, c.UserAgent = "s3cret", "X-Gateway", "abc def", "node 7"
	})
	require.NoError(t, c.CreateAccount(t.Context(), "1-alice"))
	header := e.take()[0].header
	require.Equal(t, "Bearer s3cret", header.Get("Authorization"))
	require.Equal(t, "abc def", header.Get("X-Gateway"))
	require.Equal(t, "node 7", header.Get("User-Agent"))
}

func TestClientConfigValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, rfc0038.ClientConfig{URL: "https://engine.example/x", TLS: &tls.Config{MinVersion: tls.VersionTLS13}}.Validate())
	for field, bad := range map[string][]rfc0038.ClientConfig{
		"URL": {
			{},
			{URL: "engine:3000"},
			{URL: "ftp://x"},
			{URL: "http://"},
			{URL: "http://:80"},
			{URL: "http://u:p@x"},
			{URL: "http://x?a=b"},
			{URL: "http://x?"},
			{URL: "http://x#f"},
			{URL: "http://x:y"},
			{URL: "/accounts"},
			{URL: "http://a b/"},
		},
		"TLS":         {{URL: "http://x", TLS: &tls.Config{MinVersion: tls.VersionTLS13}}},
		"BearerToken": {{URL: "http://x", BearerToken: "a\nb"}, {URL: "http://x", BearerToken: " a"}, {URL: "http://x", BearerToken: "ü"}},
		"HeaderName": {
			{URL: "http://x", HeaderName: "a b", HeaderValue: "c"},
			{URL: "http://x", HeaderName: "idempotency-key", HeaderValue: "c"},
			{URL: "http://x", HeaderName: "HOST", HeaderValue: "c"},
		},
		"HeaderValue":    {{URL: "http://x", HeaderName: "a"}, {URL: "http://x", HeaderValue: "a"}, {URL: "http://x", HeaderName: "a", HeaderValue: "\r\n"}},
		"UserAgent":      {{URL: "http://x", UserAgent: "a\x00"}},
		"Timeout":        {{URL: "http://x", Timeout: time.Millisecond}, {URL: "http://x", Timeout: -time.Hour}},
		"MaxAnswer":      {{URL: "http://x", MaxAnswer: -1}, {URL: "http://x", MaxAnswer: 32768}},
		"MaxConnections": {{URL: "http://x", MaxConnections: -1}},
	} {
		for _, cfg := range bad {
			err := cfg.Validate()
			require.ErrorIs(t, err, accounts.ErrInvalid, "%s: %+v", field, cfg)
			require.ErrorContains(t, err, ": "+field+" ")
			require.NotContains(t, err.Error(), "\n", "one fault: %+v", cfg)
			_, newErr := rfc0038.NewClient(cfg)
			require.Equal(t, err, newErr)
		}
	}
	err := rfc0038.ClientConfig{Timeout: -1, MaxAnswer: -1}.Validate()
	for _, field := range []string{"URL", "Timeout", "MaxAnswer"} {
		require.ErrorContains(t, err, field)
	}
}

// Each status has exactly one next step.
func TestStatusesDecide(t *testing.T) {
	t.Parallel()
	steps := []error{rfc0038.ErrUnknownAccount, rfc0038.ErrKeySeen, rfc0038.ErrRefused, ledger.ErrOutcomeUnknown}
	want := map[int]error{404: rfc0038.ErrUnknownAccount, 409: rfc0038.ErrKeySeen}
	for _, status := range []int{400, 402, 405, 406, 410, 411, 413, 414, 415, 422, 423, 431, 451, 499} {
		want[status] = rfc0038.ErrRefused
	}
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308, 401, 403, 407, 408, 425, 429, 500, 501, 502, 503, 504, 599, 600, 999} {
		want[status] = ledger.ErrOutcomeUnknown
	}
	for _, status := range []int{200, 201, 202, 204, 299} {
		want[status] = nil
	}
	e := newScriptedEngine(t, nil)
	c := newClient(t, e.URL)
	for status, step := range want {
		e.script(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		})
		taken, err := c.SendSettlement(t.Context(), "1-alice", "key", quantity(t, "1", 0))
		require.Len(t, e.take(), 1, "status %d: no redirect is followed, and no request repeated", status)
		if step == nil {
			require.NoError(t, err, status)
			require.Equal(t, status, taken.Status)
			require.Nil(t, taken.Quantity)
			continue
		}
		var answer *rfc0038.AnswerError
		require.ErrorAs(t, err, &answer)
		require.Equal(t, status, answer.Status)
		for _, s := range steps {
			require.Equal(t, errors.Is(step, s), errors.Is(err, s), "status %d, %v", status, s)
		}
	}
}

// Without a whole head of an answer the outcome is unknown.
func TestNoAnswerIsUnknown(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"closed":            answerRaw(""),
		"cut in the head":   answerRaw("HTTP/1.1 201 Created\r\nContent-Le"),
		"no HTTP":           answerRaw("SSH-2.0-OpenSSH_9.2\r\n"),
		"status of letters": answerRaw("HTTP/1.1 abc\r\n\r\n"),
		"head without end": func(w http.ResponseWriter, r *http.Request) {
			answerRaw("HTTP/1.1 201 Created\r\nA: "+strings.Repeat("a", 1<<20))(w, r)
		},
		"informational, then no": answerRaw("HTTP/1.1 103 Early Hints\r\n\r\n"),
		"informational for ever": answerRaw(strings.Repeat("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n", 10000)),
		"upgrade":                answerRaw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n{}"),
		"bad redirect":           answerRaw("HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n"),
		"silence":                answerNever,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newScriptedEngine(t, answer)
			c := newClient(t, e.URL, func(c *rfc0038.ClientConfig) { c.Timeout = time.Second })
			_, err := c.SendSettlement(t.Context(), "1-alice", "key", quantity(t, "1", 0))
			require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			require.NotErrorIs(t, err, rfc0038.ErrRefused)
			for _, r := range e.take() {
				require.Equal(t, "/accounts/1-alice/settlements", r.path)
				require.Equal(t, "key", r.header.Get("Idempotency-Key"))
			}
		})
	}
	unreachable := httptest.NewServer(http.NotFoundHandler())
	unreachable.Close()
	err := newClient(t, unreachable.URL).CreateAccount(t.Context(), "1-alice")
	var none *rfc0038.NoAnswerError
	require.ErrorAs(t, err, &none)
	var dial *net.OpError
	require.ErrorAs(t, err, &dial)
}

// The head of an answer decides about a settlement, whatever its body does.
func TestBodiesDoNotDecide(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"cut in the body": answerRaw("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{\"amou"),
		"text as JSON":    answerWith(201, "application/json", "EXECUTED"),
		"HTML":            answerWith(200, "text/html", "<!DOCTYPE html><pre>Error</pre>"),
		"other types":     answerWith(201, "application/json", `{"amount":150,"scale":"2"}`),
		"gzip":            answerRaw("HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for block := make([]byte, 1<<16); ; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		},
		"slow": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newScriptedEngine(t, answer)
			c := newClient(t, e.URL, func(c *rfc0038.ClientConfig) { c.Timeout = time.Second })
			taken, err := c.SendSettlement(t.Context(), "1-alice", "key", quantity(t, "150", 2))
			require.NoError(t, err)
			require.Nil(t, taken.Quantity)
			require.Len(t, e.take(), 1)
		})
	}
}

func TestAnsweredQuantity(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, answerWith(200, "text/plain", `{"amount":"001","scale":1,"x":2}`))
	taken, err := newClient(t, e.URL).SendSettlement(t.Context(), "1-alice", "key", quantity(t, "150", 2))
	require.NoError(t, err)
	require.True(t, taken.Quantity.Equal(quantity(t, "10", 2)))
}

func TestExcerptIsPrintable(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, answerWith(400, "text/html", "<pre>\x1b[31mError:\r\n\tat\x00 \xff\u202e b </pre>"+strings.Repeat("é ", 1<<16)))
	_, err := newClient(t, e.URL).SendSettlement(t.Context(), "1-alice", "key", quantity(t, "150", 2))
	var answer *rfc0038.AnswerError
	require.ErrorAs(t, err, &answer)
	require.True(t, strings.HasPrefix(answer.Excerpt, "<pre> [31mError: at b </pre>é é"), answer.Excerpt)
	require.Len(t, []rune(answer.Excerpt), 200)
	require.ErrorContains(t, err, "the engine answered 400")
}

func TestClientRefusesToSend(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, answerWith(201, "", ""))
	c := newClient(t, e.URL)
	one := quantity(t, "1", 0)
	for _, id := range []string{"", "Alice", "a:b", "a/b", "..", "a b", "ü", strings.Repeat("a", 4000)} {
		_, err := c.SendSettlement(t.Context(), id, "key", one)
		require.ErrorIs(t, err, rfc0038.ErrInvalidAccountID)
		_, err = c.SendMessage(t.Context(), id, []byte("x"))
		require.ErrorIs(t, err, rfc0038.ErrInvalidAccountID)
		require.ErrorIs(t, c.CreateAccount(t.Context(), id), rfc0038.ErrInvalidAccountID)
		require.ErrorIs(t, c.DeleteAccount(t.Context(), id), rfc0038.ErrInvalidAccountID)
	}
	for _, key := range []string{"", "a:b", "a b", "é", "a\nb", "[object Object]", strings.Repeat("k", 65)} {
		_, err := c.SendSettlement(t.Context(), "1-alice", key, one)
		require.ErrorIs(t, err, rfc0038.ErrInvalidKey)
	}
	for _, q := range []rfc0038.Quantity{{}, quantity(t, "0", 9), quantity(t, "-1", 9)} {
		_, err := c.SendSettlement(t.Context(), "1-alice", "key", q)
		require.ErrorIs(t, err, rfc0038.ErrInvalidQuantity)
	}
	_, err := c.SendMessage(t.Context(), "1-alice", nil)
	require.ErrorIs(t, err, rfc0038.ErrEmptyMessage)
	require.Empty(t, e.take())
}

// An amount beyond 128 bits, and one of a scale that we never use, arrive as they are.
func TestClientSendsAnyAmount(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, answerWith(201, "", ""))
	huge := new(big.Int).Lsh(big.NewInt(1), 200)
	_, err := newClient(t, e.URL).SendSettlement(t.Context(), "1-alice", "key", rfc0038.Quantity{Amount: huge, Scale: 255})
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(`{"amount":"%v","scale":255}`, huge), e.take()[0].body)
}

func TestCreateAccountComparesIDs(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, nil)
	c := newClient(t, e.URL)
	for _, body := range []string{"", "CREATED", "{}", `{"id":null}`, `{"id":"1-alice","x":1}`, `["id"]`, "<html>", `{"id":`} {
		e.script(answerWith(201, "application/json", body))
		require.NoError(t, c.CreateAccount(t.Context(), "1-alice"), body)
	}
	for _, body := range []string{`{"id":"1-Alice"}`, `{"id":""}`, `{"id":7}`, `{"id":{}}`, `{"id":"` + strings.Repeat("x", 5000) + `"}`} {
		e.script(answerWith(200, "application/json", body))
		err := c.CreateAccount(t.Context(), "1-alice")
		require.ErrorIs(t, err, rfc0038.ErrOtherAccount, body)
		require.Less(t, len(err.Error()), 200)
	}
	e.script(answerWith(500, "", "no"))
	require.ErrorIs(t, c.CreateAccount(t.Context(), "1-alice"), ledger.ErrOutcomeUnknown)
}

func TestDeleteAccountAsksOnceMore(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		statuses []int
		requests int
		ok       bool
	}{
		{[]int{204}, 1, true},
		{[]int{200}, 1, true},
		{[]int{404}, 1, true},
		{[]int{500, 404}, 2, true},
		{[]int{500, 204}, 2, true},
		{[]int{500, 500, 204}, 2, false},
		{[]int{503, 204}, 1, false},
		{[]int{405, 204}, 1, false},
		{[]int{302, 204}, 1, false},
	} {
		var answers []http.HandlerFunc
		for _, status := range c.statuses {
			answers = append(answers, answerWith(status, "", ""))
		}
		e := newScriptedEngine(t, answers...)
		err := newClient(t, e.URL).DeleteAccount(t.Context(), "1-alice")
		require.Equal(t, c.ok, err == nil, "%v: %v", c.statuses, err)
		require.Len(t, e.take(), c.requests, c.statuses)
	}
}

func TestSendMessage(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, nil)
	c := newClient(t, e.URL, func(c *rfc0038.ClientConfig) { c.MaxAnswer = 1000 })
	send := func(answer http.HandlerFunc) ([]byte, error) {
		e.script(answer)
		reply, err := c.SendMessage(t.Context(), "1-alice", []byte(`{"type":"ping"}`))
		require.Len(t, e.take(), 1, "a message is sent once")
		return reply, err
	}
	reply, err := send(answerWith(201, "application/json", "\x00\x01\xff"))
	require.NoError(t, err)
	require.Equal(t, []byte("\x00\x01\xff"), reply)
	reply, err = send(answerWith(200, "", strings.Repeat("r", 1000)))
	require.NoError(t, err)
	require.Len(t, reply, 1000)
	_, err = send(answerWith(200, "", strings.Repeat("r", 1001)))
	require.ErrorIs(t, err, rfc0038.ErrAnswerTooLarge)
	require.Equal(t, "T00", rfc0038.MessageRejectCode(err))
	_, err = send(answerRaw("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf"))
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown, "half a reply is none")
	require.Equal(t, "T00", rfc0038.MessageRejectCode(err))
	for status, code := range map[int]string{302: "T00", 400: "F00", 404: "F00", 409: "F00", 429: "F00", 500: "T00", 503: "T00"} {
		_, err = send(answerWith(status, "", ""))
		require.Error(t, err)
		require.Equal(t, code, rfc0038.MessageRejectCode(err), status)
	}
	_, err = send(answerRaw(""))
	require.Equal(t, "T00", rfc0038.MessageRejectCode(err))
}

func TestClientChecksCertificates(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	server.Config.ErrorLog = quietLog()
	server.StartTLS()
	t.Cleanup(server.Close)
	require.ErrorIs(t, newClient(t, server.URL).CreateAccount(t.Context(), "1-alice"), ledger.ErrOutcomeUnknown)
	require.Zero(t, requests.Load())
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	c := newClient(t, server.URL, func(c *rfc0038.ClientConfig) { c.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12} })
	require.NoError(t, c.CreateAccount(t.Context(), "1-alice"))
	require.Equal(t, int32(1), requests.Load())
}

// The engine asks for a certificate of ours (mutual TLS).
func TestClientShowsItsCertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(answerWith(201, "", ""))
	server.Config.ErrorLog = quietLog()
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	ours := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	withOurs := func(c *rfc0038.ClientConfig) { c.TLS = ours }
	require.ErrorIs(t, newClient(t, server.URL, withOurs).CreateAccount(t.Context(), "1-alice"), ledger.ErrOutcomeUnknown)
	ours.Certificates = server.TLS.Certificates
	require.NoError(t, newClient(t, server.URL, withOurs).CreateAccount(t.Context(), "1-alice"))
}

func TestConnectionsAreBoundedAndKept(t *testing.T) {
	t.Parallel()
	var open, most, opened atomic.Int32
	both := make(chan struct{}, 16)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := open.Add(1)
		defer open.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		both <- struct{}{}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, server.URL, func(c *rfc0038.ClientConfig) { c.MaxConnections = 2 })
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { _ = c.CreateAccount(t.Context(), "1-alice") })
	}
	wg.Wait()
	require.Len(t, both, 16)
	require.LessOrEqual(t, most.Load(), int32(2))
	require.LessOrEqual(t, opened.Load(), int32(2))
}

func TestCallerEndsRequest(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	e := newScriptedEngine(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		answerNever(w, r)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := newClient(t, e.URL).SendSettlement(ctx, "1-alice", "key", quantity(t, "1", 0))
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown, "the engine has the request")
	require.ErrorIs(t, err, context.Canceled)
}

func TestClientReportsRequests(t *testing.T) {
	t.Parallel()
	e := newScriptedEngine(t, answerWith(201, "", ""), answerWith(409, "", "seen"), answerRaw(""))
	var events []rfc0038.RequestEvent
	c := newClient(t, e.URL, func(c *rfc0038.ClientConfig) {
		c.Events.Answered = func(r rfc0038.RequestEvent) { events = append(events, r) }
	})
	require.NoError(t, c.CreateAccount(t.Context(), "1-alice"))
	_, err := c.SendSettlement(t.Context(), "1-alice", "k", quantity(t, "1", 0))
	require.Error(t, err)
	_, err = c.SendMessage(t.Context(), "1-alice", []byte("m"))
	require.Error(t, err)
	require.Len(t, events, 3)
	for i, want := range []rfc0038.RequestEvent{
		{Kind: rfc0038.KindCreate, Account: "1-alice", Outcome: rfc0038.OutcomeTaken, Status: 201},
		{Kind: rfc0038.KindSettlement, Account: "1-alice", Key: "k", Outcome: rfc0038.OutcomeSeen, Status: 409},
		{Kind: rfc0038.KindMessage, Account: "1-alice", Outcome: rfc0038.OutcomeUnknown},
	} {
		require.Positive(t, events[i].Duration)
		require.Equal(t, want.Outcome == rfc0038.OutcomeTaken, events[i].Err == nil)
		events[i].Duration, events[i].Err = 0, nil
		require.Equal(t, want, events[i])
	}
	require.Equal(t, map[rfc0038.RequestClass]uint64{
		{Kind: rfc0038.KindCreate, Outcome: rfc0038.OutcomeTaken}:    1,
		{Kind: rfc0038.KindSettlement, Outcome: rfc0038.OutcomeSeen}: 1,
		{Kind: rfc0038.KindMessage, Outcome: rfc0038.OutcomeUnknown}: 1,
	}, c.RequestCounts())
}
