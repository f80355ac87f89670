package main

import (
	"encoding/hex"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
)

// holdRow is a prepared packet in the output. Amounts are in whole units of the asset.
type holdRow struct {
	Packet    string `json:"packet"`
	In        string `json:"in"`  // held from the peer
	Out       string `json:"out"` // held for the peer
	Since     string `json:"since"`
	Expiry    string `json:"expiry,omitempty"`
	Condition string `json:"condition"` // its first 8 bytes, in hexadecimal
	Peer      string `json:"peer"`
	Asset     string `json:"asset"`
}

// newHoldRow returns the row of a hold.
func newHoldRow(h accounts.Hold, peer string, a accounts.Asset) holdRow {
	return holdRow{
		Packet: h.Packet.String(), In: a.Format(h.In), Out: a.Format(h.Out), Since: formatTime(h.Since), Expiry: formatTime(h.Expiry),
		Condition: hex.EncodeToString(h.ConditionTag[:]), Peer: peer, Asset: a.String(),
	}
}

func (a *app) newHoldsCommand() *cobra.Command {
	var asset string
	cmd := &cobra.Command{
		Use:   "holds peer",
		Short: "Show a peer's packets that are prepared, and neither fulfilled nor rejected",
		Long: `Show the amounts that packets to and from a peer hold, ordered by expiry. A hold without an
expiry was copied to this ledger by migrate: the ledger never releases it.`,
		Example: "  peerledger holds alice@USD\n  peerledger holds alice --asset USD --json",
		Args:    rangeArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSession(cmd.Context(), func(s *session) error {
				account, found, err := s.parseAccount(cmd.Context(), args[0], asset)
				if err != nil {
					return err
				}
				holds, err := s.book.Holds(cmd.Context(), account)
				if err != nil {
					return err
				}
				rows := make([]holdRow, len(holds))
				for i, h := range holds {
					rows[i] = newHoldRow(h, account.Peer(), found)
				}
				return printRows(s.app, rows,
					column[holdRow]{title: "packet", cell: func(r holdRow) string { return r.Packet }},
					column[holdRow]{title: "in", cell: func(r holdRow) string { return r.In }, right: true},
					column[holdRow]{title: "out", cell: func(r holdRow) string { return r.Out }, right: true},
					column[holdRow]{title: "since (UTC)", cell: func(r holdRow) string { return r.Since }},
					column[holdRow]{title: "expiry (UTC)", cell: func(r holdRow) string { return orDefault(r.Expiry, "never") }},
				)
			})
		},
	}
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset`, as in USD or USD/9")
	return cmd
}
