package check

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// Role is the part that the subject plays.
type Role string

// The roles.
const (
	Engine    Role = "engine"    // connectors call it
	Connector Role = "connector" // engines call it
)

// Severity is the weight of a clause.
type Severity string

// The severities.
const (
	Must   Severity = "must"   // the RFC demands it, or money is lost or doubled without it
	Needed Severity = "needed" // real programs rely on it
)

// Outcome is the outcome of a clause.
type Outcome string

// The outcomes.
const (
	Passed  Outcome = "passed"
	Failed  Outcome = "failed"
	Skipped Outcome = "skipped"
)

// Clause is one rule.
type Clause struct {
	ID       string   `json:"clause"`
	Text     string   `json:"text"`
	Severity Severity `json:"severity"`
	Source   string   `json:"source"` // a section of the RFC, or the programs that rely on it
	Roles    []Role   `json:"-"`      // of the subjects that it applies to

	needs string // the id of an earlier clause that must have passed
	run   func(*session) error
}

// Exchange is a request and its answer in one line each, shortened.
type Exchange struct {
	Sent string `json:"sent"`
	Seen string `json:"seen"`
}

// Result is the outcome of a clause.
type Result struct {
	Clause
	Outcome      Outcome    `json:"outcome"`
	Why          string     `json:"why"` // "" if it passed
	Exchanges    []Exchange `json:"exchanges"`
	Milliseconds int64      `json:"ms"`
}

// Report is the result of a run.
type Report struct {
	Results []Result
	// Settled counts the settlements of Amount that the subject took. The clause "key/scope" settles
	// Amount and one unit more on a second account of the suite.
	Settled int
}

// Count returns the number of clauses with an outcome.
func (r Report) Count(outcome Outcome) (n int) {
	for _, one := range r.Results {
		if one.Outcome == outcome {
			n++
		}
	}
	return n
}

// Config configures a run. Only URL has no default.
type Config struct {
	URL  string // base URL of the subject, http or https
	Role Role   // default Engine
	// Account is the id of an account that takes the settlements. Default for an engine: a new account.
	// Default for a connector: none, and most clauses are skipped.
	Account string
	Amount  *big.Int // of each settlement, at least 1. Default 1 at scale 19, whatever Scale says
	Scale   uint8    // of Amount, at most 200
	Token   string   // bearer token of the requests. Default "": none
	// Message is sent to the subject's handler of messages. Default {"type":"check"}.
	Message []byte
	Timeout time.Duration // for one answer. Default 10 s
	// Restart restarts the subject and returns when it is on its way up. Default nil: the clauses about
	// durability are skipped.
	Restart func(context.Context) error
	// Trigger has the subject send one settlement of any amount to Listener: an engine reports a payment,
	// a connector asks to settle. Default nil: the clauses about the subject as a client are skipped.
	Trigger func(context.Context) error
	// Listener takes the calls of the subject, which must be configured with its address. Run closes it.
	Listener net.Listener
	// Only has the ids of the clauses to run, with the clauses that they need. Default: all.
	Only []string
	// Started is called before each clause with the number of clauses. Default nil.
	Started func(clause Clause, of int)
	TLS     *tls.Config                                                          // default the system's
	Dial    func(ctx context.Context, network, address string) (net.Conn, error) // default over the network
}

// ErrInvalidConfig is returned when a field of a [Config] is out of its range. The error names the field.
var ErrInvalidConfig = errors.New("check: invalid configuration")

// Run checks a subject. A clause that fails is no error. Errors match [ErrInvalidConfig], or are the
// context's. With a subject that does not answer, Run takes about as many times Timeout as there are
// clauses, and no more; without a first answer it ends at once. When ctx ends, Run deletes the accounts
// that it has created, and takes up to Timeout for it.
func Run(ctx context.Context, cfg Config) (Report, error) {
	clauses, err := cfg.prepare()
	s := newSession(ctx, cfg)
	defer s.close()
	if err != nil {
		return Report{}, err
	}
	defer s.deleteOwn()
	var report Report
	outcomes := map[string]Outcome{}
	for _, c := range clauses {
		if cfg.Started != nil {
			cfg.Started(c, len(clauses))
		}
		r := s.runClause(c, outcomes)
		if err := ctx.Err(); err != nil {
			return Report{}, err
		}
		outcomes[c.ID] = r.Outcome
		report.Results = append(report.Results, r)
	}
	report.Settled = len(s.settled)
	return report, nil
}

// prepare sets the defaults, and returns the clauses to run.
func (c *Config) prepare() ([]Clause, error) {
	if c.Role == "" {
		c.Role = Engine
	}
	q := c.Quantity()
	c.Amount, c.Scale = q.Amount, q.Scale
	if c.Message == nil {
		c.Message = []byte(`{"type":"check"}`)
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: URL: %w", ErrInvalidConfig, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(c.URL, "?#"):
		return nil, fmt.Errorf("%w: URL: %q must be a URL of http or https without query and fragment", ErrInvalidConfig, u.Redacted())
	case c.Role != Engine && c.Role != Connector:
		return nil, fmt.Errorf("%w: Role: %q is neither %s nor %s", ErrInvalidConfig, c.Role, Engine, Connector)
	case c.Amount.Sign() <= 0 || len(c.Amount.String()) > 40:
		return nil, fmt.Errorf("%w: Amount: %v must be above 0, with at most 40 digits", ErrInvalidConfig, c.Amount)
	case c.Scale > 200:
		return nil, fmt.Errorf("%w: Scale: %d is above 200", ErrInvalidConfig, c.Scale)
	case c.Timeout < 0:
		return nil, fmt.Errorf("%w: Timeout: %v is negative", ErrInvalidConfig, c.Timeout)
	}
	return selectClauses(Clauses(c.Role), c.Only)
}

// selectClauses returns the named clauses with the clauses that they need; all for no names.
func selectClauses(all []Clause, names []string) ([]Clause, error) {
	if len(names) == 0 {
		return all, nil
	}
	needed := map[string]bool{}
	for _, name := range names {
		for name != "" {
			at := slices.IndexFunc(all, func(c Clause) bool { return c.ID == name })
			if at < 0 {
				return nil, fmt.Errorf("%w: Only: there is no clause %q for this role", ErrInvalidConfig, name)
			}
			needed[name], name = true, all[at].needs
		}
	}
	return slices.DeleteFunc(all, func(c Clause) bool { return !needed[c.ID] }), nil
}

// Clauses returns the clauses for a role in the order in which they run.
func Clauses(role Role) []Clause {
	var list []Clause
	for _, group := range [][]Clause{accountClauses(), settlementClauses(), keyClauses(), quantityClauses(), formClauses(), restartClauses(), callerClauses(), endClauses()} {
		for _, c := range group {
			if slices.Contains(c.Roles, role) {
				list = append(list, c)
			}
		}
	}
	return list
}

// runClause runs one clause, unless a clause that it needs did not pass.
func (s *session) runClause(c Clause, outcomes map[string]Outcome) Result {
	r := Result{Clause: c, Outcome: Passed, Exchanges: []Exchange{}}
	if needed, known := outcomes[c.needs]; known && needed != Passed {
		r.Outcome, r.Why = Skipped, fmt.Sprintf("needs %s, which %s", c.needs, map[Outcome]string{Failed: "failed", Skipped: "was skipped"}[needed])
		return r
	}
	begin := time.Now()
	s.exchanges = nil
	err := c.run(s)
	r.Milliseconds = time.Since(begin).Milliseconds()
	r.Exchanges = append(r.Exchanges, s.exchanges...)
	var skip skipError
	switch {
	case errors.As(err, &skip):
		r.Outcome, r.Why = Skipped, skip.Error()
	case err != nil:
		r.Outcome, r.Why = Failed, err.Error()
	}
	return r
}

// skipError is the reason to skip a clause.
type skipError string

func (e skipError) Error() string { return string(e) }

// Quantity returns the Quantity of each settlement.
func (c Config) Quantity() rfc0038.Quantity {
	if c.Amount == nil {
		return rfc0038.Quantity{Amount: big.NewInt(1), Scale: 19}
	}
	return rfc0038.Quantity{Amount: c.Amount, Scale: c.Scale}
}

func (s *session) quantity() rfc0038.Quantity { return s.cfg.Quantity() }

// trimURL returns the base URL without slashes at its end.
func trimURL(base string) string { return strings.TrimRight(base, "/") }

// newTransport returns a transport with a connection for each request: an answer that comes twice
// would else be taken for the answer to the next request.
func newTransport(cfg Config) *http.Transport {
	return &http.Transport{DialContext: cfg.Dial, TLSClientConfig: cfg.TLS, DisableKeepAlives: true, DisableCompression: true}
}
