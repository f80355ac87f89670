package console

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
)

// stateField is the form's field with the state of the peer that the form was based on.
const stateField = "if_state"

func seeState(s *subject) string { return effects.DescribeState(s.balance) }

// newPeerActions returns the actions on a peer's line and state. The ledger books none of them twice: a line
// is changed only from the line that was seen, and a state that a peer has is not set again.
func newPeerActions() []*action {
	return []*action{
		{
			path: "line", label: "Change the credit line", wording: effects.SetLine, target: onPeer,
			help:      "Set how much the peer may owe us. The ledger enforces the line. If somebody changes it before your form arrives, nothing is changed.",
			seenField: "if_line", see: func(s *subject) string { return effects.FormatLine(s.asset, s.balance.CreditLine) },
			fields: []formField{
				{name: "line", label: "New line", kind: lineField, hint: "in whole units, or unlimited"},
				{name: "what_is_free", label: "What is free (--what-is-free)", kind: boxField, hint: "if part of the line is in use, revoke only the free part"},
			},
			versioned: true, plan: planLine, run: setLine, look: lookLine, compare: compareLine,
		},
		newStateAction("suspend", "Suspend", effects.Suspend, "suspended", nil,
			"Take no new packets from or to the peer. Every connector sees the suspension within its SuspensionPollInterval (1 s by default). Prepared packets are still fulfilled or rejected, and settlements go on.",
			formField{name: "revoke_free", label: "Revoke what is free (--revoke-free)", kind: boxField, hint: "also revoke the free part of the credit line, so that the peer cannot send from now on"}),
		newStateAction("resume", "Resume", effects.Resume, "active", nil, "Let a suspended peer trade again."),
		newStateAction("close", "Close the account", effects.Close, "closed", effects.DescribeClosing,
			"Suspend the peer, wait one SuspensionPollInterval, and close the account. The change is refused while packets, an order or reservations hold an amount, and while either side owes the other, unless that amount is written off.",
			formField{name: "force", label: "Write off (--force)", kind: boxField, hint: "write off the amount owed, in either direction; needs a reason, and cannot be undone"}),
		newStateAction("reopen", "Reopen the account", effects.Reopen, "suspended", nil, "Reopen a closed peer, which stays suspended until it is resumed. Write-offs are not booked back."),
	}
}

// newStateAction returns an action that sets a peer's state. describe, which may be nil, returns the effect.
func newStateAction(path, label string, wording effects.Wording, after string, describe func(accounts.Balance, bool) string, help string, fields ...formField) *action {
	return &action{
		path: path, label: label, wording: wording, target: onPeer, help: help, seenField: stateField, see: seeState, fields: fields,
		plan: func(_ *Console, f *actForm, s *subject) (plan, error) {
			if f.boxes["force"] {
				if err := f.needReason("to write off"); err != nil {
					return plan{}, err
				}
			}
			p := plan{sentence: f.newSentence(wording)}
			p.sentence.Before, p.sentence.After = seeState(s), after
			p.showChange(f, s, f.boxes["force"])
			switch {
			case path == "reopen" && !s.balance.Closed:
				p.blocked = "The peer's account is not closed."
			case p.sentence.Before == after:
				p.note = "The peer is " + after + " already."
			}
			if describe != nil {
				p.effect = describe(s.balance, f.boxes["force"])
			}
			return p, nil
		},
		versioned: true, run: setState, look: lookState,
		compare: func(_ context.Context, _ *Console, f *actForm, s *subject, _ *operatorlog.Entry) (resend, error) {
			return f.compareState(s, after), nil
		},
	}
}

// showChange has the second page show the version of the peer, and with position set the amount that is written off.
func (p *plan) showChange(f *actForm, s *subject, position bool) {
	p.shown = s.version
	if position {
		p.shown += " " + effects.FormatSigned(s.asset, s.balance.Position())
	}
	version, was, _ := strings.Cut(f.shown, " ")
	switch {
	case version != s.version:
		p.outdated = "An operator has changed the peer since this page was made: check the change again."
	case f.shown != p.shown:
		p.outdated = fmt.Sprintf("The position was %s when this page was made, and is %s now: check the change again.", was, effects.FormatSigned(s.asset, s.balance.Position()))
	}
}

func planLine(_ *Console, f *actForm, s *subject) (plan, error) {
	expected := s.balance.CreditLine
	planned := effects.LineChange{Balance: s.balance, Amount: f.amount, After: f.amount, Expected: &expected, Partial: f.boxes["what_is_free"]}
	after, effect := planned.Describe()
	p := plan{sentence: f.newSentence(effects.SetLine), effect: effect}
	p.sentence.Before, p.sentence.After = effects.FormatLine(s.asset, expected), effects.FormatLine(s.asset, after)
	p.showChange(f, s, false)
	return p, nil
}

// setLine changes the line if it is the one of the form. A line that has become the wanted one is no conflict: an
// earlier request of this form, whose answer was lost, may have set it.
func setLine(ctx context.Context, c *Console, f *actForm, _ *subject) (actResult, error) {
	expected, err := effects.ParseLine(f.asset, f.seen)
	if err != nil {
		return actResult{}, &accounts.FieldError{Subject: "form", Field: "if_line", Reason: err.Error()}
	}
	options := []accounts.CreditLineOption{accounts.WithExpectedLine(expected)}
	if f.reason != 0 {
		options = append(options, accounts.WithReasonCode(f.reason))
	}
	if f.boxes["what_is_free"] {
		options = append(options, accounts.WithPartialRevoke())
	}
	changed, err := c.cfg.Book.SetCreditLine(ctx, f.account, f.amount, options...)
	conflict := new(accounts.LineConflictError)
	if errors.As(err, &conflict) && conflict.CreditLine == f.amount {
		return actResult{already: true, after: effects.FormatLine(f.asset, f.amount)}, nil
	}
	if err != nil {
		return actResult{}, err
	}
	return actResult{already: changed.Before == changed.After, after: effects.FormatLine(f.asset, changed.After)}, nil
}

// setState suspends, resumes, closes or reopens a peer.
func setState(ctx context.Context, c *Console, f *actForm, s *subject) (actResult, error) {
	before := s.balance
	var err error
	switch book := c.cfg.Book; f.action.path {
	case "suspend":
		options := []accounts.SuspendOption{accounts.WithReasonCode(f.reason)}
		if f.boxes["revoke_free"] {
			options = append(options, accounts.WithFreeRevoked())
		}
		err = book.SuspendPeer(ctx, f.account, options...)
	case "resume":
		err = book.ResumePeer(ctx, f.account)
	case "close":
		options := []accounts.CloseOption{accounts.WithReasonCode(f.reason)}
		if f.boxes["force"] {
			options = append(options, accounts.WithForce())
		}
		err = book.ClosePeer(ctx, f.account, options...)
	case "reopen":
		err = book.ReopenPeer(ctx, f.account)
	}
	result := actResult{}
	if err != nil && f.action.path == "close" {
		return result, c.explainFailedClosing(ctx, before, err)
	}
	if err == nil {
		if now, readErr := c.cfg.Book.Balance(ctx, f.account); readErr == nil { // the change is written even if this fails
			result.after = effects.DescribeState(now)
			result.already = effects.DescribeState(before) == result.after && before.CreditLine == now.CreditLine && !f.boxes["force"]
		}
	}
	return result, err
}

var errPartlyDone = errors.New("the books are not as before the change")

// explainFailedClosing adds what a closing has changed to its error. A closing takes several steps, and after each of them an error may
// look like a refusal.
func (c *Console) explainFailedClosing(ctx context.Context, before accounts.Balance, err error) error {
	describe := func(b accounts.Balance) string {
		return fmt.Sprintf("%s, position %s, arrears %s", effects.DescribeState(b), effects.FormatSigned(b.Asset, b.Position()), b.Asset.Format(b.Arrears))
	}
	now, readErr := c.cfg.Book.Balance(ctx, before.Account)
	switch was, is := describe(before), describe(now); {
	case readErr != nil:
		return fmt.Errorf("%w, or cannot be read: %w", errPartlyDone, errors.Join(err, readErr))
	case was != is:
		return fmt.Errorf("%w: the peer was %s, and is %s: %w", errPartlyDone, was, is, err)
	default:
		return err
	}
}
