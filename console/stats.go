package console

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/internal/operatorlog"
)

// Stats are numbers of a [Console] since its start, read one after the other.
type Stats struct {
	// Requests are the answered requests by the hundreds of their status: 2 for 200 to 299. A stream counts at its end.
	Requests map[int]uint64
	// Acts are the changes by their outcome: "written", "already" (nothing was left to change), "refused", "unknown" or "failed".
	// All five are there. Empty with [View].
	Acts map[string]uint64
	// Streams is the number of open streams of live figures.
	Streams int
	// LastLook is when the figures that pages show were read; the zero time before the first. Pages read figures only
	// while a browser asks.
	LastLook time.Time
	// LookFailures is how many reads of the figures have failed.
	LookFailures uint64
}

// counters count for Stats.
type counters struct {
	requests     [6]atomic.Uint64 // by the hundreds of the status
	acts         map[operatorlog.Outcome]*atomic.Uint64
	lookFailures atomic.Uint64
}

func newCounters(allow Permission) *counters {
	c := &counters{acts: make(map[operatorlog.Outcome]*atomic.Uint64)}
	if allow == Act {
		for _, outcome := range []operatorlog.Outcome{operatorlog.Written, operatorlog.Already, operatorlog.Refused, operatorlog.Unknown, operatorlog.Failed} {
			c.acts[outcome] = new(atomic.Uint64)
		}
	}
	return c
}

// Stats returns the current numbers. It sends nothing to the ledger.
func (c *Console) Stats() Stats {
	s := Stats{
		Requests: make(map[int]uint64), Acts: make(map[string]uint64), Streams: len(c.streams), LookFailures: c.counters.lookFailures.Load(),
	}
	for hundreds := 2; hundreds < len(c.counters.requests); hundreds++ {
		s.Requests[hundreds] = c.counters.requests[hundreds].Load()
	}
	for outcome, count := range c.counters.acts {
		s.Acts[string(outcome)] = count.Load()
	}
	if now, _ := c.reader.current(); now.look != nil {
		s.LastLook = now.look.at
	}
	return s
}

// countFailures returns read, with its failures counted.
func (c *Console) countFailures(read func(context.Context) (*look, error)) func(context.Context) (*look, error) {
	return func(ctx context.Context) (*look, error) {
		found, err := read(ctx)
		if err != nil {
			c.counters.lookFailures.Add(1)
		}
		return found, err
	}
}

func (c *counters) countAct(outcome operatorlog.Outcome) {
	if count := c.acts[outcome]; count != nil {
		count.Add(1)
	}
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	status int // 0 before the header is written
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// countAnswer counts an answer. An answer without a header is 200; an informational one counts as well.
func (c *counters) countAnswer(w *statusWriter) {
	hundreds := 2
	if w.status != 0 {
		hundreds = w.status / 100
	}
	if hundreds < len(c.requests) {
		c.requests[hundreds].Add(1)
	}
}
