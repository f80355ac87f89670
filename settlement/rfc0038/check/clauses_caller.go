package check

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

const sourceRetry = "RFC 0038, Retry behavior"

// callerClauses are about the subject as a client: an engine reports a payment, a connector settles.
func callerClauses() []Clause {
	return []Clause{
		{ID: "caller/form", Roles: both, Severity: Must, needs: "answers", Text: "The subject posts a Quantity above 0 in JSON under a key.", Source: sourceSettle, run: checkCall},
		{ID: "caller/once", Roles: both, Severity: Must, needs: "caller/form", Text: "A settlement that was answered with a 2xx is not sent again.", Source: sourceRetry, run: checkCallOnce},
		{ID: "caller/silence", Roles: both, Severity: Must, needs: "caller/form", Text: "Without an answer, the subject repeats key and value.", Source: sourceRetry + "; interledger-rs chooses another key, and pays twice", run: checkRetries(answerDrop)},
		{ID: "caller/error", Roles: both, Severity: Must, needs: "caller/form", Text: "After 503, the subject repeats key and value.", Source: sourceRetry + "; settlement-core adds the amount to the next report", run: checkRetries(http.StatusServiceUnavailable)},
		{ID: "caller/conflict", Roles: engine, Severity: Must, needs: "caller/form", Text: "After 409, an engine repeats key and value.", Source: sourceRetry + "; interledger-rs answers repeats with 409", run: checkRetries(http.StatusConflict)},
		{ID: "caller/redirect", Roles: both, Severity: Must, needs: "caller/form", Text: "After a redirect, the subject repeats key and value at the same place.", Source: "settlement-core and interledger-rs follow it with a GET, and take its 2xx for the answer", run: checkRetries(http.StatusFound)},
		{ID: "caller/many", Roles: both, Severity: Must, needs: "caller/silence", Text: "Key and value stay the same over many lost answers and errors.", Source: sourceRetry, run: checkRetries(answerDrop, http.StatusServiceUnavailable, answerDrop, http.StatusInternalServerError)},
	}
}

// firstCall triggers a settlement, and returns an error if it is no good settlement.
func (s *session) firstCall() (call, error) {
	switch {
	case s.cfg.Listener == nil || s.cfg.Trigger == nil:
		return call{}, skipError("needs calls of the subject: give --listen and --trigger-with")
	case s.callee == nil:
		s.callee = newCallee(s.cfg)
	}
	heard, err := s.hear()
	if err != nil {
		return call{}, err
	}
	return heard[0], heard[0].requireForm()
}

func checkCall(s *session) error {
	_, err := s.firstCall()
	return err
}

// requireForm requires a good settlement.
func (c call) requireForm() error {
	switch q, err := rfc0038.ParseQuantity(c.body); {
	case c.method != http.MethodPost || !strings.HasSuffix(c.path, "/settlements"):
		return fmt.Errorf("want a POST to settlements, got %s %s", c.method, shorten(c.path))
	case len(c.keys) != 1:
		return fmt.Errorf("want one Idempotency-Key, got %d", len(c.keys))
	case rfc0038.ParseKey(c.keys[0]) != nil:
		return rfc0038.ParseKey(c.keys[0])
	case !strings.HasPrefix(c.media, "application/json"):
		return fmt.Errorf("want the type application/json, got %q", c.media)
	case err != nil:
		return err
	case q.IsZero():
		return fmt.Errorf("want an amount above 0, got %v", q)
	}
	return nil
}

// callQuiet is how long an answered settlement is watched for a repeat.
const callQuiet = time.Second

func checkCallOnce(s *session) error {
	first, err := s.firstCall()
	if err != nil {
		return err
	}
	for {
		next, err := s.nextCall(callQuiet)
		if err != nil {
			return s.ctx.Err()
		}
		if next.hasKeyOf(first) {
			return fmt.Errorf("want no repeat, got %s", next)
		}
	}
}

func (c call) hasKeyOf(o call) bool { return strings.Join(c.keys, ",") == strings.Join(o.keys, ",") }

// checkRetries requires that the subject repeats a settlement after each of the answers.
func checkRetries(statuses ...int) func(*session) error {
	return func(s *session) error {
		heard, err := s.hear(statuses...)
		if err != nil {
			return err
		}
		for _, next := range heard {
			if err := next.requireForm(); err != nil {
				return err
			}
			first, _ := rfc0038.ParseQuantity(heard[0].body) // requireForm has read both
			again, _ := rfc0038.ParseQuantity(next.body)
			switch {
			case !next.hasKeyOf(heard[0]):
				return fmt.Errorf("want the key %q again, got %q", heard[0].keys, next.keys)
			case !again.Equal(first):
				return fmt.Errorf("want the value %v again, got %v", first, again)
			}
		}
		return nil
	}
}
