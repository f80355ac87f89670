package rfc0038

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	mediaJSON   = "application/json"
	mediaOctets = "application/octet-stream"
	headerKey   = "Idempotency-Key"
)

// request is a request to the engine.
type request struct {
	kind      RequestKind
	method    string
	account   string // id on the wire
	path      string // below /accounts: "" or with a slash in front; needs no escapes
	mediaType string // "" without a body
	key       string // "" without a key
	body      []byte
}

// answer is an engine's answer of class 2xx.
type answer struct {
	status    int
	body      []byte // at most MaxAnswer bytes
	truncated bool   // the body was longer
	bodyErr   error  // the body broke off
}

// send sends a request once and reads the answer. Every status but 2xx is an [AnswerError], no answer
// a [NoAnswerError].
func (c *Client) send(ctx context.Context, r *request) (answer, error) {
	began := time.Now()
	got, err := c.exchange(ctx, r)
	outcome := outcomeOf(err)
	c.stats.count(RequestClass{Kind: r.kind, Outcome: outcome})
	c.cfg.Events.Answered(RequestEvent{
		Kind: r.kind, Account: r.account, Key: r.key, Outcome: outcome, Status: statusOf(got, err), Duration: time.Since(began), Err: err,
	})
	return got, err
}

func (c *Client) exchange(ctx context.Context, r *request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	ctx, sent := watchConn(ctx)
	req, err := c.newHTTPRequest(ctx, r)
	if err != nil {
		return answer{}, err
	}
	// http.Client would add only redirects and cookies, neither of which we want, and copies of the request.
	resp, err := c.pool.RoundTrip(req)
	if err != nil {
		return answer{}, &NoAnswerError{Err: &url.Error{Op: r.method[:1] + strings.ToLower(r.method[1:]), URL: req.URL.String(), Err: err}}
	}
	defer func() { _ = resp.Body.Close() }()
	if r := sent.Load(); r.isStale() {
		_ = r.conn.Close() // the next answer on it would be stale too
		return answer{}, &NoAnswerError{Err: errStaleAnswer}
	}
	got := answer{status: resp.StatusCode}
	if got.status != http.StatusSwitchingProtocols { // the body would be the connection itself
		got.readBody(resp.Body, c.cfg.MaxAnswer)
	}
	if got.status/100 != 2 {
		return got, &AnswerError{Method: r.method, URL: req.URL.String(), Status: got.status, Excerpt: excerptOf(got.body)}
	}
	return got, nil
}

// readBody reads the body up to a bound. A connection with an unread rest is closed and not kept.
func (a *answer) readBody(body io.Reader, bound int64) {
	a.body, a.bodyErr = io.ReadAll(io.LimitReader(body, bound+1))
	if int64(len(a.body)) > bound {
		a.body, a.truncated = a.body[:bound], true
	}
}

func (c *Client) newHTTPRequest(ctx context.Context, r *request) (*http.Request, error) {
	var body io.Reader
	if r.mediaType != "" {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, "", body)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = c.requestURL(r.path), c.base.Host
	req.Header = maps.Clone(c.header)
	if r.mediaType != "" {
		media := []string{r.mediaType}
		req.Header["Content-Type"], req.Header["Accept"] = media, media
	}
	if r.key != "" {
		// net/http repeats a request with an "Idempotency-Key" at once when the connection breaks. Repeats
		// are the caller's, with backoff. net/http does not look for the name in lower case, and still
		// sends a request again of which it wrote nothing. interledger-rs writes lower case too.
		req.Header["idempotency-key"] = []string{r.key}
	}
	return req, nil
}

// commonHeader returns the header fields of every request.
func commonHeader(cfg ClientConfig) http.Header {
	header := http.Header{}
	header.Set("User-Agent", cfg.UserAgent)
	if cfg.BearerToken != "" {
		header.Set("Authorization", "Bearer "+cfg.BearerToken)
	}
	if cfg.HeaderName != "" && cfg.HeaderValue != "" {
		header.Set(cfg.HeaderName, cfg.HeaderValue)
	}
	return header
}

// requestURL returns the URL of a path below /accounts.
func (c *Client) requestURL(path string) *url.URL {
	u := *c.base
	u.Path += "/accounts" + path
	if u.RawPath != "" {
		u.RawPath += "/accounts" + path
	}
	return &u
}

// statusOf returns the status of the answer, 0 without one.
func statusOf(got answer, err error) int {
	if refused, ok := errors.AsType[*AnswerError](err); ok {
		return refused.Status
	}
	return got.status
}
