package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
)

// bookingFlags are the flags of bookings by hand: adjustments, and movements of capital.
type bookingFlags struct {
	asset  string
	key    string
	reason string // a number or a name, as parseReason reads it
}

// addTo adds the flags to a command. noun names the booking.
func (f *bookingFlags) addTo(flags *pflag.FlagSet, noun string) {
	flags.StringVar(&f.asset, "asset", "", "in this `asset`, as in USD or USD/9")
	flags.StringVar(&f.key, "key", "", fmt.Sprintf("the `name` of the %s: repeat a %[1]s with the same name, and give each %[1]s its own", noun))
	addReasonFlag(flags, &f.reason, "that is kept with the "+noun+"; not 0")
}

// parseKeyAndReason refuses a booking without a name or a reason. It returns the number of the reason.
func (f *bookingFlags) parseKeyAndReason(a *app) (reason uint32, err error) {
	if f.key == "" {
		return 0, fmt.Errorf("%w: give the booking a name with --key", errUsage)
	}
	if reason, err = a.parseReason(f.reason); err == nil && reason == 0 {
		err = fmt.Errorf("%w: give the reason with --reason, as a number or by its name in the configuration", errUsage)
	}
	return reason, err
}

func (a *app) newAdjustCommand() *cobra.Command {
	var f bookingFlags
	cmd := &cobra.Command{
		Use:   "adjust",
		Short: "Correct a peer's balance by hand, and write arrears off",
		Long: `Book a correction of the balance between us and a peer, once for each key, with a reason.
The other side of the booking is our suspense account. Book payments on a rail with
"peerledger settle" instead.`,
		Example: `  peerledger adjust credit alice 5 --key ticket-7 --reason 3 --yes
  peerledger adjust write-off alice 120 --key loss-1 --reason 4 --yes`,
		Args: requireSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f.addTo(cmd.PersistentFlags(), "correction")
	cmd.AddCommand(a.newAdjustCreditCommand(&f), a.newAdjustDebitCommand(&f), a.newWriteOffCommand(&f))
	return cmd
}

func (a *app) newAdjustCreditCommand(f *bookingFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "credit peer amount", Short: "Owe a peer more, or let it owe less",
		Example: "  peerledger adjust credit alice 5 --key ticket-7 --reason 3 --yes",
		Long:    "Credit a peer. The amount pays the peer's debt first; the rest is prepaid. Settlements do not\npay a prepayment out; only settle refund does.",
	}
	return a.buildAdjustCommand(f, cmd, effects.Credit, effects.DescribePaidIn, func(s *session, p payment, reason uint32) (accounts.Booking, error) {
		return s.book.Adjust(cmd.Context(), accounts.Adjustment{Account: p.account, Key: f.key, Credit: p.amount, ReasonCode: reason})
	})
}

func (a *app) newAdjustDebitCommand(f *bookingFlags) *cobra.Command {
	var beyond bool
	cmd := &cobra.Command{
		Use: "debit peer amount", Short: "Owe a peer less, or have it owe more",
		Example: "  peerledger adjust debit alice 5 --key ticket-8 --reason 3 --yes\n  peerledger adjust debit alice 500 --key ticket-9 --reason 3 --beyond-headroom --yes",
		Long:    "Debit a peer. The amount reduces the prepayment first. A debit that the account does not cover\nis refused; with --beyond-headroom the uncovered part becomes arrears.",
	}
	cmd.Flags().BoolVar(&beyond, "beyond-headroom", false, "book the part that the account does not cover as arrears")
	return a.buildAdjustCommand(f, cmd, effects.Debit, effects.DescribeCoveredCharge(&beyond), func(s *session, p payment, reason uint32) (accounts.Booking, error) {
		return s.book.Adjust(cmd.Context(), accounts.Adjustment{
			Account: p.account, Key: f.key, Debit: p.amount, ReasonCode: reason, BeyondHeadroom: beyond,
		})
	})
}

func (a *app) newWriteOffCommand(f *bookingFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use: "write-off peer amount", Short: "Write off arrears that will never be paid",
		Example: "  peerledger adjust write-off alice 120 --key loss-1 --reason 4 --yes",
		Long:    "Write off at most this amount of a peer's arrears. Before that, the ledger collects the part\nthat the account can pay. The loss goes to our suspense account.",
	}
	return a.buildAdjustCommand(f, cmd, effects.WriteOff, effects.DescribeWriteOff, func(s *session, p payment, reason uint32) (accounts.Booking, error) {
		return s.book.WriteOff(cmd.Context(), accounts.WriteOff{Account: p.account, Key: f.key, Amount: p.amount, ReasonCode: reason})
	})
}

// buildAdjustCommand completes a command that books one correction with book.
func (a *app) buildAdjustCommand(f *bookingFlags, cmd *cobra.Command, wording effects.Wording, describe effects.Description,
	book func(s *session, p payment, reason uint32) (accounts.Booking, error),
) *cobra.Command {
	cmd.Args = exactArgs(2)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		reason, err := f.parseKeyAndReason(a)
		if err != nil {
			return err
		}
		return a.withSession(cmd.Context(), func(s *session) error {
			p, err := s.parseNonzeroPayment(cmd.Context(), args[0], args[1], f.asset)
			if err != nil {
				return err
			}
			c := change{Action: wording.Action, Peer: p.account.Peer(), Asset: p.asset.String(), Amount: p.asset.Format(p.amount), Key: f.key, peerPrefix: wording.Prefix}
			c.setReason(s.cfg, reason)
			b, err := s.addPreview(cmd.Context(), &c, p.account, p.amount, describe)
			if err != nil {
				return err
			}
			return a.previewOrWrite(c, func(c *change) error {
				booking, err := book(s, p, reason)
				if err != nil {
					return effects.ExplainCover(err, b)
				}
				c.Already, c.Transfer, c.Amount = booking.AlreadyBooked, booking.Transfer.String(), p.asset.Format(booking.Amount)
				return nil
			})
		})
	}
	a.addYesFlag(cmd)
	return cmd
}
