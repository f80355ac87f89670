package main

import (
	"context"
	"errors"

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

func (a *app) settleNowCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "now peer...", Short: "Pay what is owed, above settle_to, with a program of yours",
		Long: `Places an order for each of these peers that is owed more than its settle_to, whatever
its settle_at says, and has it paid by a program (--pay-with).

The program is given the order as a JSON object on its standard input, with the fields
key, peer, asset, scale, units and amount. It must pay once for a key, however often it is
called with it. It prints the amount that was paid under the key, in whole units, and ends
with status 0. Status 3 says that this key will never be paid, 4 that the answer comes
later; anything else leaves the order open, and the next call has the same key.`,
	}
	settle := func(ctx context.Context, engine *settlement.Engine, list ...accounts.Account) ([]settlement.Payment, error) {
		return engine.Settle(ctx, list...)
	}
	return a.paying(asset, cmd, (*desk).wouldSettle, settle)
}

func (a *app) refundCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "refund peer...", Short: "Pay prepayments back, with a program of yours",
		Long: `Places an order for each of these peers, of what packets earned it and of all that it has
prepaid, and has it paid by a program (--pay-with), as settle now does. What the peer's
packets in flight hold is left out.`,
	}
	return a.paying(asset, cmd, (*desk).wouldRefund, refund)
}

// refund asks for the prepayments of peers, and pays them.
func refund(ctx context.Context, engine *settlement.Engine, list ...accounts.Account) ([]settlement.Payment, error) {
	var errs []error
	var asked []accounts.Account
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
	payments, err := engine.Check(ctx, asked...)
	return payments, errors.Join(append(errs, err)...)
}

// paying is a command that has orders paid by a program.
func (a *app) paying(asset *string, cmd *cobra.Command,
	would func(*desk, context.Context, []accounts.Account) error,
	pay func(context.Context, *settlement.Engine, ...accounts.Account) ([]settlement.Payment, error),
) *cobra.Command {
	var program string
	cmd.Args = between(1, -1)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		rail := &settlement.Rail{Name: payerRail, Settler: payer{program, a.stderr}}
		return a.atEngine(cmd.Context(), rail, func(d *desk, engine *settlement.Engine) error {
			list, err := d.accounts(names, *asset)
			if err != nil {
				return err
			}
			if !a.yes {
				if err := refuseStopped(cmd.Context(), engine); err != nil {
					return err
				}
				return would(d, cmd.Context(), list)
			}
			payments, err := pay(cmd.Context(), engine, list...)
			if errors.Is(err, ledger.ErrOutcomeUnknown) {
				err = &unknownError{err, "Give the same command again, with the same program: an order that is open is paid under the same key."}
			}
			rows := make([]paymentRow, len(payments))
			for i, p := range payments {
				asset := p.Order.Asset
				rows[i] = paymentRow{p.Order.Account.Peer(), asset.String(), p.Order.ID.String(), asset.Format(p.Order.Amount), asset.Format(p.Paid)}
			}
			return errors.Join(showPayments(a, rows), err)
		})
	}
	cmd.Flags().StringVar(&program, "pay-with", "", "the `program` that pays")
	_ = cmd.MarkFlagRequired("pay-with") // it is defined, so there is no error
	a.writes(cmd)
	return cmd
}

// wouldSettle says who would be paid how much at most.
func (d *desk) wouldSettle(ctx context.Context, list []accounts.Account) error {
	balances, err := d.book.Balances(ctx, list...)
	if err != nil {
		return err
	}
	policies, err := d.policies()
	if err != nil {
		return err
	}
	for _, b := range balances {
		c := change{Action: "order and pay", Peer: b.Account.Peer(), Asset: b.Asset.String(), link: " to "}
		policy := policies.For(b.Account.Peer(), b.Asset)
		switch {
		case policy == nil:
			c.Action, c.link, c.Note = "order nothing", " for ", "It has no settle_at in the configuration."
		case !b.Settling.IsZero():
			c.Action, c.link, c.Note = "order nothing", " for ", "It has an open order: see peerledger orders."
		default:
			pressed := policy.Due(settlement.Standing{Balance: b, Pressed: true})
			c.Amount = b.Asset.Format(pressed.Amount.Min(spendable(b)))
			c.Note = "This is the most: what is prepaid, and what packets in flight hold, is left out."
		}
		if err := d.wouldPay(c, b); err != nil {
			return err
		}
	}
	return nil
}

// wouldRefund says who would be paid back how much at most.
func (d *desk) wouldRefund(ctx context.Context, list []accounts.Account) error {
	balances, err := d.book.Balances(ctx, list...)
	if err != nil {
		return err
	}
	for _, b := range balances {
		c := change{Action: "order and pay back", Peer: b.Account.Peer(), Asset: b.Asset.String(), link: " to "}
		switch {
		case b.Prepaid.IsZero() || b.Closed:
			c.Action, c.link, c.Note = "order nothing", " for ", "It has prepaid nothing, or its account is closed."
		case !b.Settling.IsZero():
			c.Action, c.link, c.Note = "order nothing", " for ", "It has an open order: see peerledger orders."
		default:
			c.Amount = b.Asset.Format(b.Payable.Min(spendable(b)))
			c.Note = "This is the most: what packets in flight hold is left out. What packets earned is paid too."
		}
		if err := d.wouldPay(c, b); err != nil {
			return err
		}
	}
	return nil
}

// wouldPay says what would be paid to a peer.
func (d *desk) wouldPay(c change, b accounts.Balance) (err error) {
	if c.Now, err = d.standing(b); err != nil {
		return err
	}
	return d.write(c, nil)
}

func showPayments(a *app, rows []paymentRow) error {
	return show(a, rows,
		column[paymentRow]{title: "peer", cell: func(r paymentRow) string { return r.Peer }},
		column[paymentRow]{title: "asset", cell: func(r paymentRow) string { return r.Asset }},
		column[paymentRow]{title: "order", cell: func(r paymentRow) string { return r.Order }},
		column[paymentRow]{title: "ordered", cell: func(r paymentRow) string { return r.Ordered }, right: true},
		column[paymentRow]{title: "paid", cell: func(r paymentRow) string { return r.Paid }, right: true},
	)
}
