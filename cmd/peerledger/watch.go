package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/peerledger/peerledger/settlement"
)

func (a *app) newWatchCommand() *cobra.Command {
	var asset, order string
	var conditions []string
	var interval time.Duration
	var once bool
	cmd := &cobra.Command{
		Use:     "watch [peer...]",
		Example: "  peerledger watch\n  peerledger watch --sort position:desc --filter owing --interval 5s\n  peerledger watch --once --json",
		Short:   "Show peers, positions against thresholds, packets and orders, live",
		Long: `Show these peers, or all configured peers, and refresh every 2 s (--interval): positions against
settle_at and credit lines, packets per second, open orders, and paused payments. Peers nearest
to their settle_at, or to the end of their line, come first; see --sort. With --filter, show only
some peers (peerledger balances --help). The key ? lists the keys: they sort, filter, and open the
details of a peer.

With --json, print one object for each refresh. The command uses one session of the cluster. A
refresh takes three requests, and one for each asset; payments are read at the first refresh, and
after each new payment. Open details take four requests more.`,
		Args: rangeArgs(0, -1),
		RunE: func(cmd *cobra.Command, names []string) error {
			if !a.stdoutIsTerminal && !a.json && !once {
				return fmt.Errorf("%w: watch needs a terminal; use --once or --json", errUsage)
			}
			if interval < 100*time.Millisecond {
				return fmt.Errorf("%w: --interval must be at least 100ms, not %v", errUsage, interval)
			}
			choice := rowChoice{order: order}
			if err := choice.parseConditions(conditions); err != nil {
				return err
			}
			if _, err := choice.chooseRows(nil); err != nil { // a wrong --sort, before the ledger is opened
				return err
			}
			return a.withEngine(cmd.Context(), nil, func(s *session, engine *settlement.Engine) error {
				list, err := s.parseAccounts(cmd.Context(), names, asset)
				if err != nil {
					return err
				}
				w := &watcher{session: s, engine: engine, peers: list}
				if a.json || once {
					return a.watchPlainly(cmd.Context(), w, choice, interval, once)
				}
				return a.watchLive(cmd.Context(), w, choice, interval)
			})
		},
	}
	cmd.Flags().StringVar(&asset, "asset", "", "in this `asset` alone, as in USD or USD/9")
	cmd.Flags().StringVar(&order, "sort", "", "sort by this `column`, downwards as in position:desc (default: the nearest to a threshold first)")
	addFilterFlag(cmd.Flags(), &conditions)
	cmd.Flags().DurationVar(&interval, "interval", 2*time.Second, "`time` between two refreshes")
	cmd.Flags().SetNormalizeFunc(nameInterval)
	cmd.Flags().BoolVar(&once, "once", false, "print the state once")
	return cmd
}

// nameInterval lets --interval have its earlier name, --every.
func nameInterval(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "every" {
		name = "interval"
	}
	return pflag.NormalizedName(name)
}

// watchPlainly prints each snapshot, or one snapshot if once is set.
func (a *app) watchPlainly(ctx context.Context, w *watcher, choice rowChoice, interval time.Duration, once bool) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		s, err := a.takeSnapshot(ctx, w)
		if err == nil {
			s.Peers, err = choice.chooseRows(s.Peers)
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return nil // interrupted by the operator
		case err != nil:
			return err
		case a.json:
			err = a.printJSON(s)
		default:
			_, err = fmt.Fprintln(a.stdout, drawSnapshot(s, 0, -1))
		}
		if err != nil || once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// takeSnapshot takes a snapshot within the timeout for requests.
func (a *app) takeSnapshot(ctx context.Context, w *watcher) (snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return w.takeSnapshot(ctx)
}
