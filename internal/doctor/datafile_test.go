package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
)

var superblock = vsr.Superblock{
	ClusterID: clusterID, ReplicaCount: 1, Formatted: release, Release: release, Sequence: 1, Size: vsrtest.DataFileSize,
}

// newFileSubject has a correct configuration without addresses, so the network is not examined.
func newFileSubject(path string) Subject { return Subject{ClusterID: clusterID, DataFile: path} }

func TestDataFiles(t *testing.T) {
	t.Parallel()
	other := superblock
	other.ClusterID = uint128.From64(8)
	long := superblock
	long.Size = 1 << 30
	used := superblock
	used.Size = vsrtest.DataFileSize + lastBlockSize - 1
	tests := map[string]struct {
		prepare func(t *testing.T, dir string)
		file    string // in the folder; "" is the folder itself
		want    []Code
	}{
		"right":             {writeDataFile("7_0.tigerbeetle", superblock), "", []Code{DataFileRight}},
		"right, named":      {writeDataFile("data", superblock), "data", []Code{DataFileRight}},
		"empty folder":      {writeDataFile("other", superblock), "", []Code{DataFileMissing}},
		"no such file":      {writeDataFile("other", superblock), "7_0.tigerbeetle", []Code{DataFileMissing}},
		"another cluster's": {writeDataFile("8_0.tigerbeetle", other), "", []Code{DataFileOther}},
		"cut":               {writeDataFile("7_0.tigerbeetle", long), "", []Code{DataFileShort, DataFileRight}},
		"last block":        {writeDataFile("7_0.tigerbeetle", used), "", []Code{DataFileRight}},
		"two": {func(t *testing.T, dir string) {
			t.Helper()
			writeDataFile("7_0.tigerbeetle", superblock)(t, dir)
			writeDataFile("8_0.tigerbeetle", other)(t, dir)
		}, "", []Code{DataFilesMixed, DataFileRight, DataFileOther}},
		"damaged": {func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "7_0.tigerbeetle"), make([]byte, 1<<20), 0o600))
		}, "", []Code{DataFileDamaged}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			test.prepare(t, dir)
			var r Report
			newFileSubject(filepath.Join(dir, test.file)).examineDataFile(&r)
			var got []Code
			for _, f := range r {
				// The properties of the test's machine are unknown.
				if f.Code != DataFileUnused && f.Code != DiskFull && f.Code != NotDurable {
					got = append(got, f.Code)
				}
			}
			require.Equal(t, test.want, got, "%+v", r)
		})
	}
}

func writeDataFile(name string, sb vsr.Superblock) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		vsrtest.DataFile(t, filepath.Join(dir, name), sb)
	}
}

// The folder's name may have any character, and a dangling link is a missing file.
func TestDataFilesInFoldersOfAnyName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tb[1]", "tb[", `tb\x`, "tb*"} {
		dir := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.Mkdir(dir, 0o700))
		writeDataFile("7_0.tigerbeetle", superblock)(t, dir)
		var r Report
		newFileSubject(dir).examineDataFile(&r)
		require.Equal(t, DataFileRight, r[0].Code, name)

		require.NoError(t, os.Symlink(filepath.Join(dir, "not-mounted"), filepath.Join(dir, "8_0.tigerbeetle")))
		r = nil
		newFileSubject(dir).examineDataFile(&r)
		require.True(t, r.Has(DataFilesMixed), name)
		require.True(t, r.Has(DataFileMissing), name)
	}
}

// The number of replicas is compared with the number of addresses.
func TestDataFileOfAnotherCount(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	vsrtest.DataFile(t, path, superblock)
	s := newFileSubject(path)
	s.Addresses = []string{"a", "b", "c"}
	var r Report
	s.examineFile(path, &r)
	require.Equal(t, ReplicaCount, r[0].Code)
	require.Contains(t, r[0].Found, "replica 0 of 1, release 0.17.9; the configuration has 3 addresses")
}

// A folder in the place of a data file stands for a file that even root cannot read.
func TestUnreadableDataFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "7_0.tigerbeetle"), 0o700))
	var r Report
	newFileSubject(dir).examineDataFile(&r)
	require.Equal(t, DataFileUnread, r[0].Code, "%+v", r)
	if os.Geteuid() == 0 {
		return // root may read every file
	}
	path := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	vsrtest.DataFile(t, path, superblock)
	require.NoError(t, os.Chmod(path, 0))
	r = nil
	newFileSubject(path).examineDataFile(&r)
	require.Equal(t, DataFileUnread, r[0].Code)
}

func TestVolumes(t *testing.T) {
	t.Parallel()
	const gib = 1 << 30
	for name, test := range map[string]struct {
		volume volume
		want   []Code
	}{
		"unknown":      {volume{}, nil},
		"roomy":        {volume{free: 50 * gib, size: 100 * gib}, nil},
		"a GiB left":   {volume{free: gib - 1, size: 10 * gib}, []Code{DiskFull}},
		"a 20th left":  {volume{free: 4 * gib, size: 100 * gib}, []Code{DiskFull}},
		"tmpfs":        {volume{free: 8 * gib, size: 8 * gib, inMemory: true}, []Code{NotDurable}},
		"small, empty": {volume{free: 2 * gib, size: 2 * gib}, nil},
	} {
		var r Report
		checkVolume("/data/7_0.tigerbeetle", test.volume, &r)
		require.Equal(t, test.want, listCodes(r), name)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	good := host{kernel: "6.1.0", major: 6, minor: 1, memory: 8 << 30, memlock: 8 << 30}
	for name, test := range map[string]struct {
		change func(*host)
		held   bool
		want   []Code
	}{
		"good":                    {func(*host) {}, false, nil},
		"old kernel":              {func(h *host) { h.major, h.minor = 5, 10 }, false, []Code{KernelTooOld}},
		"just new enough":         {func(h *host) { h.major, h.minor = 5, 11 }, false, nil},
		"ancient":                 {func(h *host) { h.major, h.minor = 4, 19 }, false, []Code{KernelTooOld}},
		"seccomp":                 {func(h *host) { h.uringErr = errors.New("operation not permitted") }, false, []Code{UringBlocked}},
		"seccomp of this process": {func(h *host) { h.uringErr = errors.New("operation not permitted") }, true, nil},
		"little memory":           {func(h *host) { h.memory = 1 << 30 }, false, []Code{MemoryShort}},
		"the server has it":       {func(h *host) { h.memory = 1 << 30 }, true, nil},
		"memlock":                 {func(h *host) { h.memlock = 64 << 10 }, false, []Code{MemlockLow}},
		"clock":                   {func(h *host) { h.unsynced = true }, true, []Code{ClockUnsynchronised}},
	} {
		h := good
		test.change(&h)
		var r Report
		checkHost(h, test.held, &r)
		require.Equal(t, test.want, listCodes(r), name)
		require.Equal(t, test.want == nil, r.Has(HostRight), name)
	}
}
