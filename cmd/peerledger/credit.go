package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
)

// creditFlags are the flags of all changes of a credit line.
type creditFlags struct {
	asset         string
	reason        string // a number or a name, as parseReason reads it
	partialRevoke bool
	expectedLine  string
}

func (a *app) newCreditCommand() *cobra.Command {
	var f creditFlags
	cmd := &cobra.Command{
		Use:   "credit",
		Short: "Change how much a peer may owe us",
		Long: `Change a peer's credit line, which the ledger itself enforces. A change is based on the
current line: if two operators change a line at once, one change is written, and the other
fails with an error.

What packets and reservations of connectors hold (peerledger holds) cannot be revoked. To lower
a line all the same: peers suspend, a moment later peers suspend --revoke-free, peers resume,
and credit set.`,
		Example: "  peerledger credit set alice 500 --yes\n  peerledger credit revoke alice 100 --what-is-free --yes",
		Args:    requireSubcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&f.asset, "asset", "", "in this `asset`, as in USD or USD/9")
	addReasonFlag(cmd.PersistentFlags(), &f.reason, "to keep with the change")
	cmd.PersistentFlags().StringVar(&f.expectedLine, "if-line", "", "change the line only if the current line is this `amount`")
	cmd.AddCommand(
		a.newLineCommand(&f, "set", "Set the credit line to an amount", func(_, amount ledger.Amount) ledger.Amount { return amount }, (*accounts.Book).SetCreditLine),
		a.newLineCommand(&f, "extend", "Raise the credit line by an amount", func(now, amount ledger.Amount) ledger.Amount {
			if sum, ok := now.Add(amount); ok {
				return sum
			}
			return ledger.AmountMax // the book refuses this amount
		}, (*accounts.Book).ExtendCredit),
		a.newLineCommand(&f, "revoke", "Lower the credit line by an amount", ledger.Amount.SubFloor, (*accounts.Book).RevokeCredit),
	)
	return cmd
}

// newLineCommand returns a command that changes a line with do. after computes the new line.
func (a *app) newLineCommand(
	f *creditFlags, name, short string, after func(now, amount ledger.Amount) ledger.Amount,
	do func(*accounts.Book, context.Context, accounts.PeerAccount, ledger.Amount, ...accounts.CreditLineOption) (accounts.CreditLineChange, error),
) *cobra.Command {
	cmd := &cobra.Command{Use: name + " peer amount", Short: short, Args: exactArgs(2), Example: fmt.Sprintf("  peerledger credit %s alice 500\n  peerledger credit %[1]s alice 500 --yes", name)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		reason, err := a.parseReason(f.reason)
		if err != nil {
			return err
		}
		return a.withSession(cmd.Context(), func(s *session) error {
			account, asset, err := s.parseAccount(cmd.Context(), args[0], f.asset)
			if err != nil {
				return err
			}
			amount, err := parseLine(asset, args[1])
			if err != nil {
				return err
			}
			options, err := f.parseOptions(asset, reason)
			if err != nil {
				return err
			}
			b, err := s.book.Balance(cmd.Context(), account)
			if err != nil {
				return err
			}
			c := change{
				Action: name + " the credit line", Peer: account.Peer(), Asset: asset.String(),
				Before: formatLine(asset, b.CreditLine), After: formatLine(asset, after(b.CreditLine, amount)),
			}
			c.setReason(s.cfg, reason)
			if !a.yes {
				f.describeLineChange(&c, effects.LineChange{Balance: b, Amount: amount, After: after(b.CreditLine, amount), Partial: f.partialRevoke})
			}
			c.checkFirst = fmt.Sprintf("Before you repeat the command, check the line with peerledger balances %s: the line was %s.", account.Peer(), c.Before)
			return a.previewOrWrite(c, func(c *change) error {
				changed, err := do(s.book, cmd.Context(), account, amount, options...)
				c.Transfer = formatID(changed.Transfer)
				if err == nil {
					c.Already = changed.Before == changed.After
					c.Before, c.After = formatLine(asset, changed.Before), formatLine(asset, changed.After)
				}
				if errors.Is(err, accounts.ErrLineInUse) && !f.partialRevoke {
					err = fmt.Errorf("%w. With --what-is-free this part is revoked", err)
				}
				return err
			})
		})
	}
	if name != "extend" {
		cmd.Flags().BoolVar(&f.partialRevoke, "what-is-free", false, "if part of the line is in use, revoke only the free part")
	}
	a.addYesFlag(cmd)
	return cmd
}

// describeLineChange sets the effect of a change of a line, and the line after the change.
func (f *creditFlags) describeLineChange(c *change, planned effects.LineChange) {
	asset := planned.Balance.Asset
	if expected, err := parseLine(asset, f.expectedLine); f.expectedLine != "" && err == nil {
		planned.Expected = &expected
	}
	after, effect := planned.Describe()
	c.After, c.Effect = formatLine(asset, after), effect
}

// parseOptions returns the options of the flags.
func (f *creditFlags) parseOptions(asset accounts.Asset, reason uint32) ([]accounts.CreditLineOption, error) {
	var options []accounts.CreditLineOption
	if reason != 0 {
		options = append(options, accounts.WithReasonCode(reason))
	}
	if f.partialRevoke {
		options = append(options, accounts.WithPartialRevoke())
	}
	if f.expectedLine != "" {
		line, err := parseLine(asset, f.expectedLine)
		if err != nil {
			return nil, err
		}
		options = append(options, accounts.WithExpectedLine(line))
	}
	return options, nil
}
