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

func (a *app) migrateCommand() *cobra.Command {
	to := &app{stderr: a.stderr}
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Copy the whole ledger into a new, empty cluster",
		Long: `Copies every account and transfer of the ledger into an empty one, each with its own
time, as imported events, and compares all accounts at the end: the way from one replica to
three or six, whose number never changes. Stop all connectors first. It waits for holds to
end by their timeouts. Interrupted, it goes on where it was.`,
		Example: "  peerledger migrate --to-cluster-id 42 --to-addresses tb0:3001,tb1:3001,tb2:3001 --yes",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to.folder != "" && (to.clusterID != "" || len(to.addresses) > 0) {
				return fmt.Errorf("%w: --to-folder is an embedded ledger, and --to-cluster-id and --to-addresses are a cluster: give one of the two", errUsage)
			}
			if to.folder == "" && (to.clusterID == "" || len(to.addresses) == 0) {
				return fmt.Errorf("%w: say where to: --to-cluster-id and --to-addresses, or --to-folder", errUsage)
			}
			if to.folder == "" {
				to.getenv = func(string) string { return "" } // the flags alone say where to
				if _, err := to.cluster(config{}); err != nil {
					return err
				}
			}
			to.timeout, to.yes, to.makes = a.timeout, true, true
			cfg, err := a.readConfig()
			if err != nil {
				return err
			}
			if from := a.folderOf(cfg); from != "" && sameFolder(from, to.folder) {
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
			return a.write(change{Action: "copy the whole ledger", Note: "All connectors must be stopped."}, func(c *change) error {
				return a.between(cmd.Context(), cfg, to, c)
			})
		},
	}
	cmd.Flags().StringVar(&to.folder, "to-folder", "", "the `folder` of an embedded ledger")
	cmd.Flags().StringVar(&to.clusterID, "to-cluster-id", "", "the new cluster's `id`, decimal")
	cmd.Flags().StringSliceVar(&to.addresses, "to-addresses", nil, "the `addresses` of all of its replicas in order")
	a.writes(cmd)
	return cmd
}

// sameFolder reports whether two names are those of one folder that is there.
func sameFolder(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// between opens both ledgers and migrates.
func (a *app) between(ctx context.Context, cfg config, to *app, c *change) (err error) {
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
		if a.watched && !a.json {
			fmt.Fprintln(a.stderr) // behind the last line of migrating
		}
	}()
	result, err := migrate.Run(ctx, source, target, min(requestlimit.OfCreates(source), requestlimit.OfCreates(target)), a.migrating)
	c.Note = fmt.Sprintf("%s and %s; %s had expired; %s had been copied before. All accounts are equal.",
		counted(result.Accounts, "account"), counted(result.Transfers, "transfer"), counted(result.Expired, "hold"), counted(result.Already, "row"))
	return err
}

// migrating shows on a terminal how far it is. How many rows there are nobody knows.
func (a *app) migrating(p migrate.Progress) {
	if a.watched && !a.json {
		fmt.Fprintf(a.stderr, "\r%s: %d    ", p.What, p.Done)
	}
}
