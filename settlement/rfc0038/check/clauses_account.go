package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

var (
	engine    = []Role{Engine}
	connector = []Role{Connector}
	both      = []Role{Engine, Connector}
)

// accountClauses are about the subject as a whole and about the creation of accounts.
func accountClauses() []Clause {
	return []Clause{
		{ID: "answers", Roles: both, Severity: Must, Text: "The subject answers HTTP requests.", Source: "RFC 0038, HTTP API", run: checkAnswers},
		{ID: "create", Roles: engine, Severity: Must, needs: "answers", Text: "POST /accounts with an id is answered with a 2xx.", Source: "RFC 0038, Setup an account", run: checkCreate},
		{ID: "create/id", Roles: engine, Severity: Needed, needs: "create", Text: "The answer to POST /accounts is JSON with the id of the request.", Source: "the Java connector uses this id; settlement-core answers a body that it cannot read with another id", run: checkCreateID},
		{ID: "create/repeat", Roles: engine, Severity: Must, needs: "create", Text: "An account that exists may be created again.", Source: "interledger-rs creates an account again with each change of it", run: checkCreateRepeat},
		{ID: "create/null-id", Roles: engine, Severity: Needed, needs: "create", Text: "An account without an id, or with the id null, gets an id in the answer.", Source: "the Java connector sends the id null", run: checkCreateNull},
		{ID: "create/bad-json", Roles: engine, Severity: Must, needs: "create", Text: "POST /accounts with broken JSON is refused with a 4xx.", Source: "RFC 0038, Setup an account", run: checkCreateBadJSON},
		{ID: "account", Roles: both, Severity: Must, needs: "answers", Text: "There is an account for the settlements of the suite.", Source: "RFC 0038, Accounts and identifiers", run: checkAccount},
	}
}

func checkAnswers(s *session) error {
	got := s.send(request{method: http.MethodGet, path: "/accounts/" + newUUID() + "/settlements"})
	if got.err != nil {
		return fmt.Errorf("want any answer, got %s", got.describe())
	}
	return nil
}

// create asks the engine to create an account.
func (s *session) create(body string) response {
	return s.send(request{path: "/accounts", media: "application/json", body: body})
}

// newAccount returns the id of an account that the suite creates, and deletes in the end.
func (s *session) newAccount() string {
	s.owned = append(s.owned, newUUID())
	return s.owned[len(s.owned)-1]
}

func checkCreate(s *session) error {
	s.other = s.newAccount()
	return s.create(fmt.Sprintf(`{"id":%q}`, s.other)).requireTaken()
}

var errNoID = errors.New(`want {"id":"…"}`)

// readID returns the id in an answer.
func readID(got response) (string, error) {
	var fields struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(got.body, &fields); err != nil || fields.ID == "" {
		return "", fmt.Errorf("%w, got %q", errNoID, shorten(string(got.body)))
	}
	return fields.ID, nil
}

func checkCreateID(s *session) error {
	got := s.create(fmt.Sprintf(`{"id":%q}`, s.other))
	if err := got.requireTaken(); err != nil {
		return err
	}
	id, err := readID(got)
	if err == nil && id != s.other {
		err = fmt.Errorf("want the id %s, got %s", s.other, shorten(id))
	}
	return err
}

func checkCreateRepeat(s *session) error {
	return s.create(fmt.Sprintf(`{"id":%q}`, s.other)).requireTaken()
}

func checkCreateNull(s *session) error {
	for _, body := range []string{`{"id":null}`, `{}`} {
		got := s.create(body)
		if err := got.requireTaken(); err != nil {
			return err
		}
		id, err := readID(got)
		if err != nil {
			return err
		}
		s.owned = append(s.owned, id)
	}
	return nil
}

func checkCreateBadJSON(s *session) error { return s.create(`{"id":"al`).requireRefused() }

func checkAccount(s *session) error {
	switch {
	case s.account != "":
		return nil
	case s.cfg.Role == Connector:
		return skipError("needs an account of the connector: name one with --account")
	}
	s.account = s.newAccount()
	return s.create(fmt.Sprintf(`{"id":%q}`, s.account)).requireTaken()
}

// endClauses delete the accounts of the suite, and judge all answers of the run.
func endClauses() []Clause {
	return []Clause{
		{ID: "delete", Roles: engine, Severity: Must, needs: "create", Text: "DELETE /accounts/ID is answered with 204.", Source: "RFC 0038, Delete an account", run: checkDelete},
		{ID: "delete/again", Roles: engine, Severity: Needed, needs: "delete", Text: "A second DELETE is answered with a 2xx or 404.", Source: "a client whose answer was lost asks again", run: checkDeleteAgain},
		{ID: "delete/gone", Roles: engine, Severity: Must, needs: "delete", Text: "A settlement of a deleted account is answered with 404.", Source: "RFC 0038, Delete an account", run: checkDeletedAccount},
		{ID: "answer/once", Roles: both, Severity: Must, needs: "settle", Text: "A request has one answer.", Source: "a second answer is taken for the answer to the next request", run: checkOneAnswer},
		{ID: "answer/time", Roles: both, Severity: Needed, needs: "settle", Text: "Settlements are answered within 5 s.", Source: "interledger-rs settles again under another key after 5 s; settlement-core repeats after 10 s", run: checkTime},
		{ID: "answer/size", Roles: both, Severity: Needed, needs: "answers", Text: "Answers have at most 64 KiB.", Source: "programs read answers into memory", run: checkSize},
		{ID: "answer/redirect", Roles: both, Severity: Must, needs: "answers", Text: "No answer is a redirect.", Source: "settlement-core and interledger-rs follow it with a GET, whose 2xx they take for the answer", run: checkRedirects},
	}
}

func (s *session) delete(id string) response {
	return s.send(request{method: http.MethodDelete, path: "/accounts/" + url.PathEscape(id)})
}

func checkDelete(s *session) error { return s.delete(s.other).requireStatus(http.StatusNoContent) }

func checkDeleteAgain(s *session) error {
	got := s.delete(s.other)
	if got.isTaken() {
		return nil
	}
	return got.requireStatus(http.StatusNotFound)
}

func checkDeletedAccount(s *session) error {
	r := s.settlement(s.quantity())
	r.path = "/accounts/" + s.other + "/settlements"
	return s.settle(r).requireStatus(http.StatusNotFound)
}

// deleteOwn deletes the accounts of the suite, as far as the engine does, also if the run was
// interrupted: within Timeout in all.
func (s *session) deleteOwn() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), s.cfg.Timeout)
	defer cancel()
	s.ctx = ctx
	for _, id := range s.owned {
		s.delete(id)
	}
}

// close ends the calls of the subject.
func (s *session) close() {
	switch {
	case s.callee != nil:
		s.callee.close()
	case s.cfg.Listener != nil:
		_ = s.cfg.Listener.Close() // it was not used
	}
}
