package faulty

import (
	"cmp"
	"context"
	"sync"

	"github.com/peerledger/peerledger/ledger/server"
)

// Injection is a fault at work. All methods may be called concurrently.
type Injection struct {
	fault Fault
	done  chan struct{}

	mu   sync.Mutex
	seen int
	hits int
}

// Done returns a channel that is closed when the fault has disturbed its number of messages.
func (i *Injection) Done() <-chan struct{} { return i.done }

// Hits returns the number of messages that the fault has disturbed.
func (i *Injection) Hits() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.hits
}

// Stop ends the fault: further messages are left alone.
func (i *Injection) Stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.fault.Times = i.hits
}

// apply reports whether the fault disturbs a message.
func (i *Injection) apply(m server.Message) bool {
	if !i.fault.On(m) {
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen++
	if i.seen <= i.fault.Skip || (i.fault.Times >= 0 && i.hits >= i.fault.Times) {
		return false
	}
	i.hits++
	if i.hits == i.fault.Times {
		close(i.done)
	}
	return true
}

// Inject adds a fault. It panics if f.Do is missing.
func (s *Server) Inject(f Fault) *Injection {
	if f.Do.before == nil && f.Do.after == nil {
		panic("faulty: Fault.Do is missing")
	}
	if f.On == nil {
		f.On = Requests()
	}
	f.Times = cmp.Or(f.Times, 1)
	i := &Injection{fault: f, done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.injections = append(s.injections, i)
	return i
}

// disturbRequest is the server's OnRequest.
func (s *Server) disturbRequest(ctx context.Context, m server.Message) error {
	s.mu.Lock()
	resumed := s.resumed
	s.mu.Unlock()
	select {
	case <-resumed:
	case <-ctx.Done():
		return ctx.Err()
	}
	if action, found := s.findAction(m, func(a Action) bool { return a.before != nil }); found {
		return action.before()
	}
	return nil
}

// disturbAnswer is the server's OnAnswer.
func (s *Server) disturbAnswer(ctx context.Context, m server.Message, message []byte, send func([]byte) error) error {
	action, found := s.findAction(m, func(a Action) bool { return a.after != nil })
	if !found {
		return send(message)
	}
	return action.after(&answer{ctx, message, send, s.later.Go})
}

// findAction returns the first action that applies to a message, of those that isOfStage picks.
func (s *Server) findAction(m server.Message, isOfStage func(Action) bool) (Action, bool) {
	s.mu.Lock()
	injections := s.injections
	s.mu.Unlock()
	for _, i := range injections {
		if isOfStage(i.fault.Do) && i.apply(m) {
			return i.fault.Do, true
		}
	}
	return Action{}, false
}
