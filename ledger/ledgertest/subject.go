package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Sleeper is implemented by a ledger with a manual clock. The suite calls Sleep in place of a pause
// in real time. After Sleep returns, the ledger's time must be at least d later.
type Sleeper interface {
	Sleep(d time.Duration)
}

// subject is a ledger under test.
type subject struct {
	ledger.Ledger
	feed    ledger.ChangeFeed // nil if the ledger has no change events
	sleeper Sleeper           // nil if the ledger runs in real time
}

// newSubject opens a ledger, and closes it at the end of the test.
func newSubject(t *testing.T, open func(*testing.T) ledger.Ledger, counts *coverage) *subject {
	t.Helper()
	l := open(t)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return newTestSubject(l).withCoverage(counts)
}

func newTestSubject(l ledger.Ledger) *subject {
	s := &subject{Ledger: l}
	s.feed, _ = l.(ledger.ChangeFeed)
	s.sleeper, _ = l.(Sleeper)
	return s
}

// withCoverage returns the same ledger, with its answers counted.
func (s *subject) withCoverage(counts *coverage) *subject {
	return &subject{&countingLedger{s.Ledger, counts}, s.feed, s.sleeper}
}

// choosePauses returns the pauses of programs without expiry races: none in real time.
func (s *subject) choosePauses() pauseMode {
	if s.sleeper == nil {
		return noPauses
	}
	return safePauses
}

// canRaceExpiries reports whether programs may race expiries. Such a program needs a manual clock,
// and change events to learn when each hold expired.
func (s *subject) canRaceExpiries() bool { return s.sleeper != nil && s.feed != nil }

// sleepFor lets time pass: the ledger's manual clock or real time.
func (s *subject) sleepFor(tb testing.TB, d time.Duration) {
	tb.Helper()
	if s.sleeper != nil {
		s.sleeper.Sleep(d)
		return
	}
	select {
	case <-time.After(d):
	case <-tb.Context().Done():
	}
}

// readClock returns the ledger's time, from the result of an event that is always refused.
func (s *subject) readClock(tb testing.TB) uint64 {
	tb.Helper()
	results, err := s.CreateTransfers(tb.Context(), []ledger.Transfer{{}})
	require.NoError(tb, err)
	require.Equal(tb, ledger.TransferIDMustNotBeZero, results[0].Status)
	return results[0].Timestamp
}

// readChangesSince returns all change events from the timestamp on. The ledger must have a feed.
func (s *subject) readChangesSince(tb testing.TB, timestamp uint64) []ledger.ChangeEvent {
	tb.Helper()
	return readPages(tb, changeTimestamp, timestamp, func(from uint64) []ledger.ChangeEvent {
		filter := ledger.ChangeEventsFilter{TimestampMin: from, Limit: ledger.ChangeEventsMax}
		page, err := s.feed.GetChangeEvents(tb.Context(), filter)
		require.NoError(tb, err)
		return page
	})
}
