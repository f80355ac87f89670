package check

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// maxAnswer bounds an answer's body, in bytes. Programs read answers into memory.
const maxAnswer = 64 << 10

// session is one run of the suite.
type session struct {
	cfg     Config
	ctx     context.Context
	client  *http.Client
	account string   // takes the settlements; "" without one
	other   string   // a second account of the suite, of an engine; "" without one
	owned   []string // accounts that the suite created, or may have

	callee *callee // called by the subject; nil before the first clause about calls

	firstKey string   // of the first accepted settlement
	first    response // to it

	mu        sync.Mutex // of the following, for requests at one time
	exchanges []Exchange // of the clause
	settled   map[string]bool
	redirects []Exchange
	oversized []Exchange
	slowest   time.Duration // of the answers to good settlements
	slowestOf Exchange
}

func newSession(ctx context.Context, cfg Config) *session {
	return &session{
		cfg: cfg, ctx: ctx, account: cfg.Account, settled: map[string]bool{},
		client: &http.Client{
			Transport: newTransport(cfg), Timeout: cfg.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// request is a request of the suite.
type request struct {
	method string // default POST
	path   string
	media  string
	keys   []string // values of Idempotency-Key
	body   string
	huge   io.Reader // the body if it is not nil
}

// response is an answer, or the reason for none.
type response struct {
	status int
	media  string
	body   []byte // at most maxAnswer and one byte
	err    error  // there was no answer, or not a whole one
	took   time.Duration
}

// settlement is a request for a settlement of a Quantity, under a new key.
func (s *session) settlement(q rfc0038.Quantity) request {
	text, err := json.Marshal(q)
	if err != nil {
		panic(err) // the configuration was checked
	}
	return s.settlementOf(string(text))
}

// settlementOf is a request for a settlement with a body, under a new key.
func (s *session) settlementOf(body string) request {
	return request{path: "/accounts/" + url.PathEscape(s.account) + "/settlements", media: "application/json", keys: []string{newUUID()}, body: body}
}

// send sends a request and notes the exchange.
func (s *session) send(r request) response {
	if r.method == "" {
		r.method = http.MethodPost
	}
	begin := time.Now()
	got := s.exchange(r)
	got.took = time.Since(begin)
	note := Exchange{Sent: r.String(), Seen: got.String()}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges = append(s.exchanges, note)
	if got.err == nil && got.status/100 == 3 {
		s.redirects = append(s.redirects, note)
	}
	if len(got.body) > maxAnswer {
		s.oversized = append(s.oversized, note)
	}
	return got
}

func (s *session) exchange(r request) (got response) {
	var body io.Reader = strings.NewReader(r.body)
	if r.huge != nil {
		body = r.huge
	}
	h, err := http.NewRequestWithContext(s.ctx, r.method, trimURL(s.cfg.URL)+r.path, body)
	if err != nil {
		return response{err: err}
	}
	s.setHeader(h, r)
	answer, err := s.client.Do(h)
	if err != nil {
		return response{err: err}
	}
	defer answer.Body.Close() //nolint:errcheck // the body is read
	got = response{status: answer.StatusCode, media: answer.Header.Get("Content-Type")}
	got.body, got.err = io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	return got
}

func (s *session) setHeader(h *http.Request, r request) {
	h.Header = http.Header{"Accept": {"application/json, application/octet-stream"}, "User-Agent": {"peerledger-check"}}
	if r.media != "" {
		h.Header.Set("Content-Type", r.media)
	}
	if r.keys != nil {
		h.Header["Idempotency-Key"] = r.keys
	}
	if s.cfg.Token != "" {
		h.Header.Set("Authorization", "Bearer "+s.cfg.Token)
	}
}

// settle sends a good settlement of Amount, and counts it if the subject takes it.
func (s *session) settle(r request) response {
	got := s.send(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if got.took > s.slowest {
		s.slowest, s.slowestOf = got.took, Exchange{r.String(), got.String()}
	}
	if got.isTaken() {
		s.settled[r.path+" "+strings.Join(r.keys, ", ")] = true
	}
	return got
}

// isTaken reports whether the answer is a whole 2xx.
func (r response) isTaken() bool { return r.err == nil && r.status/100 == 2 }

// requireTaken requires a 2xx.
func (r response) requireTaken() error {
	if r.isTaken() {
		return nil
	}
	return fmt.Errorf("want a 2xx, got %s", r.describe())
}

// requireRefused requires a 4xx.
func (r response) requireRefused() error {
	if r.err == nil && r.status/100 == 4 {
		return nil
	}
	return fmt.Errorf("want a 4xx, got %s", r.describe())
}

// requireStatus requires one of the statuses.
func (r response) requireStatus(want ...int) error {
	for _, status := range want {
		if r.err == nil && r.status == status {
			return nil
		}
	}
	return fmt.Errorf("want %s, got %s", strings.Trim(fmt.Sprint(want), "[]"), r.describe())
}

// describe returns the status, or the reason for none.
func (r response) describe() string {
	if r.err != nil {
		return r.String()
	}
	return fmt.Sprint(r.status)
}

func (r response) String() string {
	switch {
	case r.err != nil && r.status != 0:
		return fmt.Sprintf("a %d without the end of its body (%v)", r.status, r.err)
	case r.err != nil:
		return fmt.Sprintf("no answer (%v)", r.err)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", r.status, shorten(r.media), shorten(string(r.body))))
}

func (r request) String() string {
	text := r.method + " " + shorten(r.path)
	for _, key := range r.keys {
		text += " Idempotency-Key: " + shorten(key)
	}
	if r.media != "" && r.media != "application/json" {
		text += " " + shorten(r.media)
	}
	if r.huge != nil {
		return text + " (a body of 8 MiB)"
	}
	return strings.TrimSpace(text + " " + shorten(r.body))
}

// shorten returns a text of one line with at most 200 characters, all of which print: a subject must not
// control the operator's terminal.
func shorten(text string) string {
	if cut := []rune(text); len(cut) > 200 {
		text = string(cut[:200]) + "…"
	}
	clean := func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}
	return strings.Map(clean, strings.ToValidUTF8(text, "?"))
}

// newUUID returns a random UUID of version 4.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// equalAnswers reports whether two answers say the same: status, and Quantity or text.
func equalAnswers(a, b response) bool {
	x, errX := rfc0038.ParseQuantity(a.body)
	y, errY := rfc0038.ParseQuantity(b.body)
	if errX == nil && errY == nil {
		return a.status == b.status && x.Equal(y)
	}
	return a.status == b.status && bytes.Equal(a.body, b.body)
}
