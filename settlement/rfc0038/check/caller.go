package check

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// call is a request of the subject.
type call struct {
	method, path, media string
	keys                []string
	body                []byte
}

func (c call) String() string {
	return request{method: c.method, path: c.path, media: c.media, keys: c.keys, body: string(c.body)}.String()
}

// answerDrop closes the connection in place of an answer.
const answerDrop = 0

// callee is the other side that the subject calls as a client. It answers settlements by a list of
// statuses, and all else as a friendly program.
type callee struct {
	server *http.Server
	work   sync.WaitGroup
	calls  chan call // settlements, and what follows a redirect

	mu       sync.Mutex
	statuses []int // of the next settlements; 201 after the last
}

// maxCalls bounds the calls that wait to be read by a clause; further ones are answered and forgotten.
const maxCalls = 1000

func newCallee(cfg Config) *callee {
	c := &callee{calls: make(chan call, maxCalls)}
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: cfg.Timeout, ReadTimeout: cfg.Timeout}
	c.work.Go(func() { _ = c.server.Serve(cfg.Listener) }) // it ends with close
	return c
}

func (c *callee) close() {
	_ = c.server.Close() // it closes the listener
	c.work.Wait()
}

// prepare sets the statuses of the next settlements and forgets earlier calls.
func (c *callee) prepare(statuses []int) {
	c.mu.Lock()
	c.statuses = statuses
	c.mu.Unlock()
	for {
		select {
		case <-c.calls:
		default:
			return
		}
	}
}

// ServeHTTP answers the subject.
func (c *callee) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
		return
	case strings.HasSuffix(r.URL.Path, "/accounts"):
		c.answer(w, http.StatusCreated, body)
		return
	case strings.HasSuffix(r.URL.Path, "/messages"):
		w.Header().Set("Content-Type", "application/octet-stream")
		w.WriteHeader(http.StatusCreated)
		return
	}
	status := http.StatusCreated
	if strings.HasSuffix(r.URL.Path, "/settlements") {
		status = c.takeStatus()
	}
	select {
	case c.calls <- call{r.Method, r.URL.Path, r.Header.Get("Content-Type"), r.Header["Idempotency-Key"], body}:
	default:
	}
	c.answer(w, status, body)
}

func (c *callee) takeStatus() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.statuses) == 0 {
		return http.StatusCreated
	}
	status := c.statuses[0]
	c.statuses = c.statuses[1:]
	return status
}

// answer sends a status; a 2xx with the request's body.
func (c *callee) answer(w http.ResponseWriter, status int, body []byte) {
	switch status / 100 {
	case answerDrop:
		panic(http.ErrAbortHandler)
	case 3:
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	case 2:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body) // the subject may be gone
	default:
		w.WriteHeader(status)
	}
}

// hear triggers a settlement of the subject, answers it by the statuses and then with 201, and returns
// all requests: one more than statuses.
func (s *session) hear(statuses ...int) ([]call, error) {
	s.callee.prepare(statuses)
	if err := s.cfg.Trigger(s.ctx); err != nil {
		return nil, fmt.Errorf("the trigger failed: %w", err)
	}
	var heard []call
	for i := range len(statuses) + 1 {
		next, err := s.nextCall(s.cfg.Timeout)
		if err != nil {
			return nil, fmt.Errorf("want request %d of %d: %w", i+1, len(statuses)+1, err)
		}
		seen := "no answer"
		if i == len(statuses) {
			seen = "201"
		} else if statuses[i] != answerDrop {
			seen = fmt.Sprint(statuses[i])
		}
		s.exchanges = append(s.exchanges, Exchange{Sent: next.String(), Seen: seen})
		heard = append(heard, next)
	}
	return heard, nil
}

// nextCall waits for a request of the subject.
func (s *session) nextCall(wait time.Duration) (call, error) {
	ctx, cancel := context.WithTimeout(s.ctx, wait)
	defer cancel()
	select {
	case next := <-s.callee.calls:
		return next, nil
	case <-ctx.Done():
		return call{}, fmt.Errorf("none came within %v", wait)
	}
}
