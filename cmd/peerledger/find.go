package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// foundThing is what a search found, in the output. Amounts are in whole units of the asset of their
// side; for an asset that is not configured they are in units.
type foundThing struct {
	What      string     `json:"what"` // packet, order, payment, ...
	ID        string     `json:"id"`
	State     string     `json:"state"`
	From      string     `json:"from"` // the account: "peer alice", "liquidity", ...
	FromAsset string     `json:"from_asset,omitempty"`
	In        string     `json:"in"`
	To        string     `json:"to"`
	ToAsset   string     `json:"to_asset,omitempty"`
	Out       string     `json:"out"`
	Since     string     `json:"since"` // RFC 3339, as all times here
	Expiry    string     `json:"expiry,omitempty"`
	Ended     string     `json:"ended,omitempty"`
	Condition string     `json:"condition,omitempty"` // the first 8 bytes, in hexadecimal
	KeyHash   string     `json:"key_hash,omitempty"`
	Rows      []foundRow `json:"rows"`
}

// foundRow is a transfer of a thing.
type foundRow struct {
	Time     string `json:"time"`
	Step     string `json:"step"` // hold, post, void or book
	Code     uint16 `json:"code"`
	Amount   string `json:"amount"`
	Asset    string `json:"asset,omitempty"`
	Debit    string `json:"debit"`
	Credit   string `json:"credit"`
	Transfer string `json:"transfer"`
}

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
			query, err := parseThing(args[0], isKey)
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

// parseThing returns the query for a text. A text is a key if it has the form of nothing else.
func parseThing(text string, isKey bool) (query accounts.FindQuery, err error) {
	if err := accounts.CheckKey("thing", "thing", text); err != nil {
		return query, err
	}
	bytes, err := hex.DecodeString(text)
	switch {
	case isKey || err != nil:
		query.Key = text
	case len(bytes) == 16:
		query.ID = ledger.IDFromBytes([16]byte(bytes))
	case len(bytes) == 8 || len(bytes) == 32:
		query.ConditionTag = [8]byte(bytes)
	default:
		query.Key = text
	}
	if query.ID.IsZero() && query.Key == "" && query.ConditionTag == [8]byte{} {
		return query, fmt.Errorf("%w: zeros cannot be found", errUsage)
	}
	return query, nil
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
	result, err := s.book.Find(ctx, query)
	if err != nil {
		return err
	}
	if len(result.Found) == 0 && query.Key == "" && result.Next.IsZero() && len(query.Peers) > 0 { // a key may look like an id
		if result, err = s.book.Find(ctx, accounts.FindQuery{Key: text, Peers: query.Peers, Limit: query.Limit}); err != nil {
			return err
		}
	}
	if len(result.Found) == 0 && result.Next.IsZero() {
		return fmt.Errorf("%w: the ledger has no packet, order, transfer or key %q. Packets of a recorder in rounds are in its journal: peerledger packets", errNothingFound, text)
	}
	for i := range result.Found {
		if err := s.printFound(newFoundThing(&result.Found[i])); err != nil {
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

func newFoundThing(f *accounts.Found) foundThing {
	thing := foundThing{
		What: string(f.Kind), ID: f.ID.String(), State: string(f.State),
		From: f.From.String(), FromAsset: assetName(f.From.Asset), In: formatOf(f.From.Asset, f.In),
		To: f.To.String(), ToAsset: assetName(f.To.Asset), Out: formatOf(f.To.Asset, f.Out),
		Since: formatExactTime(f.Since), Expiry: formatExactTime(f.Expiry), Ended: formatExactTime(f.Ended),
	}
	if f.ConditionTag != [8]byte{} {
		thing.Condition = hex.EncodeToString(f.ConditionTag[:])
	}
	if !f.KeyHash.IsZero() {
		thing.KeyHash = f.KeyHash.String()
	}
	for _, r := range f.Rows {
		thing.Rows = append(thing.Rows, foundRow{
			Time: formatExactTime(r.Time), Step: r.Step, Code: r.Code, Amount: formatOf(r.Asset, r.Amount), Asset: assetName(r.Asset),
			Debit: r.Debit.String(), Credit: r.Credit.String(), Transfer: r.Transfer.String(),
		})
	}
	return thing
}

// assetName returns the name of an asset; "" of one that is not configured.
func assetName(a accounts.Asset) string {
	if a == (accounts.Asset{}) {
		return ""
	}
	return a.String()
}

// formatOf formats an amount in whole units of the asset, or in units if the asset is not configured.
func formatOf(a accounts.Asset, amount ledger.Amount) string {
	if a == (accounts.Asset{}) {
		return amount.String()
	}
	return a.Format(amount)
}

// formatExactTime formats a time to the nanosecond as in RFC 3339; the zero time is "".
func formatExactTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// printFound prints a thing: its facts as text, and its transfers as a table.
func (s *session) printFound(thing foundThing) error {
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
		column[foundRow]{title: "time", isTime: true, cell: func(r foundRow) string { return r.Time }},
		column[foundRow]{title: "step", cell: func(r foundRow) string { return r.Step }},
		column[foundRow]{title: "code", cell: func(r foundRow) string { return fmt.Sprint(r.Code) }, right: true},
		column[foundRow]{title: "amount", cell: func(r foundRow) string { return r.Amount }, right: true},
		column[foundRow]{title: "asset", cell: func(r foundRow) string { return r.Asset }},
		column[foundRow]{title: "debit", cell: func(r foundRow) string { return r.Debit }},
		column[foundRow]{title: "credit", cell: func(r foundRow) string { return r.Credit }},
		column[foundRow]{title: "transfer", cell: func(r foundRow) string { return r.Transfer }},
	)
}
