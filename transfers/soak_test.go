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
			s.count("kill -9")
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
	ours  map[uint32]accounts.Account
	peers []accounts.Account
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

// open makes the accounts and the recorders.
func (s *soak) open(clean, seen ledger.Ledger) {
	s.t.Helper()
	s.clean, s.seen = clean, seen
	var err error
	s.book, err = accounts.NewBook(clean, accounts.Config{Assets: []accounts.Asset{usd, loss}})
	require.NoError(s.t, err)
	s.own, s.ours = make(map[uint32]accounts.AssetIDs), make(map[uint32]accounts.Account)
	var peers []accounts.Peer
	for _, asset := range s.book.Assets() {
		s.own[asset.Ledger], _ = s.book.AssetIDs(asset.Ledger)
		s.ours[asset.Ledger], err = s.book.Own(asset)
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
			peers = append(peers, accounts.Peer{ID: fmt.Sprintf("peer %d", i), Asset: asset, CreditLine: units(line)})
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
	cfg.Backlog = 1 << 14
	cfg.HoldMargin, cfg.MinHold = time.Second, 500*time.Millisecond
	cfg.Touched = s.meter.touch
	cfg.Events.Batch = s.meter.batch
	cfg.Events.Journal = func(err error) { s.fail("journal: %v", err) }
	cfg.Events.Replayed = func(results []transfers.Result) {
		for i := range results {
			of := s.classify(&results[i])
			s.count("replayed: " + of.String())
			if of == refused && !errors.Is(results[i].Err, transfers.ErrResolvedOtherwise) { // of a race
				s.fail("replayed: %v", results[i].Err)
			}
		}
	}
	return transfers.NewRecorder(s.seen, s.book, cfg)
}

// workers is how many goroutines send packets.
const workers = 600

// run lets the storm rage, and settles what it has left. The weather is made in the
// test's goroutine, until the storm is over; it leaves all at peace.
func (s *soak) run(weather func(storm context.Context)) {
	s.t.Helper()
	storm, over := context.WithTimeout(s.life, s.length)
	defer over()
	all := make([]*worker, workers)
	var working, helping, clerking, collecting sync.WaitGroup
	for i := range all {
		w := &worker{soak: s, random: rand.New(rand.NewPCG(s.seed, uint64(i)+100)), model: newModel(s.own), counts: make(counts)}
		all[i] = w
		working.Go(func() { w.run(s.life, storm) })
	}
	scribe := &clerk{soak: s, model: newModel(s.own), asked: make(counts)}
	clerking.Go(func() { scribe.run(s.life) })
	reader := &collector{soak: s, model: newModel(s.own)}
	collecting.Go(func() { reader.run(s.life) })
	helping.Go(func() { s.reopen(storm) })
	helping.Go(func() { s.measure(storm) })

	began := time.Now()
	weather(storm)
	helping.Wait()
	working.Wait()
	s.meter.end(s.answers.Load(), time.Since(began))
	s.settle()
	for _, w := range all {
		for _, p := range w.promised {
			w.ask(s.life, question{op: transfers.Fulfill(p), booked: true})
		}
	}
	close(s.questions)
	clerking.Wait()
	close(s.lates)
	collecting.Wait()

	s.total = newModel(s.own)
	for _, w := range all {
		s.total.add(w.model)
		s.told.add(w.counts)
		s.checked = append(s.checked, w.samples...)
	}
	s.total.add(scribe.model)
	s.total.add(reader.model)
	s.told.log(s.t, "answers to callers")
	scribe.asked.log(s.t, "asked again")
	s.t.Logf("late: %d charged whole, %d in part, %d not at all, %d from ourselves", reader.whole, reader.part, reader.none, reader.ourself)
}

// settle closes the recorders of the storm, and has what is left in the journal
// recorded by a fresh one. The clerk goes on with another.
func (s *soak) settle() {
	s.t.Helper()
	require.NoError(s.t, s.plain.Close(s.life))
	require.NoError(s.t, s.kept.Load().Close(s.life))
	fresh, err := s.newRecorder(transfers.Config{Journal: s.journal})
	require.NoError(s.t, err)
	require.NoError(s.t, s.asking.Swap(fresh).Close(s.life))
	require.NoError(s.t, fresh.Flush(s.life))
}

// reopen closes the recorder with the journal, mostly before it is through, and opens
// another one on the same folder.
func (s *soak) reopen(storm context.Context) {
	random := rand.New(rand.NewPCG(s.seed, 2))
	for pass(storm, between(random, s.scaled(300*time.Millisecond), s.scaled(time.Second))) {
		hurry, cancel := context.WithTimeout(s.life, between(random, 0, 100*time.Millisecond))
		err := s.kept.Load().Close(hurry)
		cancel()
		s.count("recorder closed")
		var left *transfers.CloseError
		switch {
		case errors.As(err, &left):
			s.mu.Lock()
			s.faults["operations left by a closed recorder, unknown"] += len(left.Unknown)
			s.faults["operations left by a closed recorder, unsent"] += len(left.Unsent)
			s.mu.Unlock()
		case err != nil:
			s.fail("close: %v", err)
		}
		fresh, err := s.newRecorder(transfers.Config{Journal: s.journal})
		if err != nil {
			s.fail("open again: %v", err)
			return
		}
		s.kept.Store(fresh)
	}
}
