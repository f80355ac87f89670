package check

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"sync"
	"time"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

const (
	sourceSettle      = "RFC 0038, Perform outgoing settlement and Credit incoming settlement"
	sourceIdempotence = "RFC 0038, Handling idempotent requests"
)

// settlementClauses are about good settlements and their repeats.
func settlementClauses() []Clause {
	return []Clause{
		{ID: "settle", Roles: both, Severity: Must, needs: "account", Text: "A settlement is answered with a 2xx.", Source: sourceSettle, run: checkSettle},
		{ID: "settle/quantity", Roles: both, Severity: Needed, needs: "settle", Text: "The answer to a settlement is a Quantity in JSON.", Source: "without it settlement-core 0.1.1 reports the amount again, and the Java connector takes the settlement back", run: checkQuantity},
		{ID: "settle/whole", Roles: both, Severity: Must, needs: "settle/quantity", Text: "The Quantity in the answer is the one asked for: the receiver keeps what is below its unit.", Source: "RFC 0038, Scale conversions; the Java connector ignores a smaller amount", run: checkWhole},
		{ID: "settle/repeat", Roles: both, Severity: Must, needs: "settle", Text: "A repeat of a settlement under its key is answered with a 2xx.", Source: sourceIdempotence + "; after 409 settlement-core and interledger-rs move the amount to another key", run: checkRepeat},
		{ID: "settle/repeat-answer", Roles: both, Severity: Needed, needs: "settle/repeat", Text: "A repeat has the answer of the first request.", Source: sourceIdempotence, run: checkRepeatAnswer},
		{ID: "settle/repeat-value", Roles: both, Severity: Needed, needs: "settle/repeat", Text: "The same value at another scale, or with leading zeros, is a repeat.", Source: "settlement-core compares values", run: checkRepeatValue},
		{ID: "settle/other-value", Roles: both, Severity: Must, needs: "settle", Text: "Another value under a used key is refused with a 4xx.", Source: "settlement-core answers 400, interledger-rs 409; settlement-core sends a grown amount under an old key", run: checkOtherValue},
		{ID: "settle/equal", Roles: both, Severity: Must, needs: "settle", Text: "An equal settlement under another key is another settlement: a 2xx.", Source: sourceIdempotence, run: checkEqual},
		{ID: "settle/parallel", Roles: both, Severity: Must, needs: "settle/repeat", Text: "Ten requests with one key at one time are all answered with a 2xx.", Source: "settlement-core repeats a report after 10 s, beside the first request", run: checkParallel},
		{ID: "settle/recreate", Roles: engine, Severity: Must, needs: "settle/other-value", Text: "Creating an account again keeps its keys.", Source: "interledger-rs creates an account again with each change of it", run: checkRecreate},
		{ID: "settle/unknown-account", Roles: both, Severity: Must, needs: "answers", Text: "A settlement of an unknown account is answered with 404.", Source: "clients create the account then, and ask again", run: checkUnknownAccount},
	}
}

func checkSettle(s *session) error {
	r := s.settlement(s.quantity())
	got := s.settle(r)
	if err := got.requireTaken(); err != nil {
		return err
	}
	s.firstKey, s.first = r.keys[0], got
	return nil
}

// repeat is the first settlement again.
func (s *session) repeat() request {
	r := s.settlement(s.quantity())
	r.keys = []string{s.firstKey}
	return r
}

var errNoQuantity = errors.New(`want {"amount":"…","scale":…}`)

func checkQuantity(s *session) error {
	got := s.settle(s.settlement(s.quantity()))
	if err := got.requireTaken(); err != nil {
		return err
	}
	if _, err := rfc0038.ParseQuantity(got.body); err != nil {
		return fmt.Errorf("%w: %w", errNoQuantity, err)
	}
	s.first = got
	return nil
}

func checkWhole(s *session) error {
	got, err := rfc0038.ParseQuantity(s.first.body)
	if err == nil && !got.Equal(s.quantity()) {
		err = fmt.Errorf("want the value %v, got %v", s.quantity(), got)
	}
	return err
}

func checkRepeat(s *session) error { return s.settle(s.repeat()).requireTaken() }

func checkRepeatAnswer(s *session) error {
	r := s.settlement(s.quantity())
	first, second := s.settle(r), s.settle(r)
	if err := errors.Join(first.requireTaken(), second.requireTaken()); err != nil {
		return err
	}
	if !equalAnswers(first, second) {
		return fmt.Errorf("want %s, got %s", first, second)
	}
	return nil
}

// rescale returns the same value at a scale that is larger by places.
func rescale(q rfc0038.Quantity, places uint8) rfc0038.Quantity {
	units, _ := q.Split(q.Scale + places)
	return rfc0038.Quantity{Amount: units, Scale: q.Scale + places}
}

func checkRepeatValue(s *session) error {
	finer, zeros := s.settlement(rescale(s.quantity(), 1)), s.settlementOf(s.leadingZeros())
	finer.keys, zeros.keys = []string{s.firstKey}, []string{s.firstKey}
	return errors.Join(s.settle(finer).requireTaken(), s.settle(zeros).requireTaken())
}

// otherValue is a settlement of another value under the first key.
func (s *session) otherValue() request {
	r := s.settlement(rfc0038.Quantity{Amount: new(big.Int).Add(s.cfg.Amount, big.NewInt(1)), Scale: s.cfg.Scale})
	r.keys = []string{s.firstKey}
	return r
}

func checkOtherValue(s *session) error { return s.send(s.otherValue()).requireRefused() }

func checkEqual(s *session) error { return s.settle(s.settlement(s.quantity())).requireTaken() }

func checkParallel(s *session) error {
	r := s.settlement(s.quantity())
	answers := make([]response, 10)
	var work sync.WaitGroup
	for i := range answers {
		work.Go(func() { answers[i] = s.settle(r) })
	}
	work.Wait()
	for _, got := range answers {
		if err := got.requireTaken(); err != nil {
			return err
		}
	}
	return nil
}

func checkRecreate(s *session) error {
	if err := s.create(fmt.Sprintf(`{"id":%q}`, s.account)).requireTaken(); err != nil {
		return err
	}
	return s.send(s.otherValue()).requireRefused()
}

func checkUnknownAccount(s *session) error {
	r := s.settlement(s.quantity())
	r.path = "/accounts/" + newUUID() + "/settlements"
	return s.settle(r).requireStatus(http.StatusNotFound)
}

// restartClauses are about what a restart must not change.
func restartClauses() []Clause {
	return []Clause{
		{ID: "restart", Roles: both, Severity: Must, needs: "settle", Text: "The subject knows the account after a restart: a settlement is answered with a 2xx.", Source: "clients do not create accounts again by themselves", run: checkRestart},
		{ID: "restart/keys", Roles: both, Severity: Must, needs: "restart", Text: "A restart keeps the keys: another value under a used key is refused with a 4xx.", Source: "RFC 0038, Handling idempotent requests: keys are kept for 24 hours at least", run: checkRestartKeys},
	}
}

// restartPause is the pause between two looks at a subject that starts.
const restartPause = 50 * time.Millisecond

func checkRestart(s *session) error {
	if s.cfg.Restart == nil {
		return skipError("needs a way to restart the subject: give --restart-with")
	}
	if err := s.cfg.Restart(s.ctx); err != nil {
		return fmt.Errorf("the restart failed: %w", err)
	}
	ctx, cancel := context.WithTimeout(s.ctx, 2*s.cfg.Timeout)
	defer cancel()
	for s.exchange(request{method: http.MethodGet, path: "/accounts/" + newUUID() + "/settlements"}).err != nil {
		timer := time.NewTimer(restartPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("want an answer after the restart: %w", ctx.Err())
		case <-timer.C:
		}
	}
	return s.settle(s.settlement(s.quantity())).requireTaken()
}

func checkRestartKeys(s *session) error { return s.send(s.otherValue()).requireRefused() }
