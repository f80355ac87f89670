package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
)

func (a *app) newStatementCommand() *cobra.Command {
	var f periodFlags
	var keys []string
	var asCSV, holds, own bool
	cmd := &cobra.Command{
		Use:   "statement peer",
		Short: "Show the entries of a peer's account, with opening and closing balance",
		Long: `Show the entries between us and a peer, or of our own liquidity (--own), from the time --from
and before the time --to, by the ledger's clock. Give a time as a date (2026-11-26), as the
tables print it (2026-11-26T10:00:00Z, as in RFC 3339), in UTC without a zone ("2026-11-26 10:00"),
or as a duration before now (36h, 7d). Position, arrears and credit line are the values after the entry.
The collection of arrears moves nothing between us and the peer, and is no entry. A payment by
hand, a returned payment and a debit beyond the headroom are charged to the arrears first, and then
collected as far as the account covers them: the own row of each has the whole amount as arrears.

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
			if err := a.chooseStatementOutput(asCSV); err != nil {
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
				return s.writeStatement(cmd, statement)
			})
		},
	}
	flags := cmd.Flags()
	f.addTo(flags)
	flags.StringArrayVar(&keys, "key", nil, "show this `key` instead of its hash; may be given several times")
	flags.BoolVar(&asCSV, "csv", false, "print comma-separated values, for a spreadsheet (-o csv)")
	a.addListFlags(cmd)
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

// chooseStatementOutput makes --csv and --json short forms of -o csv and -o json. These two have the
// whole statement in order.
func (a *app) chooseStatementOutput(asCSV bool) error {
	l := &a.list
	switch {
	case asCSV && l.output != "" && l.output != outputCSV, asCSV && a.json:
		return fmt.Errorf("%w: --csv and another output contradict each other", errUsage)
	case asCSV:
		l.output = outputCSV
	case a.json && l.output == "":
		l.output = outputJSON
	}
	if (l.output == outputCSV || l.output == outputJSON) && (l.noHeaders || l.sort != "" || l.limit != 0 || len(l.columns) > 0) {
		return fmt.Errorf("%w: --no-headers, --sort, --columns and --limit are for -o table, wide, jsonl and name: a statement as %s is whole", errUsage, l.output)
	}
	return nil
}

// writeStatement prints a statement.
func (s *session) writeStatement(cmd *cobra.Command, statement *accounts.Statement) error {
	switch s.list.output {
	case outputCSV:
		return accounts.WriteCSV(cmd.Context(), s.stdout, statement)
	case outputJSON:
		return accounts.WriteJSON(cmd.Context(), s.stdout, statement)
	}
	rows := []statementRow{newBalanceRow("opening", statement, statement.Opening)}
	for e, err := range statement.Entries(cmd.Context()) {
		if err != nil {
			return err
		}
		row := newStatementRow(statement.Asset, &e)
		row.ReasonName = s.cfg.nameReason(row.Reason)
		rows = append(rows, row)
	}
	rows = append(rows, newBalanceRow("closing", statement, statement.Closing))
	return printRows(s.app, rows, statementColumns...)
}
