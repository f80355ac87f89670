package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
)

// packetRow is a packet of a journal in the output. Amounts are in whole units of the asset.
type packetRow struct {
	Time      string `json:"time"` // when it was resolved, by the recorder's clock
	Outcome   string `json:"outcome"`
	From      string `json:"from,omitempty"` // peer; "" is ourselves
	FromAsset string `json:"from_asset"`
	To        string `json:"to,omitempty"`
	ToAsset   string `json:"to_asset"`
	In        string `json:"in"`
	Out       string `json:"out"`
	Dust      string `json:"dust,omitempty"` // in the sender's asset
	Number    uint64 `json:"number,omitempty"`
	Packet    string `json:"packet"`
	Condition string `json:"condition"`
	Expiry    string `json:"expiry"`

	resolvedAt time.Time
}

// packetFlags are the flags of the command packets.
type packetFlags struct {
	journal, peer, asset, since, until, id, condition string
	round                                             uint64
	limit                                             int
	newest                                            bool
}

// defaultLimit keeps a table of packets readable.
const defaultLimit = 1000

func (a *app) newPacketsCommand() *cobra.Command {
	var f packetFlags
	cmd := &cobra.Command{
		Use:   "packets",
		Short: "Search the packets of a recorder that writes rounds",
		Long: `Search the packets that a recorder of rounds has resolved, in its journal (--journal) with its
archive. The recorder may be running. The command reads no ledger: the configuration gives the
assets. Fulfilled and rejected packets are listed by the time at which they were resolved, by the
recorder's clock, oldest first. Give times as for statement.

A packet must match all of the given flags. The first 16 digits of a condition are enough: a
statement shows them. With --round, the fulfilled packets of one round are listed; a statement
shows the numbers of rounds.

The archive keeps packets for the recorder's retention.`,
		Example: "  peerledger packets --journal /var/lib/connector/journal --peer alice --since 24h\n" +
			"  peerledger packets --journal journal --condition c0ffee0000000000 --json",
		Args: rangeArgs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.readConfig()
			if err != nil {
				return err
			}
			if len(cfg.Assets) == 0 {
				_, err := cfg.findAsset("")
				return err
			}
			q, err := f.parseQuery(cfg, time.Now())
			if err != nil {
				return err
			}
			return a.searchPackets(cmd.Context(), cfg, &f, q)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.journal, "journal", "", "search the journal in this `folder`")
	flags.StringVar(&f.peer, "peer", "", "packets from or to the peer with this `id`")
	flags.StringVar(&f.asset, "asset", "", "packets in this `asset`, as in USD or USD/9; with --peer: of the peer")
	flags.StringVar(&f.since, "since", "", "from this `time` on (default: the beginning)")
	flags.StringVar(&f.until, "until", "", "before this `time` (default: now)")
	flags.StringVar(&f.id, "id", "", "the packet with this `id`, in hexadecimal")
	flags.StringVar(&f.condition, "condition", "", "packets with this `condition`: 16 or 64 hexadecimal digits")
	flags.Uint64Var(&f.round, "round", 0, "the packets of the round with this `number`")
	flags.IntVar(&f.limit, "limit", defaultLimit, "list at most this `number` of packets; 0: all")
	flags.BoolVar(&f.newest, "newest", false, "list the newest packets first")
	a.addListFlags(cmd)
	_ = cmd.MarkFlagRequired("journal")
	return cmd
}

// parseQuery reads the flags, without the round.
func (f *packetFlags) parseQuery(cfg config, now time.Time) (q packetlog.Query, err error) {
	q.Peer, q.Newest = f.peer, f.newest
	if f.asset != "" {
		asset, err := cfg.findAsset(f.asset)
		if err != nil {
			return q, err
		}
		q.Ledger = asset.Ledger
	}
	for flag, end := range map[string]struct {
		text string
		to   *int64
	}{"--since": {f.since, &q.Since}, "--until": {f.until, &q.Until}} {
		t, err := parseMoment(end.text, now)
		if err != nil {
			return q, fmt.Errorf("%w: %s: %w", errUsage, flag, err)
		}
		if !t.IsZero() {
			*end.to = t.UnixNano()
		}
	}
	if q.Until != 0 && q.Until <= q.Since {
		return q, fmt.Errorf("%w: --until must be after --since", errUsage)
	}
	if f.id != "" {
		if q.ID, err = ledger.ParseID(f.id); err != nil || q.ID.IsZero() {
			return q, fmt.Errorf("%w: --id %q is not the id of a packet", errUsage, f.id)
		}
	}
	if q.Condition, err = hex.DecodeString(f.condition); err != nil || f.condition != "" && len(q.Condition) != 8 && len(q.Condition) != 32 {
		return q, fmt.Errorf("%w: --condition must be 16 or 64 hexadecimal digits", errUsage)
	}
	if f.limit < 0 {
		return q, fmt.Errorf("%w: --limit must be 0 or more", errUsage)
	}
	if f.limit > 0 {
		q.Limit = f.limit + 1 // to know whether there are more
	}
	return q, nil
}

// searchPackets prints the packets of a query: with --json as they are found, else as a table.
func (a *app) searchPackets(ctx context.Context, cfg config, f *packetFlags, q packetlog.Query) error {
	reader, err := packetlog.NewReader(f.journal)
	if err != nil {
		return err
	}
	defer reader.Close()
	if f.round > 0 {
		if q.After, q.Through, err = reader.RoundNumbers(ctx, f.round); err != nil {
			return err
		}
		if q.After == q.Through { // a round without packets; Through 0 would be no bound
			return printPackets(a, nil)
		}
	}
	assets := map[uint32]accounts.Asset{}
	for _, asset := range cfg.toBookConfig().Assets {
		assets[asset.Ledger] = asset
	}
	var rows []packetRow
	found, streams := 0, a.json && !a.printsArray() && a.list.sort == ""
	err = reader.Search(ctx, q, func(p *packetlog.Packet) error {
		if found++; f.limit > 0 && found > f.limit {
			return nil
		}
		row, err := newPacketRow(p, assets)
		switch {
		case err != nil:
			return err
		case streams:
			return a.printJSON(row)
		default:
			rows = append(rows, row)
			return nil
		}
	})
	if err != nil {
		return err
	}
	if !streams {
		err = printPackets(a, rows)
	}
	if f.limit > 0 && found > f.limit {
		fmt.Fprintf(a.stderr, "peerledger: there are more packets than the %d shown: see --limit\n", f.limit)
	} else if f.isWholeRound() && uint64(found) < q.Through-q.After {
		fmt.Fprintf(a.stderr, "peerledger: the journal has %d of the round's %d packets: retention has removed the others\n", found, q.Through-q.After)
	}
	return err
}

// isWholeRound reports whether all packets of a round are asked for.
func (f *packetFlags) isWholeRound() bool {
	return f.round > 0 && f.peer+f.asset+f.since+f.until+f.id+f.condition == ""
}

// newPacketRow returns the row of a packet. Without the scale of its assets there is none.
func newPacketRow(p *packetlog.Packet, assets map[uint32]accounts.Asset) (packetRow, error) {
	from, okFrom := assets[p.From.Ledger]
	to, okTo := assets[p.To.Ledger]
	if !okFrom || !okTo {
		return packetRow{}, fmt.Errorf("%w: packet %v is of an asset that is not configured: ledger numbers %d and %d", errUsage, p.ID, p.From.Ledger, p.To.Ledger)
	}
	row := packetRow{
		Outcome: "fulfilled", From: p.From.Peer, FromAsset: from.String(), To: p.To.Peer, ToAsset: to.String(),
		In: from.Format(ledger.NewAmount(p.In)), Out: to.Format(ledger.NewAmount(p.Out)), Number: p.Number, Packet: p.ID.String(),
		Condition: hex.EncodeToString(p.Condition[:]), resolvedAt: time.Unix(0, p.ResolvedAt).UTC(), Expiry: time.Unix(0, p.Expiry).UTC().Format(time.RFC3339Nano),
	}
	row.Time = row.resolvedAt.Format(time.RFC3339Nano)
	if p.IsRejected() {
		row.Outcome = "rejected"
	}
	if p.Dust > 0 {
		row.Dust = from.Format(ledger.NewAmount(p.Dust))
	}
	return row, nil
}

func printPackets(a *app, rows []packetRow) error {
	return printRows(a, rows,
		column[packetRow]{title: "time", isTime: true, cell: func(r packetRow) string { return r.resolvedAt.Format("2006-01-02T15:04:05.000Z07:00") }, value: func(r packetRow) string { return r.Time }},
		column[packetRow]{title: "outcome", cell: func(r packetRow) string { return r.Outcome }},
		column[packetRow]{title: "from", cell: func(r packetRow) string { return orDefault(r.From, "us") }, value: func(r packetRow) string { return r.From }},
		column[packetRow]{title: "in", cell: func(r packetRow) string { return r.In }, right: true},
		column[packetRow]{title: "asset", field: "from_asset", cell: func(r packetRow) string { return r.FromAsset }},
		column[packetRow]{title: "to", cell: func(r packetRow) string { return orDefault(r.To, "us") }, value: func(r packetRow) string { return r.To }},
		column[packetRow]{title: "out", cell: func(r packetRow) string { return r.Out }, right: true},
		column[packetRow]{title: "asset", field: "to_asset", cell: func(r packetRow) string { return r.ToAsset }},
		column[packetRow]{title: "packet", names: true, cell: func(r packetRow) string { return r.Packet }},
		column[packetRow]{title: "condition", cell: func(r packetRow) string { return r.Condition[:16] }, value: func(r packetRow) string { return r.Condition }},
	)
}
