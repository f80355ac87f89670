package wal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// withHeader returns the sample with four bytes of its last segment's header changed, and the sum
// with them.
func (s *sample) withHeader(at int, value uint32) *memory {
	content := slices.Clone(s.files[s.last])
	binary.LittleEndian.PutUint32(content[at:], value)
	sum := crc32.Checksum(content[:sumOffset], castagnoli)
	binary.LittleEndian.PutUint32(content[sumOffset:], sum)
	for slot := range markSlots { // their sums continue the header's
		binary.LittleEndian.PutUint64(content[markOffset+slot*markSize:], 0)
	}
	return newMemoryOf(s.withFile(s.last, content))
}

func TestUnknownVersion(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["closed"]
	for at, want := range map[int]string{
		8:  "file of format 7, this program reads up to 1",
		12: "journal of format 8, this program reads up to 1", // stored less 1
	} {
		m := s.withHeader(at, 7)
		before := m.visibleFiles()
		_, _, err := openFormat(m, Format{Name: "journal", Newest: 1}, func(Record) error { return nil })
		require.ErrorIs(t, err, ErrVersion)
		require.NotErrorIs(t, err, ErrCorrupt)
		require.ErrorContains(t, err, s.last+": "+want)
		require.Equal(t, before, m.visibleFiles(), "nothing is changed")
	}
}

// A folder in a format that the program reads no more is refused, and not changed.
func TestForgottenFormat(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l, _, err := openFormat(m, Format{Name: "rounds", Newest: 2}, nil)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	before := m.visibleFiles()
	_, _, err = openFormat(m, Format{Name: "rounds", Newest: 4, Oldest: 3}, func(Record) error { return nil })
	require.ErrorIs(t, err, ErrVersion)
	require.ErrorContains(t, err, "rounds of format 2, this program reads 3 to 4")
	require.Equal(t, before, m.visibleFiles())
	l, _, err = openFormat(m, Format{Name: "rounds", Newest: 4, Oldest: 2}, func(Record) error { return nil })
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// A newer program reads an older folder, and keeps its format in all files written; a new folder
// has the program's own format.
func TestOlderFormat(t *testing.T) {
	t.Parallel()
	for made, want := range map[uint32]uint32{1: 1, 2: 2} {
		m := newMemory()
		l, _, err := openFormat(m, Format{Name: "log", Newest: made}, nil)
		require.NoError(t, err)
		l.Append(1, 1, func(b []byte) []byte { return append(b, 'a') })
		require.NoError(t, l.Close())
		var got int
		l, _, err = openFormat(m, Format{Name: "log", Newest: 3}, func(Record) error { got++; return nil })
		require.NoError(t, err)
		require.Equal(t, 1, got)
		c := l.Checkpoint()
		require.NoError(t, c.Append(1, []byte("a")))
		require.NoError(t, c.Commit(t.Context()))
		l.Append(1, 1, func(b []byte) []byte { return append(b, 'b') })
		require.NoError(t, l.Close())
		for name, content := range m.visibleFiles() {
			require.Equal(t, want-1, binary.LittleEndian.Uint32(content[12:]), name)
		}
		l, _, err = openFormat(m, Format{Name: "log", Newest: want}, func(Record) error { return nil })
		require.NoError(t, err, "the older program reads it still")
		require.NoError(t, l.Close())
		_, _, err = openFormat(m, Format{Name: "log", Newest: want - 1}, func(Record) error { return nil })
		require.ErrorIs(t, err, ErrVersion)
	}
}

// A program that no longer reads an old format refuses the folder and changes nothing in it.
func TestFormatTooOld(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l, _, err := openFormat(m, Format{Name: "log", Newest: 2}, nil)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	before := m.visibleFiles()
	_, _, err = openFormat(m, Format{Name: "log", Newest: 4, Oldest: 3}, func(Record) error { return nil })
	require.ErrorIs(t, err, ErrVersion)
	require.NotErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "log of format 2, this program reads 3 to 4")
	require.Equal(t, before, m.visibleFiles())
	l, _, err = openFormat(m, Format{Name: "log", Newest: 4, Oldest: 2}, func(Record) error { return nil })
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// An owner that upgrades a folder gets the newest format with its next checkpoint. Until then the
// folder keeps its format.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := RecordFormat(dir)
	require.ErrorIs(t, err, ErrNoLog)
	formatIs := func(want uint32) {
		t.Helper()
		format, err := RecordFormat(dir)
		require.NoError(t, err)
		require.Equal(t, want, format)
	}
	l, _, err := OpenFormat(dir, Format{Name: "log", Newest: 1}, nil)
	require.NoError(t, err)
	l.Append(1, 1, func(b []byte) []byte { return append(b, 'a') })
	require.NoError(t, l.Close())
	formatIs(1)

	newest := Format{Name: "log", Newest: 3, Upgrades: true}
	ignore := func(Record) error { return nil }
	l, _, err = OpenFormat(dir, newest, ignore)
	require.NoError(t, err)
	l.Append(1, 1, func(b []byte) []byte { return append(b, 'b') })
	given := l.Checkpoint() // the segment behind it stays
	require.NoError(t, given.Append(1, []byte("a")))
	require.NoError(t, given.Discard())
	formatIs(1)
	l.Append(1, 1, func(b []byte) []byte { return append(b, 'c') })
	c := l.Checkpoint()
	require.NoError(t, c.Append(1, []byte("a")))
	require.NoError(t, c.Commit(t.Context()))
	formatIs(3)
	l.Append(1, 1, func(b []byte) []byte { return append(b, 'd') })
	require.NoError(t, l.Close())
	formatIs(3)
	l, found, err := OpenFormat(dir, newest, ignore)
	require.NoError(t, err)
	require.Equal(t, 1, found.Records)
	require.Equal(t, 1, found.CheckpointRecords)
	require.NoError(t, l.Close())
	_, _, err = OpenFormat(dir, Format{Name: "log", Newest: 1}, ignore)
	require.ErrorIs(t, err, ErrVersion)
}

// An owner looks at a locked folder before its records are read. Its error ends the call, and the
// folder is free again.
func TestPrepare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _, err := Open(dir, nil)
	require.NoError(t, err)
	l.Append(1, 1, func(b []byte) []byte { return append(b, 'a') })
	calls := 0
	refused := errors.New("refused")
	format := Format{Name: "log", Newest: 1, Prepare: func() error {
		calls++
		_, _, err := LockFolder(dir)
		require.ErrorIs(t, err, ErrLocked)
		return refused
	}}
	restored := func(Record) error { panic("restored") }
	_, _, err = OpenFormat(dir, format, restored)
	require.ErrorIs(t, err, ErrLocked)
	_, err = Read(dir, format, restored)
	require.ErrorIs(t, err, ErrLocked)
	require.Zero(t, calls)
	require.NoError(t, l.Close())
	_, _, err = OpenFormat(dir, format, restored)
	require.ErrorIs(t, err, refused)
	_, err = Read(dir, format, restored)
	require.ErrorIs(t, err, refused)
	require.Equal(t, 2, calls)
	format.Prepare = nil
	l, found, err := OpenFormat(dir, format, func(Record) error { return nil })
	require.NoError(t, err)
	require.Equal(t, 1, found.Records)
	require.NoError(t, l.Close())
}
