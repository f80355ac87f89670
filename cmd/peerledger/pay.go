package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// paymentRow is an order that was paid.
type paymentRow struct {
	Peer    string `json:"peer"`
	Asset   string `json:"asset"`
	Order   string `json:"order"`
	Ordered string `json:"ordered"`
	Paid    string `json:"paid"`
}

func (a *app) newSettleNowCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "now peer...", Short: "Pay what is owed, above settle_to, with a program of yours",
		Long: `Places an order for each of these peers that is owed more than its settle_to, whatever
its settle_at says, and has it paid by a program (--pay-with).

The program is given the order as a JSON object on its standard input, with the fields
key, peer, asset, scale, units and amount. It must pay once for a key, however often it is
called with it. It prints the amount that was paid under the key, in whole units, and ends
with status 0. Status 3 says that this key will never be paid, 4 that the answer comes
later; anything else leaves the order open, and the next call has the same key.

It pays within the limits of the configuration (limit, peer_limit). An order above
approve_above waits: approve it with "peerledger settle approve", and give this command again.`,
	}
	settle := func(ctx context.Context, engine *settlement.Engine, list ...accounts.PeerAccount) ([]settlement.Payment, error) {
		return engine.SettleNow(ctx, list...)
	}
	return a.buildPayCommand(asset, cmd, (*session).planSettle, settle)
}

func (a *app) newRefundCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "refund peer...", Short: "Pay prepayments back, with a program of yours",
		Long: `Places an order for each of these peers, of what packets earned it and of all that it has
prepaid, and has it paid by a program (--pay-with), as settle now does, within the same
limits. What the peer's packets in flight hold is left out.`,
	}
	return a.buildPayCommand(asset, cmd, (*session).planRefund, refundPeers)
}

// refundPeers asks for the prepayments of peers, and pays them.
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

// buildPayCommand is a command that has orders paid by a program.
func (a *app) buildPayCommand(asset *string, cmd *cobra.Command,
	planPeers func(*session, context.Context, []accounts.PeerAccount) ([]change, error),
	pay func(context.Context, *settlement.Engine, ...accounts.PeerAccount) ([]settlement.Payment, error),
) *cobra.Command {
	var program string
	cmd.Args = rangeArgs(1, -1)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		if _, err := exec.LookPath(program); err != nil { // before anything is ordered
			return fmt.Errorf("%w: --pay-with: %w", errUsage, err)
		}
		rail := &settlement.Rail{Name: execRail, Settler: execSettler{program, a.stderr}}
		return a.withEngine(cmd.Context(), rail, func(s *session, engine *settlement.Engine) error {
			list, err := s.parseAccounts(cmd.Context(), names, *asset)
			if err != nil {
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
				for _, c := range plan {
					if err := a.previewOrWrite(c, nil); err != nil {
						return err
					}
				}
				return nil
			}
			payments, err := pay(cmd.Context(), engine, list...)
			s.warnOfLimits(err)
			if errors.Is(err, ledger.ErrOutcomeUnknown) || errors.Is(err, errOrderOpen) {
				err = &unknownError{err, payAgainHint}
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
	cmd.Flags().StringVar(&program, "pay-with", "", "the `program` that pays")
	_ = cmd.MarkFlagRequired("pay-with") // it is defined, so there is no error
	a.addYesFlag(cmd)
	return cmd
}

// reportNothingOrdered says to whom nothing was paid, and why.
func reportNothingOrdered(a *app, plan []change, payments []settlement.Payment) error {
	paid := map[string]bool{}
	for _, p := range payments {
		paid[p.Order.Account.Peer()+" "+p.Order.Asset.String()] = true
	}
	for _, c := range plan {
		if paid[c.Peer+" "+c.Asset] {
			continue
		}
		if !c.noop { // something came between
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

// payAgainHint is the remedy for orders that stay open.
const payAgainHint = "Give the same command again, with the same program: an order that is open is paid under the same key.\n" +
	"If you know what was paid, close it with peerledger settle resolve, or settle cancel."

// planSettle says who would be paid how much at most, and who nothing.
func (s *session) planSettle(ctx context.Context, list []accounts.PeerAccount) ([]change, error) {
	policies, err := s.policies()
	if err != nil {
		return nil, err
	}
	return s.planPayments(ctx, list, func(c *change, b accounts.Balance) {
		policy := policies.For(b.Account.Peer(), b.Asset)
		if policy == nil {
			c.noop, c.Note = true, "It has no settle_at in the configuration."
			return
		}
		demand := policy.Due(settlement.PolicyInput{Balance: b, Urgent: true})
		amount := demand.Amount.Min(computeSpendable(b))
		c.Action, c.Amount = "order and pay", b.Asset.Format(amount)
		c.Note = "This is the most: what is prepaid, and what packets in flight hold, is left out."
		if amount.IsZero() {
			c.noop, c.Note = true, explainNothingDue(b, demand)
		}
	})
}

// explainNothingDue says why nothing is ordered of what a policy demands.
func explainNothingDue(b accounts.Balance, demand settlement.PaymentRequest) string {
	text := b.Asset.Text
	switch {
	case !demand.Amount.IsZero() && !b.Arrears.IsZero():
		return "It is in arrears with " + text(b.Arrears) + ", which come first."
	case !demand.Amount.IsZero() && !demand.Prefunding.IsZero() && b.CreditLine.IsZero():
		return "It is to be paid ahead, and has no credit line for that."
	case !demand.Amount.IsZero():
		return "Packets in flight hold all that its account has."
	case b.Payable.IsZero() && b.Receivable.IsZero():
		return "Nothing is owed in either direction."
	case b.Payable.IsZero():
		return "It owes us " + text(b.Receivable) + "."
	case b.Payable == b.Prepaid:
		return "All that we owe it, " + text(b.Payable) + ", is prepaid: peerledger settle refund pays that back."
	default:
		return "What packets earned it, " + text(b.Payable.SubFloor(b.Prepaid)) + ", is not more than its settle_to."
	}
}

// planRefund says who would be paid back how much at most, and who nothing.
func (s *session) planRefund(ctx context.Context, list []accounts.PeerAccount) ([]change, error) {
	return s.planPayments(ctx, list, func(c *change, b accounts.Balance) {
		amount := b.Payable.Min(computeSpendable(b))
		c.Action, c.Amount = "order and pay back", b.Asset.Format(amount)
		c.Note = "This is the most: what packets in flight hold is left out. What packets earned is paid too."
		switch {
		case b.Prepaid.IsZero():
			c.noop, c.Note = true, "It has prepaid nothing."
		case amount.IsZero():
			c.noop, c.Note = true, "Packets in flight hold all that its account has."
		}
	})
}

// planPayments says what would be paid to peers. plan says it of one that could be paid.
func (s *session) planPayments(ctx context.Context, list []accounts.PeerAccount, planPeer func(*change, accounts.Balance)) ([]change, error) {
	balances, err := s.book.Balances(ctx, list...)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, b := range balances {
		c := change{Peer: b.Account.Peer(), Asset: b.Asset.String(), peerPrefix: " to "}
		switch {
		case b.Closed:
			c.noop, c.Note = true, "Its account is closed."
		case !b.Settling.IsZero():
			c.noop, c.Note = true, "It has an open order: see peerledger orders."
		default:
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

func showPayments(a *app, rows []paymentRow) error {
	return printRows(a, rows,
		column[paymentRow]{title: "peer", cell: func(r paymentRow) string { return r.Peer }},
		column[paymentRow]{title: "asset", cell: func(r paymentRow) string { return r.Asset }},
		column[paymentRow]{title: "order", cell: func(r paymentRow) string { return r.Order }},
		column[paymentRow]{title: "ordered", cell: func(r paymentRow) string { return r.Ordered }, right: true},
		column[paymentRow]{title: "paid", cell: func(r paymentRow) string { return r.Paid }, right: true},
	)
}
