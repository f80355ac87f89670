package segment

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/sealed/sealedtest"
)

var errOther = errors.New("another content")

// readContent opens a segment and reads everything in each way. The result is errOther if something
// is not the content.
func readContent(folder sealed.Folder, e Entry, c content) error {
	s, err := Open(folder, e)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	rows := make([]Row, len(c.rows))
	if err := s.ReadRows(c.first, rows); err != nil {
		return err
	}
	starts, err := s.ReadStarts()
	if err != nil {
		return err
	}
	expiries, err := s.ReadExpiries()
	if err != nil {
		return err
	}
	lateEnds, err := s.ReadLateEnds()
	if err != nil {
		return err
	}
	if !slices.Equal(rows, c.rows) || !slices.Equal(starts, c.starts) || !slices.Equal(expiries, c.expiries) || !slices.Equal(lateEnds, c.lateEnds) {
		return errOther
	}
	return readLists(s, c)
}

// readLists finds each row by each field.
func readLists(s *Segment, c content) error {
	for i := range c.rows {
		for _, field := range allFields {
			value := fieldOf(&c.rows[i].Transfer, field)
			if value.IsZero() {
				continue
			}
			list, err := s.FindRows(field, value)
			if err != nil {
				return err
			}
			pos := c.first + uint64(i)
			found := false
			for got, err := range list.Positions(pos, pos+1, i%2 == 0) {
				if err != nil {
					return err
				}
				found = found || got == pos
			}
			if !found {
				return errOther
			}
		}
	}
	return nil
}

// TestFlips flips each byte of a small segment, and some bytes of a larger one. Verification finds
// each flip, and readers get the content or a CorruptError that names the file.
func TestFlips(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	flips := 0
	for _, n := range []int{0, 12, 9000} {
		folder, c := memoryFolder(), randomContent(r, 1<<32-5, n)
		e, err := writeContent(folder, c)
		require.NoError(t, err)
		require.NoError(t, readContent(folder, e, c))
		file := folder.VisibleFiles()[e.FileName()]
		step := 1 + n/40*311
		for at := r.IntN(step); at < len(file); at += step {
			flips++
			damaged := slices.Clone(file)
			damaged[at] ^= 1 << (flips % 8)
			folder := sealedtest.NewFolder(map[string][]byte{e.FileName(): damaged})
			requireNoticed(t, folder, e, at)
			if n < 9000 {
				if err := readContent(folder, e, c); err != nil {
					require.ErrorIs(t, err, sealed.ErrCorrupt, at)
				}
			}
		}
	}
	t.Log(flips, "flips")
}

// requireNoticed opens and verifies a damaged segment.
func requireNoticed(t *testing.T, folder sealed.Folder, e Entry, at int) {
	t.Helper()
	s, err := Open(folder, e)
	if err == nil {
		err = s.VerifyFile(t.Context())
		require.NoError(t, s.Close())
	}
	var corrupt *sealed.CorruptError
	require.ErrorAs(t, err, &corrupt, "byte %d", at)
	require.Equal(t, e.FileName(), corrupt.File)
	require.LessOrEqual(t, corrupt.Offset, int64(at))
}

// TestCuts cuts the file at each length, and adds a byte.
func TestCuts(t *testing.T) {
	t.Parallel()
	folder, c := memoryFolder(), randomContent(newRand(t), 5, 10)
	e, err := writeContent(folder, c)
	require.NoError(t, err)
	file := folder.VisibleFiles()[e.FileName()]
	for length := range file {
		requireNoticed(t, sealedtest.NewFolder(map[string][]byte{e.FileName(): file[:length]}), e, length)
	}
	requireNoticed(t, sealedtest.NewFolder(map[string][]byte{e.FileName(): append(slices.Clone(file), 0)}), e, len(file))
	requireNoticed(t, sealedtest.NewFolder(nil), e, 0)
}

// TestExchanged puts a segment in the place of another, and gives an entry with other numbers.
func TestExchanged(t *testing.T) {
	t.Parallel()
	folder, c := memoryFolder(), randomContent(newRand(t), 5, 10)
	e, err := writeContent(folder, c)
	require.NoError(t, err)
	other, err := writeContent(folder, c)
	require.NoError(t, err)
	files := folder.VisibleFiles()
	requireNoticed(t, sealedtest.NewFolder(map[string][]byte{e.FileName(): files[other.FileName()]}), e, 0)
	for i, change := range []func(*Entry){
		func(e *Entry) { e.First++ },
		func(e *Entry) { e.End++ },
		func(e *Entry) { e.FirstTimestamp-- },
		func(e *Entry) { e.LastTimestamp++ },
		func(e *Entry) { e.Size++ },
		func(e *Entry) { e.Sum++ },
		func(e *Entry) { e.First++; e.End++ },
	} {
		changed := e
		change(&changed)
		_, err := Open(folder, changed)
		require.ErrorIs(t, err, sealed.ErrCorrupt, i)
	}
}

// TestFaults lets each operation of a writer and a reader fail once.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := randomContent(newRand(t), 5, 3000)
	for n := 1; ; n++ {
		folder, calls := memoryFolder(), 0
		var failed sealedtest.Operation
		folder.Before = func(op sealedtest.Operation) error {
			if calls++; calls == n {
				failed = op
				return sealedtest.ErrInjected
			}
			return nil
		}
		e, err := writeContent(folder, c)
		if err != nil {
			require.ErrorIs(t, err, sealedtest.ErrInjected, failed)
			for name := range folder.VisibleFiles() {
				require.NotContains(t, name, ".tmp")
			}
			continue
		}
		disk := sealedtest.NewFolder(folder.CrashedFiles())
		require.NoError(t, readContent(disk, e, c))
		break
	}
	folder := memoryFolder()
	e, err := writeContent(folder, c)
	require.NoError(t, err)
	for n := 1; ; n++ {
		calls := 0
		folder.Before = func(sealedtest.Operation) error {
			if calls++; calls == n {
				return sealedtest.ErrInjected
			}
			return nil
		}
		err := verifyEntry(t, folder, e)
		if calls < n {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, sealedtest.ErrInjected)
		require.NotErrorIs(t, err, sealed.ErrCorrupt)
	}
}

func verifyEntry(t *testing.T, folder sealed.Folder, e Entry) error {
	t.Helper()
	s, err := Open(folder, e)
	if err != nil {
		return err
	}
	defer func() { require.NoError(t, s.Close()) }()
	if _, _, err := s.FindStart(4); err != nil {
		return err
	}
	if _, err := s.FirstFrom(e.LastTimestamp - 1); err != nil {
		return err
	}
	return s.VerifyFile(t.Context())
}
