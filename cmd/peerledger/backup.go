package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/backup"
	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/internal/vsr"
)

func (a *app) newBackupCommand() *cobra.Command {
	var o backup.Options
	var stop, start, keepFor string
	var totals bool
	cmd := &cobra.Command{
		Use:   "backup --to folder [--file data-file | --folder ledger] [--journal folder]",
		Short: "Back the ledger of a single node up, and a recorder's journal",
		Long: `Copy the data file of a single node (--file), or the folder of an embedded ledger (--folder),
and a recorder's journal (--journal), into a new folder in --to. A journal of rounds is copied
with its archive of packets. The copies are compressed and hashed, and read back before the
backup gets its name. An interrupted backup changes no earlier one.

A connector may run while its folders (--folder, --journal, or both) are copied: the backup has
what the ledger answered before, and each fulfill that was on disk before is in the ledger or in
the journal. A data file is copied while nothing runs: with --stop and --start the command stops
the server or connector for the copy and starts it again. Without these flags, stop the server
before you give the command, and with --journal also the connector. With --snapshot the files
are in an atomic snapshot of their file system (ZFS, Btrfs, LVM), and server and connector may
run.

A replica of a cluster is refused: the other replicas are its backup. Back the journal of a
connector on a cluster up alone.`,
		Example: `  peerledger backup --file /var/lib/tigerbeetle/7_0.tigerbeetle --to /backups \
      --stop 'systemctl stop tigerbeetle@0' --start 'systemctl start tigerbeetle@0' --totals --keep 7 --keep-for 30d
  peerledger backup --folder /var/lib/connector/ledger --journal /var/lib/connector/journal --to /backups
  peerledger backup list /backups`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			o.Ledger = a.folder
			if err := checkBackup(o, stop, start, totals); err != nil {
				return err
			}
			if o.KeepFor, err = parseAge(keepFor); err != nil {
				return err
			}
			if stop != "" {
				o.Stop, o.Start = backup.Shell(stop, a.stderr), backup.Shell(start, a.stderr)
			}
			if totals {
				o.Totals = a.readTotals
				sb, err := vsr.ReadSuperblock(o.File)
				if err == nil {
					err = a.checkSameCluster(sb.ClusterID)
				}
				if err != nil {
					return err
				}
			}
			return a.createBackup(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.File, "file", "", "the data `file`")
	flags.StringVar(&o.Journal, "journal", "", "the `folder` of the recorder's journal")
	flags.StringVar(&o.Folder, "to", "", "the `folder` of the backups")
	flags.StringVar(&stop, "stop", "", "the shell `command` that stops the server or connector")
	flags.StringVar(&start, "start", "", "the shell `command` that starts the server or connector again, also after an error")
	flags.BoolVar(&o.Snapshot, "snapshot", false, "the files are in an atomic snapshot of their file system")
	flags.BoolVar(&totals, "totals", false, "record the cluster's totals before the stop, for verify to compare")
	flags.IntVar(&o.Keep, "keep", 0, "keep the newest `n` backups of this ledger, and ...")
	flags.StringVar(&keepFor, "keep-for", "", "... the backups younger than this `age` (30d, 12h), counted from the oldest of the newest n, of two at least; without both flags, keep all")
	_ = cmd.MarkFlagRequired("to") // it is defined, so there is no error
	cmd.AddCommand(a.newListBackupsCommand())
	return cmd
}

// checkBackup refuses flags that contradict each other.
func checkBackup(o backup.Options, stop, start string, totals bool) error {
	switch {
	case o.File == "" && o.Ledger == "" && o.Journal == "":
		return fmt.Errorf("%w: name what to back up: --file, --folder or --journal", errUsage)
	case o.File != "" && o.Ledger != "":
		return fmt.Errorf("%w: --file and --folder name two ledgers: make two backups", errUsage)
	case isSamePlace(o.Ledger, o.Journal):
		return fmt.Errorf("%w: --folder and --journal are one folder, %s: a ledger and a journal have a folder each", errUsage, o.Journal)
	case o.Keep < 0:
		return fmt.Errorf("%w: --keep must not be negative: %d", errUsage, o.Keep)
	case (stop == "") != (start == ""), o.Snapshot && stop != "", totals && stop == "":
		return fmt.Errorf("%w: --stop and --start go together, not with --snapshot, and --totals needs them", errUsage)
	case totals && o.File == "":
		return fmt.Errorf("%w: --totals is for --file: the totals of a folder are always recorded", errUsage)
	}
	return nil
}

// isSamePlace reports whether two paths lead to one place, which need not exist. "" is no place.
func isSamePlace(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	a, errA = filepath.Abs(a)
	b, errB = filepath.Abs(b)
	return errA == nil && errB == nil && a == b
}

// createBackup makes a backup and prints its content.
func (a *app) createBackup(ctx context.Context, o backup.Options) error {
	bar := a.newByteBar("copying", 2)
	o.Progress = bar.showPart
	b, err := backup.Create(ctx, o)
	bar.stopBar(err)
	if b.Folder != "" { // the backup exists, even if a later step failed
		if a.json {
			err = errors.Join(a.printJSON(b), err)
		} else {
			fmt.Fprintln(a.stdout, b.Folder+": "+describeContents(b.Manifest))
		}
	}
	return err
}

// describeContents describes the content of a backup.
func describeContents(m backup.Manifest) string {
	var parts []string
	if m.File != "" {
		parts = append(parts, fmt.Sprintf("%d bytes in %d, cluster %v, SHA-256 %s", m.Size, m.Packed, m.ClusterID, m.SHA256))
	}
	if m.Ledger != nil {
		parts = append(parts, fmt.Sprintf("the ledger %s, %d bytes in %d, SHA-256 %s", m.Ledger.Name, m.Ledger.Size, m.Ledger.Packed, m.Ledger.SHA256))
	}
	if m.Journal != nil {
		part := fmt.Sprintf("the journal %s of namespace %q, in which %s", m.Journal.Name, m.Journal.Namespace, describeWaiting(m.Journal.Waiting))
		if m.Journal.Rounds {
			part += fmt.Sprintf(", with round %d as the newest, and %s of packets", m.Journal.Round, formatCount(m.Journal.Archives, "archive file"))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "; ")
}

// describeWaiting describes the number of fulfills that wait in a journal.
func describeWaiting(n int) string {
	switch n {
	case 0:
		return "nothing waits"
	case 1:
		return "1 fulfill waits to be recorded"
	default:
		return fmt.Sprintf("%d fulfills wait to be recorded", n)
	}
}

func (a *app) newListBackupsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list folder", Short: "List the backups in a folder, by ledger, newest first", Args: exactArgs(1),
		Example: "  peerledger backup list /var/backups/tigerbeetle",
		RunE: func(_ *cobra.Command, args []string) error {
			list, err := backup.List(args[0])
			return errors.Join(printRows(a, list,
				column[backup.Backup]{title: "backup", cell: func(b backup.Backup) string { return filepath.Base(b.Folder) }},
				column[backup.Backup]{title: "taken", isTime: true, cell: func(b backup.Backup) string { return formatTime(b.Manifest.Taken) }},
				column[backup.Backup]{title: "ledger", cell: func(b backup.Backup) string { return b.Manifest.Source() }, right: true},
				column[backup.Backup]{title: "release", cell: func(b backup.Backup) string { return b.Manifest.Release }},
				column[backup.Backup]{title: "bytes", cell: func(b backup.Backup) string { return strconv.FormatInt(b.Manifest.Bytes(), 10) }, right: true},
				column[backup.Backup]{title: "packed", cell: func(b backup.Backup) string { return strconv.FormatInt(b.Manifest.PackedBytes(), 10) }, right: true},
				column[backup.Backup]{title: "journal", cell: func(b backup.Backup) string {
					if b.Manifest.Journal == nil {
						return ""
					}
					return fmt.Sprintf("%d waiting", b.Manifest.Journal.Waiting)
				}},
				column[backup.Backup]{title: "totals", cell: func(b backup.Backup) string {
					if b.Manifest.Totals == nil {
						return "not noted"
					}
					return "noted"
				}},
			), err)
		},
	}
	a.addListFlags(cmd)
	return cmd
}

// readTotals reads the totals of the configured ledger.
func (a *app) readTotals(ctx context.Context) (totals backup.Totals, err error) {
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

// parseAge reads a duration, also in days, as 30d; "" is 0.
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

// byteBar shows the progress of a task of several parts, in hundredths of each part.
type byteBar struct {
	shown    progress.Progress
	parts    int
	partName string
	started  bool
	percent  int64 // of the current part
}

// newByteBar returns a bar for a task of so many parts. It shows nothing if stderr is no terminal.
func (a *app) newByteBar(firstPart string, parts int) *byteBar {
	return &byteBar{shown: progress.New(a.stderr, a.stderrIsTerminal && !a.json, firstPart, 20), parts: parts, partName: firstPart}
}

// showBytes shows the progress of a task with one part.
func (b *byteBar) showBytes(done, total int64) { b.showPart(b.partName, done, total) }

// showPart shows the progress of a part.
func (b *byteBar) showPart(partName string, done, total int64) {
	if !b.started {
		b.started = true
		b.shown.Start(100 * b.parts)
	}
	if partName != b.partName {
		b.partName, b.percent = partName, 0
		b.shown.Say(partName)
	}
	for percent := done * 100 / max(total, 1); b.percent < percent; b.percent++ {
		b.shown.Step()
	}
}

// stopBar ends the display; err is the result of the task.
func (b *byteBar) stopBar(err error) {
	if b.started {
		b.shown.Stop(err)
	}
}
