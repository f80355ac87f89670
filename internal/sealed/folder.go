package sealed

import "io"

// Folder is the part of the file system used by sealed files. Names are without the folder. Any
// number of goroutines may use it.
type Folder interface {
	// Path returns the full path of a name, for messages.
	Path(name string) string
	// Names returns the names of all files.
	Names() ([]string, error)
	// Create makes an empty file to write. A file with the name is replaced.
	Create(name string) (File, error)
	// Open opens a file to read.
	Open(name string) (File, error)
	// Rename gives a file another name, in the place of a file with that name.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// Sync makes creations, renames and removals durable.
	Sync() error
}

// File is an open file of a [Folder].
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the number of bytes.
	Size() (int64, error)
	// Sync makes the bytes durable.
	Sync() error
	// Map returns the bytes in memory: mapped, where the system can, else a copy. They are valid
	// until unmap, which the caller calls before Close.
	Map(offset int64, length int) (bytes []byte, unmap func() error, err error)
}

// OSFolder returns a folder of the operating system, which exists.
func OSFolder(path string) Folder { panic("to do") }
