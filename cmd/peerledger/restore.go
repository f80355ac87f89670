package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/backup"
)

func (a *app) newRestoreCommand() *cobra.Command {
	var journal string
	cmd := &cobra.Command{
		Use:   "restore backup [data-file | ledger] [--journal folder]",
		Short: "Restore a backup into an empty volume",
		Long: `Write the ledger of a backup, with its hash checked: a sparse data file, or the folder of an
embedded ledger. With --journal, write the recorder's journal into that folder. The command
replaces nothing: the folder of the data file must have no *.tigerbeetle file, and the other
folders no log. Name a backup, or a folder of backups for the newest one; the command refuses
if it is not certain which backup is the newest.

A restored ledger lacks everything written after the backup. First check whether the old files
can still be used (peerledger doctor --data-file, --folder, --journal). Restore the journal
before you start the connector: the fulfills in the journal were promised to peers.

A journal of rounds comes with its archive of packets. A connector refuses a journal of rounds
that is older than the ledger, since it would book packets again.`,
		Example: "  peerledger restore /backups /var/lib/tigerbeetle/7_0.tigerbeetle\n  peerledger restore /backups /var/lib/connector/ledger --journal /var/lib/connector/journal",
		Args:    rangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			target := ""
			if len(args) > 1 {
				target = args[1]
			}
			if target == "" && journal == "" {
				return fmt.Errorf("%w: name the target: a data file or a folder, or --journal", errUsage)
			}
			if isSamePlace(target, journal) { // check before restoring
				return fmt.Errorf("%w: the ledger and --journal are one folder, %s: give each its own folder", errUsage, journal)
			}
			b, err := findBackup(args[0])
			if err != nil {
				return err
			}
			c := change{Action: "restore a backup", detail: b.Folder + " to " + strings.TrimSpace(target+" "+journal)}
			return a.recordAct(&c, func(*change) error { return a.restoreBackup(cmd.Context(), b, target, journal) })
		},
	}
	cmd.Flags().StringVar(&journal, "journal", "", "restore the recorder's journal into this `folder`")
	return cmd
}

// restoreBackup restores the ledger, the journal, or both.
func (a *app) restoreBackup(ctx context.Context, b backup.Backup, target, journal string) error {
	if journal != "" && b.Manifest.Journal == nil { // check before writing
		return fmt.Errorf("%w: %s has no journal", errUsage, b.Folder)
	}
	if target != "" {
		bar := a.newByteBar("restoring", 1)
		err := b.Restore(ctx, target, bar.showBytes)
		if bar.stopBar(err); err != nil {
			return err
		}
		if !a.json {
			fmt.Fprintf(a.stdout, "%s is restored from %s (%s).\n", target, b.Folder, formatTime(b.Manifest.Taken))
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
			if b.Manifest.Journal.Rounds {
				fmt.Fprintf(a.stdout, "Its newest round is %d. If the ledger has later rounds, a connector refuses this journal as old: run peerledger doctor --journal %s first (docs/operations.md#an-old-journal-of-rounds).\n",
					b.Manifest.Journal.Round, journal)
			}
		}
	}
	if a.json {
		return a.printJSON(map[string]any{"restored": target, "journal": journal, "backup": b})
	}
	if journal == "" && b.Manifest.Journal != nil {
		fmt.Fprintf(a.stdout, "There is a journal in the backup as well, in which %s: restore the journal with --journal before you start the connector.\n", describeWaiting(b.Manifest.Journal.Waiting))
	}
	return nil
}

// findBackup returns the backup in a folder, or the newest one in a folder of backups.
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
	case errors.Is(err, os.ErrNotExist): // the folder has no manifest
		return b, newestErr
	default:
		return b, err
	}
}
