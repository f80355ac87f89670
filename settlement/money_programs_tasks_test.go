package settlement_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing/synctest"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// A task is something that an engine does in a goroutine of its own: a round, a payment that
// it books. It stops at every request to the ledger and at every call of the rail. The
// program, one goroutine, lets one of them go on at a time, so that a seed always gives the
// same order. All of it is in a synctest bubble: what waits for time waits for virtual time.
type task struct {
	name        string
	worker      *worker
	kind        string
	onApplied   func(*ledgerAnswer) // told of what the ledger let through for it
	onEnd       func(error)         // told by the program when it has ended
	waiting     []chan verdict
	placesOrder bool // the request that it waits with places an order
	done        bool
	err         error
	lostAnswers int // answers in a row that got lost
}

// verdict is how a task goes on.
type verdict int

const (
	goAhead    verdict = iota
	loseBefore         // the request is not done, and nobody knows
	loseAfter          // it is done, and nobody knows
	dieBefore          // it is not done, and the process is gone
	dieAfter           // it is done, and the process is gone
)

// worker is a process with an engine, and with the book of an operator.
type worker struct {
	instance string
	program  *program
	dead     bool
	skew     time.Duration // of its clock: more than a lease takes over everything
	book     *accounts.Book
	engine   *settlement.Engine
	refunds  map[accounts.PeerAccount]bool // that were asked of it
}

type taskKey struct{}

var (
	errDead   = errors.New("the process is gone")
	errUnread = errors.New("the answer to a reading got lost")
)

// waitForVerdict is where a task waits for its verdict. Whoever is no task is not stopped.
func (w *worker) waitForVerdict(ctx context.Context) (*task, verdict) {
	t, _ := ctx.Value(taskKey{}).(*task)
	w.program.mu.Lock()
	if w.dead {
		w.program.mu.Unlock()
		return t, dieBefore
	}
	if t == nil {
		w.program.mu.Unlock()
		return nil, goAhead
	}
	verdicts := make(chan verdict, 1)
	t.waiting = append(t.waiting, verdicts)
	w.program.mu.Unlock()
	return t, <-verdicts
}

// startTask begins a task, and returns when it has come to its first request.
func (p *program) startTask(t *task, do func(context.Context) error) {
	p.tasks = append(p.tasks, t)
	ctx := context.WithValue(context.Background(), taskKey{}, t)
	go func() {
		err := do(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		t.done, t.err = true, err
	}()
	p.waitForTasks(0)
}

// waitForTasks waits until all tasks wait, for their verdict or for each other.
func (p *program) waitForTasks(wait time.Duration) {
	if wait > 0 {
		pause(wait)
	}
	synctest.Wait()
	var left, ended []*task
	p.mu.Lock()
	for _, t := range p.tasks {
		if t.done {
			ended = append(ended, t)
		} else {
			left = append(left, t)
		}
	}
	p.tasks = left
	p.mu.Unlock()
	for _, t := range ended {
		p.logLine("%s ends: %v", t.name, t.err)
		if t.onEnd != nil {
			t.onEnd(t.err)
		}
	}
}

// waitingTasks are the tasks that wait for their verdict.
func (p *program) waitingTasks() (list []*task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tasks {
		if len(t.waiting) > 0 {
			list = append(list, t)
		}
	}
	return list
}

func (p *program) isWaiting(t *task) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(t.waiting) > 0
}

func (p *program) isOrdering(t *task) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.placesOrder
}

// setPlacesOrder notes whether the request of a task places an order.
func (p *program) setPlacesOrder(ctx context.Context, placesOrder bool) {
	if t, found := ctx.Value(taskKey{}).(*task); found {
		p.mu.Lock()
		defer p.mu.Unlock()
		t.placesOrder = placesOrder
	}
}

// resumeTask lets a task go on to its next request.
func (p *program) resumeTask(t *task, v verdict) {
	p.mu.Lock()
	next := t.waiting[0]
	t.waiting = t.waiting[1:]
	p.mu.Unlock()
	var wait time.Duration
	if v == loseBefore || v == loseAfter {
		// Until what got lost is sent again (internal/retryledger), at the latest.
		wait = 16 * time.Millisecond << t.lostAnswers
		t.lostAnswers++
	} else {
		t.lostAnswers = 0
	}
	next <- v
	p.waitForTasks(wait)
}

// gatedLedger is a worker's ledger.
type gatedLedger struct{ worker *worker }

func gateRead[R any](ctx context.Context, g gatedLedger, do func(ledger.Ledger) (R, error)) (R, error) {
	var nothing R
	_, v := g.worker.waitForVerdict(ctx)
	switch v {
	case dieBefore, dieAfter:
		return nothing, errDead
	case loseBefore, loseAfter:
		return nothing, errUnread
	case goAhead:
	}
	return do(g.worker.program.ledger)
}

func (g gatedLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	g.worker.program.setPlacesOrder(ctx, isOrder(rows))
	defer g.worker.program.setPlacesOrder(ctx, false)
	t, v := g.worker.waitForVerdict(ctx)
	switch v {
	case dieBefore:
		return nil, errDead
	case loseBefore:
		return nil, ledger.ErrOutcomeUnknown
	case goAhead, loseAfter, dieAfter:
	}
	results, err := g.worker.program.ledger.CreateTransfers(ctx, rows)
	if err == nil {
		g.worker.program.applyRequest(&ledgerAnswer{g.worker, t, rows, results})
	}
	switch v {
	case loseAfter:
		return nil, ledger.ErrOutcomeUnknown
	case dieAfter:
		return nil, errDead
	case goAhead, dieBefore, loseBefore:
	}
	return results, err
}

func (g gatedLedger) CreateAccounts(ctx context.Context, list []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return gateRead(ctx, g, func(l ledger.Ledger) ([]ledger.CreateAccountResult, error) { return l.CreateAccounts(ctx, list) })
}

func (g gatedLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	return gateRead(ctx, g, func(l ledger.Ledger) ([]ledger.Account, error) { return l.LookupAccounts(ctx, ids) })
}

func (g gatedLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return gateRead(ctx, g, func(l ledger.Ledger) ([]ledger.Transfer, error) { return l.LookupTransfers(ctx, ids) })
}

func (g gatedLedger) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	return gateRead(ctx, g, func(l ledger.Ledger) ([]ledger.Transfer, error) { return l.GetAccountTransfers(ctx, f) })
}

func (g gatedLedger) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return gateRead(ctx, g, func(l ledger.Ledger) ([]ledger.AccountBalance, error) { return l.GetAccountBalances(ctx, f) })
}

func (g gatedLedger) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	return gateRead(ctx, g, func(l ledger.Ledger) ([]ledger.Account, error) { return l.QueryAccounts(ctx, f) })
}

func (g gatedLedger) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	return gateRead(ctx, g, func(l ledger.Ledger) ([]ledger.Transfer, error) { return l.QueryTransfers(ctx, f) })
}

func (g gatedLedger) Close() error { return nil }

// programRail pays once for a key, and remembers what it has answered.
type programRail struct {
	program *program
	mu      sync.Mutex
	random  *rand.Rand
	fates   map[ledger.ID]*railOutcome
}

// railOutcome is what became of an order at the rail.
type railOutcome struct {
	amount   int64 // that it was asked for
	decided  bool
	paid     int64
	declined bool // the rest will not be paid
}

// workerRail is the rail as a worker calls it.
type workerRail struct {
	*programRail
	worker *worker
}

func (r workerRail) Settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	t, v := r.worker.waitForVerdict(ctx)
	if v == dieBefore || v == loseBefore {
		return none, errDead
	}
	f, lost := r.askToPay(r.worker, t, o)
	switch {
	case v != goAhead || lost:
		return none, errDead // whatever it did
	case !f.decided:
		return none, settlement.ErrPending
	case f.declined:
		return units(uint64(f.paid)), settlement.ErrDeclined
	default:
		return units(uint64(f.paid)), nil
	}
}

// askToPay asks the rail to pay. It decides once for a key. The answer may get lost.
func (r *programRail) askToPay(w *worker, t *task, o settlement.Order) (answer railOutcome, lost bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	amount := toInt64(o.Amount)
	f := r.fates[o.ID]
	if f == nil {
		f = &railOutcome{amount: amount}
		r.fates[o.ID] = f
		r.program.checkFirstCall(t, o)
	}
	if f.amount != amount {
		r.program.reportFault("the rail is asked for %d under a key under which it was asked for %d", amount, f.amount)
	}
	lost = !r.program.quiet && r.random.IntN(10) == 0
	if f.decided {
		return *f, lost
	}
	switch x := r.random.IntN(20); {
	case r.program.quiet || x < 11:
		f.decided, f.paid = true, amount
	case x < 13:
		f.decided, f.paid = true, r.random.Int64N(amount)+1
	case x < 14:
		f.decided, f.paid, f.declined = true, r.random.Int64N(amount+1), true
	case x < 16:
		f.decided, f.paid = true, amount+1+r.random.Int64N(30)
	case x < 18:
		f.decided, f.declined = true, true
	default: // pending
	}
	r.program.logLine("the rail is asked for %d by %s: %+v", amount, w.instance, *f)
	return *f, lost
}
