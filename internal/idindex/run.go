package idindex

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// run is an open run. Any number of goroutines may read it.
type run struct {
	entry  runEntry
	layout layout
	file   *sealed.Reader
	filter []byte // mapped
	unmap  func() error
	// Guarded by the mutex of the Index:
	users   int   // sets and merges that have the run
	readErr error // of a merge that could not read the run; nil: none
}

func openRun(folder sealed.Folder, seed hashSeed, e runEntry) (*run, error) {
	file, err := sealed.OpenFile(folder, e.fileName(), format, e.size, e.sum)
	if err != nil {
		return nil, err
	}
	r := &run{entry: e, layout: layoutOf(e.entries, e.burnt), file: file}
	data := encodeHeaderData(seed, e)
	if !bytes.Equal(file.HeaderData()[:len(data)], data) {
		err = file.Corrupt(0, "the header does not fit the manifest")
	} else {
		r.filter, r.unmap, err = file.MapBytes(sealed.HeaderBytes, int(r.layout.lines*lineBytes))
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

func (r *run) closeRun() error { return errors.Join(r.unmap(), r.file.Close()) }

// isWithin reports whether the id is between the run's ids at both ends.
func (r *run) isWithin(id ledger.ID) bool {
	return !isLess(id, r.entry.least) && !isLess(r.entry.most, id)
}

// isLess is ID.Compare in a form that the compiler inlines.
func isLess(a, b ledger.ID) bool { return a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo }

// lineOffset returns the place of the hash's line in the filter.
func (r *run) lineOffset(hash uint64) uint64 { return scaleHash(hash, r.layout.lines) * lineBytes }

// mayHave asks the filter. Only the answer no needs a checked line: after a yes the entries are read.
func (r *run) mayHave(hash uint64) (bool, error) {
	lineOffset := r.lineOffset(hash)
	line := r.filter[lineOffset : lineOffset+lineBytes]
	if isInLine(line, hash) {
		return true, nil
	}
	_, err := r.file.CheckBlock(sealed.HeaderBytes+int64(lineOffset), line)
	return false, err
}

// entriesBlock reads block i of the entries. buf has blockBytes.
func (r *run) entriesBlock(i uint64, buf []byte) ([]byte, error) {
	n := min(blockEntries, r.entry.entries-i*blockEntries)
	return r.file.ReadBlock(r.layout.entries+int64(i)*blockBytes, buf[:n*entryBytes+sealed.SumBytes])
}

// appendEntries appends the entries with the hash; burnt ids only if they are the id.
func (r *run) appendEntries(to []Entry, id ledger.ID, hash uint64) ([]Entry, error) {
	buf := make([]byte, blockBytes)
	i, block, err := r.findBlock(hash, buf)
	for err == nil {
		var isEnd bool
		if to, isEnd, err = r.appendFromBlock(to, block, id, hash); err != nil || isEnd {
			break
		}
		if i++; i == blockCount(r.entry.entries, blockEntries) {
			break
		}
		block, err = r.entriesBlock(i, buf)
	}
	return to, err
}

// findBlock returns the last block whose first hash is below the hash, or else block 0. Hashes are
// uniform, so their share of the whole range tells the block: at first of the run, then of the
// distance to the block that was read.
func (r *run) findBlock(hash uint64, buf []byte) (uint64, []byte, error) {
	low, high := uint64(0), blockCount(r.entry.entries, blockEntries)
	guess := min(scaleHash(hash, r.entry.entries)/blockEntries, high-1)
	for {
		block, err := r.entriesBlock(guess, buf)
		if err != nil {
			return 0, nil, err
		}
		first := binary.LittleEndian.Uint64(block) & hashMask
		last := binary.LittleEndian.Uint64(block[len(block)-entryBytes:]) & hashMask
		switch {
		case hash <= first && guess > low:
			high = guess
			skip := scaleHash(first-hash, r.entry.entries)/blockEntries + 1
			guess -= min(skip, guess-low)
		case hash > last && guess+1 < high:
			low = guess + 1
			skip := scaleHash(hash-last, r.entry.entries)/blockEntries + 1
			guess = min(guess+skip, high-1)
		default:
			return guess, block, nil
		}
	}
}

// appendFromBlock appends the matching entries of a block. isEnd: the entries behind the block have
// greater hashes.
func (r *run) appendFromBlock(to []Entry, block []byte, id ledger.ID, hash uint64) (entries []Entry, isEnd bool, err error) {
	for ; len(block) > 0; block = block[entryBytes:] {
		e := getEntry(block)
		switch found := e.hash(); {
		case found < hash:
			continue
		case found > hash:
			return to, true, nil
		}
		entry := Entry{e.kind(), e.position()}
		if entry.Kind == KindBurnt {
			isBurnt, err := r.isBurnt(entry.Position, id)
			if err != nil {
				return to, true, err
			}
			if !isBurnt {
				continue
			}
			entry.Position = 0
		}
		to = append(to, entry)
	}
	return to, false, nil
}

// isBurnt reports whether the burnt id at an index is the id.
func (r *run) isBurnt(i uint64, id ledger.ID) (bool, error) {
	block, err := r.burntBlock(i/blockIDs, make([]byte, blockBytes))
	if err != nil {
		return false, err
	}
	return getID(block[i%blockIDs*idBytes:]) == id, nil
}

func getID(b []byte) ledger.ID {
	return ledger.NewID(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
}

// burntBlock reads block i of the burnt ids.
func (r *run) burntBlock(i uint64, buf []byte) ([]byte, error) {
	if i >= blockCount(r.entry.burnt, blockIDs) {
		return nil, r.file.Corrupt(r.layout.burnt, "an entry of a burnt id that is not there")
	}
	n := min(blockIDs, r.entry.burnt-i*blockIDs)
	return r.file.ReadBlock(r.layout.burntBlock(i), buf[:n*idBytes+sealed.SumBytes])
}
