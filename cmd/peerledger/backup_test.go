package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/backup"
	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// writeDataFile writes the data file of a cluster of so many replicas, and names a folder for
// backups.
func writeDataFile(t *testing.T, replicas int) (file, folder string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	vsrtest.DataFile(t, file, vsr.Superblock{ClusterID: uint128.From64(7), ReplicaCount: replicas, Sequence: 1})
	return file, filepath.Join(t.TempDir(), "backups")
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs sh: run on Unix")
	}
	file, folder := writeDataFile(t, 1)
	marks := filepath.Join(t.TempDir(), "marks")
	got := runApp(t, "backup", "--file", file, "--to", folder, "--stop", "echo stop >>"+marks, "--start", "echo start >>"+marks, "--keep", "2", "--keep-for", "30d")
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "262144 bytes in ")
	written, err := os.ReadFile(marks)
	require.NoError(t, err)
	require.Equal(t, "stop\nstart\n", string(written))
	require.Equal(t, statusDone, runApp(t, "backup", "--file", file, "--to", folder, "--json").status)

	list := runApp(t, "backup", "list", folder)
	names := runApp(t, "backup", "list", folder, "-o", "name")
	for name := range strings.Lines(names.out) {
		require.DirExists(t, filepath.Join(folder, strings.TrimSpace(name)))
	}
	require.NotEmpty(t, names.out)
	require.Equal(t, 2, strings.Count(list.out, "7-20"))
	target := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	require.Equal(t, statusDone, runApp(t, "restore", folder, target).status)
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	restored, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Equal(t, want, restored)

	got = runApp(t, "restore", folder, target)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "not empty")
}

func TestBackupIsRefused(t *testing.T) {
	t.Parallel()
	file, folder := writeDataFile(t, 3)
	got := runApp(t, "backup", "--file", file, "--to", folder)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "a cluster of 3 replicas")
	require.Contains(t, got.errors, "tigerbeetle recover")
	for _, args := range [][]string{
		{"--stop", "true"}, {"--start", "true"}, {"--snapshot", "--stop", "true", "--start", "true"}, {"--totals"}, {"--keep-for", "-3d"}, {"--keep-for", "soon"},
	} {
		require.Equal(t, statusUsage, runApp(t, append([]string{"backup", "--file", file, "--to", folder}, args...)...).status, args)
	}
	require.NoDirExists(t, folder)
	require.NotEqual(t, statusDone, runApp(t, "backup", "--to", folder).status)
	require.Equal(t, statusFailed, runApp(t, "restore", folder, file).status)
	require.Equal(t, statusFailed, runApp(t, "verify", folder).status)
}

// A folder of backups is accepted only if it is certain which backup is the newest.
func TestBackupOfANightWithAWrongClock(t *testing.T) {
	t.Parallel()
	file, folder := writeDataFile(t, 1)
	require.Equal(t, statusDone, runApp(t, "backup", "--file", file, "--to", folder).status)
	ahead, err := backup.Create(t.Context(), backup.Options{File: file, Folder: folder, Now: func() time.Time { return time.Now().AddDate(1, 0, 0) }})
	require.NoError(t, err)
	target := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	for _, args := range [][]string{{"restore", folder, target}, {"verify", folder}} {
		got := runApp(t, args...)
		require.Equal(t, statusUsage, got.status)
		require.Contains(t, got.errors, "name one of the backups")
		require.Contains(t, got.errors, "is from the future")
	}
	require.NoFileExists(t, target)
	require.Equal(t, statusDone, runApp(t, "restore", ahead.Folder, target).status)
}

// makeJournal makes a journal without pending fulfills.
func makeJournal(t *testing.T, s testLedger) (folder string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "journal")
	l, err := embedded.Open(s.folder)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{{Code: "USD", Scale: 2, Ledger: 1}}})
	require.NoError(t, err)
	r, err := transfers.NewRecorder(l, book, transfers.Config{JournalFolder: folder, Events: transfers.Events{Replayed: func([]transfers.Result) {}}})
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	return folder
}

// The folder of a closed embedded ledger and a journal are backed up, verified and restored.
func TestBackupOfAFolder(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	journal, backups := makeJournal(t, s), filepath.Join(t.TempDir(), "backups")
	got := runApp(t, "backup", "--folder", s.folder, "--journal", journal, "--to", backups)
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "the ledger ledger, ")
	require.Contains(t, got.out, `the journal journal of namespace "test", in which nothing waits`)
	require.Contains(t, runApp(t, "backup", "list", backups).out, "0 waiting")

	s.runOK(t, "settle", "received", "bob@USD", "5", "--key", "after", "--yes")
	got = runApp(t, "--folder", s.folder, "verify", backups, "--live")
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "Equal to the totals that were noted when it was copied.")
	require.Contains(t, got.out, "the later totals have more")
	require.Contains(t, got.out, "in it nothing waits.")
	got = runApp(t, "verify", backups, "--live")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "name its folder with --folder")

	target := t.TempDir()
	got = runApp(t, "restore", backups, filepath.Join(target, "ledger"))
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "There is a journal in the backup as well")
	got = runApp(t, "restore", backups, "--journal", filepath.Join(target, "journal"))
	require.Equal(t, statusDone, got.status, got.errors)
	require.Contains(t, got.out, "in it nothing waits.")
	got = runApp(t, "--config", s.config, "--folder", filepath.Join(target, "ledger"), "balances", "bob@USD", "--json")
	require.Contains(t, got.out, `"position":"0.00"`, "the payment came after the backup")
	got = runApp(t, "restore", backups, filepath.Join(target, "other"), "--journal", journal)
	require.Equal(t, statusFailed, got.status)
	require.Contains(t, got.errors, "other is restored, and the journal is not: ")

	open, err := embedded.Open(s.folder)
	require.NoError(t, err)
	got = runApp(t, "backup", "--to", backups, "--journal", journal, "--folder", s.folder, "--stop", "true", "--start", "true")
	require.Equal(t, statusNoAnswer, got.status, "it was not stopped")
	require.Contains(t, got.errors, "in use")
	for _, line := range [][]string{
		{"backup", "--to", filepath.Join(target, "alone")}, {"backup", "--to", filepath.Join(target, "both"), "--journal", journal}, {"verify", backups, "--live"},
	} {
		got = runApp(t, append(line, "--folder", s.folder)...)
		require.Equal(t, statusDone, got.status, got.errors)
	}
	require.Contains(t, got.out, "the later totals have more")
	require.NoError(t, open.Close())
	for _, line := range [][]string{{"--folder", t.TempDir()}, {"--journal", t.TempDir()}, {"--folder", s.folder, "--journal", filepath.Join(target, "none")}} {
		got = runApp(t, append(line, "backup", "--to", backups)...)
		require.Equal(t, statusUsage, got.status, line)
		require.Contains(t, got.errors, "no log in this folder")
	}

	file, _ := writeDataFile(t, 1)
	for _, args := range [][]string{
		{}, {"--file", file, "--folder", s.folder}, {"--folder", s.folder, "--totals", "--stop", "true", "--start", "true"},
	} {
		require.Equal(t, statusUsage, runApp(t, append([]string{"backup", "--to", backups}, args...)...).status, args)
	}
	for _, args := range [][]string{{backups}, {backups, "--journal", ""}} {
		require.Equal(t, statusUsage, runApp(t, append([]string{"restore"}, args...)...).status, args)
	}
}

// A ledger and a journal need two folders, whatever the paths; the check stops and writes nothing.
func TestOneFolderIsNotBoth(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("needs links without a privilege: run on Unix")
	}
	s := newTestLedger(t)
	dir := t.TempDir()
	link, backups, missing := filepath.Join(dir, "link"), filepath.Join(dir, "backups"), filepath.Join(dir, "missing")
	mark := filepath.Join(dir, "mark")
	require.NoError(t, os.Symlink(s.folder, link))
	for _, journal := range []string{s.folder, link, s.folder + "/.", filepath.Dir(s.folder) + "//" + filepath.Base(s.folder)} {
		got := runApp(t, "backup", "--folder", s.folder, "--journal", journal, "--to", backups, "--stop", "touch "+mark, "--start", "true")
		require.Equal(t, statusUsage, got.status, journal)
		require.Contains(t, got.errors, "--folder and --journal are one folder, "+journal)
		require.NotContains(t, got.errors, "in use")
	}
	require.NoDirExists(t, backups)
	require.NoFileExists(t, mark)

	journal := makeJournal(t, s)
	require.Equal(t, statusDone, runApp(t, "backup", "--folder", s.folder, "--journal", journal, "--to", backups).status)
	for _, name := range []string{missing, missing + "/"} {
		got := runApp(t, "restore", backups, missing, "--journal", name)
		require.Equal(t, statusUsage, got.status)
		require.Contains(t, got.errors, "are one folder")
		require.NoDirExists(t, missing, "nothing is restored")
	}
	require.Equal(t, statusDone, runApp(t, "restore", backups, missing, "--journal", missing+"2").status)
}

// Server flags are refused for backups without a data file: a server did not check them.
func TestVerifyOfAFolderTakesNoServer(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	both, alone := filepath.Join(t.TempDir(), "both"), filepath.Join(t.TempDir(), "alone")
	journal := makeJournal(t, s)
	require.Equal(t, statusDone, runApp(t, "backup", "--folder", s.folder, "--journal", journal, "--to", both).status)
	require.Equal(t, statusDone, runApp(t, "backup", "--journal", journal, "--to", alone).status)
	for _, backups := range []string{both, alone} {
		for _, flag := range []string{"--binary", "--image"} {
			got := runApp(t, "verify", backups, flag, "tigerbeetle")
			require.Equal(t, statusUsage, got.status, flag)
			require.Contains(t, got.errors, "opened without a server, so leave out --binary and --image")
			require.Empty(t, got.out)
		}
		require.Equal(t, statusDone, runAppWithEnv(t, map[string]string{"TIGERBEETLE_BINARY": "tigerbeetle"}, "verify", backups).status, "it is for other backups")
	}
}

func TestVerifyNeedsAServer(t *testing.T) {
	t.Parallel()
	file, folder := writeDataFile(t, 1)
	require.Equal(t, statusDone, runApp(t, "backup", "--file", file, "--to", folder).status)
	got := runApp(t, "verify", folder, "--binary", "/nonexistent/tigerbeetle")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, "name one with --binary")
}

func TestAges(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"": 0, "30d": 720 * time.Hour, "12h": 12 * time.Hour, "0d": 0} {
		got, err := parseAge(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"d", "-1d", "-1h", "1.5d", "week"} {
		_, err := parseAge(text)
		require.ErrorIs(t, err, errUsage)
	}
}

// The text and the status of each outcome of verify.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	for relation, want := range map[backup.Relation]string{
		backup.Equal: "Equal to the original", backup.MovedOn: "the later totals have more", backup.Contrary: "DIFFERENT from the original: less",
	} {
		var out strings.Builder
		a := &app{stdout: &out}
		report := backup.Report{Comparisons: []backup.Comparison{{With: "the original", Relation: relation, Detail: "less"}}}
		require.NoError(t, a.showVerified(report, nil))
		require.Contains(t, out.String(), want)
		require.Equal(t, relation == backup.Contrary, checkReport(report, nil) != nil)
	}
	require.ErrorIs(t, checkReport(backup.Report{}, backup.ErrUnbalanced), errFound)
}
