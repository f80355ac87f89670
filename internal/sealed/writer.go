package sealed

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io/fs"
)

const (
	tmpSuffix = ".tmp"
	// sectionBuffer is the number of bytes that a section collects before a write.
	sectionBuffer = 256 << 10
	// syncEvery is the number of bytes after which a file is synced while it is being written. File
	// systems with an ordered journal, such as ext4, make a sync of a log wait for a large file.
	syncEvery = 16 << 20
)

// Writer writes a file. One goroutine uses it. After an error only [Writer.Discard] is useful:
// [Writer.Finish] returns the first error.
type Writer struct {
	folder   Folder
	name     string
	file     File // nil after Finish and Discard
	renamed  bool // the file has its name
	sum      uint32
	size     int64
	unsynced int64
	sections []*Section
	err      error // the first error
	// onWrite is told the number of bytes before each write, and may wait or fail; nil: none.
	onWrite func(bytes int) error
}

// CreateFile begins a file, in the place of an unfinished file with the name. data is the owner's
// part of the header.
func CreateFile(folder Folder, name string, format Format, data []byte) (*Writer, error) {
	if len(data) > HeaderDataBytes || len(format.Magic) != 8 {
		panic("sealed: a header that is too long")
	}
	f, err := folder.CreateFile(name + tmpSuffix)
	if err != nil {
		return nil, err
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	header, sum := format.encodeHeader(random, data)
	w := &Writer{folder: folder, name: name, file: f, sum: sum}
	w.writeAt(header, 0)
	return w, nil
}

// OnWrite has a function called before each write, with the number of bytes. It may wait, and an
// error ends the file.
func (w *Writer) OnWrite(call func(bytes int) error) { w.onWrite = call }

// HeaderSum returns the sum of the header.
func (w *Writer) HeaderSum() uint32 { return w.sum }

// Err returns the first error.
func (w *Writer) Err() error { return w.err }

// writeAt keeps the error.
func (w *Writer) writeAt(b []byte, offset int64) {
	if w.err == nil && w.onWrite != nil {
		w.err = w.onWrite(len(b))
	}
	if w.err != nil {
		return
	}
	_, w.err = w.file.WriteAt(b, offset)
	w.size = max(w.size, offset+int64(len(b)))
	if w.unsynced += int64(len(b)); w.err == nil && w.unsynced >= syncEvery {
		w.unsynced = 0
		w.err = w.file.Sync()
	}
}

// NewSection begins a part of the file at an offset. The owner leaves no gaps between sections.
func (w *Writer) NewSection(offset int64) *Section {
	s := &Section{w: w, offset: offset}
	w.sections = append(w.sections, s)
	return s
}

// Finish writes the buffered bytes, syncs the file, gives it its name, and syncs the folder. It
// returns the size of the file.
func (w *Writer) Finish() (size int64, err error) {
	for _, s := range w.sections {
		s.flushBuffer()
	}
	if w.err == nil {
		w.err = w.file.Sync()
	}
	if w.err != nil {
		return 0, w.err
	}
	f := w.file
	w.file = nil
	if w.err = f.Close(); w.err == nil {
		w.err = w.folder.RenameFile(w.name+tmpSuffix, w.name)
		w.renamed = w.err == nil
	}
	if w.err == nil {
		w.err = w.folder.SyncFolder()
	}
	return w.size, w.err
}

// Discard gives up a file that is not finished, and removes it as far as it can. After a successful
// Finish it does nothing, so it can be deferred.
func (w *Writer) Discard() {
	if w.file == nil && w.err == nil {
		return
	}
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
	w.err = errors.Join(w.err, fs.ErrClosed)
	if w.renamed {
		_ = w.folder.RemoveFile(w.name)
		return
	}
	_ = w.folder.RemoveFile(w.name + tmpSuffix)
}

// Section is a part of the file that is written from its start to its end.
type Section struct {
	w      *Writer
	offset int64 // of the buffer in the file
	buf    []byte
	block  int // the start of the newest block in the buffer
}

// Offset returns the place of the next block in the file.
func (s *Section) Offset() int64 { return s.offset + int64(len(s.buf)) }

// NextBlock returns n bytes for the next block. The caller fills all of them, and then calls
// EndBlock.
func (s *Section) NextBlock(n int) []byte {
	if s.buf == nil {
		s.buf = make([]byte, 0, sectionBuffer)
	}
	if len(s.buf)+n+SumBytes > cap(s.buf) {
		s.flushBuffer()
	}
	s.block = len(s.buf)
	if n+SumBytes > cap(s.buf) {
		s.buf = make([]byte, 0, n+SumBytes)
	}
	s.buf = s.buf[:s.block+n+SumBytes]
	return s.buf[s.block : s.block+n : s.block+n]
}

// EndBlock adds the sum to the block.
func (s *Section) EndBlock() {
	end := len(s.buf) - SumBytes
	sum := blockSum(s.w.sum, s.offset+int64(s.block), s.buf[s.block:end])
	binary.LittleEndian.PutUint32(s.buf[end:], sum)
}

// AppendBlock writes the bytes as the next block.
func (s *Section) AppendBlock(b []byte) {
	copy(s.NextBlock(len(b)), b)
	s.EndBlock()
}

func (s *Section) flushBuffer() {
	if len(s.buf) > 0 {
		s.w.writeAt(s.buf, s.offset)
	}
	s.offset += int64(len(s.buf))
	s.buf = s.buf[:0]
}
