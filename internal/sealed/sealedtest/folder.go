// Package sealedtest has a folder in memory for tests of sealed files: operations fail at will, and
// the machine crashes at will.
package sealedtest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/peerledger/peerledger/internal/sealed"
)

// ErrInjected is the error of an operation that fails at will.
var ErrInjected = errors.New("injected")

// Operation is a call of a folder or a file.
type Operation struct {
	What string // "create", "open", "read", "write", "map", "size", "sync", "rename", "remove", "list"
	Name string // of the file, "." for the folder itself
}

// Folder is a [sealed.Folder] in memory, with a separate state of the disk.
type Folder struct {
	// Before is called before each operation, which fails if Before returns an error. A failing
	// write writes half of the bytes. It is set before the folder is used.
	Before func(Operation) error

	mu     sync.Mutex
	names  map[string]*inode // visible to processes
	onDisk map[string]*inode
}

// inode is the content of a file.
type inode struct{ seen, disk []byte }

// NewFolder returns a folder with the files, all on disk.
func NewFolder(files map[string][]byte) *Folder {
	f := &Folder{names: map[string]*inode{}}
	for name, content := range files {
		f.names[name] = &inode{bytes.Clone(content), bytes.Clone(content)}
	}
	f.onDisk = maps.Clone(f.names)
	return f
}

// VisibleFiles returns the files as the next process sees them.
func (f *Folder) VisibleFiles() map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	files := map[string][]byte{}
	for name, node := range f.names {
		files[name] = bytes.Clone(node.seen)
	}
	return files
}

// CrashedFiles returns the files after a crash of the machine that loses all unsynced changes. The
// bytes of a file that were not synced read as zeros.
func (f *Folder) CrashedFiles() map[string][]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	files := map[string][]byte{}
	for name, node := range f.onDisk {
		content := make([]byte, len(node.seen))
		copy(content, node.disk)
		files[name] = content
	}
	return files
}

// runOperation runs an operation, or makes it fail.
func (f *Folder) runOperation(what, name string, run func() error) error {
	if f.Before != nil {
		if err := f.Before(Operation{what, name}); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return run()
}

// FullPath returns the name.
func (f *Folder) FullPath(name string) string { return name }

// ListNames returns the visible names in ascending order.
func (f *Folder) ListNames() (names []string, err error) {
	err = f.runOperation("list", ".", func() error {
		names = slices.Sorted(maps.Keys(f.names))
		return nil
	})
	return names, err
}

// CreateFile makes an empty file, in the place of a file with the name.
func (f *Folder) CreateFile(name string) (file sealed.File, err error) {
	err = f.runOperation("create", name, func() error {
		f.names[name] = &inode{}
		file = &memoryFile{f, name, f.names[name]}
		return nil
	})
	return file, err
}

// OpenFile opens a file.
func (f *Folder) OpenFile(name string) (file sealed.File, err error) {
	err = f.runOperation("open", name, func() error {
		node, ok := f.names[name]
		if !ok {
			return fs.ErrNotExist
		}
		file = &memoryFile{f, name, node}
		return nil
	})
	return file, err
}

// RenameFile gives a file another name.
func (f *Folder) RenameFile(from, to string) error {
	return f.runOperation("rename", from, func() error {
		node, ok := f.names[from]
		if !ok {
			return fs.ErrNotExist
		}
		delete(f.names, from)
		f.names[to] = node
		return nil
	})
}

// RemoveFile removes a file.
func (f *Folder) RemoveFile(name string) error {
	return f.runOperation("remove", name, func() error {
		if _, ok := f.names[name]; !ok {
			return fs.ErrNotExist
		}
		delete(f.names, name)
		return nil
	})
}

// SyncFolder makes the names durable.
func (f *Folder) SyncFolder() error {
	return f.runOperation("sync", ".", func() error {
		f.onDisk = maps.Clone(f.names)
		return nil
	})
}

type memoryFile struct {
	folder *Folder
	name   string // when it was opened
	node   *inode
}

func (m *memoryFile) ReadAt(b []byte, offset int64) (n int, err error) {
	err = m.folder.runOperation("read", m.name, func() error {
		if offset < int64(len(m.node.seen)) {
			n = copy(b, m.node.seen[offset:])
		}
		if n < len(b) {
			return io.EOF
		}
		return nil
	})
	return n, err
}

func (m *memoryFile) WriteAt(b []byte, offset int64) (int, error) {
	err := m.folder.runOperation("write", m.name, func() error { return nil })
	if err != nil {
		b = b[:len(b)/2]
	}
	m.folder.mu.Lock()
	defer m.folder.mu.Unlock()
	if end := offset + int64(len(b)); end > int64(len(m.node.seen)) {
		m.node.seen = append(m.node.seen, make([]byte, end-int64(len(m.node.seen)))...)
	}
	copy(m.node.seen[offset:], b)
	return len(b), err
}

func (m *memoryFile) Size() (size int64, err error) {
	err = m.folder.runOperation("size", m.name, func() error {
		size = int64(len(m.node.seen))
		return nil
	})
	return size, err
}

// Sync makes the bytes durable, if it does not fail.
func (m *memoryFile) Sync() error {
	return m.folder.runOperation("sync", m.name, func() error {
		m.node.disk = bytes.Clone(m.node.seen)
		return nil
	})
}

// MapBytes returns a copy.
func (m *memoryFile) MapBytes(offset int64, length int) (b []byte, unmap func() error, err error) {
	err = m.folder.runOperation("map", m.name, func() error {
		if offset+int64(length) > int64(len(m.node.seen)) {
			return io.EOF
		}
		b = bytes.Clone(m.node.seen[offset : offset+int64(length)])
		return nil
	})
	return b, func() error { return nil }, err
}

func (m *memoryFile) Close() error { return nil }
