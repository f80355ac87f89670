package idindex

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// Options configure an [Index].
type Options struct {
	// MergeBytesPerSecond bounds the bytes that merges read and write in a second. 0: 256 MiB.
	MergeBytesPerSecond int64
	// MayUse is asked before a merge whether the file may take so many more bytes of the disk. An
	// error leaves the merge for later. nil: always. The goroutine of the merges calls it.
	MayUse func(bytes int64) error
}

// Index finds the entries of ids. Any number of goroutines may look up ids, also while a [Seal] is
// written and committed. An error of a look-up is the file system's, or a [sealed.CorruptError].
type Index struct {
	folder sealed.Folder
	seed   hashSeed

	mu        sync.Mutex
	current   *runSet
	merges    []*merge // finished, for the next manifest
	mergeErr  error    // of the last merge, unless it could not read a run
	unused    []*run   // to close
	leftovers []string // files to remove
	abandoned []string // files to remove after the next commit

	wake   chan struct{} // the merger; has room for one
	stop   chan struct{}
	merger sync.WaitGroup
}

// runSet is a list of runs that count at one moment. Look-ups use a set until they end.
type runSet struct {
	runs  []*run
	users int // look-ups; guarded by the mutex of the Index
}

// New returns an empty index, with a random seed. The caller calls Close.
func New(folder sealed.Folder, options Options) *Index {
	x := newIndex(folder, hashSeed{rand.Uint64(), rand.Uint64()})
	x.startMerger(options)
	return x
}

func newIndex(folder sealed.Folder, seed hashSeed) *Index {
	return &Index{
		folder: folder, seed: seed, current: &runSet{},
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
}

// Open opens the index of a manifest. The caller calls Close.
func Open(folder sealed.Folder, manifest []byte, options Options) (*Index, error) {
	x, err := OpenToRead(folder, manifest)
	if err != nil {
		return nil, err
	}
	x.startMerger(options)
	return x, nil
}

// OpenToRead opens the index of a manifest without merges: nothing in the folder changes. The caller
// calls Close.
func OpenToRead(folder sealed.Folder, manifest []byte) (*Index, error) {
	m, err := decodeManifest(manifest)
	if err != nil {
		return nil, err
	}
	x := newIndex(folder, m.seed)
	for _, e := range m.runs {
		r, err := openRun(folder, m.seed, e)
		if err != nil {
			return nil, errors.Join(err, closeRuns(x.current.runs))
		}
		r.users = 1
		x.current.runs = append(x.current.runs, r)
	}
	return x, nil
}

func closeRuns(runs []*run) error {
	var err error
	for _, r := range runs {
		err = errors.Join(err, r.closeRun())
	}
	return err
}

// Manifest returns the manifest of the committed runs.
func (x *Index) Manifest() []byte {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.manifestOf(x.current.runs)
}

func (x *Index) manifestOf(runs []*run) []byte {
	m := manifest{seed: x.seed}
	for _, r := range runs {
		m.runs = append(m.runs, r.entry)
	}
	return m.encodeManifest()
}

// useRuns returns the present set, for use until leaveRuns.
func (x *Index) useRuns() *runSet {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.current.users++
	return x.current
}

func (x *Index) leaveRuns(s *runSet) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s.users--
	x.dropUnused(s)
}

// dropUnused drops a set that was replaced and has no users. The mutex is locked.
func (x *Index) dropUnused(s *runSet) {
	if s == x.current || s.users > 0 {
		return
	}
	for _, r := range s.runs {
		if r.users--; r.users == 0 {
			x.unused = append(x.unused, r)
			x.leftovers = append(x.leftovers, r.entry.fileName())
		}
	}
	x.wakeMerger()
}

// Bounds returns the least and the greatest id of all entries. Without entries the least is the greater.
// A commit meanwhile may add ids beyond them.
func (x *Index) Bounds() (least, most ledger.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return boundsOf(x.current.runs)
}

// boundsOf returns the least and the greatest id of all entries of runs.
func boundsOf(runs []*run) (least, most ledger.ID) {
	least = ledger.IDMax
	for _, r := range runs {
		if isLess(r.entry.least, least) {
			least = r.entry.least
		}
		if isLess(most, r.entry.most) {
			most = r.entry.most
		}
	}
	return least, most
}

// groupIDs is the number of ids whose lines MayHave loads at one time.
const groupIDs = 32

// MayHave sets may[i] to whether the index may have an entry of ids[i]. False is certain. True is
// wrong for a few ids in a hundred at most. Both slices have the same length. One call for a whole
// request is several times as fast as a call for each id.
func (x *Index) MayHave(ids []ledger.ID, may []bool) (err error) {
	set := x.useRuns()
	defer x.leaveRuns(set)
	// A mapped page that the disk cannot read is a fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverFault(&err)
	clear(may)
	for first := 0; first < len(ids) && len(set.runs) > 0; first += groupIDs {
		end := min(first+groupIDs, len(ids))
		if err := askFilters(set.runs, x.seed, ids[first:end], may[first:end]); err != nil {
			return err
		}
	}
	return nil
}

// askFilters is MayHave of at most groupIDs ids.
func askFilters(runs []*run, seed hashSeed, ids []ledger.ID, may []bool) error {
	for _, r := range runs {
		var asked [groupIDs]uint8
		var hashes [groupIDs]uint64
		n, loaded := 0, byte(0)
		for i, id := range ids {
			if may[i] || !r.isWithin(id) {
				continue
			}
			hashes[n], asked[n] = seed.hashID(id), uint8(i)
			// The lines are loaded before the first is checked, so that the waits for memory overlap.
			loaded |= r.filter[r.lineOffset(hashes[n])]
			n++
		}
		for k, i := range asked[:n] {
			found, err := r.mayHave(hashes[k])
			if err != nil {
				return err
			}
			may[i] = found
		}
		runtime.KeepAlive(loaded)
	}
	return nil
}

// recoverFault turns a fault of mapped memory into an error.
func recoverFault(err *error) {
	switch fault := recover().(type) {
	case nil:
	case interface {
		error
		Addr() uintptr
	}:
		*err = fmt.Errorf("idindex: a mapped file cannot be read: %w", fault)
	default:
		panic(fault)
	}
}

// FindEntries appends the entries of an id to a slice. Entries of another id with the same 53 bits
// of hash are among them: the caller compares the id of the row. A burnt id is certain.
func (x *Index) FindEntries(to []Entry, id ledger.ID) (entries []Entry, err error) {
	set := x.useRuns()
	defer x.leaveRuns(set)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer recoverFault(&err)
	hash := x.seed.hashID(id)
	for _, r := range slices.Backward(set.runs) {
		if !r.isWithin(id) {
			continue
		}
		found, err := r.mayHave(hash)
		if err == nil && found {
			to, err = r.appendEntries(to, id, hash)
		}
		if err != nil {
			return to, err
		}
	}
	return to, nil
}

// MergeError returns the errors of the runs that merges could not read, and the error of the last
// merge otherwise, nil after a success. Such a merge is tried again after the next commit. A run that
// could not be read stays as it is, and its error too, until the index is opened again: the other runs
// are merged without it.
func (x *Index) MergeError() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	err := x.mergeErr
	for _, r := range x.current.runs {
		err = errors.Join(err, r.readErr)
	}
	return err
}

// Close ends a merge under way, waits for it, and closes the files. No call is under way.
func (x *Index) Close() error {
	close(x.stop)
	x.merger.Wait()
	x.removeUnused()
	x.mu.Lock()
	defer x.mu.Unlock()
	err := closeRuns(x.current.runs)
	for _, m := range x.merges {
		err = errors.Join(err, m.result.closeRun())
	}
	return err
}
