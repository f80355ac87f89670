package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/settlement"
)

func (a *app) newReleaseCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "release peer", Short: "Release a peer's money from suspense after its account was closed",
		Example: "  peerledger settle release alice --yes",
		Long: `Move to a peer's account the money that arrived while the account was closed: the peer's
payments, and its earnings from late packets and from rounds. Reopen the account first
(peerledger peers reopen). Each payment is released once.`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				account, found, err := s.parseAccount(cmd.Context(), args[0], *asset)
				if err != nil {
					return err
				}
				c := change{Action: "give back what waits in suspense", Peer: account.Peer(), Asset: found.String(), peerPrefix: " to "}
				b, err := s.book.Balance(cmd.Context(), account)
				if err != nil {
					return err
				}
				if c.Now, err = s.summarizeBalance(b); err != nil {
					return err
				}
				waiting, err := s.book.WaitingInSuspense(cmd.Context(), b)
				if err != nil {
					return err
				}
				c.Amount = found.Format(waiting[0])
				switch {
				case waiting[0].IsZero():
					c.Note = noteNothingWaits
				case b.Closed:
					c.Note = "It will be refused: the peer's account is closed."
				}
				return a.previewOrWrite(c, func(c *change) error {
					released, err := engine.Release(cmd.Context(), account)
					c.Amount, c.Note = found.Format(released.Amount), describeReleased(released)
					return err
				})
			})
		},
	}
	a.addYesFlag(cmd)
	return cmd
}

const noteNothingWaits = "Nothing waits for the peer."

// describeReleased describes the released bookings.
func describeReleased(r settlement.Released) string {
	if len(r.Payments) == 0 {
		return noteNothingWaits
	}
	return fmt.Sprintf("Released bookings: %d.", len(r.Payments))
}
