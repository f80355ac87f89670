package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

func (a *app) newEnginesCommand() *cobra.Command {
	var stuck bool
	cmd := &cobra.Command{
		Use: "engines", Aliases: []string{"engine"},
		Short: "List the settlement engines and stuck settlements; add engines, pay through them",
		Long: `List the settlement engines (RFC 0038) of the configuration, with the peers that each one pays.
Each engine is asked whether it answers, with a request that changes nothing.

The other figures are those of "peerledger engines run", which writes them to a file
(engines_status in the configuration) that has its own time:

  unanswered  orders that the engine has not answered to the end, those below included
  oldest      since when the oldest of them is asked again and again
  parked      the engine may have paid, and an operator has to find out
  stopped     the engine refuses the settlement, or was not asked

--stuck lists the parked and stopped settlements with what the engine answered. Close such an order
with "peerledger settle resolve" or "settle cancel", or mend the cause and start engines run
again: the order is then sent once more under its key. The command does not open the ledger.`,
		Example: "  peerledger engines\n  peerledger engines --stuck --json",
		Args:    requireSubcommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := a.readConfig()
			if err != nil {
				return err
			}
			if len(cfg.Engines) == 0 {
				return fmt.Errorf("%w: no engines are configured: list them under engines: in %s, or give peerledger engines add", errUsage, cfg.fileName())
			}
			status, err := readStatus(cfg.statusFile())
			if err != nil {
				return err
			}
			if stuck {
				return a.showStuck(status)
			}
			return a.listEngines(cmd.Context(), cfg, status)
		},
	}
	a.addListFlags(cmd)
	cmd.Flags().BoolVar(&stuck, "stuck", false, "list the settlements that wait for an operator, with what the engine answered")
	cmd.AddCommand(a.newAddEngineCommand(), a.newRunEnginesCommand())
	return cmd
}

// engineRow is an engine in the output. The figures of "engines run" are absent if there are none.
type engineRow struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	Answers bool   `json:"answers"`
	// Status is the HTTP status of the answer. 404 and 405 are usual; 401 and 403 refuse our token.
	Status   int    `json:"status,omitempty"`
	Error    string `json:"error,omitempty"` // why there is no answer
	Accounts int    `json:"accounts"`        // configured peers that the engine pays

	Unanswered       *int   `json:"unanswered,omitempty"`
	OldestUnanswered string `json:"oldest_unanswered,omitempty"`
	Parked           *int   `json:"parked,omitempty"`
	Stopped          *int   `json:"stopped,omitempty"`
	AsOf             string `json:"as_of,omitempty"` // the time of the figures
}

func (a *app) listEngines(ctx context.Context, cfg config, status enginesStatus) error {
	list, _, err := a.openEngines(cfg, rfc0038.SettlerEvents{})
	if err != nil {
		return err
	}
	defer closeEngines(list)
	rows := make([]engineRow, len(list))
	for i, e := range list {
		rows[i] = a.askEngine(ctx, e)
		if known, ok := status.findFigures(e.cfg.Name); ok {
			rows[i].Unanswered, rows[i].Parked, rows[i].Stopped = &known.Unanswered, &known.Parked, &known.Stopped
			rows[i].OldestUnanswered, rows[i].AsOf = formatTime(known.OldestUnanswered), formatTime(status.At)
		}
	}
	return printRows(a, rows,
		column[engineRow]{title: "engine", field: "name", cell: func(r engineRow) string { return r.Name }},
		column[engineRow]{title: "url", cell: func(r engineRow) string { return r.URL }},
		column[engineRow]{title: "answers", cell: func(r engineRow) string { return r.describeAnswer() }},
		column[engineRow]{title: "accounts", cell: func(r engineRow) string { return strconv.Itoa(r.Accounts) }, right: true},
		column[engineRow]{title: "unanswered", cell: func(r engineRow) string { return formatKnown(r.Unanswered) }, right: true},
		column[engineRow]{title: "oldest", isTime: true, field: "oldest_unanswered", cell: func(r engineRow) string { return r.OldestUnanswered }},
		column[engineRow]{title: "parked", cell: func(r engineRow) string { return formatKnown(r.Parked) }, right: true},
		column[engineRow]{title: "stopped", cell: func(r engineRow) string { return formatKnown(r.Stopped) }, right: true},
		column[engineRow]{title: "as of", cell: func(r engineRow) string { return r.AsOf }},
	)
}

// askEngine asks an engine whether it answers, within the timeout of the command.
func (a *app) askEngine(ctx context.Context, e *openEngine) engineRow {
	ctx, cancel := context.WithTimeout(ctx, min(a.timeout, 5*time.Second))
	defer cancel()
	row := engineRow{Name: e.cfg.Name, URL: e.cfg.URL, Accounts: len(e.peers)}
	status, err := e.client.Reach(ctx)
	if err != nil {
		row.Error = err.Error()
		return row
	}
	row.Answers, row.Status = true, status
	return row
}

func (r engineRow) describeAnswer() string {
	switch {
	case r.Error != "":
		return "no"
	case r.Status == 401 || r.Status == 403:
		return fmt.Sprintf("refuses the token (%d)", r.Status)
	default:
		return "yes"
	}
}

// formatKnown formats a figure; nil is unknown.
func formatKnown(n *int) string {
	if n == nil {
		return "?"
	}
	return strconv.Itoa(*n)
}

// showStuck prints the settlements that wait for an operator.
func (a *app) showStuck(status enginesStatus) error {
	a.list.whenEmpty = "No settlement waits for an operator, as of " + formatTime(status.At) + "."
	if status.At.IsZero() {
		a.list.whenEmpty = "Nothing is known of settlements: peerledger engines run has written no state."
	}
	err := printRows(a, status.Stuck,
		column[stuckRow]{title: "engine", cell: func(r stuckRow) string { return r.Engine }},
		column[stuckRow]{title: "peer", cell: func(r stuckRow) string { return r.Peer }},
		column[stuckRow]{title: "order", names: true, cell: func(r stuckRow) string { return r.Order }},
		column[stuckRow]{title: "amount", cell: func(r stuckRow) string { return r.Amount }, right: true},
		column[stuckRow]{title: "account", cell: func(r stuckRow) string { return r.Account }},
		column[stuckRow]{title: "state", cell: func(r stuckRow) string { return r.State }},
		column[stuckRow]{title: "since", isTime: true, cell: func(r stuckRow) string { return r.Since }},
		column[stuckRow]{title: "reason", cell: func(r stuckRow) string { return r.Reason }},
	)
	if err == nil && len(status.Stuck) > 0 && a.printsTable() {
		_, err = fmt.Fprintf(a.stdout, "As of %s.\n", formatTime(status.At))
	}
	return err
}
