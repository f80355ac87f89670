package transfers

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/peerledger/peerledger/ledger"
)

// sender resolves the batches of a lane at the ledger, one after the other. It runs in one
// goroutine, which owns all of its fields but inFlight.
type sender struct {
	ledger    ledger.Ledger
	recorder  *Recorder
	inbox     *inbox
	builder   *batchBuilder
	publisher *publisher
	inFlight  atomic.Int64 // operations of the batch at the ledger, for Recorder.Stats

	abandoned []abandonedOperation // given up since the inbox was closed
	lastErr   error                // the ledger's last error when one was given up
}

// abandonedOperation is an operation that was given up while the recorder was being closed.
type abandonedOperation struct {
	op          Op
	mayBeBooked bool
}

func newSender(l ledger.Ledger, r *Recorder, ln *lane) *sender {
	return &sender{ledger: l, recorder: r, inbox: ln.inbox, builder: ln.builder, publisher: ln.publisher}
}

// runSender resolves batches until the inbox is closed and empty. When ctx ends, the
// operations that are left are given up.
func (s *sender) runSender(ctx context.Context) {
	defer s.publisher.close()
	for b := s.builder.awaitBatch(); b != nil; b = s.builder.awaitBatch() {
		s.resolveBatch(ctx, b)
		if s.builder.hasWork() {
			s.publisher.enqueueBatch(b)
		} else {
			s.publisher.publishNow(b) // saves the callers the wake-up of the publisher
		}
	}
}

// resolveBatch sends requests until every operation of a batch is answered or given up.
func (s *sender) resolveBatch(ctx context.Context, b *batch) {
	started := time.Now()
	b.report.QueueWait = max(0, started.Sub(s.inbox.created)-b.firstArrival)
	ctx = s.recorder.startBatchTrace(ctx, b)
	s.inFlight.Store(int64(len(b.remaining)))
	defer s.inFlight.Store(0)
	pause := &retryBackoff{}
	for {
		if b.resending == 0 {
			b.dropExpired(s.recorder.cfg.Clock())
			if !s.ensureVerified(ctx, b, pause) {
				continue
			}
		}
		if len(b.remaining) == 0 {
			break
		}
		s.publisher.publishAnswered(b) // their callers need not wait for the operations that are resent
		s.resolveRequest(ctx, b, pause)
	}
	b.report.Duration = time.Since(started)
}

// resolveRequest sends one request and handles its result. While the outcome is unknown the
// same request is sent again. That is safe: the transfers have the same ids.
func (s *sender) resolveRequest(ctx context.Context, b *batch, pause *retryBackoff) {
	n := b.resending
	if n == 0 {
		n, b.sentAt = b.prepareRequest(s.builder.transferLimit), s.recorder.cfg.Clock()
	}
	b.resending = 0
	results, err := s.sendRequest(ctx, b, n)
	switch {
	case err == nil:
		answered := b.applyResults(n, results, s.recorder.cfg.Clock())
		pause.resetInterval()
		if b.hasCorrections {
			s.readShortfalls(ctx, answered)
		}
	case errors.Is(err, ledger.ErrOutcomeUnknown): // before all other errors: the operations may be in the books
		b.markUnknown(n)
		if !pause.waitInterval(ctx) {
			s.abandonOperations(b, n, err)
		}
	case errors.Is(err, ledger.ErrTooMuchData) && n > 1:
		s.builder.lowerTransferLimit(len(b.transfers))
	case errors.Is(err, ledger.ErrClosed):
		s.recorder.ledgerClosed.Store(true)
		s.abandonOperations(b, n, err)
	case errors.Is(err, ledger.ErrTooMuchData), !pause.waitInterval(ctx):
		s.abandonOperations(b, n, err)
	default:
		b.fullyEncoded = n == len(b.remaining) // not executed: dropExpired may still drop prepares
	}
}

// sendRequest sends the request of the first n operations once. Before corrections it has
// the arrears accounts created that the request debits; if that fails, nothing is sent.
func (s *sender) sendRequest(ctx context.Context, b *batch, n int) ([]ledger.CreateTransferResult, error) {
	if b.hasCorrections {
		if err := s.recorder.arrearsAccounts.ensureCreated(ctx, arrearsSenders(b.remaining[:n])); err != nil {
			return nil, err
		}
	}
	b.report.Requests++
	b.report.Transfers += len(b.transfers)
	results, err := s.ledger.CreateTransfers(ctx, b.transfers)
	if err == nil && len(results) != len(b.transfers) {
		err = fmt.Errorf("%w: %d answers to %d transfers", ledger.ErrOutcomeUnknown, len(results), len(b.transfers))
	}
	return results, err
}

// abandonOperations gives up the first n operations.
func (s *sender) abandonOperations(b *batch, n int, cause error) {
	recorderClosed := s.inbox.isClosed()
	if recorderClosed {
		s.lastErr = cause
		for _, o := range b.remaining[:n] {
			s.abandoned = append(s.abandoned, abandonedOperation{o.toOp(), o.sent || o.voiding})
		}
	}
	b.endUnanswered(n, cause, recorderClosed)
	b.resending = 0
}

// reportAbandoned adds the operations that were given up after the recorder was closed.
// Callers of the operations given up before have their errors. REQUIRES: the sender has
// ended.
func (s *sender) reportAbandoned(report *CloseError) {
	for _, a := range s.abandoned {
		if a.mayBeBooked {
			report.UnknownOps = append(report.UnknownOps, a.op)
		} else {
			report.UnsentOps = append(report.UnsentOps, a.op)
		}
	}
	if s.lastErr != nil {
		report.LedgerErr = s.lastErr
	}
}

// retryBackoff waits between attempts, longer each time.
type retryBackoff struct{ policy *backoff.ExponentialBackOff }

// waitInterval waits for the next interval; false if ctx has ended.
func (r *retryBackoff) waitInterval(ctx context.Context) bool {
	if r.policy == nil {
		r.policy = backoff.NewExponentialBackOff()
		r.policy.InitialInterval, r.policy.MaxInterval = 10*time.Millisecond, time.Second
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(r.policy.NextBackOff()):
		return true
	}
}

func (r *retryBackoff) resetInterval() { r.policy = nil }
