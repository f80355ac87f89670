package embedded_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// fixtureSeed is the seed of the workload in testdata/format1: the folder of a process that was killed
// after all requests, written by the last version of this package that kept all transfers in memory. It
// has a checkpoint, and a log behind it.
const fixtureSeed = 25

func copyFixture(t *testing.T) (dir string) {
	t.Helper()
	files := readFolder(t, filepath.Join("testdata", "format1"))
	require.NotEmpty(t, files)
	return files.writeFolder(t)
}

// A folder of format 1 has the same books after its conversion, with segments of any size, and after
// it is opened again.
func TestConversion(t *testing.T) {
	t.Parallel()
	for _, bytes := range []int64{1, 2 << 10, 1 << 20} {
		s := newWorkload(fixtureSeed)
		want := s.expectedBooks(t, storyLength)
		dir := copyFixture(t)
		for range 2 {
			copied := readFolder(t, dir).writeFolder(t)
			l, err := embedded.Open(copied, embedded.WithClock(s.Now), embedded.WithCheckpointEvery(bytes))
			require.NoError(t, err)
			require.Equal(t, want, s.readBooks(t, l, storyLength))
			requireSameAnswers(t, s, l)
			ledgertest.RequireConserved(t, l)
			require.NoError(t, l.Close())

			l, err = embedded.Open(dir, embedded.WithClock(s.Now), embedded.WithCheckpointEvery(bytes))
			require.NoError(t, err)
			require.NoError(t, l.Close())
		}
		_, err := os.Stat(filepath.Join(dir, "checkpoint-0000000000000000"))
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// Read does not convert the folder.
func TestReadFormat1(t *testing.T) {
	t.Parallel()
	s, dir := newWorkload(fixtureSeed), copyFixture(t)
	want, before := s.expectedBooks(t, storyLength), readFolder(t, dir)
	l, err := embedded.Read(dir, embedded.WithClock(s.Now))
	require.NoError(t, err)
	require.Equal(t, want, s.readBooks(t, l, storyLength))
	require.NoError(t, l.Close())
	require.Equal(t, before, readFolder(t, dir))
}

// A conversion that was interrupted, with any of its files there, begins again.
func TestInterruptedConversion(t *testing.T) {
	t.Parallel()
	s, dir := newWorkload(fixtureSeed), copyFixture(t)
	want, before := s.expectedBooks(t, storyLength), readFolder(t, dir)
	l, err := embedded.Open(dir, embedded.WithClock(s.Now), embedded.WithCheckpointEvery(2<<10))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	after := readFolder(t, dir)
	for name := range after {
		if _, ok := before[name]; ok {
			continue
		}
		interrupted := before.withFile(name, after[name]).writeFolder(t)
		if filepath.Base(name)[:3] == "che" {
			continue // this one completes it
		}
		l, err := embedded.Open(interrupted, embedded.WithClock(s.Now), embedded.WithCheckpointEvery(2<<10))
		require.NoError(t, err, name)
		require.Equal(t, want, s.readBooks(t, l, storyLength))
		require.NoError(t, l.Close())
	}
}

// requireSameAnswers sends all requests of the workload again: a known id and a burnt one have the same
// answers as in memory.
func requireSameAnswers(t *testing.T, s *workload, l *embedded.Ledger) {
	t.Helper()
	memory := embedded.New(embedded.WithClock(s.Now))
	for n := range storyLength {
		require.NoError(t, s.sendRequest(t, memory, n))
	}
	s.readBooks(t, memory, storyLength) // as l was read: this sends the last request again, which may burn ids of broken chains
	s.setTime(storyLength)              // holds end between two times
	burnt := 0
	for n := uint64(1); n < storyLength; n++ {
		want, err := memory.CreateTransfers(t.Context(), s.requestTransfers(n))
		require.NoError(t, err)
		got, err := l.CreateTransfers(t.Context(), s.requestTransfers(n))
		require.NoError(t, err)
		for i := range want {
			require.Equal(t, want[i].Status, got[i].Status)
			if want[i].Status == ledger.TransferIDAlreadyFailed {
				burnt++
			}
		}
	}
	require.Greater(t, burnt, 10)
}
