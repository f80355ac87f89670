package sealed

import (
	"errors"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

const (
	// openFilesMost and openFilesDefault are sizes of a cache: where the system has many files, and
	// where it does not tell.
	openFilesMost    = 1024
	openFilesDefault = 128
	openFilesLeast   = 16
)

// FileCache bounds the open files of a folder with many. It opens a file when a read needs it, and
// closes a file that was not read lately. Any number of goroutines may use it.
type FileCache struct {
	most int

	mu   sync.Mutex
	open []*openFile // a circle
	hand int         // index of the next file to ask whether it was read lately
}

// NewFileCache returns an empty cache. It keeps at most so many files open, beside those whose read
// is under way. 0: a quarter of the files that the process may have, and 1024 at most.
func NewFileCache(most int) *FileCache {
	if most == 0 {
		most = openFilesDefault
		if limit, ok := openFileLimit(); ok {
			most = int(min(max(limit/4, openFilesLeast), openFilesMost))
		}
	}
	return &FileCache{most: most}
}

// Folder returns a folder whose files to read the cache opens and closes. A file that is missing when
// it is opened again is an error of the read that matches [fs.ErrNotExist]. A [Reader] makes a
// [CorruptError] of it; and of a file that was exchanged meanwhile, because its blocks do not pass.
func (c *FileCache) Folder(folder Folder) Folder { return cachingFolder{folder, c} }

type cachingFolder struct {
	Folder
	cache *FileCache
}

// OpenFile opens the file at once: so an error comes before the first read.
func (d cachingFolder) OpenFile(name string) (File, error) {
	f := &cachedFile{cache: d.cache, folder: d.Folder, name: name}
	o, err := f.holdOpen()
	if err != nil {
		return nil, err
	}
	o.leave()
	return f, nil
}

// cachedFile is a file to read until Close. It is open while it is read, and as long as the cache
// keeps it open.
type cachedFile struct {
	cache  *FileCache
	folder Folder
	name   string

	open   atomic.Pointer[openFile] // nil while the file is not open
	mu     sync.Mutex               // of the goroutine that opens the file
	closed bool                     // for ever; guarded by mu
}

// openFile is a cachedFile from one opening to the next.
type openFile struct {
	File
	owner  *cachedFile
	users  atomic.Int32 // the reads under way, and one while the cache has the file
	recent atomic.Bool  // the file was read since the hand came by
}

// holdOpen returns the file, open until the caller leaves it.
func (f *cachedFile) holdOpen() (*openFile, error) {
	if o := f.open.Load(); o.join() {
		return o, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if o := f.open.Load(); o.join() { // another goroutine has opened it
		return o, nil
	}
	if f.closed {
		return nil, fs.ErrClosed
	}
	file, err := f.cache.openFileOf(f)
	if err != nil {
		return nil, err
	}
	o := &openFile{File: file, owner: f}
	o.users.Store(2) // the caller and the cache
	f.open.Store(o)
	f.cache.addOpen(o)
	return o, nil
}

// join adds a user, unless the last one has left, or there is no file.
func (o *openFile) join() bool {
	if o == nil {
		return false
	}
	for n := o.users.Load(); n > 0; n = o.users.Load() {
		if !o.users.CompareAndSwap(n, n+1) {
			continue
		}
		if !o.recent.Load() {
			o.recent.Store(true)
		}
		return true
	}
	return false
}

// leave ends a use. The last user closes the file. An error of this is of no use: the file was only
// read.
func (o *openFile) leave() {
	if o.users.Add(-1) == 0 {
		_ = o.Close()
	}
}

// openFileOf opens a file in its folder. If the process has no more files, the cache closes its own.
func (c *FileCache) openFileOf(f *cachedFile) (File, error) {
	for {
		file, err := f.folder.OpenFile(f.name)
		isFull := errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
		if !isFull || !c.closeOne() {
			return file, err
		}
	}
}

// addOpen adds an open file, in the place of another if the cache is full.
func (c *FileCache) addOpen(o *openFile) {
	var old *openFile
	c.mu.Lock()
	if len(c.open) >= c.most {
		old = c.takeOld()
	}
	c.open = slices.Insert(c.open, c.hand, o)
	c.hand++
	c.mu.Unlock()
	old.drop()
}

// closeOne closes a file of the cache; false if there is none.
func (c *FileCache) closeOne() bool {
	c.mu.Lock()
	old := c.takeOld()
	c.mu.Unlock()
	old.drop()
	return old != nil
}

// takeOld takes a file that was not read lately out of the circle; nil if it is empty. The mutex is
// locked.
func (c *FileCache) takeOld() *openFile {
	if len(c.open) == 0 {
		return nil
	}
	// Two rounds are enough, unless reads of all files are under way: then any file will do.
	for range 2 * len(c.open) {
		if c.hand >= len(c.open) {
			c.hand = 0
		}
		if !c.open[c.hand].recent.Swap(false) {
			break
		}
		c.hand++
	}
	c.hand = min(c.hand, len(c.open)-1)
	old := c.open[c.hand]
	c.open = slices.Delete(c.open, c.hand, c.hand+1)
	return old
}

// drop ends the use of a file by the cache, which has taken it out of the circle. The next read of
// its owner opens it again.
func (o *openFile) drop() {
	if o != nil {
		o.owner.open.CompareAndSwap(o, nil)
		o.leave()
	}
}

// remove takes a file out of the circle; false if it is not there any more.
func (c *FileCache) remove(o *openFile) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.open, o)
	if i < 0 {
		return false
	}
	c.open = slices.Delete(c.open, i, i+1)
	if i < c.hand {
		c.hand--
	}
	return true
}

// Close closes the file for ever.
func (f *cachedFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if o := f.open.Load(); o != nil && f.cache.remove(o) {
		o.drop()
	}
	return nil
}

func (f *cachedFile) ReadAt(b []byte, offset int64) (int, error) {
	o, err := f.holdOpen()
	if err != nil {
		return 0, err
	}
	defer o.leave()
	return o.ReadAt(b, offset)
}

func (f *cachedFile) Size() (int64, error) {
	o, err := f.holdOpen()
	if err != nil {
		return 0, err
	}
	defer o.leave()
	return o.Size()
}

// MapBytes is for a file that is not cached.
func (f *cachedFile) MapBytes(int64, int) ([]byte, func() error, error) {
	return nil, nil, errors.ErrUnsupported
}

// WriteAt is not for a file to read, and neither is Sync.
func (f *cachedFile) WriteAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

// Sync is not for a file to read.
func (f *cachedFile) Sync() error { return errors.ErrUnsupported }
