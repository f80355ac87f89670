package settlement_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// startOperator starts a task of an operator. The task may be refused, and is not repeated.
func (p *program) startOperator(w *worker, kind string, s *programPeer, saw func(*ledgerAnswer), do func(context.Context) error) {
	t := &task{name: fmt.Sprintf("%s %s by %s", kind, s.name, w.instance), worker: w, kind: kind, onApplied: saw}
	p.logLine("%s begins", t.name)
	p.startTask(t, do)
}

func (p *program) beginLine(w *worker, s *programPeer) {
	line := units(uint64(p.random.IntN(100)))
	p.startOperator(w, "line", s, nil, func(ctx context.Context) error {
		_, err := w.book.SetCreditLine(ctx, s.account, line, accounts.WithPartialRevoke())
		return err
	})
}

// beginClose closes a peer. With force, the amount owed in either direction is written off.
func (p *program) beginClose(w *worker, s *programPeer, force bool) {
	var options []accounts.CloseOption
	if force {
		options = []accounts.CloseOption{accounts.WithForce(), accounts.WithReasonCode(1)}
	}
	saw := func(seen *ledgerAnswer) { p.applyWriteOffs(s, seen) }
	p.startOperator(w, "close", s, saw, func(ctx context.Context) error { return w.book.ClosePeer(ctx, s.account, options...) })
}

// applyWriteOffs adds the write-offs of a closing to the model. The amount is what was owed when the closing read the
// accounts, and the caller cannot know it.
func (p *program) applyWriteOffs(s *programPeer, seen *ledgerAnswer) {
	for i := range seen.rows {
		if !seen.isCreated(i) || seen.rows[i].Code != chart.CodeAdjust {
			continue
		}
		found, err := p.ledger.LookupTransfers(context.Background(), []ledger.ID{seen.rows[i].ID})
		p.checkError(err)
		n := toInt64(found[0].Amount)
		if found[0].DebitAccountID == s.ids.Peer {
			s.addSent(n)
			p.suspense += n
		} else {
			s.addPaidIn(n)
			p.suspense -= n
		}
	}
}

func (p *program) beginReopen(s *programPeer) {
	w := pickRandom(p, p.workers)
	p.startOperator(w, "reopen", s, nil, func(ctx context.Context) error {
		return errors.Join(w.book.ReopenPeer(ctx, s.account), w.book.ResumePeer(ctx, s.account))
	})
}

// beginRelease releases a peer's money from suspense.
func (p *program) beginRelease(s *programPeer) {
	w, ns := pickRandom(p, p.workers), chart.Namespace("programs")
	saw := func(seen *ledgerAnswer) {
		for i := range seen.rows {
			if !seen.isCreated(i) {
				continue
			}
			given := false
			for id, waiting := range s.suspenseRows {
				for attempt := range uint64(30) {
					given = given || seen.rows[i].ID == ns.Derive("release", chart.ID(id), chart.U64(attempt))
				}
				if !given {
					continue
				}
				if waiting.earned {
					s.addEarned(waiting.amount)
				} else {
					s.addPaidIn(waiting.amount)
				}
				p.suspense -= waiting.amount
				delete(s.suspenseRows, id)
				break
			}
			if !given {
				p.reportFault("something is given back to %s that does not wait for it: %v", s.name, seen.rows[i].Amount)
			}
		}
	}
	p.startOperator(w, "release", s, saw, func(ctx context.Context) error {
		_, err := w.engine.Release(ctx, s.account)
		return err
	})
}

func (p *program) beginRefund(w *worker, s *programPeer) {
	w.refunds[s.account] = true
	p.startOperator(w, "refund", s, nil, func(ctx context.Context) error { return w.engine.Refund(ctx, s.account) })
}
