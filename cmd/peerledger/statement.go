package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
)

// statementRow is a line of a statement in the table.
type statementRow struct{ time, kind, direction, amount, position, arrears, creditLine, counterparty, packet, key string }

func (a *app) newStatementCommand() *cobra.Command {
	var f periodFlags
	var keys []string
	var csv, holds, own bool
	cmd := &cobra.Command{
		Use:   "statement peer",
		Short: "Show the entries of a peer's account, with opening and closing balance",
		Long: `Show the entries between us and a peer, or of our own liquidity (--own), from the time --from
and before the time --to, by the ledger's clock. Give a time as a date (2026-11-26), in UTC as
the tables print it ("2026-11-26 10:00:00"), as in RFC 3339 (2026-11-26T10:00:00Z), or as a
duration before now (36h). Position, arrears and credit line are the values after the entry.
The collection of arrears moves nothing between us and the peer, and is no entry.

The column key identifies a payment, an adjustment or capital. The ledger keeps a hash of the
key: the table shows the hash, or the key itself if you give it with --key. With --csv and
--json the hash is key_hash.

A recorder of rounds books the sums of many packets. The statement shows each sum, and the number
of its round. With --packets, it shows the packets in place of the sums: --journal names the
folder of the recorder's journal, which may be in use. Give it once for each recorder. The
statement says of which rounds the packets are gone.

With --holds, also list the amounts that packets and settlement orders held, in parentheses,
with the sign of the later movement. A hold moves nothing; the fulfill or the payment is a
separate entry.`,
		Example: "  peerledger statement alice --from 24h\n  peerledger statement alice --from 2026-11-01 --to 2026-12-01 --csv > alice.csv",
		Args:    rangeArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			begin, end, err := f.parsePeriod(time.Now())
			if err != nil {
				return err
			}
			if own == (len(args) == 1) {
				return fmt.Errorf("%w: name a peer, or give --own", errUsage)
			}
			return a.withSession(cmd.Context(), func(s *session) error {
				account, found, err := s.statementAccount(cmd.Context(), args, f.asset)
				if err != nil {
					return err
				}
				options := []accounts.StatementOption{s.nameCounterparties(cmd.Context(), found), accounts.WithKnownKeys(keys...), accounts.WithJournals(f.journals...)}
				if holds {
					options = append(options, accounts.WithHolds())
				}
				statement, err := s.book.Statement(cmd.Context(), account, begin, end, options...)
				if err != nil {
					return err
				}
				return s.writeStatement(cmd, statement, csv)
			})
		},
	}
	flags := cmd.Flags()
	f.addTo(flags)
	flags.StringArrayVar(&keys, "key", nil, "show this `key` instead of its hash; may be given several times")
	flags.BoolVar(&csv, "csv", false, "print comma-separated values, for a spreadsheet")
	flags.BoolVar(&holds, "holds", false, "also list holds of packets and orders, as (amounts) that move nothing")
	flags.BoolVar(&own, "own", false, "show our own liquidity")
	return cmd
}

// nameCounterparties names the configured peers; without any, counterparties have no names.
func (s *session) nameCounterparties(ctx context.Context, asset accounts.Asset) accounts.StatementOption {
	known, err := s.parseAccounts(ctx, nil, asset.String())
	if err != nil {
		known = nil
	}
	return accounts.WithKnownAccounts(known...)
}

// statementAccount returns the account of the peer in args, or our own account without arguments.
func (s *session) statementAccount(ctx context.Context, args []string, asset string) (accounts.PeerAccount, accounts.Asset, error) {
	if len(args) == 1 {
		return s.parseAccount(ctx, args[0], asset)
	}
	found, err := s.cfg.findAsset(asset)
	if err != nil {
		return accounts.PeerAccount{}, found, err
	}
	account, err := s.book.OwnAccount(found)
	return account, found, err
}

// writeStatement prints a statement as a table, CSV or JSON.
func (s *session) writeStatement(cmd *cobra.Command, statement *accounts.Statement, csv bool) error {
	switch {
	case csv:
		return accounts.WriteCSV(cmd.Context(), s.stdout, statement)
	case s.json:
		return accounts.WriteJSON(cmd.Context(), s.stdout, statement)
	}
	a := statement.Asset
	rows := []statementRow{newBalanceRow("opening", statement, statement.Opening)}
	for e, err := range statement.Entries(cmd.Context()) {
		if err != nil {
			return err
		}
		row := statementRow{
			time: formatTime(e.Time), kind: string(e.Kind), direction: string(e.Direction), amount: formatSigned(a, e.Amount), position: formatSigned(a, e.Position),
			creditLine: formatLine(a, e.CreditLine), arrears: a.Format(e.Arrears), counterparty: e.Counterparty.String(),
		}
		if !e.Packet.IsZero() {
			row.packet = e.Packet.String()
		}
		if e.PacketsGone {
			row.packet = "packets are gone"
		}
		if e.Kind == accounts.EntryRound {
			row.kind = fmt.Sprintf("%s %d", e.Kind, e.Round)
		}
		if row.key = e.Key; row.key == "" && !e.KeyHash.IsZero() {
			row.key = "#" + e.KeyHash.String()
		}
		if e.Held != nil {
			row.amount = "(" + formatSigned(a, e.Held) + ")"
		}
		rows = append(rows, row)
	}
	rows = append(rows, newBalanceRow("closing", statement, statement.Closing))
	return printRows(s.app, rows,
		column[statementRow]{title: "time (UTC)", cell: func(r statementRow) string { return r.time }},
		column[statementRow]{title: "what", cell: func(r statementRow) string { return r.kind }},
		column[statementRow]{title: "amount", cell: func(r statementRow) string { return r.amount }, right: true},
		column[statementRow]{title: "position", cell: func(r statementRow) string { return r.position }, right: true},
		column[statementRow]{title: "arrears", cell: func(r statementRow) string { return r.arrears }, right: true},
		column[statementRow]{title: "credit line", cell: func(r statementRow) string { return r.creditLine }, right: true},
		column[statementRow]{title: "way", cell: func(r statementRow) string { return r.direction }},
		column[statementRow]{title: "counterparty", cell: func(r statementRow) string { return r.counterparty }},
		column[statementRow]{title: "packet", cell: func(r statementRow) string { return r.packet }},
		column[statementRow]{title: "key", cell: func(r statementRow) string { return r.key }},
	)
}

// newBalanceRow returns the line of an opening or closing balance.
func newBalanceRow(kind string, s *accounts.Statement, st accounts.StatementBalance) statementRow {
	return statementRow{
		kind: kind, position: formatSigned(s.Asset, st.Position),
		arrears: s.Asset.Format(st.Arrears), creditLine: formatLine(s.Asset, st.CreditLine),
	}
}
