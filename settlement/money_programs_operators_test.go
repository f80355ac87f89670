package settlement_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// operate starts a task of an operator that may be refused, and is not asked for again.
func (p *program) operate(w *worker, kind string, s *subject, saw func(*seen), do func(context.Context) error) {
	t := &task{name: fmt.Sprintf("%s %s by %s", kind, s.name, w.instance), engine: w, kind: kind, saw: saw}
	p.note("%s begins", t.name)
	p.start(t, do)
}

func (p *program) beginLine(w *worker, s *subject) {
	line := units(uint64(p.random.IntN(100)))
	p.operate(w, "line", s, nil, func(ctx context.Context) error {
		_, err := w.book.SetCreditLine(ctx, s.account, line, accounts.WithPartialRevoke())
		return err
	})
}

// beginClose closes a peer. With force, what is owed in either direction is written off.
func (p *program) beginClose(w *worker, s *subject, force bool) {
	how := accounts.CloseOptions{Force: force}
	if force {
		how.ReasonCode = 1
	}
	saw := func(seen *seen) { p.forgive(s, seen) }
	p.operate(w, "close", s, saw, func(ctx context.Context) error { return w.book.ClosePeer(ctx, s.account, how) })
}

// forgive tells the truth what a closing has written off. It is what was owed when the closing
// looked, and who closes a peer cannot know how much that was.
func (p *program) forgive(s *subject, seen *seen) {
	for i := range seen.rows {
		if !seen.created(i) || seen.rows[i].Code != chart.CodeAdjust {
			continue
		}
		found, err := p.ledger.LookupTransfers(context.Background(), []ledger.ID{seen.rows[i].ID})
		p.must(err)
		n := small(found[0].Amount)
		if found[0].DebitAccountID == s.ids.Peer {
			s.send(n)
			p.suspense += n
		} else {
			s.in(n)
			p.suspense -= n
		}
	}
}

func (p *program) beginReopen(s *subject) {
	w := pick(p, p.workers)
	p.operate(w, "reopen", s, nil, func(ctx context.Context) error {
		return errors.Join(w.book.ReopenPeer(ctx, s.account), w.book.Resume(ctx, s.account))
	})
}

// beginRelease gives back what waits in suspense.
func (p *program) beginRelease(s *subject) {
	w, ns := pick(p, p.workers), chart.Namespace("programs")
	saw := func(seen *seen) {
		for i := range seen.rows {
			if !seen.created(i) {
				continue
			}
			given := false
			for id, waiting := range s.parked {
				for attempt := range uint64(30) {
					given = given || seen.rows[i].ID == ns.Derive("release", chart.ID(id), chart.U64(attempt))
				}
				if !given {
					continue
				}
				if waiting.earned {
					s.earn(waiting.amount)
				} else {
					s.in(waiting.amount)
				}
				p.suspense -= waiting.amount
				delete(s.parked, id)
				break
			}
			if !given {
				p.fail("something is given back to %s that does not wait for it: %v", s.name, seen.rows[i].Amount)
			}
		}
	}
	p.operate(w, "release", s, saw, func(ctx context.Context) error {
		_, err := w.engine.Release(ctx, s.account)
		return err
	})
}

func (p *program) beginRefund(w *worker, s *subject) {
	w.refunds[s.account] = true
	p.operate(w, "refund", s, nil, func(ctx context.Context) error { return w.engine.Refund(ctx, s.account) })
}
