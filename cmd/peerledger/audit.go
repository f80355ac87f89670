package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// auditRow is an act of an operator in the output, or a change in the ledger that no act made.
type auditRow struct {
	Time       string `json:"time"` // RFC 3339; of an act by its machine's clock, of a change in the ledger by the ledger's
	Who        string `json:"who"`
	Via        string `json:"via"` // "command" or "console"; "" of a change in the ledger
	Action     string `json:"action"`
	Peer       string `json:"peer,omitempty"`
	Asset      string `json:"asset,omitempty"`
	Amount     string `json:"amount,omitempty"` // in whole units of the asset, as are before and after
	Before     string `json:"before,omitempty"`
	After      string `json:"after,omitempty"`
	Reason     uint32 `json:"reason,omitempty"`
	ReasonName string `json:"reason_name,omitempty"`
	Key        string `json:"key,omitempty"`
	Outcome    string `json:"outcome"`
	Booked     string `json:"booked"` // by the ledger: "yes", "no" or "unknown"
	Transfer   string `json:"transfer,omitempty"`
	Order      string `json:"order,omitempty"`
	Note       string `json:"note,omitempty"`
	Error      string `json:"error,omitempty"`
	Ended      string `json:"ended,omitempty"`
	ID         string `json:"id,omitempty"` // of the act
}

// auditFlags are the flags of audit.
type auditFlags struct {
	from, to, asset string
	conditions      []string
	withLedger      bool
	filter          operatorlog.Filter
}

const (
	// defaultAuditLimit keeps a table readable.
	defaultAuditLimit = 100
	// maxAuditActs bounds the acts that are read for --sort, --filter, --ledger and --limit 0.
	maxAuditActs = 100_000
)

func (a *app) newAuditCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit [peer]",
		Short: "Show who changed what by hand, when and why",
		Long: `List the acts of operators, the newest first, from the operator's journal: each command that writes
has an entry there before it acts, and its outcome afterwards, and so has the console. The file is
operator_journal in the configuration, by default operator-journal.jsonl beside it, or none.

An outcome is written, already (an earlier act had made the change), refused (the books are as
before), failed, or unknown: the answer of the ledger was lost, or the program was stopped during
the act. The column booked is the ledger's word: yes if it has the transfer of the act, or a
booking of the peer under the act's key; no if it has none; unknown for other acts, and if the
ledger does not answer.

With --ledger, also list the changes of credit lines, suspensions, closings, adjustments and capital
that the ledger has and no act made: of the configured peers and of ourselves. Programs make such
changes too, a connector that provisions a peer for example. A change counts as an act's if the act
names its transfer, or was at work at its time on the same peer, with 10 s for differing clocks.

Give times as for statement. --filter keeps the rows whose column is this text, as in
outcome=unknown; the columns are the fields of --json. The rows that --ledger adds have
"not in the journal" in the column who.`,
		Example: "  peerledger audit alice --from 7d\n  peerledger audit --filter outcome=unknown -o wide\n  peerledger audit --ledger --from 2026-11-01 --to 2026-12-01 -o csv\n  peerledger audit --ledger --who 'not in the journal' --from 24h",
		Args:    rangeArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			now := time.Now()
			if f.filter.From, f.filter.To, err = parseRange(f.from, f.to, now); err != nil {
				return err
			}
			return a.showAudit(cmd.Context(), &f, args, now)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "from this `time` on (default: the beginning)")
	flags.StringVar(&f.to, "to", "", "before this `time` (default: now)")
	flags.StringVar(&f.filter.Who, "who", "", "of operators with this `text` in their name")
	flags.StringVar(&f.filter.Action, "action", "", "with this `text` in the action")
	flags.StringVar(&f.asset, "asset", "", "in this `asset`, as in USD or USD/9")
	flags.StringArrayVar(&f.conditions, "filter", nil, "only rows that meet a `condition`: column=value; given several times, all of them")
	flags.BoolVar(&f.withLedger, "ledger", false, "also list changes in the ledger that no act made")
	flags.IntVar(&a.list.limit, "limit", defaultAuditLimit, "print at most this `number` of rows, after sorting; 0 is all")
	a.addListFlags(cmd)
	return cmd
}

// showAudit prints the acts that the flags select.
func (a *app) showAudit(ctx context.Context, f *auditFlags, args []string, now time.Time) error {
	cfg, err := a.readConfig()
	if err != nil {
		return err
	}
	path := cfg.operatorJournal()
	if path == "" {
		return fmt.Errorf("%w: there is no operator's journal: operator_journal in %s names it", errUsage, cfg.fileName())
	}
	if err := f.choosePeer(cfg, args); err != nil {
		return err
	}
	f.filter.Limit = a.list.limit
	if a.list.limit == 0 || a.list.sort != "" || len(f.conditions) > 0 || f.asset != "" {
		f.filter.Limit = maxAuditActs
	}
	entries, err := a.readJournal(ctx, path, f.filter)
	if err != nil {
		return err
	}
	var booked []string
	err = a.withSession(ctx, func(s *session) (err error) {
		if f.withLedger {
			if entries, err = s.addUnjournaled(ctx, path, f.filter, entries, now); err != nil {
				return err
			}
		}
		booked, err = s.lookUpBooked(ctx, entries)
		return err
	})
	switch {
	case err == nil:
	case f.withLedger || !errors.Is(err, errNoAnswer) && !errors.Is(err, embedded.ErrInUse):
		return err
	default:
		fmt.Fprintf(a.stderr, "peerledger: warning: the column booked is unknown, since the ledger cannot be read: %v\n", err)
		booked = slices.Repeat([]string{bookedUnknown}, len(entries))
	}
	rows := make([]auditRow, len(entries))
	for i := range entries {
		rows[i] = newAuditRow(&entries[i], booked[i])
	}
	if rows, err = f.selectRows(rows); err != nil {
		return err
	}
	a.list.whenEmpty = "No such act is in the operator's journal."
	return printRows(a, rows, auditColumns...)
}

// choosePeer reads the argument, a peer that may end with an asset.
func (f *auditFlags) choosePeer(cfg config, args []string) error {
	if f.asset != "" {
		asset, err := cfg.findAsset(f.asset)
		if err != nil {
			return err
		}
		f.asset = asset.String()
	}
	if len(args) == 0 {
		return nil
	}
	f.filter.Peer = args[0]
	isID := slices.ContainsFunc(cfg.Peers, func(p peerConfig) bool { return p.ID == args[0] })
	peer, name, found := cutLast(args[0], "@")
	if !found || isID || f.asset != "" {
		return nil
	}
	if asset, err := cfg.findAsset(name); err == nil {
		f.filter.Peer, f.asset = peer, asset.String()
	}
	return nil
}

// readJournal reads acts, and warns of damaged lines. A journal that does not exist has none.
func (a *app) readJournal(ctx context.Context, path string, filter operatorlog.Filter) ([]operatorlog.Entry, error) {
	entries, err := operatorlog.Read(ctx, path, filter)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, operatorlog.ErrDamaged):
		fmt.Fprintf(a.stderr, "peerledger: warning: %v\n", err)
	case err != nil:
		return nil, err
	}
	if filter.Limit == maxAuditActs && len(entries) == maxAuditActs {
		fmt.Fprintf(a.stderr, "peerledger: warning: only the newest %d acts were read: give --from and --to\n", maxAuditActs)
	}
	return entries, nil
}

// selectRows returns the rows that meet --asset and all conditions of --filter.
func (f *auditFlags) selectRows(rows []auditRow) ([]auditRow, error) {
	conditions := f.conditions
	if f.asset != "" {
		conditions = append(conditions[:len(conditions):len(conditions)], "asset="+f.asset)
	}
	for _, condition := range conditions {
		name, value, found := strings.Cut(condition, "=")
		i := slices.IndexFunc(auditColumns, func(c column[auditRow]) bool { return c.fieldName() == name })
		if !found || i < 0 {
			return nil, fmt.Errorf("%w: --filter %s: give column=value, as in outcome=unknown; the columns are the fields of --json", errUsage, condition)
		}
		rows = slices.DeleteFunc(rows, func(r auditRow) bool { return auditColumns[i].plainValue(r) != value })
	}
	return rows, nil
}

func newAuditRow(e *operatorlog.Entry, booked string) auditRow {
	return auditRow{
		Time: formatExactTime(e.Time), Who: e.Who, Via: e.Via, Action: e.Action, Peer: e.Peer, Asset: e.Asset, Amount: e.Amount, Before: e.Before, After: e.After,
		Reason: e.Reason, ReasonName: e.ReasonName, Key: e.Key, Outcome: string(e.Outcome), Booked: booked, Transfer: e.Transfer, Order: e.Order,
		Note: e.Note, Error: e.Error, Ended: formatExactTime(e.EndedAt), ID: e.ID,
	}
}

var auditColumns = []column[auditRow]{
	{title: "time", isTime: true, cell: func(r auditRow) string { return cutSeconds(r.Time) }, value: func(r auditRow) string { return r.Time }},
	{title: "who", cell: func(r auditRow) string { return r.Who }},
	{title: "via", cell: func(r auditRow) string { return r.Via }},
	{title: "action", cell: func(r auditRow) string { return r.Action }},
	{title: "peer", cell: func(r auditRow) string { return r.Peer }},
	{title: "asset", cell: func(r auditRow) string { return r.Asset }},
	{title: "amount", cell: func(r auditRow) string { return r.Amount }, right: true},
	{title: "before", cell: func(r auditRow) string { return r.Before }},
	{title: "after", cell: func(r auditRow) string { return r.After }},
	{title: "reason", cell: func(r auditRow) string { return effects.DescribeReason(r.Reason, r.ReasonName) }, value: func(r auditRow) string { return effects.DescribeReason(r.Reason, "") }},
	{title: "reason name", cell: func(r auditRow) string { return r.ReasonName }, wide: true},
	{title: "key", cell: func(r auditRow) string { return r.Key }},
	{title: "outcome", cell: func(r auditRow) string { return r.Outcome }},
	{title: "booked", cell: func(r auditRow) string { return r.Booked }},
	{title: "transfer", cell: func(r auditRow) string { return r.Transfer }, names: true},
	{title: "order", cell: func(r auditRow) string { return r.Order }, wide: true},
	{title: "note", cell: func(r auditRow) string { return r.Note }, wide: true},
	{title: "error", cell: func(r auditRow) string { return r.Error }, wide: true},
	{title: "ended", isTime: true, cell: func(r auditRow) string { return r.Ended }, wide: true},
	{title: "id", cell: func(r auditRow) string { return r.ID }, wide: true},
}

// cutSeconds cuts a time to the second, for tables.
func cutSeconds(text string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return formatTime(t)
}

// sortByTime sorts entries by their times, the newest first.
func sortByTime(entries []operatorlog.Entry) {
	slices.SortStableFunc(entries, func(x, y operatorlog.Entry) int {
		return cmp.Or(y.Time.Compare(x.Time), cmp.Compare(x.ID, y.ID))
	})
}
