package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

type peerAsset = accounts.PeerAsset

func (a *app) newSettleCommand() *cobra.Command {
	var asset string
	cmd := &cobra.Command{
		Use:   "settle",
		Short: "Book payments, close orders, pay peers, pause payments",
		Long: `Book received, made and returned payments, close settlement orders that a rail left open, and
pay peers with your own program. The connectors' engines settle by themselves. Use these
commands for facts that the engines cannot know, and to pause, stop or approve payments. See
docs/money.md for the use of each command.`,
		Example: `  peerledger settle received alice 250 --key wire-4711 --yes
  peerledger settle returned alice 250 --key return-17 --payment wire-4711 --yes
  peerledger settle resolve alice 00000000000000000000000000000abc 250 --yes
  peerledger settle now alice --pay-with ./pay.sh --yes`,
		Args: requireSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&asset, "asset", "", "in this `asset`, as in USD or USD/9")
	cmd.AddCommand(
		a.newReceivedCommand(&asset), a.newReturnedCommand(&asset), a.newPaidCommand(&asset), a.newResolveCommand(&asset), a.newCancelCommand(&asset),
		a.newSettleNowCommand(&asset), a.newRefundCommand(&asset), a.newReleaseCommand(&asset),
		a.newImportCommand(), a.newAnnounceCommand(&asset), a.newAnnouncedCommand(&asset), a.newFailedCommand(&asset),
		a.newApproveCommand(&asset), a.newPauseRailCommand(), a.newResumeRailCommand(), a.newStopCommand(), a.newStartCommand(), a.newPausesCommand(),
	)
	return cmd
}

// payment is a peer's account with an amount, from a command's arguments.
type payment struct {
	account accounts.PeerAccount
	asset   accounts.Asset
	amount  ledger.Amount
}

// parsePayment reads the arguments of a payment.
func (s *session) parsePayment(ctx context.Context, peer, amount, asset string) (p payment, err error) {
	if p.account, p.asset, err = s.parseAccount(ctx, peer, asset); err != nil {
		return p, err
	}
	p.amount, err = p.asset.Parse(amount)
	return p, err
}

// parseNonzeroPayment reads the arguments of a payment, and refuses the amount 0.
func (s *session) parseNonzeroPayment(ctx context.Context, peer, amount, asset string) (payment, error) {
	p, err := s.parsePayment(ctx, peer, amount, asset)
	if err == nil && p.amount.IsZero() {
		err = fmt.Errorf("%w: the amount must not be 0", errUsage)
	}
	return p, err
}

// buildKeyedCommand completes a command that books a payment under a key with book. addDetails may
// complete the change; it may be nil.
func (a *app) buildKeyedCommand(asset *string, cmd *cobra.Command, wording effects.Wording, describe effects.Description, addDetails func(*change),
	book func(*settlement.Engine, payment, string) (settlement.PaymentBooking, error),
) *cobra.Command {
	var key string
	cmd.Args = exactArgs(2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
			p, err := s.parseNonzeroPayment(cmd.Context(), args[0], args[1], *asset)
			if err != nil {
				return err
			}
			c := change{Action: wording.Action, Peer: p.account.Peer(), Asset: p.asset.String(), Amount: p.asset.Format(p.amount), Key: key, peerPrefix: wording.Prefix}
			if addDetails != nil {
				addDetails(&c)
			}
			b, err := s.addPreview(cmd.Context(), &c, p.account, p.amount, describe)
			if err != nil {
				return err
			}
			return a.previewOrWrite(c, func(c *change) error {
				receipt, err := book(engine, p, key)
				c.Already, c.Transfer = receipt.AlreadyBooked, receipt.Transfer.String()
				return effects.ExplainCover(err, b)
			})
		})
	}
	cmd.Flags().StringVar(&key, "key", "", "the `name` of the payment: repeat a booking with the same name, and give each payment its own")
	_ = cmd.MarkFlagRequired("key") // it is defined, so there is no error
	a.addYesFlag(cmd)
	return cmd
}

func (a *app) newReceivedCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "received peer amount --key name", Short: "Book a payment received from a peer",
		Example: "  peerledger settle received alice 250 --key wire-4711 --yes",
		Long:    "Book a payment by a peer, once for each key, forever. The amount pays the peer's debt first;\nthe rest is prepaid. Book a payment only when it is final; until then, use settle announce.",
	}
	return a.buildKeyedCommand(asset, cmd, effects.Received, effects.DescribeReceived, nil, func(e *settlement.Engine, p payment, key string) (settlement.PaymentBooking, error) {
		return e.RecordIncoming(cmd.Context(), settlement.IncomingPayment{Account: p.account, Key: key, Amount: p.amount})
	})
}

func (a *app) newPaidCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "paid peer amount --key name", Short: "Book a payment made to a peer without an order",
		Example: "  peerledger settle paid bob 30 --key cash-1 --yes",
		Long: `Book a payment without an order, made by hand or by another system, once for each key. For a
payment of an order, use settle resolve. A payment that the peer's account does not cover is
refused; if the money has left, --beyond-headroom books the uncovered part as arrears.`,
	}
	var beyond bool
	cmd.Flags().BoolVar(&beyond, "beyond-headroom", false, "the money has left: book the part that the peer's account does not cover as arrears")
	addDetails := func(c *change) {
		c.Note = effects.PaidNote
	}
	return a.buildKeyedCommand(asset, cmd, effects.Paid, effects.DescribeCoveredCharge(&beyond), addDetails, func(e *settlement.Engine, p payment, key string) (settlement.PaymentBooking, error) {
		return e.RecordOutgoing(cmd.Context(), settlement.OutgoingPayment{Account: p.account, Key: key, Amount: p.amount, BeyondHeadroom: beyond})
	})
}

func (a *app) newReturnedCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "returned peer amount --key name --payment name", Short: "Book the return of a received payment",
		Example: "  peerledger settle returned alice 250 --key return-17 --payment wire-4711 --yes",
		Long: `Book the return of a received payment, in full or in part, once for each key of a return. The
peer is charged; the part that its account does not cover becomes arrears. --payment is the key
under which the payment was received.`,
	}
	var received string
	cmd.Flags().StringVar(&received, "payment", "", "the `name` under which the payment was received")
	_ = cmd.MarkFlagRequired("payment") // it is defined, so there is no error
	addDetails := func(c *change) {
		if c.Payment = received; !a.yes {
			c.Note = effects.ReturnedNote
		}
	}
	return a.buildKeyedCommand(asset, cmd, effects.Returned, effects.DescribeReturned, addDetails, func(e *settlement.Engine, p payment, key string) (settlement.PaymentBooking, error) {
		return e.RecordReturned(cmd.Context(), settlement.ReturnedPayment{Account: p.account, Key: key, Payment: received, Amount: p.amount})
	})
}

// findOpenOrder returns a peer's open order; false if there is no such order.
func findOpenOrder(ctx context.Context, engine *settlement.Engine, account accounts.PeerAccount, id ledger.ID) (settlement.OpenOrder, bool, error) {
	orders, err := engine.Orders(ctx, account)
	for _, o := range orders {
		if o.ID == id {
			return o, true, err
		}
	}
	return settlement.OpenOrder{}, false, err
}

func (a *app) newResolveCommand(asset *string) *cobra.Command {
	var allowMore bool
	cmd := &cobra.Command{
		Use: "resolve peer order amount", Short: "Close an order with the amount paid for it",
		Example: "  peerledger settle resolve alice 00000000000000000000000000000abc 250 --yes",
		Long:    effects.ResolveHelp,
		Args:    exactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				p, err := s.parsePayment(cmd.Context(), args[0], args[2], *asset)
				if err != nil {
					return err
				}
				order, err := parseOrderID(args[1])
				if err != nil {
					return err
				}
				c := change{Action: effects.Resolve.Action, Peer: p.account.Peer(), Asset: p.asset.String(), Amount: p.asset.Format(p.amount), Order: order.String(), peerPrefix: effects.Resolve.Prefix}
				open, found, err := findOpenOrder(cmd.Context(), engine, p.account, order)
				switch {
				case err != nil:
					return err
				case !found:
					c.Note = effects.NoOrderNote
				case open.Amount.Less(p.amount) && !allowMore:
					return fmt.Errorf("%w: the order is of %s, and %s is more: give --more if this amount was paid", errUsage, p.asset.Format(open.Amount), c.Amount)
				default:
					c.Note = "The order is of " + p.asset.Format(open.Amount) + "."
				}
				return a.previewOrWrite(c, func(*change) error {
					_, err := engine.Resolve(cmd.Context(), p.account, order, p.amount)
					return err
				})
			})
		},
	}
	cmd.Flags().BoolVar(&allowMore, "more", false, "book an amount above the order's")
	a.addYesFlag(cmd)
	return cmd
}

// parseOrderID reads the id of an order from the command line.
func parseOrderID(text string) (ledger.ID, error) {
	id, err := ledger.ParseID(text)
	if err != nil {
		return ledger.ID{}, fmt.Errorf("%w: order %q: %w", errUsage, text, err)
	}
	return id, nil
}

func (a *app) newCancelCommand(asset *string) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "cancel peer order", Short: "Cancel an order that will never be paid",
		Example: "  peerledger settle cancel alice 00000000000000000000000000000abc --yes",
		Long:    effects.CancelHelp,
		Args:    exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				account, found, err := s.parseAccount(cmd.Context(), args[0], *asset)
				if err != nil {
					return err
				}
				order, err := parseOrderID(args[1])
				if err != nil {
					return err
				}
				c := change{
					Action: effects.Cancel.Action, Peer: account.Peer(), Asset: found.String(), Order: order.String(), peerPrefix: effects.Cancel.Prefix,
					Note: effects.CancelNote,
				}
				open, exists, err := findOpenOrder(cmd.Context(), engine, account, order)
				switch {
				case err != nil:
					return err
				case !exists:
					c.Note = effects.NoOrderNote
				case errors.Is(open.Waits, settlement.ErrAwaitsApproval):
					c.Amount, c.Note = open.Asset.Format(open.Amount), effects.CancelWaitingNote
				default:
					c.Amount = open.Asset.Format(open.Amount)
					if err := effects.CheckEngineInactive(open, time.Now()); err != nil && !force {
						return err
					}
				}
				return a.previewOrWrite(c, func(*change) error {
					_, err := engine.Cancel(cmd.Context(), account, order)
					return err
				})
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "cancel the order even if its engine was active a moment ago, or has never claimed the order")
	a.addYesFlag(cmd)
	return cmd
}
