package rfc0038

import (
	"maps"
	"sync"
	"time"
)

// RequestKind is a kind of request to an engine.
type RequestKind string

// The requests that a [Client] sends.
const (
	KindCreate     RequestKind = "create"
	KindDelete     RequestKind = "delete"
	KindSettlement RequestKind = "settlement"
	KindMessage    RequestKind = "message"
)

// Outcome is a class of answers with one next step: see [Client.SendSettlement].
type Outcome string

// The outcomes of a request.
const (
	OutcomeTaken     Outcome = "taken"      // 2xx
	OutcomeNoAccount Outcome = "no-account" // 404
	OutcomeSeen      Outcome = "seen"       // 409
	OutcomeRefused   Outcome = "refused"    // other 4xx
	OutcomeUnknown   Outcome = "unknown"    // everything else, and no answer
)

// RequestEvent is a request that has ended.
type RequestEvent struct {
	Kind     RequestKind
	Account  string // id on the wire
	Key      string // of a settlement
	Outcome  Outcome
	Status   int // 0 without an answer
	Duration time.Duration
	Err      error // nil if 2xx
}

// ClientEvents are functions that a [Client] calls; nil functions are left out. Calls are concurrent, and
// the request's caller waits for them.
type ClientEvents struct {
	// Answered is called at the end of each request.
	Answered func(RequestEvent)
}

func (e ClientEvents) withDefaults() ClientEvents {
	if e.Answered == nil {
		e.Answered = func(RequestEvent) {}
	}
	return e
}

// RequestClass is the key of a count of requests.
type RequestClass struct {
	Kind    RequestKind
	Outcome Outcome
}

// RequestCounts returns how many requests have ended, by class, since the client was made.
func (c *Client) RequestCounts() map[RequestClass]uint64 { return c.stats.snapshot() }

type requestCounter struct {
	mu     sync.Mutex
	counts map[RequestClass]uint64
}

func (s *requestCounter) count(class RequestClass) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[RequestClass]uint64{}
	}
	s.counts[class]++
}

func (s *requestCounter) snapshot() map[RequestClass]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}
