package console

import (
	"context"
	"sync"
	"time"
)

const (
	// manyPeers is the number of peers above which a look is taken at most once per slowInterval.
	manyPeers    = 10_000
	slowInterval = 10 * time.Second
	// trialInterval is the least time between two trial balances, which read every account twice.
	trialInterval = time.Minute
	// patience is how long a page waits for a newer look before it shows the last one.
	patience = time.Second
)

// state is the result of the reader so far. It is a value that never changes.
type state struct {
	look   *look     // the last look that succeeded; nil before
	err    error     // of the last attempt; nil if it succeeded
	failed time.Time // the first failure since look; zero without err
	began  time.Time // start of the last finished attempt; zero before
	trials []trial
	trial  time.Time // start of the last trial balance
}

// reader looks at the ledger for all browsers. A look is taken if a page has asked for one, and not
// before the interval since the last look has passed.
type reader struct {
	interval, timeout time.Duration
	takeLook          func(context.Context) (*look, error)
	addUpBooks        func(context.Context) []trial
	asked             chan struct{} // holds an element if a page has asked

	mu        sync.Mutex
	state     state
	published chan struct{} // closed, and replaced, when state changes
}

func newReader(cfg Config, takeLook func(context.Context) (*look, error), addUpBooks func(context.Context) []trial) *reader {
	return &reader{
		interval: cfg.Interval, timeout: cfg.Timeout, takeLook: takeLook, addUpBooks: addUpBooks,
		asked: make(chan struct{}, 1), published: make(chan struct{}),
	}
}

// run takes looks until ctx ends.
func (r *reader) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.asked:
		}
		began := time.Now()
		r.refresh(ctx)
		s, _ := r.current()
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(began.Add(r.intervalOf(s)))):
		}
	}
}

// intervalOf returns the least time between two looks.
func (r *reader) intervalOf(s state) time.Duration {
	if s.look != nil && len(s.look.peers) > manyPeers {
		return max(r.interval, slowInterval)
	}
	return r.interval
}

// refresh takes a look, and after it a trial balance if the last one is old. Each has its own deadline,
// and pages get the look before the trial balance begins.
func (r *reader) refresh(ctx context.Context) {
	s, _ := r.current()
	s.began = time.Now()
	found, err := r.readLook(ctx)
	if s.err = err; err != nil {
		if s.failed.IsZero() {
			s.failed = s.began
		}
		r.publish(s)
		return
	}
	s.look, s.failed = found, time.Time{}
	r.publish(s)
	if !s.trial.IsZero() && time.Since(s.trial) < trialInterval {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	s.trial = time.Now()
	s.trials = r.addUpBooks(ctx)
	r.publish(s)
}

func (r *reader) readLook(ctx context.Context) (*look, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.takeLook(ctx)
}

func (r *reader) publish(s state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
	close(r.published)
	r.published = make(chan struct{})
}

// current returns the state, and a channel that is closed when the state changes.
func (r *reader) current() (state, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.published
}

// ask asks for a look. It never waits.
func (r *reader) ask() {
	select {
	case r.asked <- struct{}{}:
	default: // asked already
	}
}

// read returns the state for a page. If the last attempt is older than the interval, read asks for
// another, and waits for it for at most limit.
func (r *reader) read(ctx context.Context, limit time.Duration) state {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		s, changed := r.current()
		if !s.began.IsZero() && time.Since(s.began) < r.intervalOf(s) {
			return s
		}
		r.ask()
		select {
		case <-changed:
			if s, _ := r.current(); !s.began.IsZero() {
				return s
			}
		case <-timer.C:
			return s
		case <-ctx.Done():
			return s
		}
	}
}
