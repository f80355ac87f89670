package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// paymentRow is a paid order in the output.
type paymentRow struct {
	Peer    string `json:"peer"`
	Asset   string `json:"asset"`
	Order   string `json:"order"`
	Ordered string `json:"ordered"`
	Paid    string `json:"paid"`
}

func (a *app) newSettleNowCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "now peer...", Short: "Pay peers down to settle_to, through engines or with your own program",
		Example: "  peerledger settle now alice --pay-with ./pay.sh --yes",
		Long: `Place an order for each of these peers to which we owe more than its settle_to, regardless of
settle_at, and pay the orders through the engines of the configuration, or with a program
(--pay-with). An engine pays once for each order, also if "engines run" asks it at the same time.

The program reads the order as a JSON object from its standard input, with the fields key,
peer, asset, scale, units and amount. It must pay at most once for each key, however often it
is called. It prints the amount paid under the key, in whole units, and exits with status 0.
Status 3 means that this key will never be paid, and status 4 that the answer comes later.
Any other status leaves the order open; the next call has the same key.

The orders stay within the limits of the configuration (limit, peer_limit). An order above
approve_above waits: approve it with "peerledger settle approve", and repeat this command.`,
	}
	settle := func(ctx context.Context, engine *settlement.Engine, list ...accounts.PeerAccount) ([]settlement.Payment, error) {
		return engine.SettleNow(ctx, list...)
	}
	return a.buildPayCommand(asset, cmd, (*session).planSettle, settle)
}

func (a *app) newRefundCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "refund peer...", Short: "Pay prepayments back, through engines or with your own program",
		Example: "  peerledger settle refund alice --pay-with ./pay.sh --yes",
		Long: `Place an order for each of these peers, of its earnings from packets and its whole prepayment,
and pay the orders through the engines of the configuration, or with a program (--pay-with), like
settle now and within the same limits.
Amounts held by packets in flight are left out.`,
	}
	return a.buildPayCommand(asset, cmd, (*session).planRefund, refundPeers)
}

// refundPeers requests the refund of each peer, and pays the requested refunds.
func refundPeers(ctx context.Context, engine *settlement.Engine, list ...accounts.PeerAccount) ([]settlement.Payment, error) {
	var errs []error
	var asked []accounts.PeerAccount
	for _, account := range list {
		if err := engine.Refund(ctx, account); err != nil {
			errs = append(errs, err)
			continue
		}
		asked = append(asked, account)
	}
	if len(asked) == 0 {
		return nil, errors.Join(errs...)
	}
	payments, err := engine.Settle(ctx, asked...)
	return payments, errors.Join(append(errs, err)...)
}

// buildPayCommand completes a command that pays orders through engines or with a program. planPeers returns the
// preview.
func (a *app) buildPayCommand(asset *string, cmd *cobra.Command,
	planPeers func(*session, context.Context, []accounts.PeerAccount) ([]change, error),
	pay func(context.Context, *settlement.Engine, ...accounts.PeerAccount) ([]settlement.Payment, error),
) *cobra.Command {
	var program string
	cmd.Args = rangeArgs(1, -1)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		rails, closeRails := a.choosePayers(program)
		defer closeRails()
		return a.withEngine(cmd.Context(), rails, func(s *session, engine *settlement.Engine) error {
			list, err := s.parseAccounts(cmd.Context(), names, *asset)
			if err != nil {
				return err
			}
			if err := s.checkPayers(program, list); err != nil {
				return err
			}
			plan, err := planPeers(s, cmd.Context(), list)
			if err != nil {
				return err
			}
			if !a.yes {
				if err := errors.Join(s.noteLimits(plan), notePauses(cmd.Context(), engine, plan)); err != nil {
					return err
				}
				if program == "" {
					s.noteEngines(plan)
				}
				for _, c := range plan {
					if err := a.previewOrWrite(c, nil); err != nil {
						return err
					}
				}
				return nil
			}
			acts, err := a.beginActs(plan...)
			if err != nil {
				return err
			}
			defer acts.closeJournal()
			payments, err := pay(cmd.Context(), engine, list...)
			acts.endPayments(plan, payments, err)
			s.warnOfLimits(err)
			if errors.Is(err, ledger.ErrOutcomeUnknown) || errors.Is(err, errOrderOpen) {
				err = &unknownError{err, describePayAgain(program)}
			}
			if errors.Is(err, settlement.ErrAwaitsApproval) {
				err = fmt.Errorf("%w\n%s", err, approveHint)
			}
			rows := make([]paymentRow, len(payments))
			for i, p := range payments {
				asset := p.Order.Asset
				rows[i] = paymentRow{p.Order.Account.Peer(), asset.String(), p.Order.ID.String(), asset.Format(p.Order.Amount), asset.Format(p.Paid)}
			}
			if len(rows) > 0 {
				err = errors.Join(showPayments(a, rows), err)
			}
			if err == nil {
				err = reportNothingOrdered(a, plan, payments)
			}
			return err
		})
	}
	cmd.Flags().StringVar(&program, "pay-with", "", "the `program` that pays the orders (default: the engines of the configuration)")
	a.addYesFlag(cmd)
	return cmd
}

// reportNothingOrdered prints each peer without a payment, with the reason.
func reportNothingOrdered(a *app, plan []change, payments []settlement.Payment) error {
	paid := map[string]bool{}
	for _, p := range payments {
		paid[p.Order.Account.Peer()+" "+p.Order.Asset.String()] = true
	}
	for _, c := range plan {
		if paid[c.Peer+" "+c.Asset] {
			continue
		}
		if !c.noop { // the balance changed after the plan
			c.Action, c.Amount, c.Note = "order nothing", "", "Nothing is due any more."
		}
		if a.json {
			if err := a.printJSON(c); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.stdout, "Nothing was ordered for %s in %s. %s\n", c.Peer, c.Asset, c.Note)
	}
	return nil
}

// planSettle returns the largest possible payment to each peer, or the reason for none.
func (s *session) planSettle(ctx context.Context, list []accounts.PeerAccount) ([]change, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	return s.planPayments(ctx, list, func(c *change, b accounts.Balance) {
		policy := policies.For(b.Account.Peer(), b.Asset)
		if policy == nil {
			c.noop, c.Note = true, "The peer has no settle_at in the configuration."
			return
		}
		demand := policy.Due(settlement.PolicyInput{Balance: b, Urgent: true})
		amount := demand.Amount.Min(effects.ComputeSpendable(b))
		c.Action, c.Amount = effects.PayNow.Action, b.Asset.Format(amount)
		c.Note = effects.PayNote
		if amount.IsZero() {
			c.noop, c.Note = true, effects.ExplainNothingDue(b, demand)
		}
	})
}

// planRefund returns the largest possible refund to each peer, or the reason for none.
func (s *session) planRefund(ctx context.Context, list []accounts.PeerAccount) ([]change, error) {
	return s.planPayments(ctx, list, func(c *change, b accounts.Balance) {
		amount := b.Payable.Min(effects.ComputeSpendable(b))
		c.Action, c.Amount = "order and pay back", b.Asset.Format(amount)
		c.Note = "This is the largest possible amount: earnings from packets are included, and amounts held by packets in flight are left out."
		switch {
		case b.Prepaid.IsZero():
			c.noop, c.Note = true, "The peer has prepaid nothing."
		case amount.IsZero():
			c.noop, c.Note = true, "Packets in flight hold the whole amount on its account."
		}
	})
}

// planPayments returns a change for each peer. planPeer completes the change of a peer that could
// be paid.
func (s *session) planPayments(ctx context.Context, list []accounts.PeerAccount, planPeer func(*change, accounts.Balance)) ([]change, error) {
	balances, err := s.book.Balances(ctx, list...)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, b := range balances {
		c := change{Peer: b.Account.Peer(), Asset: b.Asset.String(), peerPrefix: " to "}
		if why := effects.ExplainUnpayable(b); why != "" {
			c.noop, c.Note = true, why
		} else {
			planPeer(&c, b)
		}
		if c.noop {
			c.Action, c.peerPrefix, c.Amount = "order nothing", " for ", ""
		}
		if c.Now, err = s.summarizeBalance(b); err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// showPayments prints the paid orders.
func showPayments(a *app, rows []paymentRow) error {
	return printRows(a, rows,
		column[paymentRow]{title: "peer", cell: func(r paymentRow) string { return r.Peer }},
		column[paymentRow]{title: "asset", cell: func(r paymentRow) string { return r.Asset }},
		column[paymentRow]{title: "order", cell: func(r paymentRow) string { return r.Order }},
		column[paymentRow]{title: "ordered", cell: func(r paymentRow) string { return r.Ordered }, right: true},
		column[paymentRow]{title: "paid", cell: func(r paymentRow) string { return r.Paid }, right: true},
	)
}
