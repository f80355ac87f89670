package wal

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

// memory is a folder in memory, with a separate state of the disk. When the machine stops, any part
// of the unsynced changes is lost: crashImages makes every folder that a crash can leave. After the
// end of a process, all changes are still visible.
type memory struct {
	// before is called before each operation, which fails if it returns an error.
	before func(operation) error

	mu      sync.Mutex
	names   map[string]*inode // visible
	onDisk  map[string]*inode
	changes []nameChange // of names, since the last sync
}

// nameChange removes a name, adds one, or both.
type nameChange struct {
	from, to string
	node     *inode // of to
}

func (c nameChange) applyTo(names map[string]*inode) {
	delete(names, c.from)
	if c.to != "" {
		names[c.to] = c.node
	}
}

type operation struct{ what, name string }

// inode is the content of a file.
type inode struct {
	seen   []byte
	disk   []byte
	writes []fileWrite // since the last sync
}

// contentAfter returns the content on disk after the writes.
func (n *inode) contentAfter(writes []fileWrite) []byte {
	b := n.disk
	for _, w := range writes {
		b = w.applyTo(b)
	}
	return b
}

// fileWrite writes data, or cuts the file at the offset if data is nil.
type fileWrite struct {
	offset int64
	data   []byte
}

func (w fileWrite) applyTo(b []byte) []byte {
	if w.data == nil {
		return resized(b, int(w.offset))
	}
	b = resized(b, max(len(b), int(w.offset)+len(w.data)))
	copy(b[w.offset:], w.data)
	return b
}

// resized returns a copy with another length.
func resized(b []byte, length int) []byte {
	to := make([]byte, length)
	copy(to, b)
	return to
}

func newMemory() *memory {
	return &memory{names: map[string]*inode{}, onDisk: map[string]*inode{}}
}

// newMemoryOf returns a folder with the files, all on disk.
func newMemoryOf(files map[string][]byte) *memory {
	m := newMemory()
	for name, content := range files {
		m.names[name] = &inode{seen: slices.Clone(content), disk: slices.Clone(content)}
	}
	m.onDisk = maps.Clone(m.names)
	return m
}

// visibleFiles returns the files seen by a process.
func (m *memory) visibleFiles() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := map[string][]byte{}
	for name, node := range m.names {
		files[name] = slices.Clone(node.seen)
	}
	return files
}

// injectedError returns the error of an operation that must fail.
func (m *memory) injectedError(what, name string) error {
	if m.before == nil {
		return nil
	}
	return m.before(operation{what, name})
}

// runOperation runs an operation, or makes it fail.
func (m *memory) runOperation(what, name string, run func() error) error {
	if err := m.injectedError(what, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return run()
}

func (m *memory) fullPath(name string) string { return name }

func (m *memory) listNames() (names []string, err error) {
	err = m.runOperation("list", "", func() error {
		names = slices.Collect(maps.Keys(m.names))
		return nil
	})
	return names, err
}

func (m *memory) renameFile(from, to string) error {
	return m.runOperation("rename", from, func() error {
		node, ok := m.names[from]
		if !ok {
			return fs.ErrNotExist
		}
		m.changeNames(nameChange{from, to, node})
		return nil
	})
}

func (m *memory) removeFile(name string) error {
	return m.runOperation("remove", name, func() error {
		if _, ok := m.names[name]; !ok {
			return fs.ErrNotExist
		}
		m.changeNames(nameChange{from: name})
		return nil
	})
}

func (m *memory) changeNames(c nameChange) {
	c.applyTo(m.names)
	m.changes = append(m.changes, c)
}

func (m *memory) syncFolder() error {
	return m.runOperation("sync", ".", func() error {
		m.onDisk, m.changes = maps.Clone(m.names), nil
		return nil
	})
}

func (m *memory) createFile(name string) (f file, err error) {
	err = m.runOperation("create", name, func() error {
		if _, ok := m.names[name]; ok {
			return fs.ErrExist
		}
		node := &inode{}
		m.changeNames(nameChange{to: name, node: node})
		f = &memoryFile{m, name, node}
		return nil
	})
	return f, err
}

func (m *memory) openFile(name string) (f file, err error) {
	err = m.runOperation("open", name, func() error {
		node, ok := m.names[name]
		if !ok {
			return fs.ErrNotExist
		}
		f = &memoryFile{m, name, node}
		return nil
	})
	return f, err
}

type memoryFile struct {
	m    *memory
	name string // when it was opened
	node *inode
}

func (f *memoryFile) ReadAt(b []byte, offset int64) (n int, err error) {
	err = f.m.runOperation("read", f.name, func() error {
		if offset < int64(len(f.node.seen)) {
			n = copy(b, f.node.seen[offset:])
		}
		if n < len(b) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

// WriteAt writes half of the bytes before it fails.
func (f *memoryFile) WriteAt(b []byte, offset int64) (n int, err error) {
	n = len(b)
	if err = f.m.injectedError("write", f.name); err != nil {
		n /= 2
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.recordWrite(fileWrite{offset, append([]byte{}, b[:n]...)})
	return n, err
}

func (f *memoryFile) recordWrite(w fileWrite) {
	f.node.seen = w.applyTo(f.node.seen)
	f.node.writes = append(f.node.writes, w)
}

func (f *memoryFile) Truncate(size int64) error {
	return f.m.runOperation("truncate", f.name, func() error {
		f.recordWrite(fileWrite{offset: size})
		return nil
	})
}

// Sync drops the pending writes when it fails, like Linux: they stay visible, and the next Sync
// succeeds without them.
func (f *memoryFile) Sync() error {
	err := f.m.injectedError("sync", f.name)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err == nil {
		f.node.disk = f.node.contentAfter(f.node.writes)
	}
	f.node.writes = nil
	return err
}

func (f *memoryFile) Size() (size int64, err error) {
	err = f.m.runOperation("size", f.name, func() error {
		size = int64(len(f.node.seen))
		return nil
	})
	return size, err
}

func (f *memoryFile) Close() error { return nil }

var errInjected = errors.New("injected")

// cloneFolder returns a copy of the folder at this moment.
func (m *memory) cloneFolder() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	copies := map[*inode]*inode{nil: nil}
	copyOf := func(node *inode) *inode {
		if _, ok := copies[node]; !ok {
			copies[node] = &inode{slices.Clone(node.seen), slices.Clone(node.disk), slices.Clone(node.writes)}
		}
		return copies[node]
	}
	c := newMemory()
	for name, node := range m.names {
		c.names[name] = copyOf(node)
	}
	for name, node := range m.onDisk {
		c.onDisk[name] = copyOf(node)
	}
	for _, ch := range m.changes {
		c.changes = append(c.changes, nameChange{ch.from, ch.to, copyOf(ch.node)})
	}
	return c
}
