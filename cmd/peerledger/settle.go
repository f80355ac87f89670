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

func (a *app) newSettleCommand() *cobra.Command {
	var asset string
	cmd := &cobra.Command{
		Use:   "settle",
		Short: "Book payments, close orders, pay now, pause payments",
		Long: `Books what was paid and what came back, closes settlement orders that a rail left open,
and pays what is owed, or a prepayment back, with a program of yours. The connectors'
engines settle by themselves; this is for what they cannot know, and for what keeps them from
paying: pause, stop and approve. docs/money.md says when to give which command.`,
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
		a.newAnnounceCommand(&asset), a.newAnnouncedCommand(&asset), a.newFailedCommand(&asset),
		a.newApproveCommand(&asset), a.newPauseRailCommand(), a.newResumeRailCommand(), a.newStopCommand(), a.newStartCommand(), a.newPausesCommand(),
	)
	return cmd
}

// payment is what the arguments of a payment name.
type payment struct {
	account accounts.PeerAccount
	asset   accounts.Asset
	amount  ledger.Amount
}

func (s *session) parsePayment(ctx context.Context, peer, amount, asset string) (p payment, err error) {
	if p.account, p.asset, err = s.parseAccount(ctx, peer, asset); err != nil {
		return p, err
	}
	p.amount, err = p.asset.Parse(amount)
	return p, err
}

// parseNonzeroPayment is a payment that must not be of 0.
func (s *session) parseNonzeroPayment(ctx context.Context, peer, amount, asset string) (payment, error) {
	p, err := s.parsePayment(ctx, peer, amount, asset)
	if err == nil && p.amount.IsZero() {
		err = fmt.Errorf("%w: the amount must not be 0", errUsage)
	}
	return p, err
}

// buildKeyedCommand is a command that books a payment under a key. tell completes what is told; it may be
// nil.
func (a *app) buildKeyedCommand(asset *string, cmd *cobra.Command, action, peerPrefix string, describe effectFunc, addDetails func(*change),
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
			c := change{Action: action, Peer: p.account.Peer(), Asset: p.asset.String(), Amount: p.asset.Format(p.amount), Key: key, peerPrefix: peerPrefix}
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
				return explainCover(err, b)
			})
		})
	}
	cmd.Flags().StringVar(&key, "key", "", "the `name` of the payment: the same whenever it is booked, another for every other one")
	_ = cmd.MarkFlagRequired("key") // it is defined, so there is no error
	a.addYesFlag(cmd)
	return cmd
}

func (a *app) newReceivedCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "received peer amount --key name", Short: "Book what a peer paid to us",
		Long: "Books what a peer paid, once for its key, for ever: it pays down what the peer owes, and\nthe rest is prepaid. Book a payment that can still come back only when it is final; until\nthen, settle announce shows it.",
	}
	return a.buildKeyedCommand(asset, cmd, "book a payment received", " from ", describeReceived, nil, func(e *settlement.Engine, p payment, key string) (settlement.PaymentBooking, error) {
		return e.RecordIncoming(cmd.Context(), settlement.IncomingPayment{Account: p.account, Key: key, Amount: p.amount})
	})
}

func (a *app) newPaidCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "paid peer amount --key name", Short: "Book what we paid to a peer without an order",
		Long: `Books a payment that no order asked for, made by hand or by another system, once for its
key. If it was made for an order, use settle resolve. What the peer's account does not cover
is refused; if the money is gone, --beyond-headroom books the rest as arrears.`,
	}
	var beyond bool
	cmd.Flags().BoolVar(&beyond, "beyond-headroom", false, "the money is gone: what the peer's account does not cover is arrears")
	addDetails := func(c *change) {
		c.Note = "An engine that settles with the peer at the same moment is not waited for: together they can pay more than packets earned."
	}
	return a.buildKeyedCommand(asset, cmd, "book a payment made", " to ", describeCoveredCharge(&beyond), addDetails, func(e *settlement.Engine, p payment, key string) (settlement.PaymentBooking, error) {
		return e.RecordOutgoing(cmd.Context(), settlement.OutgoingPayment{Account: p.account, Key: key, Amount: p.amount, BeyondHeadroom: beyond})
	})
}

func (a *app) newReturnedCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "returned peer amount --key name --payment name", Short: "Book a payment of a peer that came back",
		Long: `Books a payment that was received and came back, once for the key of the return: all of
it, or a part. The peer is charged; what its account does not cover is arrears. --payment is
the key under which it was received.`,
	}
	var received string
	cmd.Flags().StringVar(&received, "payment", "", "the `name` under which the payment was received")
	_ = cmd.MarkFlagRequired("payment") // it is defined, so there is no error
	addDetails := func(c *change) {
		if c.Payment = received; !a.yes {
			c.Note = "Whether that payment was received, and not returned yet, is found out when it is booked."
		}
	}
	return a.buildKeyedCommand(asset, cmd, "book a returned payment", " of ", describeReturned, addDetails, func(e *settlement.Engine, p payment, key string) (settlement.PaymentBooking, error) {
		return e.RecordReturned(cmd.Context(), settlement.ReturnedPayment{Account: p.account, Key: key, Payment: received, Amount: p.amount})
	})
}

// findOpenOrder looks an open order up.
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
	var more bool
	cmd := &cobra.Command{
		Use: "resolve peer order amount", Short: "Close an order with what was paid for it",
		Long: "Closes an open order with what the rail has paid in all under its key. A part is allowed,\nand the rest is owed again.",
		Args: exactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				p, err := s.parsePayment(cmd.Context(), args[0], args[2], *asset)
				if err != nil {
					return err
				}
				order, err := ledger.ParseID(args[1])
				if err != nil {
					return fmt.Errorf("%w: order %q: %w", errUsage, args[1], err)
				}
				c := change{Action: "close an order as paid", Peer: p.account.Peer(), Asset: p.asset.String(), Amount: p.asset.Format(p.amount), Order: order.String(), peerPrefix: " for "}
				open, found, err := findOpenOrder(cmd.Context(), engine, p.account, order)
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
				return a.previewOrWrite(c, func(*change) error {
					_, err := engine.Resolve(cmd.Context(), p.account, order, p.amount)
					return err
				})
			})
		},
	}
	cmd.Flags().BoolVar(&more, "more", false, "more was paid than ordered, and all of it is booked")
	a.addYesFlag(cmd)
	return cmd
}

// engineActiveFor is how long after its last claim an order's engine counts as alive; it is twice
// the default settlement.Config.Lease.
const engineActiveFor = 2 * time.Minute

func (a *app) newCancelCommand(asset *string) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "cancel peer order", Short: "Give an order back that will never be paid",
		Long: "Gives an open order back: the amount is owed again, and may be ordered again. Only when\nit is certain that the rail will never pay under its key; else the peer is paid twice.",
		Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				account, found, err := s.parseAccount(cmd.Context(), args[0], *asset)
				if err != nil {
					return err
				}
				order, err := ledger.ParseID(args[1])
				if err != nil {
					return fmt.Errorf("%w: order %q: %w", errUsage, args[1], err)
				}
				c := change{
					Action: "give an order back", Peer: account.Peer(), Asset: found.String(), Order: order.String(), peerPrefix: " for ",
					Note: "If the rail can still pay under this key, the peer is paid twice.",
				}
				open, known, err := findOpenOrder(cmd.Context(), engine, account, order)
				switch {
				case err != nil:
					return err
				case !known:
					c.Note = "There is no such open order: it is closed already, or another peer's."
				case errors.Is(open.Waits, settlement.ErrAwaitsApproval):
					c.Amount, c.Note = open.Asset.Format(open.Amount), "It waits to be approved, so no rail has it."
				default:
					c.Amount = open.Asset.Format(open.Amount)
					if err := checkEngineInactive(open, time.Now()); err != nil && !force {
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
	cmd.Flags().BoolVar(&force, "force", false, "also if its engine was at work a moment ago, or has never claimed the order")
	a.addYesFlag(cmd)
	return cmd
}

// checkEngineInactive is an error if the engine of an order may be paying it.
func checkEngineInactive(open settlement.OpenOrder, now time.Time) error {
	const remedy = "stop that connector, or have the rail refuse the key; then give --force"
	seen := now.Sub(laterOf(open.LeaseRenewedAt, open.PlacedAt))
	switch {
	case seen < engineActiveFor:
		return fmt.Errorf("%w: its engine was at work %v ago, and may be paying it: %s, or wait", errEngineActive, seen.Round(time.Second), remedy)
	case open.Claims == 0:
		return fmt.Errorf("%w: its engine never claimed it: it ended just after it had placed it, or it has NoTakeover, gives no sign of life, and may be paying it: %s", errEngineActive, remedy)
	default:
		return nil
	}
}

// errEngineActive says that the engine of an order may be paying it.
var errEngineActive = errors.New("the order is not left alone")

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
