package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// creditFlags are those of all changes of a credit line.
type creditFlags struct {
	asset    string
	reason   uint32
	partialRevoke bool
	expectedLine   string
}

func (a *app) newCreditCommand() *cobra.Command {
	var f creditFlags
	cmd := &cobra.Command{
		Use:   "credit",
		Short: "Change how much a peer may owe us",
		Long: `Changes a peer's credit line, which the ledger itself enforces. A change rests on the
line as it is: of two operators who change it at once one wins, and the other is told.`,
		Example: "  peerledger credit set alice 500 --yes\n  peerledger credit revoke alice 100 --what-is-free --yes",
		Args:    requireSubcommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&f.asset, "asset", "", "in this `asset`, as in USD or USD/9")
	cmd.PersistentFlags().Uint32Var(&f.reason, "reason", 0, "a `number` that is kept with the change")
	cmd.PersistentFlags().StringVar(&f.expectedLine, "if-line", "", "only if the line is this `amount` now")
	cmd.AddCommand(
		a.newLineCommand(&f, "set", "Make the credit line this amount", func(_, amount ledger.Amount) ledger.Amount { return amount }, (*accounts.Book).SetCreditLine),
		a.newLineCommand(&f, "extend", "Raise the credit line by an amount", func(now, amount ledger.Amount) ledger.Amount {
			if sum, ok := now.Add(amount); ok {
				return sum
			}
			return ledger.AmountMax // the book refuses it
		}, (*accounts.Book).ExtendCredit),
		a.newLineCommand(&f, "revoke", "Lower the credit line by an amount", ledger.Amount.SubFloor, (*accounts.Book).RevokeCredit),
	)
	return cmd
}

// newLineCommand is one change of a line. after says what it comes to.
func (a *app) newLineCommand(
	f *creditFlags, name, short string, after func(now, amount ledger.Amount) ledger.Amount,
	do func(*accounts.Book, context.Context, accounts.PeerAccount, ledger.Amount, ...accounts.LineOption) (accounts.LineChange, error),
) *cobra.Command {
	cmd := &cobra.Command{Use: name + " peer amount", Short: short, Args: exactArgs(2)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withSession(cmd.Context(), func(s *session) error {
			account, asset, err := s.parseAccount(cmd.Context(), args[0], f.asset)
			if err != nil {
				return err
			}
			amount, err := parseLine(asset, args[1])
			if err != nil {
				return err
			}
			options, err := f.parseOptions(asset)
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
			if !a.yes {
				f.describeLineChange(&c, b, amount, after(b.CreditLine, amount))
			}
			c.checkFirst = fmt.Sprintf("Look at the line with peerledger balances %s before you give the command again: it was %s.", account.Peer(), c.Before)
			return a.previewOrWrite(c, func(c *change) error {
				changed, err := do(s.book, cmd.Context(), account, amount, options...)
				if err == nil {
					c.Already = changed.Before == changed.After
					c.Before, c.After = formatLine(asset, changed.Before), formatLine(asset, changed.After)
				}
				return err
			})
		})
	}
	if name != "extend" {
		cmd.Flags().BoolVar(&f.partialRevoke, "what-is-free", false, "if part of the line is in use, take back only what is free")
	}
	a.addYesFlag(cmd)
	return cmd
}

// describeLineChange says what keeps a line from being changed so, as far as nothing comes between, and
// what would be taken back of what is free.
func (f *creditFlags) describeLineChange(c *change, b accounts.Balance, amount, after ledger.Amount) {
	text := b.Asset.Text
	free := b.CreditLine.Min(b.Headroom)
	decrease := b.CreditLine.SubFloor(after)
	if after.IsZero() && b.CreditLine.Less(amount) { // beyond the line
		decrease = amount
	}
	expected, err := parseLine(b.Asset, f.expectedLine)
	switch {
	case f.expectedLine != "" && err == nil && expected != b.CreditLine:
		c.Effect = fmt.Sprintf("It will be refused: the line is %s, and not %s.", text(b.CreditLine), text(expected))
	case after == b.CreditLine:
		c.Effect = "It will change nothing."
	case b.Closed:
		c.Effect = "It will be refused: the peer's account is closed."
	case b.Suspended:
		c.Effect = "It will be refused: the peer is suspended."
	case accounts.Unlimited.Less(after):
		c.Effect = "It will be refused: the largest line is " + text(accounts.Unlimited) + " (unlimited)."
	case !free.Less(decrease):
		return
	case f.partialRevoke:
		c.After = formatLine(b.Asset, b.CreditLine.SubFloor(free))
		c.Effect = fmt.Sprintf("Only %s is free, and is taken back.", text(free))
	case free.IsZero():
		c.Effect = "It will be refused: all of the line is in use."
	default:
		c.Effect = fmt.Sprintf("It will be refused: at most %s can be revoked. With --what-is-free that is taken back.", text(free))
	}
}

func (f *creditFlags) parseOptions(asset accounts.Asset) ([]accounts.LineOption, error) {
	var options []accounts.LineOption
	if f.reason != 0 {
		options = append(options, accounts.WithReasonCode(f.reason))
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
