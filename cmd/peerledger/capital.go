package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
)

func (a *app) newFundCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "fund amount", Short: "Book capital that the owner puts in",
		Long: `Book capital put into the connector, once for each key, with a reason: our liquidity in the
asset rises by the amount. "peerledger balances --own" shows liquidity and capital, and
"peerledger statement --own" the bookings.`,
		Example: "  peerledger fund 1000 --asset USD --key deposit-1 --reason 5 --yes",
	}
	return a.buildCapitalCommand(cmd, effects.Fund.Action, effects.DescribeFunding, (*accounts.Book).Fund)
}

func (a *app) newWithdrawCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "withdraw amount", Short: "Book capital that the owner takes out",
		Long: `Book capital taken out of the connector, once for each key, with a reason: our liquidity in the
asset falls by the amount. The command is refused if our free liquidity does not cover the
amount; packets in flight hold the rest. The keys of fund and of withdraw are separate.`,
		Example: "  peerledger withdraw 250 --asset USD --key profit-2026 --reason 6 --yes",
	}
	return a.buildCapitalCommand(cmd, effects.Withdraw.Action, effects.DescribeWithdrawal, (*accounts.Book).Withdraw)
}

// buildCapitalCommand completes a command that moves capital with book. after returns our liquidity
// after the movement, or why the ledger refuses the movement.
func (a *app) buildCapitalCommand(cmd *cobra.Command, action string, after func(accounts.AssetPosition, ledger.Amount) (liquidity, refusal string),
	book func(*accounts.Book, context.Context, accounts.Capital) (accounts.Booking, error),
) *cobra.Command {
	var f bookingFlags
	cmd.Args = exactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		reason, err := f.parseKeyAndReason(a)
		if err != nil {
			return err
		}
		return a.withSession(cmd.Context(), func(s *session) error {
			capital, err := s.parseCapital(f, reason, args[0])
			if err != nil {
				return err
			}
			position, err := s.readOwnPosition(cmd.Context(), capital.Asset)
			if err != nil {
				return err
			}
			c := change{
				Action: action, Asset: capital.Asset.String(), Amount: capital.Asset.Format(capital.Amount), Key: f.key,
				Before: formatSigned(capital.Asset, position.Liquidity),
			}
			c.setReason(s.cfg, reason)
			c.After, c.Effect = after(position, capital.Amount)
			return a.previewOrWrite(c, func(c *change) error {
				booking, err := book(s.book, cmd.Context(), capital)
				if err != nil {
					return err
				}
				c.Already, c.Transfer, c.After = booking.AlreadyBooked, booking.Transfer.String(), ""
				if p, err := s.readOwnPosition(cmd.Context(), capital.Asset); err == nil { // the change is written even if this fails
					c.After = formatSigned(capital.Asset, p.Liquidity)
				}
				return nil
			})
		})
	}
	f.addTo(cmd.Flags(), "movement")
	a.addYesFlag(cmd)
	return cmd
}

// parseCapital reads the asset and the amount of a movement of capital.
func (s *session) parseCapital(f bookingFlags, reason uint32, amount string) (accounts.Capital, error) {
	asset, err := s.cfg.findAsset(f.asset)
	if err != nil {
		return accounts.Capital{}, err
	}
	units, err := asset.Parse(amount)
	if err == nil && units.IsZero() {
		err = fmt.Errorf("%w: the amount must not be 0", errUsage)
	}
	return accounts.Capital{Asset: asset, Key: f.key, Amount: units, ReasonCode: reason}, err
}

// readOwnPosition reads our position in one asset.
func (s *session) readOwnPosition(ctx context.Context, asset accounts.Asset) (accounts.AssetPosition, error) {
	positions, err := s.book.OwnPositions(ctx)
	if err != nil {
		return accounts.AssetPosition{}, err
	}
	for _, p := range positions {
		if p.Asset == asset {
			return p, nil
		}
	}
	return accounts.AssetPosition{}, fmt.Errorf("%w: %v", accounts.ErrUnknownAsset, asset)
}
