package idindex

import (
	"encoding/binary"
	"fmt"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

const (
	filePrefix      = "ids-"
	manifestVersion = 1
	manifestHead    = 4 + 16
	manifestRun     = 8 + 8 + 8 + 16 + 16 + 8 + 4
)

// runEntry names a run in a manifest.
type runEntry struct {
	number  uint64 // of the file, random
	entries uint64
	burnt   uint64    // the number of burnt ids
	least   ledger.ID // of all entries
	most    ledger.ID
	size    int64  // of the file
	sum     uint32 // of the file's header
}

func (e *runEntry) fileName() string { return sealed.FileName(filePrefix, e.number) }

// manifest is the list of the runs that count: version u32, the seed of the hash, and each run.
type manifest struct {
	seed hashSeed
	runs []runEntry
}

func (m *manifest) encodeManifest() []byte {
	b := binary.LittleEndian.AppendUint32(nil, manifestVersion)
	b = binary.LittleEndian.AppendUint64(b, m.seed[0])
	b = binary.LittleEndian.AppendUint64(b, m.seed[1])
	for _, e := range m.runs {
		for _, n := range []uint64{
			e.number, e.entries, e.burnt, e.least.Lo, e.least.Hi, e.most.Lo, e.most.Hi, uint64(e.size),
		} {
			b = binary.LittleEndian.AppendUint64(b, n)
		}
		b = binary.LittleEndian.AppendUint32(b, e.sum)
	}
	return b
}

func decodeManifest(b []byte) (*manifest, error) {
	if len(b) < manifestHead || (len(b)-manifestHead)%manifestRun != 0 {
		return nil, fmt.Errorf("idindex: a manifest of %d bytes", len(b))
	}
	if v := binary.LittleEndian.Uint32(b); v != manifestVersion {
		return nil, fmt.Errorf("%w: idindex: a manifest of format %d", sealed.ErrVersion, v)
	}
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	b = b[4:]
	m := &manifest{seed: hashSeed{number(0), number(1)}}
	for b = b[16:]; len(b) > 0; b = b[manifestRun:] {
		e := runEntry{
			number: number(0), entries: number(1), burnt: number(2),
			least: ledger.NewID(number(3), number(4)), most: ledger.NewID(number(5), number(6)),
			size: int64(number(7)), sum: binary.LittleEndian.Uint32(b[64:]),
		}
		if e.entries == 0 || e.entries > maxEntries || e.burnt > min(e.entries, maxBurnt) || e.size != layoutOf(e.entries, e.burnt).end {
			return nil, fmt.Errorf("idindex: a manifest with a run of %d entries in %d bytes", e.entries, e.size)
		}
		m.runs = append(m.runs, e)
	}
	return m, nil
}

// FileNames returns the names of the files of a manifest.
func FileNames(manifest []byte) ([]string, error) {
	m, err := decodeManifest(manifest)
	if err != nil {
		return nil, err
	}
	return m.fileNames(), nil
}

func (m *manifest) fileNames() []string {
	names := make([]string, len(m.runs))
	for i := range m.runs {
		names[i] = m.runs[i].fileName()
	}
	return names
}

// RemoveUnnamed removes the runs in the folder that the manifest does not name, and unfinished ones.
// No index is open in the folder. An empty manifest names no run.
func RemoveUnnamed(folder sealed.Folder, manifest []byte) error {
	var keep []string
	if len(manifest) > 0 {
		names, err := FileNames(manifest)
		if err != nil {
			return err
		}
		keep = names
	}
	return sealed.RemoveOthers(folder, filePrefix, keep)
}
