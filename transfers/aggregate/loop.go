package aggregate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// work is what a call of the machine has left to do outside of the lock.
type work struct {
	decided  []decision
	flushed  []flushWaiter
	heldBack []chan struct{}
	applied  []appliedRound
	stopped  error
	wake     bool
}

// takeWork takes what the machine has decided. The caller holds the lock.
func (r *Recorder) takeWork() (w work) {
	m := r.machine
	w.decided, m.decided = m.decided, nil
	w.applied, m.applied = m.applied, nil
	m.counts.countWork(&w)
	kept := r.flushes[:0]
	for _, f := range r.flushes {
		if m.through >= f.through || m.stopped != nil {
			w.flushed = append(w.flushed, f)
		} else {
			kept = append(kept, f)
		}
	}
	r.flushes = kept
	w.heldBack = m.takeAnswers()
	if m.stopped != nil && !r.failed {
		r.failed, w.stopped = true, m.stopped
	}
	w.wake = m.hasUrgentWork()
	return w
}

// publish wakes the callers, and the loop. Events come from the loop alone.
func (r *Recorder) publish(w work) {
	for _, d := range w.decided {
		if c, isCall := d.token.(*call); isCall {
			c.result, c.record = d.reply.result(d.op), d.reply.record
			close(c.done)
		}
	}
	for _, f := range w.flushed {
		close(f.done)
	}
	for _, answered := range w.heldBack {
		close(answered)
	}
	if w.stopped != nil && r.cfg.Events.Stopped != nil {
		r.cfg.Events.Stopped(w.stopped)
	}
	if w.wake {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// runRounds sends the machine's requests until the recorder is closed.
func (r *Recorder) runRounds() {
	defer close(r.loopDone)
	for r.ctx.Err() == nil {
		r.mu.Lock()
		request := r.machine.nextRequest(r.clock.now())
		isDone := r.closed && (r.machine.isAtRest() || r.machine.stopped != nil)
		work := r.takeWork()
		started, stopped := r.machine.describeStart(), r.machine.stopped
		r.mu.Unlock()
		r.publish(work)
		r.reportRounds(r.ctx, work.applied)
		if stopped != nil {
			r.leaveRoundTrace(stopped)
		}
		r.startRoundTrace(r.ctx, started)
		if r.backlog.full.Load() {
			r.noteBacklog()
		}
		switch {
		case request != nil:
			if err := r.sendRequest(r.ctx, request); err != nil && r.ctx.Err() == nil {
				r.stopMachine(err)
			} else if request.kind == requestRound {
				r.startCheckpoint()
			}
		case isDone:
			r.cancel(transfers.ErrRecorderClosed)
		default:
			r.waitForWork()
		}
	}
	r.leaveRoundTrace(context.Cause(r.ctx))
	<-r.clockDone
	r.waitForCheckpoint()
	r.closeErr = r.journal.close()
	if cause := context.Cause(r.ctx); !errors.Is(cause, transfers.ErrRecorderClosed) {
		r.closeErr = errors.Join(cause, r.closeErr)
	}
	if r.machine.stopped != nil {
		r.closeErr = errors.Join(r.machine.stopped, r.closeErr)
	}
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
}

// waitForWork waits until the machine may have a request.
func (r *Recorder) waitForWork() {
	r.mu.Lock()
	isJournaling := r.machine.isJournaling()
	pause := r.machine.untilNextRequest()
	r.mu.Unlock()
	if isJournaling {
		if err := r.syncAttempt(r.ctx); err != nil && r.ctx.Err() == nil {
			r.stopMachine(err)
		}
		return
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-r.wake:
	case <-timer.C:
	case <-r.ctx.Done():
	}
}

// syncAttempt waits until all records so far are on disk.
func (r *Recorder) syncAttempt(ctx context.Context) error {
	r.mu.Lock()
	n := r.machine.records
	r.mu.Unlock()
	if err := r.journal.waitSynced(ctx, n); err != nil {
		return err
	}
	r.mu.Lock()
	r.machine.markSynced(n)
	r.mu.Unlock()
	return nil
}

func (r *Recorder) stopMachine(err error) {
	r.mu.Lock()
	r.machine.stop(err)
	stopped := r.machine.stopped
	work := r.takeWork()
	r.mu.Unlock()
	if errors.Is(stopped, transfers.ErrJournal) {
		r.reportJournal(stopped)
	}
	r.publish(work)
}

// The pauses before a request is sent again.
const (
	firstPause = 10 * time.Millisecond
	lastPause  = time.Second
)

// sendRequest sends a request until the ledger has answered it, and gives the machine the answer.
// The error is of a request that can never succeed, or the context's.
func (r *Recorder) sendRequest(ctx context.Context, request *request) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := r.tryRequest(ctx, request)
		if err == nil {
			return nil
		}
		if errors.Is(err, ledger.ErrClosed) || errors.Is(err, ledger.ErrTooMuchData) || ctx.Err() != nil {
			return err
		}
		if r.cfg.Events.RequestFailed != nil {
			r.cfg.Events.RequestFailed(err)
		}
		r.noteFailure()
		if !waitPause(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

// waitPause reports whether a pause ended before the context.
func waitPause(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// noteFailure counts a failed request.
func (r *Recorder) noteFailure() {
	r.mu.Lock()
	r.machine.counts.requestFailures++
	r.mu.Unlock()
}

// clockInterval is how long after its expiry a prepare that waits is refused at the latest.
const clockInterval = 500 * time.Millisecond

// runClock lets the machine see the time, also while a request has no answer.
func (r *Recorder) runClock() {
	defer close(r.clockDone)
	ticker := time.NewTicker(clockInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.passTime()
		case <-r.ctx.Done():
			return
		}
	}
}

// passTime refuses prepares that have waited until their expiry, and ends hold-backs.
func (r *Recorder) passTime() {
	r.mu.Lock()
	r.machine.observe(r.clock.now())
	r.machine.endHoldBacks()
	r.machine.refuseExpired()
	work := r.takeWork()
	r.mu.Unlock()
	r.publish(work)
}

// tryRequest sends a request once.
func (r *Recorder) tryRequest(ctx context.Context, request *request) error {
	ctx = r.traceContext(ctx, request.kind)
	switch request.kind { //nolint:exhaustive // the rest creates transfers
	case requestPeers, requestParties:
		rows, err := batch.Each(ctx, request.ids, 1, r.ledger.LookupAccounts)
		return r.answer(ctx, request, err, func(m *machine, now moment) { m.answerAccounts(now, rows) })
	case requestRecover, requestHolds:
		rows, err := batch.Each(ctx, request.ids, 1, r.ledger.LookupTransfers)
		return r.answer(ctx, request, err, func(m *machine, now moment) { m.answerRows(now, rows) })
	case requestAdopt:
		rows, err := r.queryAll(ctx, request.filter)
		return r.answer(ctx, request, err, func(m *machine, now moment) { m.answerRows(now, rows) })
	default:
		if err := r.ensureArrears(ctx, request.arrears); err != nil {
			return err
		}
		results, err := r.ledger.CreateTransfers(ctx, request.transfers)
		return r.answer(ctx, request, err, func(m *machine, now moment) { m.answerTransfers(now, results) })
	}
}

// answer gives the machine an answer, unless the request failed.
func (r *Recorder) answer(ctx context.Context, answered *request, err error, give func(*machine, moment)) error {
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.machine.counts.countRequest(answered.kind)
	give(r.machine, r.clock.now())
	work := r.takeWork()
	r.mu.Unlock()
	r.publish(work)
	r.reportRounds(ctx, work.applied)
	return nil
}

// queryAll reads all pages of a query.
func (r *Recorder) queryAll(ctx context.Context, filter ledger.QueryFilter) (all []ledger.Transfer, err error) {
	for {
		rows, err := batch.Page(&filter.Limit, func() ([]ledger.Transfer, error) { return r.ledger.QueryTransfers(ctx, filter) })
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) == 0 {
			return all, nil
		}
		filter.TimestampMin = rows[len(rows)-1].Timestamp + 1
	}
}

// ensureArrears creates missing arrears accounts, once for each peer: a debit of a missing account
// burns its id.
func (r *Recorder) ensureArrears(ctx context.Context, senders []accounts.PeerAccount) error {
	var missing []accounts.PeerAccount
	for _, a := range senders {
		if _, isThere := r.withArrears[a]; !isThere {
			missing = append(missing, a)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if err := r.book.EnsureArrears(ctx, missing...); err != nil {
		return fmt.Errorf("create arrears accounts: %w", err)
	}
	for _, a := range missing {
		r.withArrears[a] = struct{}{}
	}
	return nil
}
