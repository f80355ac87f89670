package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/internal/requestlimit"
)

func (a *app) newMigrateCommand() *cobra.Command {
	to := &app{stderr: a.stderr}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Copy the whole ledger into a new, empty cluster",
		Long: `Copy every account and transfer of the ledger into an empty one, each with its own time, as
imported events, and compare all accounts at the end. Use this to go from one replica to three
or six: the number of a cluster's replicas never changes. The old ledger may be a cluster, or
the folder of an embedded ledger (--folder). From a folder, every id that a refusal has burnt is
burnt again in the new ledger. A cluster does not list its burnt ids: from a cluster, those
before corrections of packets are burnt again. Stop all connectors first. The command waits until the timeouts of all holds have passed, and of what connectors have reserved
for rounds. Repeat an interrupted command: it continues. Journals of rounds go on with the new
ledger as they are.`,
		Example: "  peerledger migrate --to-cluster-id 42 --to-addresses tb0:3001,tb1:3001,tb2:3001 --yes",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to.folder != "" && (to.clusterID != "" || len(to.addresses) > 0) {
				return fmt.Errorf("%w: --to-folder names an embedded ledger, and --to-cluster-id and --to-addresses name a cluster: give one of the two", errUsage)
			}
			if to.folder == "" && (to.clusterID == "" || len(to.addresses) == 0) {
				return fmt.Errorf("%w: name the target: --to-cluster-id and --to-addresses, or --to-folder", errUsage)
			}
			if to.folder == "" {
				to.getenv = func(string) string { return "" } // the flags alone name the target
				if _, err := to.resolveCluster(config{}); err != nil {
					return err
				}
			}
			to.timeout, to.yes, to.mayCreateLedger = a.timeout, true, true
			cfg, err := a.readConfig()
			if err != nil {
				return err
			}
			if from := a.selectFolder(cfg); from != "" && isSameFolder(from, to.folder) {
				return fmt.Errorf("%w: --to-folder is the ledger to be copied itself", errUsage)
			}
			if !a.yes { // check that the source exists
				source, err := a.openLedger(cmd.Context(), cfg)
				if err != nil {
					return err
				}
				if err := source.Close(); err != nil {
					return err
				}
			}
			return a.previewOrWrite(change{Action: "copy the whole ledger", Note: "All connectors must be stopped."}, func(c *change) error {
				return a.migrateBetween(cmd.Context(), cfg, to, c)
			})
		},
	}
	cmd.Flags().StringVar(&to.folder, "to-folder", "", "the `folder` of an embedded ledger")
	cmd.Flags().StringVar(&to.clusterID, "to-cluster-id", "", "the new cluster's `id`, decimal")
	cmd.Flags().StringSliceVar(&to.addresses, "to-addresses", nil, "the `addresses` of all replicas of the new cluster in order")
	a.addYesFlag(cmd)
	return cmd
}

// isSameFolder reports whether two paths lead to one existing folder.
func isSameFolder(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// migrateBetween opens both ledgers, migrates, and notes the result.
func (a *app) migrateBetween(ctx context.Context, cfg config, to *app, c *change) (err error) {
	source, err := a.openLedger(ctx, cfg)
	if err != nil {
		return fmt.Errorf("the old ledger: %w", err)
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := to.openLedger(ctx, config{})
	if err != nil {
		return fmt.Errorf("the new ledger: %w", err)
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	defer func() {
		if a.stderrIsTerminal && !a.json {
			fmt.Fprintln(a.stderr) // end the line of showMigration
		}
	}()
	result, err := migrate.Run(ctx, source, target, min(requestlimit.OfCreates(source), requestlimit.OfCreates(target)), a.showMigration)
	if err != nil {
		return err
	}
	c.Note, c.Migrated = describeMigration(result), &result
	return nil
}

func describeMigration(r migrate.Result) string {
	return fmt.Sprintf("%s and %s; %s had expired; %s had been copied before; burnt again: %s. All accounts are equal.",
		formatCount(r.Accounts, "account"), formatCount(r.Transfers, "transfer"), formatCount(r.Expired, "hold"), formatCount(r.AlreadyCopied, "row"), formatCount(r.Burnt, "id"))
}

// showMigration shows the progress on a terminal. The total is unknown.
func (a *app) showMigration(p migrate.Progress) {
	if a.stderrIsTerminal && !a.json {
		fmt.Fprintf(a.stderr, "\r%s: %d    ", p.Phase, p.Done)
	}
}
