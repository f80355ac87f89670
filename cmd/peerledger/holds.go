package main

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// holdRow is what holds an amount of a peer: a prepared packet, or a reservation. Amounts are in whole
// units of the asset.
type holdRow struct {
	Packet string `json:"packet,omitempty"` // the packet's id
	// Reservation is the id of a reservation's transfer, and Journal the number of the recorder's
	// journal, in hexadecimal, as doctor shows it.
	Reservation string `json:"reservation,omitempty"`
	Journal     string `json:"journal,omitempty"`
	In          string `json:"in"`  // held from the peer
	Out         string `json:"out"` // held for the peer
	Since       string `json:"since"`
	Expiry      string `json:"expiry,omitempty"`
	Condition   string `json:"condition,omitempty"` // of a packet: the first 8 bytes, in hexadecimal
	Peer        string `json:"peer"`
	Asset       string `json:"asset"`
}

// newHoldRow returns the row of a packet's hold.
func newHoldRow(h accounts.Hold, peer string, a accounts.Asset) holdRow {
	return holdRow{
		Packet: h.Packet.String(), In: a.Format(h.In), Out: a.Format(h.Out), Since: formatTime(h.Since), Expiry: formatTime(h.Expiry),
		Condition: hex.EncodeToString(h.ConditionTag[:]), Peer: peer, Asset: a.String(),
	}
}

// newReservationRow returns the row of a reservation.
func newReservationRow(r accounts.Reservation, peer string, a accounts.Asset) holdRow {
	return holdRow{
		Reservation: r.ID.String(), Journal: fmt.Sprintf("%016x", r.Journal), In: a.Format(r.Amount), Out: a.Format(ledger.Amount{}),
		Since: formatTime(r.Since), Expiry: formatTime(r.Expiry), Peer: peer, Asset: a.String(),
	}
}

// holder names what holds the amount.
func (r holdRow) holder() string {
	if r.Packet == "" {
		return "reserved for rounds of journal " + r.Journal
	}
	return "packet " + r.Packet
}

func (a *app) newHoldsCommand() *cobra.Command {
	var asset string
	cmd := &cobra.Command{
		Use:   "holds peer",
		Short: "Show what holds amounts of a peer: prepared packets, and reservations",
		Long: `Show the amounts that packets to and from a peer hold, and the amounts that connectors have
reserved for packets from the peer, each ordered by expiry. An open settlement order is not
shown (peerledger orders).

A packet is prepared, and neither fulfilled nor rejected. A hold without an expiry was copied
to this ledger by migrate: the ledger never releases it.

A reservation belongs to a connector that records in rounds, and covers its packets from the
peer, those under way and those to come: the ledger has no single packets of it. A running
connector renews its reservations before they expire. After peers suspend it releases what no
packet needs. What a killed connector has reserved is free at the expiry.`,
		Example: "  peerledger holds alice@USD\n  peerledger holds alice --asset USD --json",
		Args:    rangeArgs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withSession(cmd.Context(), func(s *session) error {
				account, found, err := s.parseAccount(cmd.Context(), args[0], asset)
				if err != nil {
					return err
				}
				rows, err := s.readHolds(cmd.Context(), account, found)
				if err != nil {
					return err
				}
				return printRows(s.app, rows,
					column[holdRow]{title: "held by", cell: holdRow.holder},
					column[holdRow]{title: "in", cell: func(r holdRow) string { return r.In }, right: true},
					column[holdRow]{title: "out", cell: func(r holdRow) string { return r.Out }, right: true},
					column[holdRow]{title: "since", cell: func(r holdRow) string { return r.Since }},
					column[holdRow]{title: "expiry", cell: func(r holdRow) string { return orDefault(r.Expiry, "never") }, value: func(r holdRow) string { return r.Expiry }},
					column[holdRow]{title: "condition", cell: func(r holdRow) string { return r.Condition }, wide: true},
					column[holdRow]{title: "packet", cell: func(r holdRow) string { return r.Packet }, wide: true},
					column[holdRow]{title: "reservation", cell: func(r holdRow) string { return r.Reservation }, wide: true},
					column[holdRow]{title: "name", cell: func(r holdRow) string { return orDefault(r.Packet, r.Reservation) }, wide: true, names: true},
				)
			})
		},
	}
	a.addListFlags(cmd)
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset`, as in USD or USD/9")
	return cmd
}

// readHolds returns the packets that hold amounts of a peer, and then the reservations.
func (s *session) readHolds(ctx context.Context, account accounts.PeerAccount, asset accounts.Asset) ([]holdRow, error) {
	holds, err := s.book.Holds(ctx, account)
	if err != nil {
		return nil, err
	}
	reservations, err := s.book.Reservations(ctx, account)
	if err != nil {
		return nil, err
	}
	rows := make([]holdRow, 0, len(holds)+len(reservations))
	for _, h := range holds {
		rows = append(rows, newHoldRow(h, account.Peer(), asset))
	}
	for _, r := range reservations {
		rows = append(rows, newReservationRow(r, account.Peer(), asset))
	}
	return rows, nil
}
