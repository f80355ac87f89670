package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/settlement"
)

func (a *app) releaseCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "release peer", Short: "Give a peer what waits in suspense since it was closed",
		Long: `Gives back to a peer what came in for it while its account was closed: what it paid, and
what late packets earned it. The account must be open again (peerledger peers reopen). Each
payment is given back once.`,
		Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.atEngine(cmd.Context(), nil, func(d *desk, engine *settlement.Engine) error {
				account, found, err := d.account(cmd.Context(), args[0], *asset)
				if err != nil {
					return err
				}
				c := change{Action: "give back what waits in suspense", Peer: account.Peer(), Asset: found.String(), link: " to "}
				b, err := d.book.Balance(cmd.Context(), account)
				if err != nil {
					return err
				}
				if c.Now, err = d.standing(b); err != nil {
					return err
				}
				waits, err := d.book.WaitingInSuspense(cmd.Context(), b)
				if err != nil {
					return err
				}
				c.Amount = found.Format(waits[0])
				switch {
				case waits[0].IsZero():
					c.Note = nothingWaits
				case b.Closed:
					c.Note = "It will be refused: its account is closed."
				}
				return a.write(c, func(c *change) error {
					released, err := engine.Release(cmd.Context(), account)
					c.Amount, c.Note = found.Format(released.Amount), saysReleased(released)
					return err
				})
			})
		},
	}
	a.writes(cmd)
	return cmd
}

const nothingWaits = "Nothing waits for it."

// saysReleased says what was given back.
func saysReleased(r settlement.Released) string {
	if len(r.Payments) == 0 {
		return nothingWaits
	}
	return fmt.Sprintf("Bookings that had waited and were given back: %d.", len(r.Payments))
}
