package console

import (
	"context"
	"errors"
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
	// downloadTimeouts is how many times Config.Timeout a download waits for new figures: for the look and
	// the trial balance that run when it asks, and for its own look.
	downloadTimeouts = 3
)

// errOld refuses a download, since a file cannot show that its figures are old.
var errOld = errors.New("the ledger has not answered in time, and the last figures are old: try again")

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
// another, and waits for the end of an attempt for at most limit. The figures may be old.
func (r *reader) read(ctx context.Context, limit time.Duration) state {
	before, _ := r.current()
	s, _ := r.waitFor(ctx, limit, func(s state) bool { return r.isRecent(s) || !s.began.Equal(before.began) })
	return s
}

// readNew returns the state for a download: its look succeeded, and began after the call or within the
// interval.
func (r *reader) readNew(ctx context.Context) (state, error) {
	asked := time.Now()
	before, _ := r.current()
	s, isNew := r.waitFor(ctx, downloadTimeouts*r.timeout, func(s state) bool {
		hasFailed := s.err != nil && !s.began.Equal(before.began) // an attempt that began before the call, too
		return hasFailed || r.isRecent(s) || !s.began.Before(asked)
	})
	if !isNew || s.err != nil {
		return s, s.whyOld()
	}
	return s, nil
}

// readNewTrial returns the state for a download of the trial balance. The trial balance follows the
// first look after trialInterval, so it may be older than that by the time between two looks.
func (r *reader) readNewTrial(ctx context.Context) (state, error) {
	if s, err := r.readNew(ctx); err != nil {
		return s, err
	}
	oldest := trialInterval + max(r.interval, slowInterval)
	s, isNew := r.waitFor(ctx, downloadTimeouts*r.timeout, func(s state) bool { return !s.trial.IsZero() && time.Since(s.trial) < oldest })
	if !isNew {
		return s, s.whyOld()
	}
	return s, nil
}

// isRecent reports whether the last attempt began within the interval, so that no other may begin yet.
func (r *reader) isRecent(s state) bool {
	return !s.began.IsZero() && time.Since(s.began) < r.intervalOf(s)
}

// waitFor asks for looks until the state is enough, and returns it. The second result is false if limit
// or ctx ended before.
func (r *reader) waitFor(ctx context.Context, limit time.Duration, isEnough func(state) bool) (state, bool) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		s, changed := r.current()
		if isEnough(s) {
			return s, true
		}
		r.ask()
		select {
		case <-changed:
		case <-timer.C:
			return s, false
		case <-ctx.Done():
			return s, false
		}
	}
}

// whyOld says why the state is not new.
func (s state) whyOld() error {
	switch {
	case s.err != nil:
		return s.err
	case s.look == nil:
		return errLoading
	default:
		return errOld
	}
}
