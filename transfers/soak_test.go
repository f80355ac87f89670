package transfers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// A soak is a storm: full load from many goroutines while the ledger stalls, loses answers and
// is killed, and recorders are closed and opened again. Afterwards everything is settled. Then
// the books must equal a model of the acknowledged packets, and the process must not have
// leaked memory.
//
// PEERLEDGER_SOAK sets the length of the storm. Only a long storm (2 minutes) checks memory:
//
//	PEERLEDGER_SOAK=10m go test -run TestSoak -timeout 45m -v ./transfers

// TestSoak soaks the embedded ledger in a folder, in a process that is killed.
func TestSoak(t *testing.T) { //nolint:paralleltest // a long one measures memory, see newSoak
	s := newSoak(t, 3*time.Second)
	server := startRemote(t)
	s.ledgerPID.Store(server.processID())
	network := newFaultyNetwork(server, s.seed)
	s.openAll(server, network)
	s.runStorm(func(storm context.Context) {
		network.setFaultPercent(1)
		for waitFor(storm, randomDuration(s.random, s.scaleInterval(500*time.Millisecond), s.scaleInterval(time.Second))) {
			network.setFaultPercent(1 << s.random.IntN(4)) // a high percentage slows down all workers
			server.killProcess()
			waitFor(storm, randomDuration(s.random, 0, 500*time.Millisecond))
			began := time.Now()
			server.startProcess()
			s.ledgerPID.Store(server.processID())
			s.recordFault("kill -9")
			s.slowestStart = max(s.slowestStart, time.Since(began))
			// The books grow, and reading them at the start takes longer each time.
			waitFor(storm, 3*time.Since(began))
		}
		network.setFaultPercent(0)
	})
	s.faults.addCounts(network.awaitLateRequests())
	s.compareBooks()
	require.NoError(t, server.Close())
}

// soak is the state that the workers of a storm share.
type soak struct {
	t      *testing.T
	length time.Duration
	seed   uint64
	random *rand.Rand      // of the test's own goroutine
	ctx    context.Context // ends a soak that does not end by itself
	burst  int             // the most packets that a worker sends at once

	direct      ledger.Ledger // without injected faults: reads the books
	faulty      ledger.Ledger // of the recorders
	book        *accounts.Book
	assetIDs    map[uint32]accounts.AssetIDs
	ownAccounts map[uint32]accounts.PeerAccount
	peers       []accounts.PeerAccount
	lines       []uint64 // granted to the peers

	plainRecorder   *transfers.Recorder
	journalRecorder atomic.Pointer[transfers.Recorder]
	retryRecorder   atomic.Pointer[transfers.Recorder] // of the retrier
	journalFolder   string

	questions   chan question
	latePackets chan transfers.Packet
	answerCount atomic.Int64
	ledgerPID   atomic.Int64 // 0 if not known
	meter       meter

	mu           sync.Mutex
	failures     int
	faults       counts
	recentFaults []string
	slowestStart time.Duration

	total          *model
	resultCounts   counts // of the results that callers got
	sampledResults []transfers.Result
}

// soakHold is the longest time that a packet is held.
const soakHold = 3 * time.Second

// newSoak begins a soak with the length of PEERLEDGER_SOAK, or a short one. No other test runs
// beside a long soak.
func newSoak(t *testing.T, short time.Duration) *soak {
	t.Helper()
	s := &soak{
		t: t, length: short, seed: ledgertest.Seed(t), burst: 100, faults: make(counts), resultCounts: make(counts),
		questions: make(chan question, 1<<12), latePackets: make(chan transfers.Packet, 1<<12), journalFolder: t.TempDir(),
	}
	s.random = rand.New(rand.NewPCG(s.seed, 0))
	if text := os.Getenv("PEERLEDGER_SOAK"); text != "" {
		var err error
		s.length, err = time.ParseDuration(text)
		require.NoError(t, err, "PEERLEDGER_SOAK")
	}
	if s.isLong() {
		running := goleak.IgnoreCurrent()
		t.Cleanup(func() { goleak.VerifyNone(t, running) })
	} else {
		t.Parallel()
	}
	life, cancel := context.WithTimeout(t.Context(), 2*s.length+2*time.Minute)
	t.Cleanup(cancel)
	s.ctx = life
	return s
}

// isLong reports whether the soak is long enough to check memory.
func (s *soak) isLong() bool { return s.length >= 2*time.Minute }

// scaleInterval returns a time between two faults. In a long soak it is longer, so that state
// can build up between the faults.
func (s *soak) scaleInterval(d time.Duration) time.Duration {
	if s.isLong() {
		return 8 * d
	}
	return d
}

// failf fails the soak, which goes on: a later failure may show the cause.
func (s *soak) failf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const maxReported = 20
	if s.failures++; s.failures <= maxReported {
		s.t.Errorf(format, args...)
	}
}

func (s *soak) countFault(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[fault]++
}

// recordFault records a fault of the ledger or of a recorder, which all workers notice.
func (s *soak) recordFault(fault string) {
	s.countFault(fault)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recentFaults = append(s.recentFaults, fault)
}

// takeRecentFaults returns the faults recorded since the last call.
func (s *soak) takeRecentFaults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	report := s.recentFaults
	s.recentFaults = nil
	return report
}

// openAll provisions the peers and opens the recorders.
func (s *soak) openAll(clean, seen ledger.Ledger) {
	s.t.Helper()
	s.direct, s.faulty = clean, seen
	var err error
	s.book, err = accounts.NewBook(clean, accounts.Config{Assets: []accounts.Asset{usd, loss}})
	require.NoError(s.t, err)
	s.assetIDs, s.ownAccounts = make(map[uint32]accounts.AssetIDs), make(map[uint32]accounts.PeerAccount)
	var peers []accounts.PeerConfig
	for _, asset := range s.book.Assets() {
		s.assetIDs[asset.Ledger], _ = s.book.AssetIDs(asset.Ledger)
		s.ownAccounts[asset.Ledger], err = s.book.OwnAccount(asset)
		require.NoError(s.t, err)
		for i := range 20 {
			line := uint64(1) << 60 // never reached
			switch {
			case i < 4:
				line = 2000 // a few packets
			case i < 10:
				line = 5_000_000
			}
			s.lines = append(s.lines, line)
			peers = append(peers, accounts.PeerConfig{ID: fmt.Sprintf("peer %d", i), Asset: asset, CreditLine: units(line)})
		}
	}
	s.peers, err = s.book.Provision(s.t.Context(), peers...)
	require.NoError(s.t, err)
	s.plainRecorder, err = s.newRecorder(transfers.Config{Lanes: 3})
	require.NoError(s.t, err)
	asking, err := s.newRecorder(transfers.Config{})
	require.NoError(s.t, err)
	kept, err := s.newRecorder(transfers.Config{JournalFolder: s.journalFolder})
	require.NoError(s.t, err)
	s.retryRecorder.Store(asking)
	s.journalRecorder.Store(kept)
}

// newRecorder opens a recorder. An error of its journal fails the soak.
func (s *soak) newRecorder(cfg transfers.Config) (*transfers.Recorder, error) {
	cfg.MaxBacklog = 1 << 14
	cfg.HoldMargin, cfg.MinHold = time.Second, 500*time.Millisecond
	cfg.Events.BalancesChanged = s.meter.recordTouched
	cfg.AllowArrears = true // no settlement engine collects arrears
	cfg.Events.Batch = s.meter.recordBatch
	cfg.Events.JournalFailed = func(err error) { s.failf("journal: %v", err) }
	cfg.Events.Replayed = func(results []transfers.Result) {
		for i := range results {
			of := s.classifyResult(&results[i])
			s.countFault("replayed: " + of.String())
			if of == refused && !errors.Is(results[i].Err, transfers.ErrPacketConflict) { // of a race
				s.failf("replayed: %v", results[i].Err)
			}
		}
	}
	return transfers.NewRecorder(s.faulty, s.book, cfg)
}
