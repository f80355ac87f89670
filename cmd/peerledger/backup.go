package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/backup"
	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
)

func (a *app) backupCommand() *cobra.Command {
	var o backup.Options
	var stop, start, keepFor string
	var totals bool
	cmd := &cobra.Command{
		Use:   "backup --file data-file --to folder",
		Short: "Back the data file of a single node up",
		Long: `Copies the data file of a single node, with the server stopped, into a folder of its own
beneath --to: compressed, with hashes, and read back before it gets its name. A backup that
is interrupted leaves the earlier ones as they are.

The server is stopped and started by the commands --stop and --start; without them it must
be stopped already. --snapshot says that the file is in an atomic snapshot of its file
system (ZFS, Btrfs, LVM), and then the server may run.

A replica of a cluster is refused: its backup is the other replicas.`,
		Example: `  peerledger backup --file /var/lib/tigerbeetle/7_0.tigerbeetle --to /backups \
      --stop 'systemctl stop tigerbeetle@0' --start 'systemctl start tigerbeetle@0' --totals --keep 7 --keep-for 30d
  peerledger backup list /backups`,
		Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Keep < 0 {
				return fmt.Errorf("%w: --keep must not be negative: %d", errUsage, o.Keep)
			}
			if (stop == "") != (start == "") || o.Snapshot && stop != "" || totals && stop == "" {
				return fmt.Errorf("%w: --stop and --start go together, not with --snapshot, and --totals needs them", errUsage)
			}
			if o.KeepFor, err = parseAge(keepFor); err != nil {
				return err
			}
			if stop != "" {
				o.Stop, o.Start = backup.Shell(stop, a.stderr), backup.Shell(start, a.stderr)
			}
			if totals {
				o.Totals = a.totals
				sb, err := vsr.ReadSuperblock(o.File)
				if err == nil {
					err = a.sameCluster(sb.ClusterID)
				}
				if err != nil {
					return err
				}
			}
			return a.backUp(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.File, "file", "", "the data `file`")
	flags.StringVar(&o.Folder, "to", "", "the `folder` of the backups")
	flags.StringVar(&stop, "stop", "", "the shell `command` that stops the server")
	flags.StringVar(&start, "start", "", "the shell `command` that starts it again, whatever happened")
	flags.BoolVar(&o.Snapshot, "snapshot", false, "the file is in an atomic snapshot")
	flags.BoolVar(&totals, "totals", false, "note the ledger's totals before the stop, for verify to compare with")
	flags.IntVar(&o.Keep, "keep", 0, "keep the newest `n` backups of this cluster, and ...")
	flags.StringVar(&keepFor, "keep-for", "", "... those that are younger than this `age` (30d, 12h), reckoned from the oldest of these n, of two at least; without both, all")
	for _, name := range []string{"file", "to"} {
		_ = cmd.MarkFlagRequired(name) // it is defined, so there is no error
	}
	cmd.AddCommand(a.listBackupsCommand())
	return cmd
}

func (a *app) backUp(ctx context.Context, o backup.Options) error {
	bar := a.bar("copying", 2)
	o.Progress = bar.show
	b, err := backup.Create(ctx, o)
	bar.stop(err)
	if b.Folder != "" { // also if something went wrong afterwards
		if a.json {
			err = errors.Join(a.print(b), err)
		} else {
			fmt.Fprintf(a.stdout, "%s: %d bytes in %d, cluster %v, SHA-256 %s\n",
				b.Folder, b.Manifest.Size, b.Manifest.Packed, b.Manifest.ClusterID, b.Manifest.SHA256)
		}
	}
	return err
}

func (a *app) listBackupsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list folder", Short: "The backups in a folder, the newest first", Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := backup.List(args[0])
			return errors.Join(show(a, list,
				column[backup.Backup]{title: "backup", cell: func(b backup.Backup) string { return filepath.Base(b.Folder) }},
				column[backup.Backup]{title: "taken (UTC)", cell: func(b backup.Backup) string { return moment(b.Manifest.Taken) }},
				column[backup.Backup]{title: "cluster", cell: func(b backup.Backup) string { return b.Manifest.ClusterID.String() }, right: true},
				column[backup.Backup]{title: "release", cell: func(b backup.Backup) string { return b.Manifest.Release }},
				column[backup.Backup]{title: "bytes", cell: func(b backup.Backup) string { return strconv.FormatInt(b.Manifest.Size, 10) }, right: true},
				column[backup.Backup]{title: "packed", cell: func(b backup.Backup) string { return strconv.FormatInt(b.Manifest.Packed, 10) }, right: true},
				column[backup.Backup]{title: "totals", cell: func(b backup.Backup) string {
					if b.Manifest.Totals == nil {
						return "not noted"
					}
					return "noted"
				}},
			), err)
		},
	}
}

func (a *app) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore backup data-file",
		Short: "Restore a backup into an empty volume",
		Long: `Writes the data file of a backup, sparse and with its hash checked. The folder of the
data file must not have any *.tigerbeetle file: nothing is ever replaced. A folder of
backups stands for the newest one.

What was written to the ledger after the backup is lost with it: first look whether the
old file can still be used (peerledger doctor --data-file).`,
		Example: "  peerledger restore /backups /var/lib/tigerbeetle/7_0.tigerbeetle",
		Args:    exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := findBackup(args[0])
			if err != nil {
				return err
			}
			bar := a.bar("restoring", 1)
			err = b.Restore(cmd.Context(), args[1], bar.moved)
			if bar.stop(err); err != nil {
				return err
			}
			if a.json {
				return a.print(map[string]any{"restored": args[1], "backup": b})
			}
			fmt.Fprintf(a.stdout, "%s is restored from %s (%s UTC).\n", args[1], b.Folder, moment(b.Manifest.Taken))
			return nil
		},
	}
}

func (a *app) verifyCommand() *cobra.Command {
	var binary, image string
	var live bool
	cmd := &cobra.Command{
		Use:   "verify backup",
		Short: "Start a copy of a backup and compare its totals",
		Long: `Restores a backup into a folder of its own beside it, starts a server with the copy where
nobody else reaches it, and adds up all accounts: debits must be credits in each ledger, and
the totals are compared with those that were noted when the backup was made (backup
--totals) and, with --live, with those of the running original, which must not have less.
A folder of backups stands for the newest one.

The server is a tigerbeetle binary (--binary, TIGERBEETLE_BINARY or PATH) on a port of
127.0.0.1, or an image in a container (--image). It ends with status 5 if something is
different.`,
		Example: "  peerledger verify /backups\n  peerledger verify /backups --image ghcr.io/tigerbeetle/tigerbeetle:" + cluster.ClientRelease + " --live",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := findBackup(args[0])
			if err != nil {
				return err
			}
			server, err := a.server(binary, image)
			if err != nil {
				return err
			}
			var original func(context.Context) (backup.Totals, error)
			if live {
				original = a.totals
				if err := a.sameCluster(uint128.Uint128(b.Manifest.ClusterID)); err != nil {
					return err
				}
			}
			bar := a.bar("restoring a copy", 1)
			report, err := b.Verify(cmd.Context(), server, original, bar.moved)
			if bar.stop(err); err != nil && !errors.Is(err, backup.ErrUnbalanced) {
				return err
			}
			return errors.Join(a.showVerified(report, err), verdict(report, err))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&binary, "binary", "", "the tigerbeetle `binary` (default $TIGERBEETLE_BINARY, or tigerbeetle on PATH)")
	flags.StringVar(&image, "image", "", "run this `image` with docker instead")
	flags.BoolVar(&live, "live", false, "compare with the running original too")
	return cmd
}

// verdict is the end of a verification.
func verdict(report backup.Report, unbalanced error) error {
	if unbalanced != nil || report.Different() {
		return errFound
	}
	return nil
}

func (a *app) showVerified(report backup.Report, unbalanced error) error {
	if a.json {
		return a.print(report)
	}
	fmt.Fprintf(a.stdout, "%s starts, with %d bytes.\n", report.Folder, report.Manifest.Size)
	if unbalanced != nil {
		fmt.Fprintln(a.stdout, "DIFFERENT:", unbalanced)
	} else {
		fmt.Fprintln(a.stdout, "Debits are credits in each ledger.")
	}
	for _, c := range report.Comparisons {
		text := map[backup.Relation]string{
			backup.Equal:    "Equal to " + c.With + ".",
			backup.MovedOn:  "Compared with " + c.With + ", there is more in what came later, as when packets were recorded in between: " + c.Detail + ".",
			backup.Contrary: "DIFFERENT from " + c.With + ": " + c.Detail + ".",
		}[c.Relation]
		fmt.Fprintln(a.stdout, text)
	}
	if len(report.Comparisons) == 0 {
		fmt.Fprintln(a.stdout, "There was nothing to compare the totals with: use backup --totals, or --live.")
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

// server is how copies are started.
func (a *app) server(binary, image string) (backup.Server, error) {
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

func (a *app) openCopy(ctx context.Context, id uint128.Uint128, address string) (ledger.Ledger, error) {
	return openCluster(ctx, cluster.Config{ClusterID: id, Addresses: []string{address}, Sessions: 1, OpenTimeout: a.timeout})
}

// sameCluster refuses to compare a backup with another cluster than its own.
func (a *app) sameCluster(id uint128.Uint128) error {
	file, err := a.readConfig()
	if err != nil {
		return err
	}
	cfg, err := a.cluster(file)
	if err == nil && !cfg.ClusterID.Equals(id) {
		err = fmt.Errorf("%w: the data is of cluster %v, and cluster %v is configured", errUsage, id, cfg.ClusterID)
	}
	return err
}

// totals reads the totals of the ledger that the configuration names.
func (a *app) totals(ctx context.Context) (totals backup.Totals, err error) {
	cfg, err := a.readConfig()
	if err != nil {
		return nil, err
	}
	l, err := a.openLedger(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return backup.ReadTotals(ctx, l, nil)
}

// parseAge reads a duration, also in days; "" is 0.
func parseAge(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < 0 {
		return 0, fmt.Errorf("%w: --keep-for: %q is no age, such as 30d or 12h", errUsage, text)
	}
	return age, nil
}

// byteBar shows how many bytes are done, in hundredths of each of its parts.
type byteBar struct {
	shown   progress.Progress
	parts   int
	what    string // the part
	started bool
	percent int64 // of the part
}

// bar shows what is done on a terminal. what names the first of its parts.
func (a *app) bar(what string, parts int) *byteBar {
	return &byteBar{shown: progress.New(a.stderr, a.watched && !a.json, what, 20), parts: parts, what: what}
}

func (b *byteBar) moved(done, all int64) { b.show(b.what, done, all) }

func (b *byteBar) show(what string, done, all int64) {
	if !b.started {
		b.started = true
		b.shown.Start(100 * b.parts)
	}
	if what != b.what {
		b.what, b.percent = what, 0
		b.shown.Say(what)
	}
	for now := done * 100 / max(all, 1); b.percent < now; b.percent++ {
		b.shown.Step()
	}
}

func (b *byteBar) stop(err error) {
	if b.started {
		b.shown.Stop(err)
	}
}
