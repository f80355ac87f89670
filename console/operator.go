package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"unicode"
)

// Permission is what a console lets its users do.
type Permission int

const (
	// View only shows: the console has no route that writes.
	View Permission = iota
	// Act also changes lines, suspends, books and pays: see the package comment.
	Act
)

// validateActing checks the fields about acting.
func (c *Config) validateActing(check func(ok bool, field, reason string)) {
	check(c.Allow == View || c.Allow == Act, "Allow", "must be View or Act")
	check(c.Allow != Act || c.JournalFile != "", "JournalFile", "is needed with Act: each change is written there first")
	for name, number := range c.Reasons {
		check(name != "" && number != 0, "Reasons", "must have names, and numbers other than 0")
	}
	if c.Operator != "" {
		_, err := cleanOperator(c.Operator)
		check(err == nil, "Operator", operatorRule)
	}
	usesProxy := c.UserHeader != "" || c.RoleHeader != ""
	check(!usesProxy || len(c.TrustedProxies) > 0, "TrustedProxies", "is needed with UserHeader and RoleHeader")
	for _, prefix := range c.TrustedProxies {
		check(prefix.IsValid(), "TrustedProxies", "must be networks, as in 10.0.0.0/8")
	}
}

// asksForName reports whether the log-in page asks for the operator's name.
func (c *Config) asksForName() bool { return c.Allow == Act && c.Operator == "" && c.UserHeader == "" }

const (
	maxOperator  = 64
	operatorRule = "must have 1 to 64 printable characters"
)

// cleanOperator returns a name without white space around it. Names go into the journal, where control
// characters could pass for other lines.
func cleanOperator(name string) (string, error) {
	name = strings.TrimSpace(name)
	isOdd := func(r rune) bool { return !unicode.IsPrint(r) }
	if name == "" || len([]rune(name)) > maxOperator || strings.ContainsFunc(name, isOdd) {
		return "", fmt.Errorf("the operator's name %s", operatorRule)
	}
	return name, nil
}

// errViewOnly refuses a request of a user who only may see the pages.
var errViewOnly = errors.New("this session may only see the pages: its role is not act")

// findOperator returns the name in the journal of the user of a request, which has a session. An error says why
// the request may not act.
func (c *Console) findOperator(r *http.Request) (string, error) {
	a := &c.cfg
	if a.UserHeader != "" || a.RoleHeader != "" {
		if err := a.checkProxy(r); err != nil {
			return "", err
		}
	}
	if a.RoleHeader != "" {
		role, err := readHeader(r, a.RoleHeader)
		if err != nil {
			return "", err
		}
		if role != "act" {
			return "", errViewOnly
		}
	}
	if a.UserHeader != "" {
		user, err := readHeader(r, a.UserHeader)
		if err != nil {
			return "", err
		}
		return cleanOperator(user)
	}
	name := a.Operator
	if name == "" {
		name = c.secrets.findOperator(sessionOf(r))
	}
	if name == "" {
		return "", errors.New("the session has no name of an operator: log out, and log in with a name")
	}
	return "console " + name, nil
}

// checkProxy refuses a request that did not come from a trusted proxy.
func (c *Config) checkProxy(r *http.Request) error {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err == nil {
		for _, prefix := range c.TrustedProxies {
			if prefix.Contains(from.Addr().Unmap()) {
				return nil
			}
		}
	}
	return fmt.Errorf("the request comes from %q, which is no trusted proxy (TrustedProxies): only the proxy can tell who may act", r.RemoteAddr)
}

// readHeader returns the one value of a header. Two values are refused: a client may have sent one of them.
func readHeader(r *http.Request, name string) (string, error) {
	values := r.Header.Values(name)
	switch {
	case len(values) == 0 || values[0] == "":
		return "", fmt.Errorf("the proxy sent no header %s", http.CanonicalHeaderKey(name))
	case len(values) > 1:
		return "", fmt.Errorf("the request has the header %s %d times: the proxy must remove those of its clients", http.CanonicalHeaderKey(name), len(values))
	default:
		return values[0], nil
	}
}

// actorWriter is the answer to a request whose user may act.
type actorWriter struct {
	http.ResponseWriter

	operator string
}

// Unwrap is for http.ResponseController.
func (w *actorWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// operatorOf returns the operator of the request of an answer; "" if its user may not act.
func operatorOf(w http.ResponseWriter) string {
	if actor, is := w.(*actorWriter); is {
		return actor.operator
	}
	return ""
}
