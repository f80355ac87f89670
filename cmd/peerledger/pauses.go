package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// What is said of pauses that are written.
const (
	noteAllStopped      = "No connector pays anybody from now on, whatever the rail."
	noteRailPaused     = "No connector pays by this rail from now on."
	noteStartedFinish = " Payments that a rail was asked for before are finished, since only the rail knows whether it has paid: stop them there."
	noteResuming        = "Connectors go on within a minute (settlement.Config.SweepInterval)."
)

func (a *app) newPauseRailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "pause rail", Short: "Keep all connectors from paying by a rail",
		Long: `Keeps the settlement engines of all connectors from paying by the rail of this name
(settlement.Rail.Name), in all assets of the configuration. It is written into the ledger, so
it holds for engines that run, on whatever machine, and for those that start later. What is due
is paid after "peerledger settle resume". The rail without a name is "".`,
		Example: "  peerledger settle pause bank --yes\n  peerledger settle pauses",
		Args:    exactArgs(1),
	}
	return a.buildPauseCommand(cmd, "pause payments", noteRailPaused+noteStartedFinish, true, (*settlement.Engine).PauseRail)
}

func (a *app) newResumeRailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "resume rail", Short: "Let connectors pay by a rail again",
		Long: "Ends \"settle pause\" of the rail of this name.",
		Args: exactArgs(1),
	}
	return a.buildPauseCommand(cmd, "resume payments", noteResuming, false, (*settlement.Engine).ResumeRail)
}

func (a *app) newStopCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "stop", Short: "Stop all payments of all connectors",
		Long: `Keeps the settlement engines of all connectors from paying anybody, in all assets of the
configuration, until "peerledger settle start". It is written into the ledger, so it holds for
engines that run, on whatever machine, and for those that start later.`,
		Args: exactArgs(0),
	}
	return a.buildPauseCommand(cmd, "stop all payments", noteAllStopped+noteStartedFinish, true,
		func(e *settlement.Engine, ctx context.Context, _ string) error { return e.StopPayments(ctx) })
}

func (a *app) newStartCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "start", Short: "Let connectors pay again after settle stop",
		Long: "Ends \"settle stop\". Rails that are paused stay so.",
		Args: exactArgs(0),
	}
	return a.buildPauseCommand(cmd, "let payments go on", noteResuming, false,
		func(e *settlement.Engine, ctx context.Context, _ string) error { return e.StartPayments(ctx) })
}

// buildPauseCommand is a command that pauses payments, or ends that.
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

// hasPauseState reports whether a rail, or nil for all payments, is paused in all assets already, or
// in none.
func hasPauseState(ctx context.Context, s *session, engine *settlement.Engine, rail *string, paused bool) (bool, error) {
	pauses, err := readPauses(ctx, engine, rail)
	if paused {
		return len(pauses) == len(s.book.Assets()), err
	}
	return len(pauses) == 0, err
}

// readPauses are the pauses of a rail, or with nil of all payments.
func readPauses(ctx context.Context, engine *settlement.Engine, rail *string) ([]settlement.Pause, error) {
	if rail != nil {
		return engine.PausesOf(ctx, *rail)
	}
	pauses, err := engine.Pauses(ctx)
	return slices.DeleteFunc(pauses, func(p settlement.Pause) bool { return !p.All }), err
}

// explainNoChange says that nothing is to be done, and warns of a name of which only the beginning
// was given, as settle pauses shows it.
func explainNoChange(ctx context.Context, engine *settlement.Engine, rail *string, paused bool) (string, error) {
	if paused {
		return "They are paused already.", nil
	}
	const notPaused = "They are not paused."
	if rail == nil {
		return notPaused, nil
	}
	pauses, err := engine.Pauses(ctx)
	if slices.ContainsFunc(pauses, func(p settlement.Pause) bool { return !p.All && p.Rail == truncateRailName(*rail) }) {
		return notPaused + " A rail whose name begins with the same 16 bytes is: give the whole name of that one.", err
	}
	return notPaused, err
}

// notePauses says of what a plan orders that it will be refused, where all payments in its asset
// are stopped, or our own rail is paused there.
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

// truncateRailName is what of a rail's name is in the ledger.
func truncateRailName(name string) string {
	const kept = 16
	if len(name) > kept {
		return name[:kept]
	}
	return name
}

// pauseRow is a pause as it is shown.
type pauseRow struct {
	Payments string  `json:"payments"` // "all", or "rail"
	Rail     *string `json:"rail,omitempty"`
	Asset    string  `json:"asset"`
	Since    string  `json:"since"`
}

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

// describePaused says what is paused.
func (r pauseRow) describePaused() string {
	if r.Rail == nil {
		return "all payments"
	}
	return fmt.Sprintf("rail %q", *r.Rail)
}

func (a *app) newPausesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pauses", Short: "Show which payments are paused",
		Long: "Shows the rails that are paused, and whether all payments are stopped, as it is in the\nledger. Of a rail's name it has the first 16 bytes.",
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withEngine(cmd.Context(), nil, func(_ *session, engine *settlement.Engine) error {
				pauses, err := engine.Pauses(cmd.Context())
				if err != nil {
					return err
				}
				return printRows(a, newPauseRows(pauses),
					column[pauseRow]{title: "paused", cell: pauseRow.describePaused},
					column[pauseRow]{title: "asset", cell: func(r pauseRow) string { return r.Asset }},
					column[pauseRow]{title: "since (UTC)", cell: func(r pauseRow) string { return r.Since }},
				)
			})
		},
	}
}

func (a *app) newApproveCommand(asset *string) *cobra.Command {
	cmd := &cobra.Command{
		Use: "approve peer order", Short: "Let an order be paid that waits to be approved",
		Long: `Approves an order that waits because it is above the amount that a connector pays by itself
(settlement.PayoutLimit.ApproveAbove): "peerledger orders" shows it as one that waits for approval.
The connector that it belongs to pays it within a minute; one that "settle now" or "settle refund"
has placed (approve_above of the configuration) is paid when that command is given again. An order
that is not to be paid is given back with "settle cancel".`,
		Args: exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				account, found, err := s.parseAccount(cmd.Context(), args[0], *asset)
				if err != nil {
					return err
				}
				order, err := ledger.ParseID(args[1])
				if err != nil {
					return fmt.Errorf("%w: order %q: %w", errUsage, args[1], err)
				}
				c := change{Action: "approve an order", Peer: account.Peer(), Asset: found.String(), Order: order.String()}
				open, known, err := findOpenOrder(cmd.Context(), engine, account, order)
				switch {
				case err != nil:
					return err
				case !known:
					c.Note = "There is no such open order: it is closed already, or another peer's."
				case !errors.Is(open.Waits, settlement.ErrAwaitsApproval):
					c.Amount = found.Format(open.Amount)
					c.Note = "It does not wait to be approved."
				default:
					c.Amount = found.Format(open.Amount)
					if open.OwnedByThisInstance {
						c.Note = "It is this command's own: give settle now or settle refund again, which pays it."
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

// describeWait says what an order waits for; "" for nothing.
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
