package wal

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

// memory is a folder in memory that knows what of it is on disk. What was not synced
// is lost or not when the machine stops, in any part and order: crashes makes every
// folder that a crash can leave. After the end of a process all is there as seen.
type memory struct {
	// before is called before each operation, which fails if it returns an error.
	before func(operation) error

	mu      sync.Mutex
	names   map[string]*inode // as seen
	onDisk  map[string]*inode
	changes []change // of names, since the last sync
}

// change removes a name, adds one, or both.
type change struct {
	from, to string
	node     *inode // of to
}

func (c change) do(names map[string]*inode) {
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
	writes []write // since the last sync
}

// after is what is on disk after the writes.
func (n *inode) after(writes []write) []byte {
	b := n.disk
	for _, w := range writes {
		b = w.to(b)
	}
	return b
}

// write writes data, or cuts the file at the offset if that is nil.
type write struct {
	offset int64
	data   []byte
}

func (w write) to(b []byte) []byte {
	if w.data == nil {
		return resized(b, int(w.offset))
	}
	b = resized(b, max(len(b), int(w.offset)+len(w.data)))
	copy(b[w.offset:], w.data)
	return b
}

// resized is a copy with another length.
func resized(b []byte, length int) []byte {
	to := make([]byte, length)
	copy(to, b)
	return to
}

func newMemory() *memory {
	return &memory{names: map[string]*inode{}, onDisk: map[string]*inode{}}
}

// newMemoryOf is a folder that has the files, all on disk.
func newMemoryOf(files map[string][]byte) *memory {
	m := newMemory()
	for name, content := range files {
		m.names[name] = &inode{seen: slices.Clone(content), disk: slices.Clone(content)}
	}
	m.onDisk = maps.Clone(m.names)
	return m
}

// files is what a process sees.
func (m *memory) files() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	files := map[string][]byte{}
	for name, node := range m.names {
		files[name] = slices.Clone(node.seen)
	}
	return files
}

// fails is the error with which an operation fails that is about to run.
func (m *memory) fails(what, name string) error {
	if m.before == nil {
		return nil
	}
	return m.before(operation{what, name})
}

// do runs an operation, or makes it fail.
func (m *memory) do(what, name string, run func() error) error {
	if err := m.fails(what, name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return run()
}

func (m *memory) path(name string) string { return name }

func (m *memory) list() (names []string, err error) {
	err = m.do("list", "", func() error {
		names = slices.Collect(maps.Keys(m.names))
		return nil
	})
	return names, err
}

func (m *memory) rename(from, to string) error {
	return m.do("rename", from, func() error {
		node, ok := m.names[from]
		if !ok {
			return fs.ErrNotExist
		}
		m.change(change{from, to, node})
		return nil
	})
}

func (m *memory) remove(name string) error {
	return m.do("remove", name, func() error {
		if _, ok := m.names[name]; !ok {
			return fs.ErrNotExist
		}
		m.change(change{from: name})
		return nil
	})
}

func (m *memory) change(c change) {
	c.do(m.names)
	m.changes = append(m.changes, c)
}

func (m *memory) sync() error {
	return m.do("sync", ".", func() error {
		m.onDisk, m.changes = maps.Clone(m.names), nil
		return nil
	})
}

func (m *memory) create(name string) (f file, err error) {
	err = m.do("create", name, func() error {
		if _, ok := m.names[name]; ok {
			return fs.ErrExist
		}
		node := &inode{}
		m.change(change{to: name, node: node})
		f = &memoryFile{m, name, node}
		return nil
	})
	return f, err
}

func (m *memory) open(name string) (f file, err error) {
	err = m.do("open", name, func() error {
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
	err = f.m.do("read", f.name, func() error {
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

// WriteAt writes half of it before it fails.
func (f *memoryFile) WriteAt(b []byte, offset int64) (n int, err error) {
	n = len(b)
	if err = f.m.fails("write", f.name); err != nil {
		n /= 2
	}
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	f.write(write{offset, append([]byte{}, b[:n]...)})
	return n, err
}

func (f *memoryFile) write(w write) {
	f.node.seen = w.to(f.node.seen)
	f.node.writes = append(f.node.writes, w)
}

func (f *memoryFile) Truncate(size int64) error {
	return f.m.do("truncate", f.name, func() error {
		f.write(write{offset: size})
		return nil
	})
}

// Sync that fails forgets that anything has to be written, as Linux does: what was
// written is seen, and the next Sync succeeds without it.
func (f *memoryFile) Sync() error {
	err := f.m.fails("sync", f.name)
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if err == nil {
		f.node.disk = f.node.after(f.node.writes)
	}
	f.node.writes = nil
	return err
}

func (f *memoryFile) Size() (size int64, err error) {
	err = f.m.do("size", f.name, func() error {
		size = int64(len(f.node.seen))
		return nil
	})
	return size, err
}

func (f *memoryFile) Close() error { return nil }

var errInjected = errors.New("injected")

// clone is the folder at this moment.
func (m *memory) clone() *memory {
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
		c.changes = append(c.changes, change{ch.from, ch.to, copyOf(ch.node)})
	}
	return c
}
