package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/lookup"
)

func (a *app) newFindCommand() *cobra.Command {
	var isKey bool
	var after string
	var limit int
	cmd := &cobra.Command{
		Use:   "find thing",
		Short: "Find a packet, an order, a payment or another transfer by its id, condition or key",
		Long: `Find out what something in the ledger is, of which peers, since when, and what became of it, with
its transfers. The thing is one of

  an id         of a packet, an order or a transfer, or the hash of a key: 32 hexadecimal digits
  a condition   of packets: its first 16 hexadecimal digits, or all 64
  a key         of a payment, a returned payment, an adjustment or a write-off of a configured peer:
                any other text; with --key, also a text that looks like an id or a condition

The state of a packet is held, fulfilled, rejected, expired or corrected (booked although its hold
had expired, or beyond the credit line). The state of an order is open, paid or cancelled. Whether
a hold has expired is decided by this machine's clock.

The ledger has no single packets of a recorder in rounds: see peerledger packets. If nothing is
found, the exit status is 1.`,
		Example: "  peerledger find c0ffee0000000000\n  peerledger find wire-4711 --json",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			query, err := lookup.Parse(args[0], isKey)
			if err != nil {
				return err
			}
			if query.After, err = parseMoment(after, time.Now()); err != nil {
				return fmt.Errorf("%w: --after: %w", errUsage, err)
			}
			if query.Limit = limit; limit == 0 { // in the library 0 is the default
				return fmt.Errorf("%w: --limit must be 1 to %d", errUsage, accounts.MaxFindLimit)
			}
			return a.withSession(cmd.Context(), func(s *session) error { return s.find(cmd.Context(), args[0], query) })
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&isKey, "key", false, "the thing is a key")
	flags.StringVar(&after, "after", "", "packets of a condition that began after this `time`")
	flags.IntVar(&limit, "limit", accounts.DefaultFindLimit, fmt.Sprintf("read at most this `number` of rows of a condition, up to %d", accounts.MaxFindLimit))
	return cmd
}

// errNothingFound is returned when the ledger has nothing of an id, a condition or a key.
var errNothingFound = errors.New("nothing found")

// find prints what a query finds.
func (s *session) find(ctx context.Context, text string, query accounts.FindQuery) (err error) {
	if query.Peers, err = s.configuredAccounts(); err != nil {
		return err
	}
	if query.Key != "" && len(query.Peers) == 0 {
		return fmt.Errorf("%w: a key is of a peer, and no peers are configured: list them under peers: in %s", errUsage, s.cfg.fileName())
	}
	result, err := lookup.Find(ctx, s.book, text, query, query.Peers)
	if err != nil {
		return err
	}
	if len(result.Found) == 0 && result.Next.IsZero() {
		return fmt.Errorf("%w: the ledger has no packet, order, transfer or key %q. Packets of a recorder in rounds are in its journal: peerledger packets", errNothingFound, text)
	}
	for i := range result.Found {
		if err := s.printFound(lookup.NewThing(&result.Found[i])); err != nil {
			return err
		}
	}
	if !result.Next.IsZero() {
		fmt.Fprintf(s.stderr, "peerledger: there may be more: repeat the command with --after %s, or see --limit\n", result.Next.Format(time.RFC3339Nano))
	}
	return nil
}

// configuredAccounts returns the accounts of all configured peers; none is no error.
func (s *session) configuredAccounts() (list []accounts.PeerAccount, err error) {
	for _, p := range s.cfg.Peers {
		account, _, err := s.makeAccount(p.ID, p.Asset)
		if err != nil {
			return nil, err
		}
		list = append(list, account)
	}
	return list, nil
}

// formatExactTime formats a time to the nanosecond as in RFC 3339; the zero time is "".
func formatExactTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// printFound prints a thing: its facts as text, and its transfers as a table.
func (s *session) printFound(thing lookup.Thing) error {
	if s.json {
		return s.printJSON(thing)
	}
	fmt.Fprintf(s.stdout, "%s %s: %s\n", thing.What, thing.ID, thing.State)
	fmt.Fprintf(s.stdout, "  from %s, %s %s, to %s, %s %s\n", thing.From, thing.In, thing.FromAsset, thing.To, thing.Out, thing.ToAsset)
	for _, fact := range []struct{ name, value string }{
		{"since", thing.Since}, {"expiry", thing.Expiry}, {"ended", thing.Ended}, {"condition", thing.Condition}, {"key hash", thing.KeyHash},
	} {
		if fact.value != "" {
			fmt.Fprintf(s.stdout, "  %s %s\n", fact.name, fact.value)
		}
	}
	return printRows(s.app, thing.Rows,
		column[lookup.Row]{title: "time", isTime: true, cell: func(r lookup.Row) string { return r.Time }},
		column[lookup.Row]{title: "step", cell: func(r lookup.Row) string { return r.Step }},
		column[lookup.Row]{title: "code", cell: func(r lookup.Row) string { return fmt.Sprint(r.Code) }, right: true},
		column[lookup.Row]{title: "amount", cell: func(r lookup.Row) string { return r.Amount }, right: true},
		column[lookup.Row]{title: "asset", cell: func(r lookup.Row) string { return r.Asset }},
		column[lookup.Row]{title: "debit", cell: func(r lookup.Row) string { return r.Debit }},
		column[lookup.Row]{title: "credit", cell: func(r lookup.Row) string { return r.Credit }},
		column[lookup.Row]{title: "transfer", cell: func(r lookup.Row) string { return r.Transfer }},
	)
}
