package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/ledger"
)

func (a *app) newMigrateCommand() *cobra.Command {
	to := &app{stderr: a.stderr}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Copy the whole ledger into a new, empty cluster",
		Long: `Copies every account and transfer of the ledger into an empty one, each with its own
time, as imported events, and compares all accounts at the end: the way from one replica to
three or six, whose number never changes. Stop all connectors first. It waits for holds to
end by their timeouts. Interrupted, it goes on where it was.`,
		Example: "  peerledger migrate --to-cluster-id 42 --to-addresses tb0:3001,tb1:3001,tb2:3001 --yes",
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to.folder != "" && (to.clusterID != "" || len(to.addresses) > 0) {
				return fmt.Errorf("%w: --to-folder is an embedded ledger, and --to-cluster-id and --to-addresses are a cluster: give one of the two", errUsage)
			}
			if to.folder == "" && (to.clusterID == "" || len(to.addresses) == 0) {
				return fmt.Errorf("%w: say where to: --to-cluster-id and --to-addresses, or --to-folder", errUsage)
			}
			if to.folder == "" {
				to.getenv = func(string) string { return "" } // the flags alone say where to
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
				return fmt.Errorf("%w: --to-folder is the ledger that is to be copied", errUsage)
			}
			if !a.yes { // whether there is a ledger to copy
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
	cmd.Flags().StringSliceVar(&to.addresses, "to-addresses", nil, "the `addresses` of all of its replicas in order")
	a.addYesFlag(cmd)
	return cmd
}

// isSameFolder reports whether two names are those of one folder that is there.
func isSameFolder(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// migrateBetween opens both ledgers and migrates.
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
			fmt.Fprintln(a.stderr) // behind the last line of migrating
		}
	}()
	result, err := migrate.Run(ctx, source, target, min(findBatchMax(source), findBatchMax(target)), a.showMigration)
	c.Note = fmt.Sprintf("%s and %s; %s had expired; %s had been copied before. All accounts are equal.",
		formatCount(result.Accounts, "account"), formatCount(result.Transfers, "transfer"), formatCount(result.Expired, "hold"), formatCount(result.Already, "row"))
	return err
}

// findBatchMax is how many events a ledger takes in a request.
func findBatchMax(l ledger.Ledger) int {
	if limited, ok := l.(interface{ BatchMax() int }); ok {
		return limited.BatchMax()
	}
	return ledger.BatchMax
}

// showMigration shows on a terminal how far it is. How many rows there are nobody knows.
func (a *app) showMigration(p migrate.Progress) {
	if a.stderrIsTerminal && !a.json {
		fmt.Fprintf(a.stderr, "\r%s: %d    ", p.What, p.Done)
	}
}
