package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/settlement"
)

// The notes on changes of pauses.
const (
	noteAllStopped    = "No connector pays any peer from now on, by any rail."
	noteRailPaused    = "No connector pays by this rail from now on."
	noteStartedFinish = " Payments that a rail has already been asked for are finished, since only the rail knows whether it has paid: stop them at the rail."
	noteResuming      = "Connectors pay again within a minute (settlement.Config.SweepInterval)."
)

func (a *app) newPauseRailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pause rail", Short: "Keep all connectors from paying by a rail",
		Long: `Stop the settlement engines of all connectors from paying by the rail of this name
(settlement.Rail.Name), in all configured assets. The pause is written into the ledger: it
applies to running engines on every machine, and to engines that start later. Due amounts are
paid after "peerledger settle resume". The rail without a name is "".`,
		Example: "  peerledger settle pause bank --yes\n  peerledger settle pauses",
		Args:    exactArgs(1),
	}
	return a.buildPauseCommand(cmd, "pause payments", noteRailPaused+noteStartedFinish, true, (*settlement.Engine).PauseRail)
}

func (a *app) newResumeRailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "resume rail", Short: "Let connectors pay by a rail again",
		Example: "  peerledger settle resume bank --yes",
		Long:    "End the pause of the rail of this name.",
		Args:    exactArgs(1),
	}
	return a.buildPauseCommand(cmd, "resume payments", noteResuming, false, (*settlement.Engine).ResumeRail)
}

func (a *app) newStopCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "stop", Short: "Stop all payments of all connectors",
		Example: "  peerledger settle stop --yes",
		Long: `Stop the settlement engines of all connectors from paying any peer, in all configured assets,
until "peerledger settle start". The stop is written into the ledger: it applies to running
engines on every machine, and to engines that start later.`,
		Args: exactArgs(0),
	}
	return a.buildPauseCommand(cmd, "stop all payments", noteAllStopped+noteStartedFinish, true,
		func(e *settlement.Engine, ctx context.Context, _ string) error { return e.StopPayments(ctx) })
}

func (a *app) newStartCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "start", Short: "Let connectors pay again after settle stop",
		Example: "  peerledger settle start --yes",
		Long:    "End \"settle stop\". Paused rails stay paused.",
		Args:    exactArgs(0),
	}
	return a.buildPauseCommand(cmd, "let payments go on", noteResuming, false,
		func(e *settlement.Engine, ctx context.Context, _ string) error { return e.StartPayments(ctx) })
}

// buildPauseCommand completes a command that pauses payments, or with pause unset lets payments
// resume.
func (a *app) buildPauseCommand(cmd *cobra.Command, action, note string, pause bool,
	do func(*settlement.Engine, context.Context, string) error,
) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
			c := change{Action: action, Note: note}
			rail := ""
			if len(args) > 0 {
				rail = args[0]
				c.Rail = &rail
			}
			done, err := hasPauseState(cmd.Context(), s, engine, c.Rail, pause)
			if err != nil {
				return err
			}
			if done {
				if c.Note, err = explainNoChange(cmd.Context(), engine, c.Rail, pause); err != nil {
					return err
				}
			}
			return a.previewOrWrite(c, func(c *change) error {
				c.Already = done
				return do(engine, cmd.Context(), rail)
			})
		})
	}
	a.addYesFlag(cmd)
	return cmd
}

// hasPauseState reports whether a rail, or with a nil rail all payments, is already paused in every
// asset, or with paused unset in none.
func hasPauseState(ctx context.Context, s *session, engine *settlement.Engine, rail *string, paused bool) (bool, error) {
	pauses, err := readPauses(ctx, engine, rail)
	if paused {
		return len(pauses) == len(s.book.Assets()), err
	}
	return len(pauses) == 0, err
}

// readPauses returns the pauses of a rail, or with a nil rail of all payments.
func readPauses(ctx context.Context, engine *settlement.Engine, rail *string) ([]settlement.Pause, error) {
	if rail != nil {
		return engine.PausesOf(ctx, *rail)
	}
	pauses, err := engine.Pauses(ctx)
	return slices.DeleteFunc(pauses, func(p settlement.Pause) bool { return !p.All }), err
}

// explainNoChange returns a note for a change without an effect. It warns of a rail name that may
// be truncated: settle pauses shows only the beginning of a long name.
func explainNoChange(ctx context.Context, engine *settlement.Engine, rail *string, paused bool) (string, error) {
	if paused {
		return "The payments are already paused.", nil
	}
	const notPaused = "The payments are not paused."
	if rail == nil {
		return notPaused, nil
	}
	pauses, err := engine.Pauses(ctx)
	if slices.ContainsFunc(pauses, func(p settlement.Pause) bool { return !p.All && p.Rail == truncateRailName(*rail) }) {
		return notPaused + " A rail whose name begins with the same 16 bytes is paused: give the whole name of that rail.", err
	}
	return notPaused, err
}

// notePauses notes on each planned order whether a pause of all payments or of our own rail will
// refuse the order.
func notePauses(ctx context.Context, engine *settlement.Engine, plan []change) error {
	rail := execRail
	for _, name := range []*string{nil, &rail} {
		pauses, err := readPauses(ctx, engine, name)
		if err != nil {
			return err
		}
		for _, p := range pauses {
			for i := range plan {
				if c := &plan[i]; !c.noop && c.Asset == p.Asset.String() {
					c.Note = joinNotes(c.Note, fmt.Sprintf("It will be refused: %v.", &settlement.PauseError{Pause: p}))
				}
			}
		}
	}
	return nil
}

// truncateRailName returns the part of a rail's name that the ledger keeps.
func truncateRailName(name string) string {
	const kept = 16
	if len(name) > kept {
		return name[:kept]
	}
	return name
}

// pauseRow is a pause in the output.
type pauseRow struct {
	Payments string  `json:"payments"` // "all" or "rail"
	Rail     *string `json:"rail,omitempty"`
	Asset    string  `json:"asset"`
	Since    string  `json:"since"`
}

// newPauseRows returns the rows of pauses.
func newPauseRows(pauses []settlement.Pause) []pauseRow {
	rows := make([]pauseRow, len(pauses))
	for i, p := range pauses {
		rows[i] = pauseRow{Payments: "all", Asset: p.Asset.String(), Since: formatTime(p.Since)}
		if !p.All {
			rows[i].Payments, rows[i].Rail = "rail", &p.Rail
		}
	}
	return rows
}

// describePaused names the paused payments.
func (r pauseRow) describePaused() string {
	if r.Rail == nil {
		return "all payments"
	}
	return fmt.Sprintf("rail %q", *r.Rail)
}

func (a *app) newPausesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pauses", Short: "Show which payments are paused",
		Example: "  peerledger settle pauses\n  peerledger settle pauses -o json",
		Long:    "Show the paused rails, and whether all payments are stopped. The ledger keeps the first 16\nbytes of a rail's name.",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withEngine(cmd.Context(), nil, func(_ *session, engine *settlement.Engine) error {
				pauses, err := engine.Pauses(cmd.Context())
				if err != nil {
					return err
				}
				a.list.whenEmpty = "No payments are paused."
				return printRows(a, newPauseRows(pauses),
					column[pauseRow]{title: "paused", cell: pauseRow.describePaused},
					column[pauseRow]{title: "asset", cell: func(r pauseRow) string { return r.Asset }},
					column[pauseRow]{title: "since", isTime: true, cell: func(r pauseRow) string { return r.Since }},
				)
			})
		},
	}
	a.addListFlags(cmd)
	return cmd
}

func (a *app) newApproveCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "approve peer order", Short: "Approve an order that waits for approval",
		Example: "  peerledger settle approve alice 00000000000000000000000000000abc --yes",
		Long: `Approve an order above the amount that a connector pays without approval
(settlement.PayoutLimit.ApproveAbove). "peerledger orders" shows which orders wait for
approval. The connector that owns the order pays it within a minute. If "settle now" or
"settle refund" placed the order (approve_above of the configuration), repeat that command to
pay it. To refuse an order, give "settle cancel".`,
		Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				account, found, err := s.parseAccount(cmd.Context(), args[0], *asset)
				if err != nil {
					return err
				}
				order, err := parseOrderID(args[1])
				if err != nil {
					return err
				}
				c := change{Action: "approve an order", Peer: account.Peer(), Asset: found.String(), Order: order.String()}
				open, exists, err := findOpenOrder(cmd.Context(), engine, account, order)
				switch {
				case err != nil:
					return err
				case !exists:
					c.Note = "There is no such open order: the order is already closed, or belongs to another peer."
				case !errors.Is(open.Waits, settlement.ErrAwaitsApproval):
					c.Amount = found.Format(open.Amount)
					c.Note = "The order does not wait for approval."
				default:
					c.Amount = found.Format(open.Amount)
					if open.OwnedByThisInstance {
						c.Note = "This program placed the order: repeat settle now or settle refund to pay it."
					}
				}
				return a.previewOrWrite(c, func(*change) error {
					_, err := engine.Approve(cmd.Context(), account, order)
					return err
				})
			})
		},
	}
	a.addYesFlag(cmd)
	return cmd
}

// describeWait returns the reason why an order waits; "" if it does not wait.
func describeWait(o settlement.OpenOrder) string {
	switch {
	case errors.Is(o.Waits, settlement.ErrAwaitsApproval):
		return "approval"
	case errors.Is(o.Waits, settlement.ErrPaused):
		return "end of the pause"
	default:
		return ""
	}
}
