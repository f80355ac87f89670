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

// A soak is a storm: full load from many goroutines while the ledger stalls, loses
// answers and is killed, and recorders are closed and opened again. When it is over and
// everything is settled, the books must be those of a model that has booked what was
// acknowledged, and no memory may have been lost on the way.
//
// PEERLEDGER_SOAK says how long the storm lasts; only a long one tells about memory:
//
//	PEERLEDGER_SOAK=10m go test -run TestSoak -timeout 45m -v ./transfers

// TestSoak is the soak on the embedded ledger in a folder, in a process that is killed.
func TestSoak(t *testing.T) { //nolint:paralleltest // a long one measures memory, see newSoak
	s := newSoak(t, 3*time.Second)
	server := startRemote(t)
	s.ledgerPID.Store(server.processID())
	network := newFaultyNetwork(server, s.seed)
	s.openAll(server, network)
	s.runStorm(func(storm context.Context) {
		network.setFaultPercent(1)
		for waitFor(storm, randomDuration(s.random, s.scaleInterval(500*time.Millisecond), s.scaleInterval(time.Second))) {
			network.setFaultPercent(1 << s.random.IntN(4)) // a rough one slows everybody down
			server.killProcess()
			waitFor(storm, randomDuration(s.random, 0, 500*time.Millisecond))
			began := time.Now()
			server.startProcess()
			s.ledgerPID.Store(server.processID())
			s.recordFault("kill -9")
			s.slowestStart = max(s.slowestStart, time.Since(began))
			// The books grow, and with them the time that it takes to read them.
			waitFor(storm, 3*time.Since(began))
		}
		network.setFaultPercent(0)
	})
	s.faults.addCounts(network.awaitLateRequests())
	s.compareBooks()
	require.NoError(t, server.Close())
}

// soak is what the workers of a storm share.
type soak struct {
	t      *testing.T
	length time.Duration
	seed   uint64
	random *rand.Rand      // of the test's own goroutine
	ctx    context.Context // ends the soak when it does not end by itself
	burst  int             // packets that a worker sends at once, at most

	direct      ledger.Ledger // without the faults that are made on our side, for looking
	faulty      ledger.Ledger // what the recorders see
	book        *accounts.Book
	assetIDs    map[uint32]accounts.AssetIDs
	ownAccounts map[uint32]accounts.PeerAccount
	peers       []accounts.PeerAccount
	lines       []uint64 // granted to the peers

	plainRecorder   *transfers.Recorder
	journalRecorder atomic.Pointer[transfers.Recorder] // the one with a journal
	retryRecorder   atomic.Pointer[transfers.Recorder] // the clerk's
	journalFolder   string

	questions   chan question
	latePackets chan transfers.Packet
	answerCount atomic.Int64
	ledgerPID   atomic.Int64 // the process of it, if it is known
	meter       meter

	mu           sync.Mutex
	failures     int
	faults       counts
	recentFaults []string
	slowestStart time.Duration

	total          *model
	resultCounts   counts // what the callers were told
	sampledResults []transfers.Result
}

// soakHold is the longest time that a packet is held.
const soakHold = 3 * time.Second

// newSoak begins a soak of the length that the environment says. A long one has the
// process for itself.
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

// isLong reports whether it is long enough to tell about memory.
func (s *soak) isLong() bool { return s.length >= 2*time.Minute }

// scaleInterval is a time between faults: longer in a long soak, in which there is time for a
// state that builds up between them.
func (s *soak) scaleInterval(d time.Duration) time.Duration {
	if s.isLong() {
		return 8 * d
	}
	return d
}

// failf fails the soak. It goes on, as what comes later may tell why.
func (s *soak) failf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 20 // the first ones say it all
	if s.failures++; s.failures <= most {
		s.t.Errorf(format, args...)
	}
}

func (s *soak) countFault(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[fault]++
}

// recordFault notes one of the faults that all feel.
func (s *soak) recordFault(fault string) {
	s.countFault(fault)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recentFaults = append(s.recentFaults, fault)
}

// takeRecentFaults is what has struck since it was asked for last.
func (s *soak) takeRecentFaults() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	report := s.recentFaults
	s.recentFaults = nil
	return report
}

// openAll makes the accounts and the recorders.
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
			line := uint64(1) << 60 // nothing comes near it
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
	kept, err := s.newRecorder(transfers.Config{Journal: s.journalFolder})
	require.NoError(s.t, err)
	s.retryRecorder.Store(asking)
	s.journalRecorder.Store(kept)
}

// newRecorder opens a recorder. What it tells of its journal must be good news.
func (s *soak) newRecorder(cfg transfers.Config) (*transfers.Recorder, error) {
	cfg.MaxBacklog = 1 << 14
	cfg.HoldMargin, cfg.MinHold = time.Second, 500*time.Millisecond
	cfg.Events.BalancesChanged = s.meter.recordTouched
	cfg.AllowArrears = true // nobody collects here
	cfg.Events.Batch = s.meter.recordBatch
	cfg.Events.Journal = func(err error) { s.failf("journal: %v", err) }
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
