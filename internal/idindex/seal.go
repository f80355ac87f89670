package idindex

import (
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// Seal is a new run for the index. One goroutine uses it, and there is one seal at a time:
//
//	seal := index.NewSeal(n)
//	seal.AddEntry(...)          // and AddBurnt
//	err := seal.WriteRun()      // the file is durable, and not used yet
//	manifest := seal.Manifest() // with the new run and the merges finished by now
//	... commit a checkpoint that stores the manifest ...
//	seal.Commit()               // look-ups use the new run
//
// It ends with Commit, with Abandon if the checkpoint may be on disk, or with Discard if no
// checkpoint with the manifest is on disk.
type Seal struct {
	index   *Index
	entries []storedEntry
	burnt   []ledger.ID
	least   ledger.ID
	most    ledger.ID
	written *run // nil before WriteRun, and without entries
	merges  []*merge
	isDone  bool
	err     error // of an entry that no run takes
}

// NewSeal begins a run. entries is the expected number; any number is fine.
func (x *Index) NewSeal(entries int) *Seal {
	return &Seal{index: x, entries: make([]storedEntry, 0, entries), least: ledger.IDMax}
}

// AddEntry adds an entry of an id, in any order. The kind is not [KindBurnt]. WriteRun returns an
// [ErrPosition] if a position is beyond [MaxPosition].
func (s *Seal) AddEntry(id ledger.ID, e Entry) {
	if e.Kind == KindBurnt || e.Kind >= kindCount {
		panic("idindex: an entry of an unknown kind, or a burnt id")
	}
	s.addStored(id, e.Kind, e.Position)
}

// AddBurnt adds a burnt id.
func (s *Seal) AddBurnt(id ledger.ID) {
	s.addStored(id, KindBurnt, uint64(len(s.burnt)))
	s.burnt = append(s.burnt, id)
}

func (s *Seal) addStored(id ledger.ID, kind Kind, position uint64) {
	if position > MaxPosition {
		s.err = fmt.Errorf("%w: %d", ErrPosition, position)
		return
	}
	s.entries = append(s.entries, newStoredEntry(s.index.seed.hashID(id), kind, position))
	if isLess(id, s.least) {
		s.least = id
	}
	if isLess(s.most, id) {
		s.most = id
	}
}

// WriteRun sorts the entries, and makes the file durable. Without entries there is no file. After an
// error the seal can only be discarded.
func (s *Seal) WriteRun() error {
	if s.err != nil || len(s.entries) == 0 {
		return s.err
	}
	w, err := createRun(s.index.folder, s.index.seed, runEntry{
		entries: uint64(len(s.entries)), burnt: uint64(len(s.burnt)), least: s.least, most: s.most,
	})
	if err != nil {
		return err
	}
	for _, e := range sortEntries(s.entries) {
		w.addEntry(e)
	}
	for _, id := range s.burnt {
		w.addBurnt(id)
	}
	s.entries, s.burnt = nil, nil
	s.written, err = s.index.finishAndOpen(w)
	return err
}

// finishAndOpen makes a run durable and opens it. After an error it removes the file.
func (x *Index) finishAndOpen(w *runWriter) (*run, error) {
	e, err := w.finishRun()
	if err != nil {
		w.file.Discard()
		return nil, err
	}
	r, err := openRun(x.folder, x.seed, e)
	if err != nil {
		_ = x.folder.RemoveFile(e.fileName())
		return nil, err
	}
	r.users = 1
	return r, nil
}

// Manifest returns the manifest to store. WriteRun has succeeded.
func (s *Seal) Manifest() []byte {
	x := s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	s.merges = slices.Clone(x.merges)
	return x.manifestOf(s.runsAfter())
}

// runsAfter returns the runs after the commit. The mutex is locked.
func (s *Seal) runsAfter() []*run {
	runs := slices.Clone(s.index.current.runs)
	for _, m := range s.merges {
		first := slices.Index(runs, m.sources[0])
		runs = slices.DeleteFunc(runs, m.hasSource)
		runs = slices.Insert(runs, first, m.result)
	}
	if s.written != nil {
		runs = append(runs, s.written)
	}
	return runs
}

// Commit takes over the manifest, which is durable. It does not wait for the disk: replaced files
// are removed later.
func (s *Seal) Commit() {
	x := s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.isDone {
		return
	}
	s.isDone = true
	before := x.current
	x.current = &runSet{runs: s.runsAfter()}
	for _, r := range x.current.runs {
		r.users++
	}
	for _, m := range s.merges {
		m.result.users--
	}
	if s.written != nil {
		s.written.users--
	}
	x.merges = slices.DeleteFunc(x.merges, func(m *merge) bool { return slices.Contains(s.merges, m) })
	x.dropUnused(before)
	x.leftovers = append(x.leftovers, x.abandoned...)
	x.abandoned = nil
	x.wakeMerger()
}

// Abandon gives up the run, and leaves its file: a checkpoint that names the file may be on disk. The
// next commit has the file removed, or else RemoveUnnamed.
func (s *Seal) Abandon() { s.giveUp(true) }

// Discard gives up the run and has its file removed. After Commit and Abandon it does nothing, so it
// can be deferred.
func (s *Seal) Discard() { s.giveUp(false) }

func (s *Seal) giveUp(keepFile bool) {
	x := s.index
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.isDone {
		return
	}
	s.isDone = true
	if s.written == nil {
		return
	}
	x.unused = append(x.unused, s.written)
	if name := s.written.entry.fileName(); keepFile {
		x.abandoned = append(x.abandoned, name)
	} else {
		x.leftovers = append(x.leftovers, name)
	}
	x.wakeMerger()
}
