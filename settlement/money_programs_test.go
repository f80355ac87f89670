package settlement_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// programKind is a setting of random programs.
type programKind struct {
	noHistory bool
	engines   int
}

var programKinds = map[string]programKind{
	"one engine":                    {engines: 1},
	"three engines":                 {engines: 3},
	"one engine, without history":   {engines: 1, noHistory: true},
	"three engines without history": {engines: 3, noHistory: true},
}

// programSteps is the approximate number of steps of a program.
const programSteps = 55

// TestMoneyPrograms runs random programs: two peers trade with each other and with us, pay, get payments back, are
// adjusted, closed and reopened, and are settled with by engines that stop at every request, crash, and lose
// answers. The invariants of the money model are checked after every request.
//
// PEERLEDGER_PROGRAMS is the number of programs of each kind, PEERLEDGER_SEED the seed of the first program.
func TestMoneyPrograms(t *testing.T) {
	t.Parallel()
	n := 100
	if text := os.Getenv("PEERLEDGER_PROGRAMS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err, "PEERLEDGER_PROGRAMS")
	}
	first := ledgertest.Seed(t)
	for name, kind := range programKinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind.runPrograms(t, first, n)
		})
	}
}

// runPrograms runs n programs on all cores, and replays the first failing program with a log of its steps.
func (k programKind) runPrograms(t *testing.T, first uint64, n int) {
	t.Helper()
	var next atomic.Uint64
	var workers sync.WaitGroup
	var mu sync.Mutex
	var total programCounts
	failed := map[uint64]string{}
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < uint64(n); i = next.Add(1) - 1 {
				p := k.playProgram(t, first+i, false)
				mu.Lock()
				total.addCounts(&p.counts)
				if p.fault != "" {
					failed[first+i] = p.fault
					next.Store(uint64(n))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("%+v", total)
	for seed, fault := range failed {
		replay := k.playProgram(t, seed, true)
		for _, line := range replay.log {
			t.Log(line)
		}
		require.Fail(t, fmt.Sprintf("PEERLEDGER_SEED=%d: %s (played again: %s)", seed, fault, replay.fault))
	}
}

func (k programKind) playProgram(t *testing.T, seed uint64, verbose bool) (p *program) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		p = newProgram(k, seed)
		p.verbose = verbose
		p.openBooks()
		for range programSteps {
			if p.hasFailed() {
				break
			}
			p.runStep()
		}
		p.runToRest()
		p.closeAll()
	})
	return p
}

// programCounts counts the actions of programs.
type programCounts struct{ programs, steps, orders, asked, paid, voided, comparisons, crashes, migrations int }

func (c *programCounts) addCounts(o *programCounts) {
	c.programs++
	c.steps += o.steps
	c.orders += o.orders
	c.asked += o.asked
	c.paid += o.paid
	c.voided += o.voided
	c.comparisons += o.comparisons
	c.crashes += o.crashes
	c.migrations += o.migrations
}

type program struct {
	kind       programKind
	seed       uint64
	random     *rand.Rand
	ledger     *embedded.Ledger
	ownAccount accounts.PeerAccount
	peers      []*programPeer
	recorder   *transfers.Recorder
	observer   *accounts.Book // keeps its memory for the whole program
	workers    []*worker
	rail       *programRail
	holds      []*programHold
	ops        []*bookingOp // all that were begun
	lastKey    int
	tasks      []*task
	quiet      bool // no faults any more
	counts     programCounts

	mu          sync.Mutex // guards the model
	orders      map[ledger.ID]*placedOrder
	suspense    int64
	writtenRows int // by workers

	logMu   sync.Mutex
	verbose bool
	log     []string
	fault   string
}

// policyLevels are the levels of a policy.
type policyLevels struct{ at, settleTo, minimum int64 }

func (l policyLevels) newPolicy() settlement.Policy {
	policy := newThreshold(l.at, l.settleTo)
	if l.minimum > 0 {
		policy = settlement.AtLeast{Amount: units(uint64(l.minimum)), Of: policy}
	}
	return policy
}

func newProgram(k programKind, seed uint64) *program {
	p := &program{
		kind: k, seed: seed, random: rand.New(rand.NewPCG(seed, 1)), ledger: embedded.New(),
		orders: map[ledger.ID]*placedOrder{},
	}
	p.rail = &programRail{program: p, random: rand.New(rand.NewPCG(seed, 2)), fates: map[ledger.ID]*railOutcome{}}
	return p
}

func (p *program) rollChance(percent int) bool { return p.random.IntN(100) < percent }

func pickRandom[T any](p *program, list []T) T { return list[p.random.IntN(len(list))] }

func (p *program) reportFault(format string, args ...any) {
	p.logMu.Lock()
	defer p.logMu.Unlock()
	if p.fault == "" {
		p.fault = fmt.Sprintf(format, args...)
	}
	if p.verbose {
		p.log = append(p.log, "    FAULT "+fmt.Sprintf(format, args...))
	}
}

func (p *program) hasFailed() bool {
	p.logMu.Lock()
	defer p.logMu.Unlock()
	return p.fault != ""
}

func (p *program) logLine(format string, args ...any) {
	if p.verbose {
		p.logMu.Lock()
		defer p.logMu.Unlock()
		p.log = append(p.log, fmt.Sprintf(format, args...))
	}
}

// checkError reports an error of a call that cannot fail.
func (p *program) checkError(err error) {
	if err != nil {
		p.reportFault("%v", err)
	}
}

// openBooks provisions the peers, and starts the recorder and the workers.
func (p *program) openBooks() {
	p.observer = p.newBook(p.ledger, 1)
	var err error
	p.ownAccount, err = p.observer.OwnAccount(usd)
	p.checkError(err)
	for _, name := range []string{"alice", "bob"} {
		line := uint64(0)
		if p.rollChance(60) {
			line = uint64(p.random.IntN(100))
		}
		handles, err := p.observer.Provision(context.Background(), accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(line)})
		p.checkError(err)
		s := &programPeer{name: name, account: handles[0], ids: p.observer.PeerIDs(handles[0]), suspenseRows: map[ledger.ID]*suspenseRow{}}
		s.policy.at = 1 + p.random.Int64N(25)
		switch p.random.IntN(4) {
		case 0:
			s.policy.settleTo = p.random.Int64N(s.policy.at)
		case 1:
			s.policy.settleTo = -p.random.Int64N(60)
			s.policy.at = s.policy.settleTo + 1 + p.random.Int64N(60)
		}
		if span := s.policy.at - s.policy.settleTo; p.rollChance(20) {
			s.policy.minimum = 1 + p.random.Int64N(span)
		}
		p.peers = append(p.peers, s)
		p.logLine("%s: line %d, policy %+v", name, line, s.policy)
	}
	p.checkError(p.observer.EnsureTransit(context.Background()))
	p.startRecorder()
	for range p.kind.engines {
		p.startWorker()
	}
	p.compareBalances("the beginning")
}

// newBook makes a book. With a long poll interval a recorder lets through everything that the ledger lets through,
// because it hardly ever reads suspensions and arrears.
func (p *program) newBook(l ledger.Ledger, round time.Duration) *accounts.Book {
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: "programs", Assets: []accounts.Asset{usd}, NoHistory: p.kind.noHistory, SuspensionPollInterval: round,
	})
	p.checkError(err)
	return book
}

func (p *program) startRecorder() {
	var err error
	p.recorder, err = transfers.NewRecorder(p.ledger, p.newBook(p.ledger, 10_000*time.Hour), transfers.Config{
		Lanes: 1, MaxBacklog: 16, AllowArrears: true,
	})
	p.checkError(err)
}

// pickFreeInstance picks an instance without a worker. There is one more instance than workers.
func (p *program) pickFreeInstance() (instance string) {
	for taken := true; taken; {
		instance, taken = fmt.Sprint("engine ", p.random.IntN(p.kind.engines+1)), false
		for _, w := range p.workers {
			taken = taken || w.instance == instance
		}
	}
	return instance
}

// startWorker starts a worker of a free instance.
func (p *program) startWorker() {
	w := &worker{instance: p.pickFreeInstance(), program: p, refunds: map[accounts.PeerAccount]bool{}, skew: time.Second}
	if p.rollChance(40) {
		w.skew = time.Hour
	}
	w.book = p.newBook(gatedLedger{w}, 1)
	policies := settlement.Policies{Peer: map[string]settlement.Policy{}}
	for _, s := range p.peers {
		policies.Peer[s.name] = s.policy.newPolicy()
	}
	var err error
	w.engine, err = settlement.NewEngine(gatedLedger{w}, w.book, settlement.Config{
		Rails: settlement.Rails{Default: &settlement.Rail{
			Settler: workerRail{p.rail, w}, Timeout: 10_000 * time.Hour, BreakerThreshold: 1 << 30,
		}},
		Policies: policies, Manual: true, Instance: w.instance, OrderCooldown: 1, RetryInitialInterval: 1,
		Clock:  func() time.Time { return time.Now().Add(w.skew) },
		Events: settlement.Events{Failed: p.checkEngineError},
	})
	p.checkError(err)
	p.workers = append(p.workers, w)
}

func (p *program) closeAll() {
	for len(p.workers) > 0 {
		p.crashWorker(p.workers[0])
	}
	p.checkError(p.recorder.Close(context.Background()))
	p.checkError(p.ledger.Close())
}
