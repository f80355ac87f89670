package wal

import (
	"io"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

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
