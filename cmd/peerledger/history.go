package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/accounts"
)

// historyRow is a peer's state at a moment. Amounts are in whole units of the asset.
type historyRow struct {
	Time       string `json:"time"`     // RFC 3339: the state is the one right before it
	Position   string `json:"position"` // positive: we owed the peer
	Arrears    string `json:"arrears"`
	CreditLine string `json:"credit_line"`
	HeldIn     string `json:"held_in"`
	HeldOut    string `json:"held_out"`
	Settling   string `json:"settling"`
	Peer       string `json:"peer"`
	Asset      string `json:"asset"`
}

// defaultHistorySteps keeps a table of the past readable.
const defaultHistorySteps = 24

func (a *app) newHistoryCommand() *cobra.Command {
	var asset, from, to string
	var step time.Duration
	var steps int
	cmd := &cobra.Command{
		Use:   "history peer",
		Short: "Show a peer's position over time, in steps",
		Long: `Show a peer's position, arrears, credit line and held amounts at the time --from and at the end of
each step up to --to, by the ledger's clock. Each row is exact: it has all that was booked before
its time, and nothing later. A hold that has expired counts until a booking of the peer comes after
the ledger has released it. Give times as for statement; they are shown as in RFC 3339, in UTC.

Without --step the time is cut into --steps equal steps. The command needs the history of the
peer's account, which a connector with NoHistory leaves out.`,
		Example: "  peerledger history alice --from 24h --step 1h\n  peerledger history alice --from 2026-11-01T00:00:00Z --to 2026-12-01T00:00:00Z --step 24h --json",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			begin, end, err := parseRange(from, to, now)
			if err != nil {
				return err
			}
			query := accounts.HistoryQuery{From: begin, To: end, Step: step, Steps: steps}
			switch isSet := cmd.Flags().Changed; {
			case isSet("step") && (isSet("steps") || step <= 0):
				return fmt.Errorf("%w: --step must be above 0, and not together with --steps", errUsage)
			case steps < 1: // in the library 0 is the default
				return fmt.Errorf("%w: --steps must be 1 to %d", errUsage, accounts.MaxHistorySteps)
			case step > 0:
				query.Steps = 0
			}
			if query.To.IsZero() {
				query.To = now
			}
			return a.withSession(cmd.Context(), func(s *session) error {
				account, _, err := s.parseAccount(cmd.Context(), args[0], asset)
				if err != nil {
					return err
				}
				history, err := s.book.History(cmd.Context(), account, query)
				if err != nil {
					return err
				}
				return showHistory(a, history)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&asset, "asset", "", "in this `asset`, as in USD or USD/9")
	flags.StringVar(&from, "from", "", "from this `time` on (default: when the peer was provisioned)")
	flags.StringVar(&to, "to", "", "up to this `time` (default: now)")
	flags.DurationVar(&step, "step", 0, "the `time` from row to row, as in 1h30m")
	flags.IntVar(&steps, "steps", defaultHistorySteps, fmt.Sprintf("the `number` of steps, up to %d", accounts.MaxHistorySteps))
	a.addListFlags(cmd)
	return cmd
}

// cutMilliseconds shortens a time to milliseconds: steps may be shorter than a second. CSV and JSON have the whole time.
func cutMilliseconds(text string) string {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return text
	}
	return t.Format("2006-01-02T15:04:05.999Z07:00")
}

// showHistory prints the points of a history.
func showHistory(a *app, h accounts.History) error {
	rows := make([]historyRow, len(h.Points))
	for i, p := range h.Points {
		rows[i] = historyRow{
			Time: formatExactTime(p.Time), Position: formatSigned(h.Asset, p.Position), Arrears: h.Asset.Format(p.Arrears), CreditLine: formatLine(h.Asset, p.CreditLine),
			HeldIn: h.Asset.Format(p.HeldIn), HeldOut: h.Asset.Format(p.HeldOut), Settling: h.Asset.Format(p.Settling),
			Peer: h.Account.Peer(), Asset: h.Asset.String(),
		}
	}
	return printRows(a, rows,
		column[historyRow]{title: "time", isTime: true, cell: func(r historyRow) string { return cutMilliseconds(r.Time) }, value: func(r historyRow) string { return r.Time }},
		column[historyRow]{title: "position", cell: func(r historyRow) string { return r.Position }, right: true},
		column[historyRow]{title: "arrears", cell: func(r historyRow) string { return r.Arrears }, right: true},
		column[historyRow]{title: "credit line", cell: func(r historyRow) string { return r.CreditLine }, right: true},
		column[historyRow]{title: "held in", cell: func(r historyRow) string { return r.HeldIn }, right: true},
		column[historyRow]{title: "held out", cell: func(r historyRow) string { return r.HeldOut }, right: true},
		column[historyRow]{title: "settling", cell: func(r historyRow) string { return r.Settling }, right: true},
		column[historyRow]{title: "peer", cell: func(r historyRow) string { return r.Peer }, wide: true},
		column[historyRow]{title: "asset", cell: func(r historyRow) string { return r.Asset }, wide: true},
	)
}
