package backup

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	backup := func(cluster uint64, age time.Duration) Backup {
		return Backup{fmt.Sprint(cluster, age), Manifest{ClusterID: ledger.NewAmount(cluster), Taken: now.Add(-age)}}
	}
	list := []Backup{backup(7, 0), backup(8, 0), backup(7, day), backup(7, 2*day), backup(8, 3*day), backup(7, 10*day), backup(7, 40*day)}
	for _, test := range []struct {
		keep int
		age  time.Duration
		old  []time.Duration // ages of those of cluster 7 that go
	}{
		{1, 0, []time.Duration{day, 2 * day, 10 * day, 40 * day}},
		{2, 0, []time.Duration{2 * day, 10 * day, 40 * day}},
		{9, 0, nil},
		{0, day, []time.Duration{day, 2 * day, 10 * day, 40 * day}},
		{0, day + 1, []time.Duration{2 * day, 10 * day, 40 * day}},
		{0, 30 * day, []time.Duration{40 * day}},
		{3, 5 * day, []time.Duration{10 * day, 40 * day}},
		{4, 5 * day, []time.Duration{40 * day}},
		{1, 99 * day, nil},
	} {
		var got []time.Duration
		for _, b := range surplus(list, list[0], test.keep, test.age) {
			require.Equal(t, "7", b.Manifest.ClusterID.String(), "another cluster's backups are not ours")
			got = append(got, now.Sub(b.Manifest.Taken))
		}
		require.Equal(t, test.old, got, "%+v", test)
	}
	// A clock that went back does not make the newest one old.
	future := []Backup{backup(7, -day), backup(7, 0)}
	require.Empty(t, surplus(future, future[1], 1, 0))
}

func TestOldBackupsAreRemoved(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := n.options()
	o.Keep, o.Now = 2, clock(time.Hour)
	var last Backup
	for range 4 {
		n.write(t)
		last = n.create(t, o)
	}
	list, err := List(n.folder)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, last, list[0])
	require.Empty(t, leftovers(t, n.folder))
}
