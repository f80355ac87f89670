package wal

import (
	"errors"
	"maps"
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
