package wal

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is a folder with its expected content.
type sample struct {
	files map[string][]byte
	acked uint64 // number of acknowledged records
	count uint64 // number of records in the folder
	last  string // the segment in which the log goes on
	mark  int64  // of it
}

// makeSamples returns a folder that was closed; one whose process ended during the sync of two
// records, and one whose process ended during the write of the second; one in which segment 2 was
// there, and segment 1 not ended; and one in which segment 2 was given up and is left over.
func makeSamples(t *testing.T) map[string]sample {
	t.Helper()
	m := newMemory()
	p := newProcess(t.Context(), m)
	require.True(t, p.openLog())
	p.appendGroup(3)
	p.writeCheckpoint(2, true)
	p.appendGroup(3)
	givenUp := sampleGivenUp(t, m)
	var rotating, killed map[string][]byte
	m.before = func(op operation) error {
		if op == (operation{"open", fileName(segmentPrefix, 2)}) {
			rotating = m.visibleFiles()
		}
		return nil
	}
	p.writeCheckpoint(1, false)
	p.appendGroup(2)
	acked, _ := p.recordBounds()
	m.before = func(op operation) error {
		if op == (operation{"sync", fileName(segmentPrefix, 2)}) && killed == nil {
			killed = m.visibleFiles()
		}
		return nil
	}
	p.appendGroup(2)
	p.closeLog()
	require.Empty(t, p.errs)
	closed := m.visibleFiles()
	torn := maps.Clone(killed)
	last := fileName(segmentPrefix, 2)
	torn[last] = torn[last][:len(torn[last])-5]
	return map[string]sample{
		"closed":   newSample(closed, acked+2, acked+2, last),
		"killed":   newSample(killed, acked, acked+2, last),
		"torn":     newSample(torn, acked, acked+1, last),
		"rotating": newSample(rotating, acked-3, acked-3, fileName(segmentPrefix, 1)),
		"given up": givenUp,
	}
}

// sampleGivenUp goes on in a copy of the folder.
func sampleGivenUp(t *testing.T, m *memory) sample {
	t.Helper()
	p := newProcess(t.Context(), newMemoryOf(m.visibleFiles()))
	require.True(t, p.openLog())
	p.refuseRotation(2, "open", "remove")
	p.appendGroup(1)
	files := p.folder.visibleFiles()
	require.Contains(t, files, fileName(segmentPrefix, 2))
	acked, _ := p.recordBounds()
	p.closeLog()
	require.Empty(t, p.errs)
	return newSample(files, acked, acked, fileName(segmentPrefix, 1))
}

func newSample(files map[string][]byte, acked, count uint64, last string) sample {
	head, err := decodeHeader(files[last], logMagic)
	if err != nil {
		panic(err)
	}
	mark, _, _ := decodeMark(files[last], head.headerSum())
	return sample{files, acked, count, last, mark}
}

// withFile returns the sample's files with another content of one file.
func (s sample) withFile(name string, content []byte) map[string][]byte {
	files := maps.Clone(s.files)
	files[name] = content
	return files
}

// requireNoticed opens files damaged from an offset on. Either Open refuses the damage and names
// the file and a place at or before it. Or the damage is where a torn end may be, and no
// acknowledged record is missing.
func (s sample) requireNoticed(t *testing.T, files map[string][]byte, name string, offset int64) {
	t.Helper()
	o, err := openOwner(newMemoryOf(files))
	if err != nil {
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || corrupt.File != name || corrupt.Offset > offset || corrupt.Offset < 0 {
			require.FailNow(t, "not what was damaged", "%s at %d: %v", name, offset, err)
		}
		return
	}
	require.NoError(t, o.log.Close())
	switch {
	case strings.HasPrefix(name, segmentPrefix) && isInMark(offset) && o.count == s.count: // the second slot is enough
	case name == s.last && offset >= s.mark && o.count >= s.acked && o.count <= s.count:
	default:
		require.FailNow(t, "damage was not noticed", "%s at %d, %d records, %d answered", name, offset, o.count, s.acked)
	}
}

func isInMark(offset int64) bool {
	return offset >= markOffset && offset < markOffset+markSlots*markSize
}

func TestSamples(t *testing.T) {
	t.Parallel()
	for name, s := range makeSamples(t) {
		o, err := openOwner(newMemoryOf(s.files))
		require.NoError(t, err, name)
		require.Equal(t, s.count, o.count, name)
		require.Equal(t, 4, o.recovery.CheckpointRecords)
		require.Equal(t, int(s.count-3), o.recovery.Records, name)
		if name == "torn" {
			size := int64(len(s.files[s.last]))
			require.Equal(t, s.last, o.recovery.Torn.File)
			require.Equal(t, size, o.recovery.Torn.Offset+o.recovery.Torn.Bytes)
			require.Equal(t, s.mark+frameHeader+int64(len(dataOf(s.acked))), o.recovery.Torn.Offset)
		} else {
			require.Nil(t, o.recovery.Torn, name)
		}
		require.NoError(t, o.log.Close())
	}
}

// TestFlips damages each byte of each file.
func TestFlips(t *testing.T) {
	t.Parallel()
	for kind, s := range makeSamples(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for name, content := range s.files {
				for at := range content {
					for _, pattern := range []byte{1 << (at % 8), 0xff} {
						damaged := slices.Clone(content)
						damaged[at] ^= pattern
						s.requireNoticed(t, s.withFile(name, damaged), name, int64(at))
					}
				}
			}
		})
	}
}

// TestCuts cuts each file to each length.
func TestCuts(t *testing.T) {
	t.Parallel()
	for kind, s := range makeSamples(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for name, content := range s.files {
				for length := range content {
					s.requireNoticed(t, s.withFile(name, content[:length]), name, int64(length))
				}
			}
		})
	}
}

// TestZeroed overwrites the rest of each file, from each byte on, with zeros.
func TestZeroed(t *testing.T) {
	t.Parallel()
	for kind, s := range makeSamples(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for name, content := range s.files {
				for at := range content {
					if content[at] == 0 || isInMark(int64(at)) {
						continue // the damage begins later
					}
					s.requireNoticed(t, s.withFile(name, resized(content[:at], len(content))), name, int64(at))
				}
			}
		})
	}
}

// TestAdded adds bytes to each file.
func TestAdded(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["closed"]
	for name, content := range s.files {
		for _, added := range [][]byte{{0}, {1}, make([]byte, 1000), content[headerSize:], content[:headerSize]} {
			files := s.withFile(name, slices.Concat(content, added))
			s.requireNoticed(t, files, name, int64(len(content)))
			if name == s.last {
				o, err := openOwner(newMemoryOf(files))
				require.NoError(t, err)
				require.Equal(t, &Torn{name, int64(len(content)), int64(len(added))}, o.recovery.Torn)
				require.NoError(t, o.log.Close())
			}
		}
	}
}

func TestMissingFile(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["closed"]
	named := map[string]string{
		fileName(segmentPrefix, 1):    fileName(segmentPrefix, 1),
		fileName(segmentPrefix, 2):    fileName(segmentPrefix, 2),
		fileName(checkpointPrefix, 1): fileName(segmentPrefix, 0), // the log begins there
	}
	require.Len(t, s.files, len(named))
	for missing, name := range named {
		files := maps.Clone(s.files)
		delete(files, missing)
		s.requireNoticed(t, files, name, 0)
	}
}

// TestExchangedFile puts a file in the place of another file.
func TestExchangedFile(t *testing.T) {
	t.Parallel()
	s, other := makeSamples(t)["closed"], makeSamples(t)["closed"]
	one, two := fileName(segmentPrefix, 1), fileName(segmentPrefix, 2)
	s.requireNoticed(t, s.withFile(one, s.files[two]), one, 0)
	s.requireNoticed(t, s.withFile(two, s.files[one]), two, 0)
	s.requireNoticed(t, s.withFile(one, other.files[one]), one, 0)
	s.requireNoticed(t, s.withFile(two, other.files[two]), two, 0)

	// Frames of another folder do not pass, even with the same records.
	frames := other.files[two][headerSize:]
	require.Len(t, s.files[two], headerSize+len(frames))
	s.requireNoticed(t, s.withFile(two, slices.Concat(s.files[two][:headerSize], frames)), two, headerSize)
}

// TestSegmentOfAnotherTime puts in a segment that begins at another record, from a copy of the
// folder used elsewhere.
func TestSegmentOfAnotherTime(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["closed"]
	head, err := decodeHeader(s.files[s.last], logMagic)
	require.NoError(t, err)
	head.first++
	content, _ := head.encodeHeader()
	s.requireNoticed(t, s.withFile(s.last, content), s.last, 0)
	head.first--
	head.number++
	content, _ = head.encodeHeader()
	s.requireNoticed(t, s.withFile(s.last, content), s.last, 0)
}

// TestUnusedSegment has a leftover segment that begins at each record behind a segment without an
// end. No record is lost if the segment without an end has no fewer records.
func TestUnusedSegment(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["given up"]
	name := fileName(segmentPrefix, 2)
	head, err := decodeHeader(s.files[name], logMagic)
	require.NoError(t, err)
	for head.first = 0; head.first <= s.count; head.first++ {
		content, _ := head.encodeHeader()
		m := newMemoryOf(s.withFile(name, content))
		o, err := openOwner(m)
		require.NoError(t, err, head.first)
		require.Equal(t, s.count, o.count, head.first)
		require.NotContains(t, m.visibleFiles(), name)
		require.NoError(t, o.log.Close())
	}
	content, _ := head.encodeHeader()
	_, err = openOwner(newMemoryOf(s.withFile(name, content)))
	require.Equal(t, s.last, corruptOf(err).File, "a record is missing before it")

	head.first = s.count
	content, sum := head.encodeHeader()
	content = append(content, endFrame(sum, s.count)...)
	_, err = openOwner(newMemoryOf(s.withFile(name, content)))
	require.Equal(t, s.last, corruptOf(err).File, "it was used")
}

// TestLostEnd damages an end frame whose mark is not on disk yet. The next segment has records, so
// the crash did not come before its first use.
func TestLostEnd(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["closed"]
	name := fileName(segmentPrefix, 1)
	content := slices.Clone(s.files[name])
	head, err := decodeHeader(content, logMagic)
	require.NoError(t, err)
	_, slot, _ := decodeMark(content, head.headerSum())
	content[markOffset+slot*markSize]++
	end := len(content) - frameHeader
	for _, damaged := range [][]byte{content[:end], content[:end+1], slices.Concat(content[:end], make([]byte, frameHeader))} {
		s.requireNoticed(t, s.withFile(name, damaged), name, int64(end))
	}
}

// TestHalfWrittenMark damages the newest mark, like a crash during its write: the previous mark
// still guards the records synced before.
func TestHalfWrittenMark(t *testing.T) {
	t.Parallel()
	m := newMemory()
	p := newProcess(t.Context(), m)
	require.True(t, p.openLog())
	p.appendGroup(1)
	p.appendGroup(1)
	p.appendGroup(1)
	files := m.visibleFiles()
	p.closeLog()
	name := fileName(segmentPrefix, 0)
	content := files[name]
	head, err := decodeHeader(content, logMagic)
	require.NoError(t, err)
	third, slot, ok := decodeMark(content, head.headerSum())
	require.True(t, ok)
	content[markOffset+slot*markSize]++
	second, _, ok := decodeMark(content, head.headerSum())
	require.True(t, ok)
	require.Equal(t, third-frameHeader-int64(len(dataOf(2))), second)
	requireSurvived(t, files, 3, 3, fault{operation{"half written mark", name}})
	content[second-1]++
	_, err = openOwner(newMemoryOf(files))
	require.ErrorIs(t, err, ErrCorrupt)
}

// TestClosedIsGuarded damages a folder that was closed before the machine stopped: the last mark is
// on disk too.
func TestClosedIsGuarded(t *testing.T) {
	t.Parallel()
	m := newMemory()
	p := newProcess(t.Context(), m)
	require.True(t, p.openLog())
	p.appendGroup(2)
	p.closeLog()
	files := m.crashImage(nil, func(node *inode) []byte { return node.disk })
	for _, content := range files {
		content[len(content)-1]++
	}
	_, err := openOwner(newMemoryOf(files))
	require.ErrorIs(t, err, ErrCorrupt)
}

// TestShrinkingFile reads a file that becomes shorter meanwhile: this is no torn end, and no damage
// either.
func TestShrinkingFile(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["killed"]
	m := newMemoryOf(s.files)
	reads := 0
	m.before = func(op operation) error {
		if op.what != "read" || op.name != s.last {
			return nil
		}
		if reads++; reads == 2 { // the first read was the header's
			m.names[s.last].seen = m.names[s.last].seen[:s.mark]
		}
		return nil
	}
	_, err := openOwner(m)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 2, reads)
}

// TestCorruptChangesNothing opens a damaged folder, and finds it unchanged.
func TestCorruptChangesNothing(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["torn"]
	files := maps.Clone(s.files)
	files[fileName(checkpointPrefix, 7)+tmpSuffix] = []byte("unfinished")
	files[fileName(segmentPrefix, 0)] = []byte("left over")
	damaged := slices.Clone(files[fileName(segmentPrefix, 2)])
	damaged[headerSize] ^= 1
	files[fileName(segmentPrefix, 2)] = damaged
	m := newMemoryOf(files)
	_, err := openOwner(m)
	require.ErrorIs(t, err, ErrCorrupt)
	require.Equal(t, files, m.visibleFiles())
}

// TestDropsLeftovers opens a folder with leftover files, and files that are not the log's.
func TestDropsLeftovers(t *testing.T) {
	t.Parallel()
	s := makeSamples(t)["closed"]
	files := maps.Clone(s.files)
	for _, name := range []string{"log-0000000000000000", "checkpoint-0000000000000000", "log-0000000000000003.tmp", "checkpoint-0000000000000003.tmp"} {
		files[name] = []byte("left over")
	}
	theirs := []string{"log-1", "log-000000000000000F", "log-00000000000000010", "notes.tmp", "log-", "checkpoint-x", "backup-0000000000000001"}
	for _, name := range theirs {
		files[name] = []byte("not ours")
	}
	m := newMemoryOf(files)
	o, err := openOwner(m)
	require.NoError(t, err)
	require.Equal(t, s.count, o.count)
	require.NoError(t, o.log.Close())
	want := maps.Clone(s.files)
	for _, name := range theirs {
		want[name] = []byte("not ours")
	}
	require.Equal(t, want, m.visibleFiles())
}

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
		_, _, err := openFormat(m, Format{Of: "journal", Newest: 1}, func(Record) error { return nil })
		require.ErrorIs(t, err, ErrVersion)
		require.NotErrorIs(t, err, ErrCorrupt)
		require.ErrorContains(t, err, s.last+": "+want)
		require.Equal(t, before, m.visibleFiles(), "nothing is changed")
	}
}

// A newer program reads an older folder, and keeps its format in all files written; a new folder
// has the program's own format.
func TestOlderFormat(t *testing.T) {
	t.Parallel()
	for made, want := range map[uint32]uint32{1: 1, 2: 2} {
		m := newMemory()
		l, _, err := openFormat(m, Format{Of: "log", Newest: made}, nil)
		require.NoError(t, err)
		l.Append(1, 1, func(b []byte) []byte { return append(b, 'a') })
		require.NoError(t, l.Close())
		var got int
		l, _, err = openFormat(m, Format{Of: "log", Newest: 3}, func(Record) error { got++; return nil })
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
		l, _, err = openFormat(m, Format{Of: "log", Newest: want}, func(Record) error { return nil })
		require.NoError(t, err, "the older program reads it still")
		require.NoError(t, l.Close())
		_, _, err = openFormat(m, Format{Of: "log", Newest: want - 1}, func(Record) error { return nil })
		require.ErrorIs(t, err, ErrVersion)
	}
}
