package check

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// formClauses are about the form of requests, and about messages.
func formClauses() []Clause {
	return []Clause{
		{ID: "form/charset", Roles: both, Severity: Must, needs: "settle", Text: "The type application/json;charset=utf-8 is taken.", Source: "settlement-core and the Java connector send it", run: checkMedia("application/json;charset=utf-8")},
		{ID: "form/no-type", Roles: connector, Severity: Needed, needs: "settle", Text: "A body without a type is taken as JSON.", Source: "interledger-rs takes it", run: checkMedia("")},
		{ID: "form/doubled-slash", Roles: both, Severity: Needed, needs: "settle", Text: "Empty segments of the path are ignored.", Source: "interledger-rs and settlement-core send //accounts to a base URL that ends with a slash", run: checkDoubledSlash},
		{ID: "form/method", Roles: both, Severity: Must, needs: "account", Text: "GET on a settlement is refused with a 4xx.", Source: "interledger-rs answers 405, settlement-core 404", run: checkMethod},
		{ID: "form/huge", Roles: both, Severity: Needed, needs: "settle", Text: "A body of 8 MiB is refused with a 4xx, or the connection is closed, and the subject goes on.", Source: "settlement-core answers 413 beyond 100 kB", run: checkHugeBody},
		{ID: "message", Roles: both, Severity: Needed, needs: "account", Text: "A message is answered with a 2xx or a 4xx, by a connector also with 502.", Source: "RFC 0038, Handle incoming message and Send outgoing message", run: checkMessage},
		{ID: "message/unknown-account", Roles: both, Severity: Needed, needs: "answers", Text: "A message of an unknown account is answered with 404.", Source: "clients create the account then", run: checkMessageUnknown},
	}
}

func checkMedia(media string) func(*session) error {
	return func(s *session) error {
		r := s.settlement(s.quantity())
		r.media = media
		return s.settle(r).requireTaken()
	}
}

func checkDoubledSlash(s *session) error {
	r := s.settlement(s.quantity())
	r.path = "/" + r.path
	return s.settle(r).requireTaken()
}

func checkMethod(s *session) error {
	return s.send(request{method: http.MethodGet, path: "/accounts/" + url.PathEscape(s.account) + "/settlements"}).requireRefused()
}

// checkHugeBody sends a body that is a Quantity at no point, so that it can never be booked.
func checkHugeBody(s *session) error {
	r := s.settlementOf("")
	r.huge = io.LimitReader(endlessDigits{}, 8<<20)
	got := s.send(r)
	var netErr net.Error
	timedOut := errors.As(got.err, &netErr) && netErr.Timeout()
	if closed := got.err != nil && got.status == 0 && !timedOut; !closed {
		if err := got.requireRefused(); err != nil {
			return err
		}
	}
	if err := checkAnswers(s); err != nil { // a subject that died has closed the connection too
		return fmt.Errorf("after the body: %w", err)
	}
	return nil
}

// endlessDigits is an amount without an end and without its first quote.
type endlessDigits struct{}

func (endlessDigits) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '1'
	}
	return len(p), nil
}

func (s *session) message(account string) request {
	return request{path: "/accounts/" + url.PathEscape(account) + "/messages", media: "application/octet-stream", body: string(s.cfg.Message)}
}

func checkMessage(s *session) error {
	got := s.send(s.message(s.account))
	switch {
	case got.isTaken(), got.err == nil && got.status == http.StatusBadGateway && s.cfg.Role == Connector:
		return nil
	case got.err == nil && got.status == http.StatusNotFound:
		return fmt.Errorf("want a known account, got %s", got.describe())
	}
	return got.requireRefused()
}

func checkMessageUnknown(s *session) error {
	return s.send(s.message(newUUID())).requireStatus(http.StatusNotFound)
}

// quiet is how long a connection is watched for a second answer.
const quiet = 200 * time.Millisecond

// checkOneAnswer sends a settlement on a connection that stays open, and watches the connection behind
// the answer.
func checkOneAnswer(s *session) error {
	r := s.settlement(s.quantity())
	h, err := http.NewRequestWithContext(s.ctx, http.MethodPost, trimURL(s.cfg.URL)+r.path, strings.NewReader(r.body))
	if err != nil {
		return err
	}
	s.setHeader(h, r)
	conn, err := s.dial(h.URL)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is written behind the request
	if err := errors.Join(conn.SetDeadline(time.Now().Add(s.cfg.Timeout)), h.Write(conn)); err != nil {
		return err
	}
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, h)
	if err != nil {
		return fmt.Errorf("want an answer: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("want a whole answer: %w", err)
	}
	got := response{status: answer.StatusCode, media: answer.Header.Get("Content-Type"), body: body}
	s.exchanges = append(s.exchanges, Exchange{r.String(), got.String()})
	if got.isTaken() {
		s.settled[r.path+" "+r.keys[0]] = true
	}
	if err := conn.SetReadDeadline(time.Now().Add(quiet)); err != nil {
		return err
	}
	if extra, err := reader.Peek(1); len(extra) > 0 {
		more, _ := reader.Peek(reader.Buffered())
		return fmt.Errorf("want nothing behind the answer, got %q", shorten(string(more)))
	} else if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("want an open or closed connection behind the answer: %w", err)
	}
	return nil
}

// dial opens a connection to the subject.
func (s *session) dial(u *url.URL) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	conn, err := s.cfg.Dial(s.ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil || u.Scheme == "http" {
		return conn, err
	}
	settings := &tls.Config{}
	if s.cfg.TLS != nil {
		settings = s.cfg.TLS.Clone()
	}
	settings.ServerName = u.Hostname()
	return tls.Client(conn, settings), nil
}

// maxSettleTime bounds the time of an answer to a settlement.
const maxSettleTime = 5 * time.Second

func checkTime(s *session) error {
	if s.slowest <= maxSettleTime {
		return nil
	}
	s.exchanges = append(s.exchanges, s.slowestOf)
	return fmt.Errorf("the slowest answer took %v", s.slowest.Round(time.Millisecond))
}

func checkSize(s *session) error {
	s.exchanges = append(s.exchanges, s.oversized...)
	if len(s.oversized) > 0 {
		return errors.New("an answer was larger")
	}
	return nil
}

func checkRedirects(s *session) error {
	s.exchanges = append(s.exchanges, s.redirects...)
	if len(s.redirects) > 0 {
		return errors.New("an answer was a redirect")
	}
	return nil
}
