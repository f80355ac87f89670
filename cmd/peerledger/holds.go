package main

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
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

// newHoldRow returns the row of an open hold.
func newHoldRow(h accounts.OpenHold) holdRow {
	row := holdRow{
		In: h.Asset.Format(h.In), Out: h.Asset.Format(h.Out), Since: formatTime(h.Since), Expiry: formatTime(h.Expiry),
		Peer: h.Account.Peer(), Asset: h.Asset.String(),
	}
	if h.Reservation.IsZero() {
		row.Packet, row.Condition = h.Packet.String(), hex.EncodeToString(h.ConditionTag[:])
	} else {
		row.Reservation, row.Journal = h.Reservation.String(), fmt.Sprintf("%016x", h.Journal)
	}
	return row
}

// holdTotalRow sums up what holds amounts of a peer. Amounts are in whole units of the asset.
type holdTotalRow struct {
	Peer          string `json:"peer"`
	Asset         string `json:"asset"`
	Packets       int    `json:"packets"`
	Reservations  int    `json:"reservations"`
	In            string `json:"in"`  // held from the peer
	Out           string `json:"out"` // held for the peer
	Oldest        string `json:"oldest"`
	NearestExpiry string `json:"nearest_expiry,omitempty"`
}

// holder names what holds the amount.
func (r holdRow) holder() string {
	if r.Packet == "" {
		return "reserved for rounds of journal " + r.Journal
	}
	return "packet " + r.Packet
}

func (a *app) newHoldsCommand() *cobra.Command {
	var asset, order string
	var limit int
	var totals bool
	cmd := &cobra.Command{
		Use:   "holds [peer...]",
		Short: "Show what holds amounts of peers: prepared packets, and reservations",
		Long: `Show the amounts that packets to and from these peers hold, and the amounts that connectors
have reserved for packets from the peers; without peers, of all configured peers. The oldest
comes first; see --order. A packet between two peers has a row for each of them. An open
settlement order is not shown (peerledger orders). With --totals, show for each peer how many
packets and reservations hold how much, since when, and the nearest expiry.

A packet is prepared, and neither fulfilled nor rejected. A hold without an expiry was copied
to this ledger by migrate: the ledger never releases it.

A reservation belongs to a connector that records in rounds, and covers its packets from the
peer, those under way and those to come: the ledger has no single packets of it. A running
connector renews its reservations before they expire. After peers suspend it releases what no
packet needs. What a killed connector has reserved is free at the expiry.`,
		Example: "  peerledger holds --order expiry --limit 20\n  peerledger holds --totals\n  peerledger holds alice --asset USD --json",
		Args:    rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.withSession(cmd.Context(), func(s *session) error {
				list, err := s.parseAccounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				if limit == 0 { // in the library 0 is the default
					return fmt.Errorf("%w: --limit must be 1 to %d", errUsage, accounts.MaxHoldLimit)
				}
				found, err := s.book.OpenHolds(cmd.Context(), accounts.HoldQuery{Order: accounts.HoldOrder(order), Limit: limit}, list...)
				if err != nil {
					return err
				}
				if totals {
					return showHoldTotals(a, found.Totals)
				}
				return showHolds(a, found)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&asset, "asset", "", "in this `asset`, as in USD or USD/9")
	order = string(accounts.HoldsByAge)
	addChoiceFlag(flags, &order, "order", "order", "list by age (oldest first), expiry (nearest first) or amount (largest first)",
		string(accounts.HoldsByAge), string(accounts.HoldsByExpiry), string(accounts.HoldsByAmount))
	flags.IntVar(&limit, "limit", accounts.DefaultHoldLimit, fmt.Sprintf("list at most this `number` of holds, up to %d", accounts.MaxHoldLimit))
	flags.BoolVar(&totals, "totals", false, "show the sums of each peer")
	a.addListFlags(cmd)
	return cmd
}

// showHolds prints open holds, and says if there are more.
func showHolds(a *app, found accounts.OpenHolds) error {
	rows := make([]holdRow, len(found.Holds))
	for i, h := range found.Holds {
		rows[i] = newHoldRow(h)
	}
	a.list.whenEmpty = "Nothing is held."
	err := printRows(a, rows,
		column[holdRow]{title: "peer", cell: func(r holdRow) string { return r.Peer }},
		column[holdRow]{title: "asset", cell: func(r holdRow) string { return r.Asset }},
		column[holdRow]{title: "held by", cell: holdRow.holder},
		column[holdRow]{title: "in", cell: func(r holdRow) string { return r.In }, right: true},
		column[holdRow]{title: "out", cell: func(r holdRow) string { return r.Out }, right: true},
		column[holdRow]{title: "since", isTime: true, cell: func(r holdRow) string { return r.Since }},
		column[holdRow]{title: "expiry", isTime: true, cell: func(r holdRow) string { return orDefault(r.Expiry, "never") }, value: func(r holdRow) string { return r.Expiry }},
		column[holdRow]{title: "condition", cell: func(r holdRow) string { return r.Condition }, wide: true},
		column[holdRow]{title: "packet", cell: func(r holdRow) string { return r.Packet }, wide: true},
		column[holdRow]{title: "reservation", cell: func(r holdRow) string { return r.Reservation }, wide: true},
		column[holdRow]{title: "name", cell: func(r holdRow) string { return orDefault(r.Packet, r.Reservation) }, wide: true, names: true},
	)
	if found.More {
		fmt.Fprintf(a.stderr, "peerledger: there are more holds than the %d shown: see --limit\n", len(rows))
	}
	return err
}

// showHoldTotals prints the sums of each peer.
func showHoldTotals(a *app, totals []accounts.HoldTotal) error {
	rows := make([]holdTotalRow, len(totals))
	for i, t := range totals {
		rows[i] = holdTotalRow{
			Peer: t.Account.Peer(), Asset: t.Asset.String(), Packets: t.Packets, Reservations: t.Reservations,
			In: t.Asset.Format(t.In), Out: t.Asset.Format(t.Out), Oldest: formatTime(t.Oldest), NearestExpiry: formatTime(t.NearestExpiry),
		}
	}
	a.list.whenEmpty = "Nothing is held."
	return printRows(a, rows,
		column[holdTotalRow]{title: "peer", cell: func(r holdTotalRow) string { return r.Peer }},
		column[holdTotalRow]{title: "asset", cell: func(r holdTotalRow) string { return r.Asset }},
		column[holdTotalRow]{title: "packets", cell: func(r holdTotalRow) string { return strconv.Itoa(r.Packets) }, right: true},
		column[holdTotalRow]{title: "reservations", cell: func(r holdTotalRow) string { return strconv.Itoa(r.Reservations) }, right: true},
		column[holdTotalRow]{title: "in", cell: func(r holdTotalRow) string { return r.In }, right: true},
		column[holdTotalRow]{title: "out", cell: func(r holdTotalRow) string { return r.Out }, right: true},
		column[holdTotalRow]{title: "oldest", isTime: true, cell: func(r holdTotalRow) string { return r.Oldest }},
		column[holdTotalRow]{title: "nearest expiry", isTime: true, cell: func(r holdTotalRow) string { return orDefault(r.NearestExpiry, "never") }, value: func(r holdTotalRow) string { return r.NearestExpiry }},
	)
}
