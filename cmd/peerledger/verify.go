package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/backup"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

func (a *app) newVerifyCommand() *cobra.Command {
	var binary, image string
	var live bool
	cmd := &cobra.Command{
		Use:   "verify backup",
		Short: "Start a copy of a backup and compare its totals",
		Long: `Restore a backup into a temporary folder beside it, start a server with the copy that no other
program can reach, and add up all accounts. In each ledger debits must equal credits. The totals
are compared with the totals recorded by the backup (backup --totals). With --live they are also
compared with the original, which must not have less: the running cluster, or the folder of the
ledger (--folder), all of whose files are read. A folder that a program has open is copied beside the
backup first, and the copy is removed. An embedded ledger and a journal are opened without a server. Name a backup, or a
folder of backups for the newest one; the command refuses if it is not certain which backup is
the newest.

The server is a tigerbeetle binary (--binary, TIGERBEETLE_BINARY or PATH) on a port of
127.0.0.1, or an image in a container (--image). The exit status is 5 if a total differs.`,
		Example: "  peerledger verify /backups\n  peerledger verify /backups --image ghcr.io/tigerbeetle/tigerbeetle:" + cluster.ClientRelease + " --live",
		Args:    exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := findBackup(args[0])
			if err != nil {
				return err
			}
			var server backup.Server
			switch {
			case b.Manifest.File != "":
				if server, err = a.chooseServer(binary, image); err != nil {
					return err
				}
			case binary != "" || image != "":
				return fmt.Errorf("%w: %s has no data file: its folders are opened without a server, so leave out --binary and --image", errUsage, b.Folder)
			}
			var original func(context.Context) (backup.Totals, error)
			if live {
				if original, err = a.chooseOriginal(b); err != nil {
					return err
				}
			}
			bar := a.newByteBar("restoring a copy", 1)
			report, err := b.Verify(cmd.Context(), server, original, bar.showBytes)
			if bar.stopBar(err); err != nil && !errors.Is(err, backup.ErrUnbalanced) {
				return err
			}
			return errors.Join(a.showVerified(report, err), checkReport(report, err))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&binary, "binary", "", "the tigerbeetle `binary` (default $TIGERBEETLE_BINARY, or tigerbeetle on PATH)")
	flags.StringVar(&image, "image", "", "run this `image` with docker instead")
	flags.BoolVar(&live, "live", false, "also compare with the current original")
	return cmd
}

// checkReport returns errFound if a total differs or the books do not balance.
func checkReport(report backup.Report, unbalanced error) error {
	if unbalanced != nil || report.Different() {
		return errFound
	}
	return nil
}

// showVerified prints the result of a verification.
func (a *app) showVerified(report backup.Report, unbalanced error) error {
	if a.json {
		return a.printJSON(report)
	}
	if report.Journal != nil {
		fmt.Fprintf(a.stdout, "The journal of %s opens; in it %s.\n", report.Folder, describeWaiting(report.Journal.Waiting))
		if report.Journal.Rounds {
			fmt.Fprintf(a.stdout, "Its newest round is %d. All packets in its %s have been read.\n", report.Journal.Round, formatCount(report.Journal.Archives, "archive file"))
		}
	}
	switch {
	case report.Manifest.Ledger != nil:
		fmt.Fprintf(a.stdout, "%s opens, with %d bytes.\n", report.Folder, report.Manifest.Ledger.Size)
	case report.Manifest.File == "" && report.Journal != nil:
		return nil // the backup has no ledger
	default:
		fmt.Fprintf(a.stdout, "%s starts, with %d bytes.\n", report.Folder, report.Manifest.Size)
	}
	if unbalanced != nil {
		fmt.Fprintln(a.stdout, "DIFFERENT:", unbalanced)
	} else {
		fmt.Fprintln(a.stdout, "Debits equal credits in each ledger.")
	}
	for _, c := range report.Comparisons {
		text := map[backup.Relation]string{
			backup.Equal:    "Equal to " + c.With + ".",
			backup.MovedOn:  "Compared with " + c.With + ", the later totals have more, as when packets were recorded in between: " + c.Detail + ".",
			backup.Contrary: "DIFFERENT from " + c.With + ": " + c.Detail + ".",
		}[c.Relation]
		fmt.Fprintln(a.stdout, text)
	}
	if len(report.Comparisons) == 0 {
		fmt.Fprintln(a.stdout, "There was nothing to compare the totals with: use backup --totals, or --live.")
	}
	return nil
}

// chooseServer returns the server that starts the copy.
func (a *app) chooseServer(binary, image string) (backup.Server, error) {
	if image != "" {
		return backup.Container(image, a.openCopy), nil
	}
	if binary == "" {
		binary = a.getenv("TIGERBEETLE_BINARY")
	}
	path, err := exec.LookPath(orDefault(binary, "tigerbeetle"))
	if err != nil {
		return nil, fmt.Errorf("%w: no server to start the copy with: name one with --binary, or an image with --image: %w", errUsage, err)
	}
	return backup.Binary(path, a.openCopy), nil
}

// openCopy opens the cluster of a copy.
func (a *app) openCopy(ctx context.Context, id uint128.Uint128, address string) (ledger.Ledger, error) {
	return openCluster(ctx, cluster.Config{ClusterID: id, Addresses: []string{address}, Sessions: 1, OpenTimeout: a.timeout})
}

// chooseOriginal returns a function that reads the totals of a backup's original.
func (a *app) chooseOriginal(b backup.Backup) (func(context.Context) (backup.Totals, error), error) {
	switch m := b.Manifest; {
	case m.File != "":
		return a.readTotals, a.checkSameCluster(uint128.Uint128(m.ClusterID))
	case m.Ledger == nil:
		return nil, fmt.Errorf("%w: --live compares ledgers, and the backup has only a journal", errUsage)
	}
	file, err := a.readConfig()
	if err != nil {
		return nil, err
	}
	folder := a.selectFolder(file)
	if folder == "" {
		return nil, fmt.Errorf("%w: the backup is of an embedded ledger: name its folder with --folder", errUsage)
	}
	return backup.ReadFolder(folder, filepath.Dir(b.Folder)), nil
}

// checkSameCluster refuses to compare a backup with another cluster than its own.
func (a *app) checkSameCluster(id uint128.Uint128) error {
	file, err := a.readConfig()
	if err != nil {
		return err
	}
	cfg, err := a.resolveCluster(file)
	if err == nil && !cfg.ClusterID.Equals(id) {
		err = fmt.Errorf("%w: the data is of cluster %v, and cluster %v is configured", errUsage, id, cfg.ClusterID)
	}
	return err
}
