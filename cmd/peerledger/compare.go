package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/big"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// differenceRow is a difference between two statements. Amounts are in whole units of the asset, with
// their signs in the two statements: amounts that agree add up to 0.
type differenceRow struct {
	// Difference is a class of accounts.Difference, or "total" for the last JSON object.
	Difference string `json:"difference"`
	Kind       string `json:"kind,omitempty"` // of the entry
	Time       string `json:"time,omitempty"` // of the first entry
	Ours       string `json:"ours"`
	Theirs     string `json:"theirs"`
	Drift      string `json:"drift"` // ours plus theirs
	// Condition is the beginning of the packet's condition, and OurPacket and TheirPacket are the packet's
	// ids on either side.
	Condition   string `json:"condition,omitempty"`
	OurPacket   string `json:"our_packet,omitempty"`
	TheirPacket string `json:"their_packet,omitempty"`
	Matched     *int   `json:"matched,omitempty"` // of the total: packets and payments in both statements
	Differences *int   `json:"differences,omitempty"`
}

func (a *app) newCompareCommand() *cobra.Command {
	var f periodFlags
	cmd := &cobra.Command{
		Use:   "compare peer file",
		Short: "Compare our statement of a peer with the peer's statement of us",
		Long: `Compare our statement of a peer with the peer's own statement of us, which the peer wrote with
"peerledger statement --csv" or "--json". The file - is standard input. Show each difference with
the amounts of both sides, and exit with status 5 if there is any.

` + explainDifferences() + `
An amount that we owe more must be owed to the peer more: amounts that agree add up to 0, and
"drift" is the sum of the two. Packets are known by their conditions. Payments, and packets of a
connector that sets no conditions, are paired by kind, amount and order of time: of several equal
amounts, the row that is shown may not be the missing one. Changes of credit lines are not compared.

Give --from and --to the times of the peer's statement. Near both ends an entry may be in one
statement only, because clocks differ. A side that records in rounds needs the packets
(--packets, on both sides). The peer's statement should have the holds (--holds): they identify
late fulfills.`,
		Example: "  peerledger compare alice alice-november.csv --from 2026-11-01 --to 2026-12-01\n  ssh bob peerledger statement us --json | peerledger compare bob -",
		Args:    exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			begin, end, err := f.parsePeriod(time.Now())
			if err != nil {
				return err
			}
			return a.withSession(cmd.Context(), func(s *session) error {
				account, asset, err := s.parseAccount(cmd.Context(), args[0], f.asset)
				if err != nil {
					return err
				}
				statement, err := s.book.Statement(cmd.Context(), account, begin, end, accounts.WithHolds(), accounts.WithJournals(f.journals...))
				if err != nil {
					return err
				}
				comparison, err := a.compareWithFile(cmd.Context(), statement, args[1])
				if err != nil {
					return err
				}
				return a.showComparison(asset, comparison)
			})
		},
	}
	a.addListFlags(cmd)
	f.addTo(cmd.Flags())
	return cmd
}

// explainDifferences returns the classes of differences with their meanings, a line each.
func explainDifferences() (text string) {
	for _, class := range accounts.DifferenceClasses() {
		text += fmt.Sprintf("  %-13s  %s\n", class, class.Explain())
	}
	return text
}

// compareWithFile compares a statement with the peer's statement in a file; "-" is standard input.
func (a *app) compareWithFile(ctx context.Context, ours *accounts.Statement, name string) (accounts.Comparison, error) {
	source := a.stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return accounts.Comparison{}, fmt.Errorf("%w: the peer's statement: %w", errUsage, err)
		}
		defer func() { _ = file.Close() }() // it was only read
		source = file
	}
	return accounts.Compare(ours.Entries(ctx), accounts.ReadStatement(source, ours.Asset))
}

// showComparison prints the differences. The error is errFound if there is any.
func (a *app) showComparison(asset accounts.Asset, c accounts.Comparison) error {
	rows := make([]differenceRow, 0, len(c.Differences)+1)
	for i := range c.Differences {
		rows = append(rows, newDifferenceRow(asset, &c.Differences[i]))
	}
	found := len(rows)
	if a.json {
		total := newAmountsRow(asset, "total", c.Ours, c.Theirs)
		total.Matched, total.Differences = &c.Matched, &found
		rows = append(rows, total)
	}
	a.list.whenEmpty = "The statements agree."
	if err := printRows(a, rows, differenceColumns...); err != nil {
		return err
	}
	if a.printsTable() {
		drift := new(big.Int).Add(c.Ours, c.Theirs)
		fmt.Fprintf(a.stdout, "Matched: %d. Differences: %d, with a drift of %s %s.\n", c.Matched, found, formatSigned(asset, drift), asset.Code)
		for _, hint := range explainComparison(c.Differences) {
			fmt.Fprintln(a.stdout, hint)
		}
	}
	if found > 0 {
		return errFound
	}
	return nil
}

// explainComparison returns sentences that keep an operator from wrong conclusions.
func explainComparison(differences []accounts.Difference) (hints []string) {
	ours := make(map[ledger.ID]bool)
	unknown := 0 // packets without a condition
	for i := range differences {
		d := &differences[i]
		if !d.OurPacket.IsZero() {
			ours[d.OurPacket] = true
		}
		if d.Kind == accounts.EntryPacket && d.ConditionTag == [8]byte{} {
			unknown++
		}
	}
	if slices.ContainsFunc(differences, func(d accounts.Difference) bool { return ours[d.TheirPacket] }) {
		hints = append(hints, "The file has packets under our own ids: it may be our statement of the peer, in place of the peer's statement of us.")
	}
	if unknown > 0 {
		hints = append(hints, formatCount(unknown, "difference")+" of packets without a condition: such packets are paired by amount in order of time. The amounts are right, but another packet of the same amount may be the different one. Connectors that set transfers.Packet.Condition avoid this.")
	}
	return hints
}

// newAmountsRow returns a row with amounts alone.
func newAmountsRow(asset accounts.Asset, class string, ours, theirs *big.Int) differenceRow {
	return differenceRow{
		Difference: class, Ours: formatSigned(asset, ours), Theirs: formatSigned(asset, theirs), Drift: formatSigned(asset, new(big.Int).Add(ours, theirs)),
	}
}

func newDifferenceRow(asset accounts.Asset, d *accounts.Difference) differenceRow {
	row := newAmountsRow(asset, string(d.Class), d.Ours, d.Theirs)
	row.Kind, row.Time = string(d.Kind), formatTime(d.Time)
	row.OurPacket, row.TheirPacket = formatID(d.OurPacket), formatID(d.TheirPacket)
	if d.ConditionTag != [8]byte{} {
		row.Condition = hex.EncodeToString(d.ConditionTag[:])
	}
	return row
}

var differenceColumns = []column[differenceRow]{
	{title: "difference", cell: func(r differenceRow) string { return r.Difference }},
	{title: "what", field: "kind", cell: func(r differenceRow) string { return r.Kind }},
	{title: "time", isTime: true, cell: func(r differenceRow) string { return r.Time }},
	{title: "ours", cell: func(r differenceRow) string { return r.Ours }, right: true},
	{title: "theirs", cell: func(r differenceRow) string { return r.Theirs }, right: true},
	{title: "drift", cell: func(r differenceRow) string { return r.Drift }, right: true},
	{title: "condition", cell: func(r differenceRow) string { return r.Condition }},
	{title: "our packet", cell: func(r differenceRow) string { return r.OurPacket }},
	{title: "their packet", cell: func(r differenceRow) string { return r.TheirPacket }},
	{title: "name", cell: func(r differenceRow) string {
		return orDefault(r.OurPacket, orDefault(r.TheirPacket, r.Kind+" "+r.Time))
	}, wide: true, names: true},
}
