package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Level is the severity of a [Finding].
type Level string

// The levels.
const (
	LevelOK      Level = "ok"
	LevelWarning Level = "warning" // works, but needs a change
	LevelProblem Level = "problem" // does not work, or will stop working
)

// Finding is a finding of [Config.Health].
type Finding struct {
	Level   Level
	Code    string // identifies the kind of finding for scripts
	Subject string // the examined thing, as in "replica 1 at tb-1:3001"
	Found   string // the observation
	Cause   string // of a fault, and its remedy; "" of LevelOK
	Remedy  string
}

const (
	// healthInterval is the least time between two examinations.
	healthInterval = time.Minute
	// healthTimeout is the time that an examination may take.
	healthTimeout = 45 * time.Second
)

var errNoHealth = errors.New("the connector has not set Config.Health: the command peerledger doctor examines the ledger")

// healthReport is the result of an examination.
type healthReport struct {
	at       time.Time
	took     time.Duration
	findings []Finding
	err      error
}

// examiner examines the ledger for all browsers, one examination at a time.
type examiner struct {
	examine func(context.Context) ([]Finding, error)

	mu      sync.Mutex
	last    *healthReport // nil before the first
	running chan struct{} // closed at the end of the running examination; nil without one
}

// get returns a report that is younger than healthInterval. It waits for one for at most limit; without one by then,
// the report is nil.
func (e *examiner) get(ctx context.Context, c *Console, limit time.Duration) (*healthReport, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		report, running, err := e.start(c)
		if report != nil || err != nil {
			return report, err
		}
		select {
		case <-running:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// start returns the last report, or if it is old the channel of a running examination. The Console waits for the
// examination in Close.
func (e *examiner) start(c *Console) (*healthReport, <-chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.last != nil && time.Since(e.last.at) < healthInterval:
		return e.last, nil, nil
	case e.running != nil:
		return nil, e.running, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, ErrClosed
	}
	done := make(chan struct{})
	e.running = done
	c.running.Go(func() {
		report := e.run(c.ctx)
		e.mu.Lock()
		e.last, e.running = report, nil
		e.mu.Unlock()
		close(done)
	})
	return nil, done, nil
}

func (e *examiner) run(ctx context.Context) *healthReport {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	began := time.Now()
	findings, err := e.examine(ctx)
	if err == nil && ctx.Err() != nil { // findings up to the deadline are not all findings
		err = context.Cause(ctx)
	}
	return &healthReport{at: time.Now(), took: time.Since(began), findings: findings, err: err}
}

// healthPage is the page of the ledger's health.
type healthPage struct {
	header

	Findings           []Finding // the gravest first
	Problems, Warnings int
	Missing            string // why there is nothing; "" with Config.Health
	Loading            bool
	Error              string
	ExaminedAt, Took   string
	CSV, JSON          string
}

// healthFields are the columns of downloads, named as in "peerledger doctor --json".
var healthFields = []field[Finding]{
	{"code", func(f Finding) any { return f.Code }},
	{"level", func(f Finding) any { return string(f.Level) }},
	{"subject", func(f Finding) any { return f.Subject }},
	{"found", func(f Finding) any { return f.Found }},
	{"cause", func(f Finding) any { return textOrNil(f.Cause) }},
	{"remedy", func(f Finding) any { return textOrNil(f.Remedy) }},
}

func (c *Console) showHealth(w http.ResponseWriter, r *http.Request, f format) {
	if f != formatHTML {
		c.sendHealth(w, r, f)
		return
	}
	s, _ := c.reader.current()
	v := healthPage{header: newHeader("Health of the ledger", "health", s), CSV: "health.csv", JSON: "health.json"}
	if c.cfg.Health == nil {
		v.Missing = errNoHealth.Error()
		c.render(w, http.StatusOK, "health", v)
		return
	}
	report, err := c.examiner.get(r.Context(), c, patience)
	switch {
	case err != nil:
		c.fail(w, http.StatusServiceUnavailable, err)
		return
	case report == nil:
		v.Loading = true
		w.Header().Set("Refresh", "2")
	default:
		v.describe(report)
	}
	c.render(w, http.StatusOK, "health", v)
}

// describe writes a report into the page.
func (v *healthPage) describe(report *healthReport) {
	v.ExaminedAt, v.Took = formatTime(report.at), max(report.took, time.Millisecond).Round(time.Millisecond).String()
	if report.err != nil {
		v.Error = report.err.Error()
	}
	v.Findings = sortFindings(report.findings)
	for _, f := range v.Findings {
		switch f.Level {
		case LevelProblem:
			v.Problems++
		case LevelWarning:
			v.Warnings++
		case LevelOK:
		}
	}
}

// sortFindings returns the findings with the gravest first.
func sortFindings(list []Finding) []Finding {
	rank := func(f Finding) int { return slices.Index([]Level{LevelOK, LevelWarning, LevelProblem}, f.Level) }
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b Finding) int { return rank(b) - rank(a) })
	return sorted
}

// sendHealth sends the findings of an examination that has found all.
func (c *Console) sendHealth(w http.ResponseWriter, r *http.Request, f format) {
	if c.cfg.Health == nil {
		c.fail(w, http.StatusServiceUnavailable, errNoHealth)
		return
	}
	report, err := c.examiner.get(r.Context(), c, healthTimeout+patience)
	if err == nil && report == nil {
		err = errLoading
	} else if err == nil {
		err = report.err
	}
	if err != nil {
		c.fail(w, http.StatusServiceUnavailable, err)
		return
	}
	writeRows(w, f, "health", slices.Values(sortFindings(report.findings)), healthFields)
}
