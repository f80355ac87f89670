package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	backup := func(cluster uint64, age time.Duration) Backup {
		return Backup{Folder: fmt.Sprint(cluster, age), Manifest: Manifest{ClusterID: ledger.NewAmount(cluster), Taken: now.Add(-age)}}
	}
	list := []Backup{backup(7, 0), backup(8, 0), backup(7, day), backup(7, 2*day), backup(8, 3*day), backup(7, 10*day), backup(7, 40*day)}
	for _, test := range []struct {
		keep int
		age  time.Duration
		old  []time.Duration // ages of the removed backups of cluster 7
	}{
		{1, 0, []time.Duration{day, 2 * day, 10 * day, 40 * day}},
		{2, 0, []time.Duration{2 * day, 10 * day, 40 * day}},
		{9, 0, nil},
		{0, day, []time.Duration{2 * day, 10 * day, 40 * day}}, // counted from yesterday, the time of the second
		{0, day + 1, []time.Duration{10 * day, 40 * day}},
		{0, 30 * day, []time.Duration{40 * day}},
		{3, 5 * day, []time.Duration{10 * day, 40 * day}},
		{4, 5 * day, []time.Duration{40 * day}},
		{1, 99 * day, nil},
	} {
		var got []time.Duration
		for _, b := range selectOld(list, list[0], test.keep, test.age) {
			require.Equal(t, "7", b.Manifest.ClusterID.String(), "another cluster's backups are not ours")
			got = append(got, now.Sub(b.Manifest.Taken))
		}
		require.Equal(t, test.old, got, "%+v", test)
	}
	// A clock set back does not make the newest backup old.
	future := []Backup{backup(7, -day), backup(7, 0)}
	require.Empty(t, selectOld(future, future[1], 1, 0))
}

func TestOldBackupsAreRemoved(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := n.makeOptions()
	o.Keep, o.Now = 2, newClock(time.Hour)
	var last Backup
	for range 4 {
		n.writeDataFile(t)
		last = n.createBackup(t, o)
	}
	list, err := List(n.folder)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, last, list[0])
	require.Empty(t, listLeftovers(t, n.folder))
}

// backUpAtTimes makes a backup at each of these times, with Keep 3 and KeepFor 10 days, and returns
// the times of the kept backups, newest first.
func backUpAtTimes(t *testing.T, times ...time.Time) (n node, left []time.Time) {
	t.Helper()
	n = newNode(t)
	for _, at := range times {
		o := n.makeOptions()
		o.Keep, o.KeepFor, o.Now = 3, 10*24*time.Hour, func() time.Time { return at }
		n.writeDataFile(t)
		n.createBackup(t, o)
	}
	list, err := List(n.folder)
	require.NoError(t, err)
	for _, b := range list {
		left = append(left, b.Manifest.Taken)
	}
	return n, left
}

func nightAt(n int) time.Time { return time.Date(2026, 11, 1+n, 3, 0, 0, 0, time.UTC) }

// nightsBetween returns the nights from one down to another.
func nightsBetween(from, to int) (list []time.Time) {
	for n := from; n >= to; n-- {
		list = append(list, nightAt(n))
	}
	return list
}

func reverseTimes(list []time.Time) []time.Time {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// A clock that is ahead or behind for a night or two removes no backup too early, and does not
// change the newest one.
func TestClockThatJumps(t *testing.T) {
	t.Parallel()
	usual := nightsBetween(19, 0) // ages are counted from the 17th, the third newest
	_, left := backUpAtTimes(t, reverseTimes(usual)...)
	require.Equal(t, nightsBetween(19, 8), left)

	ahead := []time.Time{nightAt(20).AddDate(1, 0, 0), nightAt(21).AddDate(1, 0, 0)}
	_, left = backUpAtTimes(t, append(reverseTimes(usual), ahead...)...)
	require.Equal(t, append(reverseTimes(ahead), nightsBetween(19, 10)...), left, "reckoned from the 19th")

	_, left = backUpAtTimes(t, append(append(reverseTimes(usual), ahead...), reverseTimes(nightsBetween(25, 22))...)...)
	require.Equal(t, append(append(nightsBetween(25, 22), reverseTimes(ahead)...), nightsBetween(19, 14)...), left)

	behind := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	_, left = backUpAtTimes(t, append(append(reverseTimes(nightsBetween(5, 0)), behind), reverseTimes(nightsBetween(12, 7))...)...)
	require.Equal(t, append(append(nightsBetween(12, 7), behind), nightsBetween(5, 1)...), left, "it is as old as the one before it")
}

// Newest refuses if the newest backup is not certain.
func TestNewest(t *testing.T) {
	t.Parallel()
	now := nightAt(9)
	newest := func(n node) (time.Time, error) {
		b, err := Newest(n.folder, now)
		return b.Manifest.Taken, err
	}
	n, _ := backUpAtTimes(t, nightAt(0), nightAt(1), nightAt(2))
	got, err := newest(n)
	require.NoError(t, err)
	require.Equal(t, nightAt(2), got)

	n, _ = backUpAtTimes(t, nightAt(0), nightAt(1), nightAt(99))
	_, err = newest(n)
	require.ErrorIs(t, err, ErrUnclear)
	require.ErrorContains(t, err, "is from the future")
	n, _ = backUpAtTimes(t, nightAt(0), nightAt(99), nightAt(1))
	got, err = newest(n)
	require.NoError(t, err)
	require.Equal(t, nightAt(1), got)

	n, _ = backUpAtTimes(t, nightAt(0), nightAt(3), nightAt(1))
	_, err = newest(n)
	require.ErrorIs(t, err, ErrUnclear)
	require.ErrorContains(t, err, "has a later time")

	for name, test := range map[string]struct {
		change func(*vsr.Superblock)
		want   string
	}{
		"restored from an older backup": {func(sb *vsr.Superblock) { sb.Sequence = 2 }, "has a higher sequence"},
		"of two clusters":               {func(sb *vsr.Superblock) { sb.ClusterID = uint128.From64(8) }, "the folder has backups of"},
	} {
		n, _ := backUpAtTimes(t, nightAt(0))
		sb := superblock
		test.change(&sb)
		vsrtest.DataFile(t, n.file, sb)
		o := n.makeOptions()
		o.Now = func() time.Time { return nightAt(1) }
		n.createBackup(t, o)
		_, err = newest(n)
		require.ErrorIs(t, err, ErrUnclear, name)
		require.ErrorContains(t, err, test.want)
	}

	n, _ = backUpAtTimes(t, nightAt(0), nightAt(1))
	list, err := List(n.folder)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(list[0].Folder, dataName)))
	_, err = newest(n)
	require.ErrorIs(t, err, ErrDamaged)
	_, err = Newest(t.TempDir(), now)
	require.ErrorIs(t, err, ErrDamaged)
}
