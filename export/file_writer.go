package export

import (
	"errors"

	"github.com/peerledger/peerledger/internal/sealed"
)

const (
	// writeBytes is the size of a write.
	writeBytes = 64 << 10
	// syncBytes is after how many bytes a file is synced while it is written, so that the sync at its end is short.
	syncBytes = 64 << 20
	// writeBuffers is the number of buffers: one is filled while others are written.
	writeBuffers = 4
)

// errNotWritten is returned by Write after an error, which finish returns.
var errNotWritten = errors.New("export: an earlier write failed")

// fileWriter writes at the end of a file. One goroutine of its own writes, from newFileWriter to finish, while
// the caller fills the next buffer.
type fileWriter struct {
	file   sealed.File
	buffer []byte        // being filled
	full   chan []byte   // to write, in order
	empty  chan []byte   // to fill
	failed chan struct{} // closed at the first error
	ended  chan struct{} // closed when the goroutine has ended; err is then final
	err    error
}

func newFileWriter(file sealed.File) *fileWriter {
	w := &fileWriter{
		file: file, buffer: make([]byte, 0, writeBytes), full: make(chan []byte, writeBuffers), empty: make(chan []byte, writeBuffers),
		failed: make(chan struct{}), ended: make(chan struct{}),
	}
	for range writeBuffers - 1 {
		w.empty <- make([]byte, 0, writeBytes)
	}
	go w.runWrites()
	return w
}

// runWrites writes the full buffers until there are no more. After an error it drops them.
func (w *fileWriter) runWrites() {
	defer close(w.ended)
	offset, unsynced := int64(0), 0
	for b := range w.full {
		if w.err == nil {
			var n int
			n, w.err = w.file.WriteAt(b, offset)
			offset += int64(n)
			if unsynced += n; w.err == nil && unsynced >= syncBytes {
				unsynced = 0
				w.err = w.file.Sync()
			}
			if w.err != nil {
				close(w.failed)
			}
		}
		w.empty <- b[:0]
	}
}

// Write takes the bytes over.
func (w *fileWriter) Write(b []byte) (n int, err error) {
	select {
	case <-w.failed:
		return 0, errNotWritten
	default:
	}
	for n < len(b) {
		part := b[n:min(len(b), n+writeBytes-len(w.buffer))]
		w.buffer = append(w.buffer, part...)
		n += len(part)
		if len(w.buffer) == writeBytes {
			w.full <- w.buffer
			w.buffer = <-w.empty
		}
	}
	return n, nil
}

// finish writes the rest, waits for the goroutine, and returns the first error. It is called once.
func (w *fileWriter) finish() error {
	w.full <- w.buffer
	close(w.full)
	<-w.ended
	return w.err
}
