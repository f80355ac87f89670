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
	whatFree bool
	ifLine   string
}

func (a *app) creditCommand() *cobra.Command {
	var f creditFlags
	cmd := &cobra.Command{
		Use:   "credit",
		Short: "Change how much a peer may owe us",
		Long: `Changes a peer's credit line, which the ledger itself enforces. A change rests on the
line as it is: of two operators who change it at once one wins, and the other is told.`,
		Example: "  peerledger credit set alice 500 --yes\n  peerledger credit revoke alice 100 --what-is-free --yes",
		Args:    between(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&f.asset, "asset", "", "in this `asset`, as in USD or USD/9")
	cmd.PersistentFlags().Uint32Var(&f.reason, "reason", 0, "a `number` that is kept with the change")
	cmd.PersistentFlags().StringVar(&f.ifLine, "if-line", "", "only if the line is this `amount` now")
	cmd.AddCommand(
		a.lineCommand(&f, "set", "Make the credit line this amount", func(_, amount ledger.Amount) ledger.Amount { return amount }, (*accounts.Book).SetCreditLine),
		a.lineCommand(&f, "extend", "Raise the credit line by an amount", func(now, amount ledger.Amount) ledger.Amount {
			if sum, ok := now.Add(amount); ok {
				return sum
			}
			return ledger.AmountMax // the book refuses it
		}, (*accounts.Book).ExtendCredit),
		a.lineCommand(&f, "revoke", "Lower the credit line by an amount", ledger.Amount.SubFloor, (*accounts.Book).RevokeCredit),
	)
	return cmd
}

// lineCommand is one change of a line. after says what it comes to.
func (a *app) lineCommand(
	f *creditFlags, name, short string, after func(now, amount ledger.Amount) ledger.Amount,
	do func(*accounts.Book, context.Context, accounts.Account, ledger.Amount, ...accounts.LineOption) (accounts.LineChange, error),
) *cobra.Command {
	cmd := &cobra.Command{Use: name + " peer amount", Short: short, Args: exactly(2)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.atDesk(cmd.Context(), func(d *desk) error {
			account, asset, err := d.account(args[0], f.asset)
			if err != nil {
				return err
			}
			amount, err := parseLine(asset, args[1])
			if err != nil {
				return err
			}
			options, err := f.options(asset)
			if err != nil {
				return err
			}
			b, err := d.book.Balance(cmd.Context(), account)
			if err != nil {
				return err
			}
			c := change{
				Action: name + " the credit line", Peer: account.Peer(), Asset: asset.String(),
				Before: asset.Format(b.CreditLine), After: asset.Format(after(b.CreditLine, amount)),
			}
			c.look = fmt.Sprintf("Look at the line with peerledger balances %s before you give the command again: it was %s.", account.Peer(), c.Before)
			return a.write(c, func(c *change) error {
				changed, err := do(d.book, cmd.Context(), account, amount, options...)
				c.Before, c.After = asset.Format(changed.Before), asset.Format(changed.After)
				return err
			})
		})
	}
	if name != "extend" {
		cmd.Flags().BoolVar(&f.whatFree, "what-is-free", false, "if part of the line is in use, take back only what is free")
	}
	a.writes(cmd)
	return cmd
}

func (f *creditFlags) options(asset accounts.Asset) ([]accounts.LineOption, error) {
	var options []accounts.LineOption
	if f.reason != 0 {
		options = append(options, accounts.LineReason(f.reason))
	}
	if f.whatFree {
		options = append(options, accounts.WhatIsFree())
	}
	if f.ifLine != "" {
		line, err := parseLine(asset, f.ifLine)
		if err != nil {
			return nil, err
		}
		options = append(options, accounts.IfLine(line))
	}
	return options, nil
}
