package console

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
)

const (
	// maxActing is the number of changes at work at once. They do not wait for reads.
	maxActing = 4
	// actTime is the least time that a change may take; then its outcome is unknown.
	actTime = 30 * time.Second
)

// perform writes the act to the journal, makes the change, and writes the outcome. It goes on when the browser goes away.
// An error means that nothing was done.
func (c *Console) perform(ctx context.Context, operator string, f *actForm, s *subject, p *plan) (id string, err error) {
	workErr := c.work(context.WithoutCancel(ctx), c.actTime, c.acting, func(ctx context.Context) error {
		entry := f.newEntry(operator, p)
		act, beginErr := c.journal.Begin(entry)
		if beginErr != nil {
			return beginErr
		}
		entry.ID = act.ID()
		c.acts.keep(f.key, &actRecord{entry: entry, values: f.values}) // for a panic on the way
		result, actErr := f.run(ctx, c, s)
		done := &actRecord{entry: entry, values: f.values, note: result.note}
		done.entry.Outcome, done.entry.Transfer, done.entry.EndedAt = classify(result, actErr), result.transfer, time.Now()
		c.counters.countAct(done.entry.Outcome)
		if result.amount != "" {
			done.entry.Amount = result.amount
		}
		why := cmp.Or(actErr, result.rest)
		if why != nil {
			done.entry.Error = why.Error()
		}
		if result.after != "" {
			done.entry.After = result.after
		}
		act.Amend(func(e *operatorlog.Entry) { e.Amount, e.After = done.entry.Amount, done.entry.After })
		if endErr := act.End(done.entry.Outcome, result.transfer, why); endErr != nil {
			done.journalErr = endErr.Error()
		}
		c.acts.keep(f.key, done)
		id = act.ID()
		return nil
	})
	c.details.forget(f.account)
	c.reader.ask()
	return id, workErr
}

// newEntry returns the entry of a form for the journal. The key of an entry is one of the ledger; the note names the form.
func (f *actForm) newEntry(operator string, p *plan) operatorlog.Entry {
	e := operatorlog.Entry{
		Time: time.Now(), Who: operator, Via: "console", Action: p.sentence.Action, Peer: f.peer(), Asset: f.assetName,
		Amount: p.sentence.Amount, Before: p.sentence.Before, After: p.sentence.After, Reason: f.reason, ReasonName: f.reasonName,
		Order: p.sentence.Order, Note: f.tag(),
	}
	if f.note != "" {
		e.Note = f.note + " " + e.Note
	}
	if p.sentence.Payment != "" {
		e.Note = "payment " + p.sentence.Payment + " " + e.Note
	}
	if f.action.keyed {
		e.Key = f.bookingKey()
	}
	return e
}

// classify returns the outcome of a change. An error whose meaning for the books is not certain is no refusal.
func classify(result actResult, err error) operatorlog.Outcome {
	switch {
	case err == nil && result.already:
		return operatorlog.Already
	case err == nil:
		return operatorlog.Written
	case errors.Is(err, ledger.ErrOutcomeUnknown), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return operatorlog.Unknown
	case errors.Is(err, errPartlyDone): // before the refusals: its cause may be one
		return operatorlog.Failed
	case errors.Is(err, errNothingDue), errors.Is(err, errOrderClosed), effects.IsRefusal(err):
		return operatorlog.Refused
	default:
		return operatorlog.Failed
	}
}
