package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

type peerAsset = accounts.PeerAsset

func (a *app) settleCommand() *cobra.Command {
	var asset string
	cmd := &cobra.Command{
		Use:   "settle",
		Short: "Book payments, close orders, pay now",
		Long: `Books what was paid, closes settlement orders that a rail left open, and pays what is
owed with a program of yours. The connectors' engines settle by themselves; this is for
what they cannot know.`,
		Example: `  peerledger settle received alice 250 --key wire-4711 --yes
  peerledger settle resolve alice 00000000000000000000000000000abc 250 --yes
  peerledger settle now alice --pay-with ./pay.sh --yes`,
		Args: between(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&asset, "asset", "", "in this `asset`, as in USD or USD/9")
	cmd.AddCommand(a.receivedCommand(&asset), a.paidCommand(&asset), a.resolveCommand(&asset), a.cancelCommand(&asset), a.settleNowCommand(&asset))
	return cmd
}

// payment is what the arguments of a payment name.
type payment struct {
	account accounts.Account
	asset   accounts.Asset
	amount  ledger.Amount
}

func (d *desk) payment(peer, amount, asset string) (p payment, err error) {
	if p.account, p.asset, err = d.account(peer, asset); err != nil {
		return p, err
	}
	p.amount, err = p.asset.Parse(amount)
	return p, err
}

// keyed is a command that books a payment under a key.
func (a *app) keyed(asset *string, cmd *cobra.Command, action, note string,
	book func(*settlement.Engine, payment, string) (settlement.Receipt, error),
) *cobra.Command {
	var key string
	cmd.Args = exactly(2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.atEngine(cmd.Context(), nil, func(d *desk, engine *settlement.Engine) error {
			p, err := d.payment(args[0], args[1], *asset)
			if err != nil {
				return err
			}
			c := change{Action: action, Peer: p.account.Peer(), Asset: p.asset.String(), Amount: p.asset.Format(p.amount), Key: key, Note: note}
			return a.write(c, func(c *change) error {
				receipt, err := book(engine, p, key)
				c.Already, c.Transfer = receipt.Already, receipt.Transfer.String()
				if receipt.Suspense {
					c.Note = "The peer's account is closed, so it is booked in our suspense account."
				}
				return err
			})
		})
	}
	cmd.Flags().StringVar(&key, "key", "", "the `name` of the payment: the same whenever it is booked, another for every other one")
	_ = cmd.MarkFlagRequired("key") // it is defined, so there is no error
	a.writes(cmd)
	return cmd
}

func (a *app) receivedCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "received peer amount --key name", Short: "Book what a peer paid to us",
		Long: "Books what a peer paid, once for its key, for ever: it pays down what the peer owes, and\nthe rest is shown as prepaid.",
	}
	return a.keyed(asset, cmd, "book a payment received", "", func(e *settlement.Engine, p payment, key string) (settlement.Receipt, error) {
		return e.Receive(cmd.Context(), settlement.Incoming{Account: p.account, Key: key, Amount: p.amount})
	})
}

func (a *app) paidCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "paid peer amount --key name", Short: "Book what we paid to a peer without an order",
		Long: "Books a payment that no order asked for, made by hand or by another system, once for its\nkey. If it was made for an order, use settle resolve.",
	}
	note := "An engine that settles with the peer at the same moment is not waited for: together they can pay more than packets earned."
	return a.keyed(asset, cmd, "book a payment made", note, func(e *settlement.Engine, p payment, key string) (settlement.Receipt, error) {
		return e.RecordPaid(cmd.Context(), settlement.Outgoing{Account: p.account, Key: key, Amount: p.amount})
	})
}

// openOrder looks an open order up.
func openOrder(ctx context.Context, engine *settlement.Engine, account accounts.Account, id ledger.ID) (settlement.OpenOrder, bool, error) {
	orders, err := engine.Orders(ctx, account)
	for _, o := range orders {
		if o.ID == id {
			return o, true, err
		}
	}
	return settlement.OpenOrder{}, false, err
}

func (a *app) resolveCommand(asset *string) *cobra.Command {
	var more bool
	cmd := &cobra.Command{
		Use: "resolve peer order amount", Short: "Close an order with what was paid for it",
		Long: "Closes an open order with what the rail has paid in all under its key. A part is allowed,\nand the rest is owed again.",
		Args: exactly(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atEngine(cmd.Context(), nil, func(d *desk, engine *settlement.Engine) error {
				p, err := d.payment(args[0], args[2], *asset)
				if err != nil {
					return err
				}
				order, err := ledger.ParseID(args[1])
				if err != nil {
					return fmt.Errorf("%w: order %q: %w", errUsage, args[1], err)
				}
				c := change{Action: "close an order as paid", Peer: p.account.Peer(), Asset: p.asset.String(), Amount: p.asset.Format(p.amount), Order: order.String()}
				open, found, err := openOrder(cmd.Context(), engine, p.account, order)
				switch {
				case err != nil:
					return err
				case !found:
					c.Note = "There is no such open order: it is closed already, or another peer's."
				case open.Amount.Less(p.amount) && !more:
					return fmt.Errorf("%w: the order is of %s, and %s is more: give --more if so much was paid", errUsage, p.asset.Format(open.Amount), c.Amount)
				default:
					c.Note = "The order is of " + p.asset.Format(open.Amount) + "."
				}
				return a.write(c, func(*change) error {
					_, err := engine.Resolve(cmd.Context(), p.account, order, p.amount)
					return err
				})
			})
		},
	}
	cmd.Flags().BoolVar(&more, "more", false, "more was paid than ordered, and all of it is booked")
	a.writes(cmd)
	return cmd
}

// aliveFor is how long after its last claim an order's engine counts as alive; it is twice
// the default settlement.Config.Lease.
const aliveFor = 2 * time.Minute

func (a *app) cancelCommand(asset *string) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "cancel peer order", Short: "Give an order back that will never be paid",
		Long: "Gives an open order back: the amount is owed again, and may be ordered again. Only when\nit is certain that the rail will never pay under its key; else the peer is paid twice.",
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atEngine(cmd.Context(), nil, func(d *desk, engine *settlement.Engine) error {
				account, found, err := d.account(args[0], *asset)
				if err != nil {
					return err
				}
				order, err := ledger.ParseID(args[1])
				if err != nil {
					return fmt.Errorf("%w: order %q: %w", errUsage, args[1], err)
				}
				c := change{
					Action: "give an order back", Peer: account.Peer(), Asset: found.String(), Order: order.String(),
					Note: "If the rail can still pay under this key, the peer is paid twice.",
				}
				open, known, err := openOrder(cmd.Context(), engine, account, order)
				switch {
				case err != nil:
					return err
				case !known:
					c.Note = "There is no such open order: it is closed already, or another peer's."
				case time.Since(latest(open.Claimed, open.Placed)) < aliveFor && !force:
					return fmt.Errorf("%w: its engine was at work %v ago, and may be paying it: stop that connector, or have the rail refuse the key; then give --force, or wait",
						errAlive, time.Since(latest(open.Claimed, open.Placed)).Round(time.Second))
				default:
					c.Amount = open.Asset.Format(open.Amount)
				}
				return a.write(c, func(*change) error {
					_, err := engine.Cancel(cmd.Context(), account, order)
					return err
				})
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also if its engine was at work a moment ago")
	a.writes(cmd)
	return cmd
}

// errAlive says that the engine of an order may be paying it.
var errAlive = errors.New("the order is not left alone")

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// paymentRow is an order that was paid.
type paymentRow struct {
	Peer    string `json:"peer"`
	Asset   string `json:"asset"`
	Order   string `json:"order"`
	Ordered string `json:"ordered"`
	Paid    string `json:"paid"`
}

func (a *app) settleNowCommand(asset *string) *cobra.Command {
	var program string
	cmd := &cobra.Command{
		Use: "now peer...", Short: "Pay what is owed, above settle_to, with a program of yours",
		Long: `Places an order for each of these peers that is owed more than its settle_to, whatever
its settle_at says, and has it paid by a program (--pay-with).

The program is given the order as a JSON object on its standard input, with the fields
key, peer, asset, scale, units and amount. It must pay once for a key, however often it is
called with it. It prints the amount that was paid under the key, in whole units, and ends
with status 0. Status 3 says that this key will never be paid, 4 that the answer comes
later; anything else leaves the order open, and the next call has the same key.`,
		Args: between(1, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			rail := &settlement.Rail{Name: payerRail, Settler: payer{program, a.stderr}}
			return a.atEngine(cmd.Context(), rail, func(d *desk, engine *settlement.Engine) error {
				list, err := d.accounts(names, *asset)
				if err != nil {
					return err
				}
				if !a.yes {
					return d.wouldSettle(cmd.Context(), list)
				}
				payments, err := engine.Settle(cmd.Context(), list...)
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
		},
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
		c := change{Action: "order and pay", Peer: b.Account.Peer(), Asset: b.Asset.String()}
		t, ok := policies.For(b.Account.Peer(), b.Asset).(settlement.Threshold)
		if !ok {
			c.Action, c.Note = "leave unpaid", "It has no settle_at in the configuration."
		} else {
			owed := settlement.Standing{Balance: b}.Owed()
			c.Amount = b.Asset.Format(owed.SubFloor(t.SettleTo).Min(b.Unpaid()))
			c.Note = "This is the most; what packets in flight hold and what was credited by hand is left out."
		}
		if err := d.write(c, nil); err != nil {
			return err
		}
	}
	return nil
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
