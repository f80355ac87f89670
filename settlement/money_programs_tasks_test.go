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

// A task is an action of an engine in a goroutine of its own: a round, or a booking. It stops at every request to
// the ledger and at every call of the rail. The program, one goroutine, continues one task at a time, so a seed
// always gives the same order. Everything runs in a synctest bubble, with virtual time.
type task struct {
	name        string
	worker      *worker
	kind        string
	onApplied   func(*ledgerAnswer) // called with the rows that the ledger applied for the task
	onEnd       func(error)         // called by the program when the task has ended
	waiting     []chan verdict
	placesOrder bool // the waiting request places an order
	done        bool
	err         error
	lostAnswers int // in a row
}

// verdict is the continuation of a task.
type verdict int

const (
	goAhead    verdict = iota
	loseBefore         // the request is not applied, and its answer is lost
	loseAfter          // the request is applied, and its answer is lost
	dieBefore          // the request is not applied, and the process is gone
	dieAfter           // the request is applied, and the process is gone
)

// worker is a process with an engine, and with the book of an operator.
type worker struct {
	instance string
	program  *program
	dead     bool
	skew     time.Duration // of the worker's clock: a skew above the lease takes over every order
	book     *accounts.Book
	engine   *settlement.Engine
	refunds  map[accounts.PeerAccount]bool // the refunds requested from this worker
}

type taskKey struct{}

var (
	errDead   = errors.New("the process is gone")
	errUnread = errors.New("the answer to a reading got lost")
)

// waitForVerdict stops the task of a context until the program decides. A call without a task is not stopped.
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

// startTask starts a task, and returns when the task waits at its first request.
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

// waitForTasks waits until all tasks wait, for a verdict or for each other.
func (p *program) waitForTasks(wait time.Duration) {
	if wait > 0 {
		sleepVirtual(wait)
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

// waitingTasks returns the tasks that wait for a verdict.
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

// resumeTask continues a task up to its next request.
func (p *program) resumeTask(t *task, v verdict) {
	p.mu.Lock()
	next := t.waiting[0]
	t.waiting = t.waiting[1:]
	p.mu.Unlock()
	var wait time.Duration
	if v == loseBefore || v == loseAfter {
		// At most the time until the lost request is sent again (internal/retryledger).
		wait = 16 * time.Millisecond << t.lostAnswers
		t.lostAnswers++
	} else {
		t.lostAnswers = 0
	}
	next <- v
	p.waitForTasks(wait)
}

// gatedLedger is the ledger of a worker.
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

// programRail pays once for a key, and remembers its answers.
type programRail struct {
	program *program
	mu      sync.Mutex
	random  *rand.Rand
	fates   map[ledger.ID]*railOutcome
}

// railOutcome is the outcome of an order at the rail.
type railOutcome struct {
	amount   int64 // of the first call
	decided  bool
	paid     int64
	declined bool // nothing more will be paid
}

// workerRail is the rail as a worker calls it.
type workerRail struct {
	*programRail
	worker *worker
}

func (r workerRail) Settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	t, v := r.worker.waitForVerdict(ctx)
	if v == dieBefore || v == loseBefore {
		return noAmount, errDead
	}
	f, lost := r.askToPay(r.worker, t, o)
	switch {
	case v != goAhead || lost:
		return noAmount, errDead // with any outcome at the rail
	case !f.decided:
		return noAmount, settlement.ErrPending
	case f.declined:
		return units(uint64(f.paid)), settlement.ErrDeclined
	default:
		return units(uint64(f.paid)), nil
	}
}

// askToPay asks the rail to pay. The rail decides once for a key. The answer may be lost.
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
