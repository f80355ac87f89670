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
	s.ledger.Store(server.pid())
	network := newUnreliable(server, s.seed)
	s.open(server, network)
	s.run(func(storm context.Context) {
		network.blow(1)
		for pass(storm, between(s.random, s.scaled(500*time.Millisecond), s.scaled(time.Second))) {
			network.blow(1 << s.random.IntN(4)) // a rough one slows everybody down
			server.kill()
			pass(storm, between(s.random, 0, 500*time.Millisecond))
			began := time.Now()
			server.start()
			s.ledger.Store(server.pid())
			s.strike("kill -9")
			s.slowestStart = max(s.slowestStart, time.Since(began))
			// The books grow, and with them the time that it takes to read them.
			pass(storm, 3*time.Since(began))
		}
		network.blow(0)
	})
	s.faults.add(network.end())
	s.finish()
	require.NoError(t, server.Close())
}

// soak is what the workers of a storm share.
type soak struct {
	t      *testing.T
	length time.Duration
	seed   uint64
	random *rand.Rand      // of the test's own goroutine
	life   context.Context // ends the soak when it does not end by itself
	burst  int             // packets that a worker sends at once, at most

	clean ledger.Ledger // without the faults that are made on our side, for looking
	seen  ledger.Ledger // what the recorders see
	book  *accounts.Book
	own   map[uint32]accounts.AssetIDs
	ours  map[uint32]accounts.PeerAccount
	peers []accounts.PeerAccount
	lines []uint64 // granted to the peers

	plain   *transfers.Recorder
	kept    atomic.Pointer[transfers.Recorder] // the one with a journal
	asking  atomic.Pointer[transfers.Recorder] // the clerk's
	journal string

	questions chan question
	lates     chan transfers.Packet
	answers   atomic.Int64
	ledger    atomic.Int64 // the process of it, if it is known
	meter     meter

	mu           sync.Mutex
	failures     int
	faults       counts
	weather      []string
	slowestStart time.Duration

	total   *model
	told    counts // what the callers were told
	checked []transfers.Result
}

// soakHold is the longest time that a packet is held.
const soakHold = 3 * time.Second

// newSoak begins a soak of the length that the environment says. A long one has the
// process for itself.
func newSoak(t *testing.T, short time.Duration) *soak {
	t.Helper()
	s := &soak{
		t: t, length: short, seed: ledgertest.Seed(t), burst: 100, faults: make(counts), told: make(counts),
		questions: make(chan question, 1<<12), lates: make(chan transfers.Packet, 1<<12), journal: t.TempDir(),
	}
	s.random = rand.New(rand.NewPCG(s.seed, 0))
	if text := os.Getenv("PEERLEDGER_SOAK"); text != "" {
		var err error
		s.length, err = time.ParseDuration(text)
		require.NoError(t, err, "PEERLEDGER_SOAK")
	}
	if s.long() {
		running := goleak.IgnoreCurrent()
		t.Cleanup(func() { goleak.VerifyNone(t, running) })
	} else {
		t.Parallel()
	}
	life, cancel := context.WithTimeout(t.Context(), 2*s.length+2*time.Minute)
	t.Cleanup(cancel)
	s.life = life
	return s
}

// long reports whether it is long enough to tell about memory.
func (s *soak) long() bool { return s.length >= 2*time.Minute }

// scaled is a time between faults: longer in a long soak, in which there is time for a
// state that builds up between them.
func (s *soak) scaled(d time.Duration) time.Duration {
	if s.long() {
		return 8 * d
	}
	return d
}

// fail fails the soak. It goes on, as what comes later may tell why.
func (s *soak) fail(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const most = 20 // the first ones say it all
	if s.failures++; s.failures <= most {
		s.t.Errorf(format, args...)
	}
}

func (s *soak) count(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[fault]++
}

// strike notes one of the faults that all feel.
func (s *soak) strike(fault string) {
	s.count(fault)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.weather = append(s.weather, fault)
}

// weatherReport is what has struck since it was asked for last.
func (s *soak) weatherReport() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	report := s.weather
	s.weather = nil
	return report
}

// open makes the accounts and the recorders.
func (s *soak) open(clean, seen ledger.Ledger) {
	s.t.Helper()
	s.clean, s.seen = clean, seen
	var err error
	s.book, err = accounts.NewBook(clean, accounts.Config{Assets: []accounts.Asset{usd, loss}})
	require.NoError(s.t, err)
	s.own, s.ours = make(map[uint32]accounts.AssetIDs), make(map[uint32]accounts.PeerAccount)
	var peers []accounts.PeerConfig
	for _, asset := range s.book.Assets() {
		s.own[asset.Ledger], _ = s.book.AssetIDs(asset.Ledger)
		s.ours[asset.Ledger], err = s.book.OwnAccount(asset)
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
	s.plain, err = s.newRecorder(transfers.Config{Lanes: 3})
	require.NoError(s.t, err)
	asking, err := s.newRecorder(transfers.Config{})
	require.NoError(s.t, err)
	kept, err := s.newRecorder(transfers.Config{Journal: s.journal})
	require.NoError(s.t, err)
	s.asking.Store(asking)
	s.kept.Store(kept)
}

// newRecorder opens a recorder. What it tells of its journal must be good news.
func (s *soak) newRecorder(cfg transfers.Config) (*transfers.Recorder, error) {
	cfg.MaxBacklog = 1 << 14
	cfg.HoldMargin, cfg.MinHold = time.Second, 500*time.Millisecond
	cfg.Events.BalancesChanged = s.meter.touch
	cfg.AllowArrears = true // nobody collects here
	cfg.Events.Batch = s.meter.batch
	cfg.Events.Journal = func(err error) { s.fail("journal: %v", err) }
	cfg.Events.Replayed = func(results []transfers.Result) {
		for i := range results {
			of := s.classify(&results[i])
			s.count("replayed: " + of.String())
			if of == refused && !errors.Is(results[i].Err, transfers.ErrPacketConflict) { // of a race
				s.fail("replayed: %v", results[i].Err)
			}
		}
	}
	return transfers.NewRecorder(s.seen, s.book, cfg)
}
