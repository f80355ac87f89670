package console

import (
	"context"
	"sync"
	"time"
)

// maxDetails is the number of readings that a shared keeps.
const maxDetails = 100

// shared shares readings of the ledger between browsers: a thing is read at most once per interval, and no reading is
// kept for longer.
type shared[K comparable, V any] struct {
	interval time.Duration

	mu      sync.Mutex
	entries map[K]*sharedEntry[V]
}

// sharedEntry is a reading. found is set before done is closed.
type sharedEntry[V any] struct {
	begun time.Time
	done  chan struct{}
	found *V
}

func newShared[K comparable, V any](interval time.Duration) *shared[K, V] {
	return &shared[K, V]{interval: interval, entries: make(map[K]*sharedEntry[V])}
}

// get returns a reading of a thing. Of several callers one reads, and the others wait for it.
func (s *shared[K, V]) get(ctx context.Context, key K, read func() *V) (*V, error) {
	entry, isReader := s.enter(key)
	if isReader {
		entry.found = read()
		close(entry.done)
		time.AfterFunc(s.interval-time.Since(entry.begun), func() { s.drop(key, entry) })
		return entry.found, nil
	}
	select {
	case <-entry.done:
		return entry.found, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// enter returns the newest reading of a thing, and whether the caller must do it.
func (s *shared[K, V]) enter(key K) (entry *sharedEntry[V], isReader bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if entry, exists := s.entries[key]; exists && time.Since(entry.begun) < s.interval {
		return entry, false
	}
	if len(s.entries) >= maxDetails {
		clear(s.entries) // waiting callers have their entries
	}
	entry = &sharedEntry[V]{begun: time.Now(), done: make(chan struct{})}
	s.entries[key] = entry
	return entry, true
}

// drop forgets a reading that is too old for other callers, unless a newer one has taken its place.
func (s *shared[K, V]) drop(key K, entry *sharedEntry[V]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[key] == entry {
		delete(s.entries, key)
	}
}

// forget drops the reading of a thing, which a change has made old.
func (s *shared[K, V]) forget(key K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.entries, key)
}
