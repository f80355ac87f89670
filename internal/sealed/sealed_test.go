package sealed_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/sealed/sealedtest"
)

var format = sealed.Format{Magic: "TESTFILE", Version: 3}

const name = "file-000000000000000a"

// written is a file of two blocks.
type written struct {
	size int64
	sum  uint32
}

func writeFile(folder sealed.Folder) (written, error) {
	w, err := sealed.CreateFile(folder, name, format, []byte("of the owner"))
	if err != nil {
		return written{}, err
	}
	defer w.Discard()
	s := w.NewSection(sealed.HeaderBytes)
	s.AppendBlock([]byte("first"))
	s.AppendBlock([]byte("again"))
	size, err := w.Finish()
	return written{size, w.HeaderSum()}, err
}

func (f written) openFile(folder sealed.Folder) (*sealed.Reader, error) {
	return sealed.OpenFile(folder, name, format, f.size, f.sum)
}

// readFile opens and reads the whole file.
func (f written) readFile(folder sealed.Folder) error {
	r, err := f.openFile(folder)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	const stride = 5 + sealed.SumBytes
	for i, want := range []string{"first", "again"} {
		got, err := r.ReadBlock(sealed.HeaderBytes+int64(i)*stride, make([]byte, stride))
		if err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("read %q", got)
		}
	}
	return r.ReadBlocks(sealed.HeaderBytes, make([]byte, 2*stride), stride)
}

func folders(t *testing.T) map[string]sealed.Folder {
	t.Helper()
	return map[string]sealed.Folder{"os": sealed.OSFolder(t.TempDir()), "memory": sealedtest.NewFolder(nil)}
}

func TestReadsBack(t *testing.T) {
	t.Parallel()
	for kind, folder := range folders(t) {
		f, err := writeFile(folder)
		require.NoError(t, err)
		require.NoError(t, f.readFile(folder), kind)
		r, err := f.openFile(folder)
		require.NoError(t, err)
		require.Equal(t, "of the owner", string(r.HeaderData()[:12]))
		require.Equal(t, folder.FullPath(name), r.Path())
		require.Equal(t, f.size, r.Size())
		mapped, unmap, err := r.MapBytes(sealed.HeaderBytes, 9)
		require.NoError(t, err)
		block, err := r.CheckBlock(sealed.HeaderBytes, mapped)
		require.NoError(t, err)
		require.Equal(t, "first", string(block))
		require.NoError(t, unmap())
		require.NoError(t, r.Close())
		names, err := folder.ListNames()
		require.NoError(t, err)
		require.Equal(t, []string{name}, names, kind)
	}
}

// TestDamage flips each byte, and cuts the file at each length.
func TestDamage(t *testing.T) {
	t.Parallel()
	folder := sealedtest.NewFolder(nil)
	f, err := writeFile(folder)
	require.NoError(t, err)
	content := folder.VisibleFiles()[name]
	check := func(damaged []byte) {
		err := f.readFile(sealedtest.NewFolder(map[string][]byte{name: damaged}))
		require.ErrorIs(t, err, sealed.ErrCorrupt)
		var corrupt *sealed.CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, name, corrupt.File)
		require.Contains(t, err.Error(), name)
	}
	for at := range content {
		damaged := slices.Clone(content)
		damaged[at] ^= 1 << (at % 8)
		check(damaged)
		check(content[:at])
	}
	check(append(slices.Clone(content), 0))
	const block = 9
	moved := slices.Concat(content[:len(content)-2*block], content[len(content)-block:], content[len(content)-2*block:len(content)-block])
	check(moved)
	require.ErrorIs(t, f.readFile(sealedtest.NewFolder(nil)), sealed.ErrCorrupt)

	// The blocks of another file with the same content do not pass, and neither does the whole file.
	other := sealedtest.NewFolder(nil)
	_, err = writeFile(other)
	require.NoError(t, err)
	theirs := other.VisibleFiles()[name]
	check(theirs)
	check(slices.Concat(content[:sealed.HeaderBytes], theirs[sealed.HeaderBytes:]))
}

func TestNewerFormat(t *testing.T) {
	t.Parallel()
	folder := sealedtest.NewFolder(nil)
	f, err := writeFile(folder)
	require.NoError(t, err)
	_, err = sealed.OpenFile(folder, name, sealed.Format{Magic: format.Magic, Version: 2}, f.size, f.sum)
	require.ErrorIs(t, err, sealed.ErrVersion)
	_, err = sealed.OpenFile(folder, name, sealed.Format{Magic: "OTHER...", Version: 3}, f.size, f.sum)
	require.ErrorIs(t, err, sealed.ErrCorrupt)
}

// TestFaults lets each operation fail once. Then the file is not there; and it is on disk if no error
// was returned.
func TestFaults(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		folder, calls := sealedtest.NewFolder(nil), 0
		var failed sealedtest.Operation
		folder.Before = func(op sealedtest.Operation) error {
			if calls++; calls == n {
				failed = op
				return sealedtest.ErrInjected
			}
			return nil
		}
		f, err := writeFile(folder)
		if calls < n {
			require.NoError(t, err)
			require.NoError(t, f.readFile(sealedtest.NewFolder(folder.CrashedFiles())))
			require.Equal(t, 6, calls, "create, write twice, sync, rename, sync the folder")
			return
		}
		require.ErrorIs(t, err, sealedtest.ErrInjected, failed)
		require.Empty(t, folder.VisibleFiles(), failed)
	}
}

// TestReadError reads a file that the disk cannot read: this is no damage.
func TestReadError(t *testing.T) {
	t.Parallel()
	folder := sealedtest.NewFolder(nil)
	f, err := writeFile(folder)
	require.NoError(t, err)
	for _, what := range []string{"open", "size", "read"} {
		folder.Before = func(op sealedtest.Operation) error {
			if op.What == what {
				return sealedtest.ErrInjected
			}
			return nil
		}
		err := f.readFile(folder)
		require.ErrorIs(t, err, sealedtest.ErrInjected, what)
		require.NotErrorIs(t, err, sealed.ErrCorrupt)
	}
}

// TestOnWrite ends a file by the error of the owner's call.
func TestOnWrite(t *testing.T) {
	t.Parallel()
	folder := sealedtest.NewFolder(nil)
	w, err := sealed.CreateFile(folder, name, format, nil)
	require.NoError(t, err)
	stop := errors.New("stop")
	told := 0
	w.OnWrite(func(bytes int) error {
		told += bytes
		return stop
	})
	w.NewSection(sealed.HeaderBytes).AppendBlock([]byte("block"))
	_, err = w.Finish()
	require.ErrorIs(t, err, stop)
	require.ErrorIs(t, w.Err(), stop)
	require.Equal(t, 5+sealed.SumBytes, told)
	w.Discard()
	require.Empty(t, folder.VisibleFiles())
	require.Panics(t, func() { _, _ = sealed.CreateFile(folder, name, format, make([]byte, sealed.HeaderDataBytes+1)) })
}

// TestLargeBlocks writes blocks around the size of the buffer, in two sections at a time.
func TestLargeBlocks(t *testing.T) {
	t.Parallel()
	folder := sealed.OSFolder(t.TempDir())
	w, err := sealed.CreateFile(folder, name, format, nil)
	require.NoError(t, err)
	sizes := []int{1, 256<<10 - 4, 1, 256<<10 - 3, 300 << 10, 5}
	total := int64(0)
	for _, size := range sizes {
		total += int64(size + sealed.SumBytes)
	}
	sections := []*sealed.Section{w.NewSection(sealed.HeaderBytes), w.NewSection(sealed.HeaderBytes + total)}
	for i, size := range sizes {
		for k, s := range sections {
			s.AppendBlock(slices.Repeat([]byte{byte(i + k)}, size))
		}
	}
	require.Equal(t, sealed.HeaderBytes+2*total, sections[1].Offset())
	size, err := w.Finish()
	require.NoError(t, err)
	require.Equal(t, sealed.HeaderBytes+2*total, size)
	r, err := sealed.OpenFile(folder, name, format, size, w.HeaderSum())
	require.NoError(t, err)
	at := int64(sealed.HeaderBytes)
	for k := range sections {
		for i, size := range sizes {
			b, err := r.ReadBlock(at, make([]byte, size+sealed.SumBytes))
			require.NoError(t, err)
			require.Equal(t, slices.Repeat([]byte{byte(i + k)}, size), b)
			at += int64(size + sealed.SumBytes)
		}
	}
	require.NoError(t, r.Close())
}

func TestRemoveOthers(t *testing.T) {
	t.Parallel()
	kept, theirs := "file-0000000000000001", []string{"file-1", "file-000000000000000B", "notes.tmp", "other-0000000000000001", "file-x"}
	files := map[string][]byte{kept: nil, kept + ".tmp": nil, "file-0000000000000002": nil, "file-0000000000000003.tmp": nil}
	for _, name := range theirs {
		files[name] = nil
	}
	folder := sealedtest.NewFolder(files)
	require.NoError(t, sealed.RemoveOthers(folder, "file-", []string{kept}))
	names, err := folder.ListNames()
	require.NoError(t, err)
	require.ElementsMatch(t, append(theirs, kept), names)
	folder.Before = func(op sealedtest.Operation) error { return sealedtest.ErrInjected }
	require.ErrorIs(t, sealed.RemoveOthers(folder, "file-", nil), sealedtest.ErrInjected)
}
