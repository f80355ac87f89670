package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/backup"
)

func (a *app) newRestoreCommand() *cobra.Command {
	var journal string
	cmd := &cobra.Command{
		Use:   "restore backup [data-file | ledger] [--journal folder]",
		Short: "Restore a backup into an empty volume",
		Long: `Writes the ledger of a backup, with its hash checked: a data file, sparse, or the folder of
an embedded ledger. With --journal it writes the recorder's journal into that folder. The
folder of the data file must not have any *.tigerbeetle file, and the others no log: nothing
is ever replaced. A folder of backups stands for the newest one, if that is beyond doubt.

What was written to the ledger after the backup is lost with it: first look whether the
old file can still be used (peerledger doctor --data-file, --folder, --journal). Restore the
journal before the connector is started: what waits in it was promised to peers.`,
		Example: "  peerledger restore /backups /var/lib/tigerbeetle/7_0.tigerbeetle\n  peerledger restore /backups /var/lib/connector/ledger --journal /var/lib/connector/journal",
		Args:    rangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			target := ""
			if len(args) > 1 {
				target = args[1]
			}
			if target == "" && journal == "" {
				return fmt.Errorf("%w: say where to: a data file or a folder, or --journal", errUsage)
			}
			if isSamePlace(target, journal) { // before one of them is restored
				return fmt.Errorf("%w: the ledger and --journal are one folder, %s: each has a folder of its own", errUsage, journal)
			}
			b, err := findBackup(args[0])
			if err != nil {
				return err
			}
			return a.restoreBackup(cmd.Context(), b, target, journal)
		},
	}
	cmd.Flags().StringVar(&journal, "journal", "", "restore the recorder's journal into this `folder`")
	return cmd
}

// restoreBackup restores the ledger, the journal, or both.
func (a *app) restoreBackup(ctx context.Context, b backup.Backup, target, journal string) error {
	if journal != "" && b.Manifest.Journal == nil { // before anything is written
		return fmt.Errorf("%w: %s has no journal", errUsage, b.Folder)
	}
	if target != "" {
		bar := a.newByteBar("restoring", 1)
		err := b.Restore(ctx, target, bar.showBytes)
		if bar.stopBar(err); err != nil {
			return err
		}
		if !a.json {
			fmt.Fprintf(a.stdout, "%s is restored from %s (%s UTC).\n", target, b.Folder, formatTime(b.Manifest.Taken))
		}
	}
	if journal != "" {
		if err := b.RestoreJournal(ctx, journal); err != nil {
			if target != "" {
				err = fmt.Errorf("%s is restored, and the journal is not: %w", target, err)
			}
			return err
		}
		if !a.json {
			fmt.Fprintf(a.stdout, "The journal %s is restored; in it %s.\n", journal, describeWaiting(b.Manifest.Journal.Waiting))
		}
	}
	if a.json {
		return a.printJSON(map[string]any{"restored": target, "journal": journal, "backup": b})
	}
	if journal == "" && b.Manifest.Journal != nil {
		fmt.Fprintf(a.stdout, "There is a journal in the backup as well, in which %s: restore it with --journal before the connector is started.\n", describeWaiting(b.Manifest.Journal.Waiting))
	}
	return nil
}

// findBackup is the backup in a folder, or the newest in a folder of backups.
func findBackup(folder string) (backup.Backup, error) {
	b, err := backup.Open(folder)
	if err == nil {
		return b, nil
	}
	newest, newestErr := backup.Newest(folder, time.Now())
	switch {
	case newestErr == nil:
		return newest, nil
	case errors.Is(newestErr, backup.ErrUnclear):
		return b, fmt.Errorf("%w: %w", errUsage, newestErr)
	case errors.Is(err, os.ErrNotExist): // it has no manifest
		return b, newestErr
	default:
		return b, err
	}
}
