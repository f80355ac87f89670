package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// syncAndClose syncs a written file, unless err is not nil, and closes it. It joins the errors.
func syncAndClose(file *os.File, err error) error {
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder syncs the names in a folder.
func syncFolder(folder string) error {
	file, err := os.Open(folder)
	if err != nil {
		return err
	}
	return syncAndClose(file, nil)
}

// chunkSize is how much is read at a time, and the granularity of holes.
const chunkSize = 64 << 10

// hashCounter counts and hashes the bytes written to it.
type hashCounter struct {
	count int64
	sum   interface {
		io.Writer
		Sum([]byte) []byte
	}
}

func newHashCounter() *hashCounter { return &hashCounter{sum: sha256.New()} }

func (c *hashCounter) Write(p []byte) (int, error) {
	c.count += int64(len(p))
	return c.sum.Write(p)
}

func (c *hashCounter) hexSum() string { return hex.EncodeToString(c.sum.Sum(nil)) }

// packFile compresses a data file. Holes are read as zeros and cost next to nothing.
func packFile(ctx context.Context, from io.Reader, to *os.File, moved func(int64)) (Archive, error) {
	return packInto(to, func(w io.Writer) error {
		return copyChunks(ctx, from, func(p []byte) error { _, err := w.Write(p); return err }, moved)
	})
}

// packInto compresses the bytes that write writes into a file.
func packInto(to *os.File, write func(io.Writer) error) (Archive, error) {
	plain, packed := newHashCounter(), newHashCounter()
	encoder, err := zstd.NewWriter(io.MultiWriter(to, packed), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return Archive{}, err
	}
	err = write(io.MultiWriter(plain, encoder))
	if err = errors.Join(err, encoder.Close()); err != nil {
		return Archive{}, err
	}
	return Archive{plain.count, plain.hexSum(), packed.count, packed.hexSum()}, nil
}

// windowMax is how much memory an archive may require: zstd's own default limit.
const windowMax = 128 << 20

// unpackFile unpacks an archive into write and checks sizes and hashes at the end. It stops at more
// bytes than the manifest has. A nil write only checks.
func (a Archive) unpackFile(ctx context.Context, path string, write func([]byte) error, moved func(int64)) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	defer func() { _ = file.Close() }() // opened only for reading
	plain, packed := newHashCounter(), newHashCounter()
	tee := io.TeeReader(file, packed)
	decoder, err := zstd.NewReader(tee, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowMax))
	if err != nil {
		return err
	}
	defer decoder.Close()
	err = copyChunks(ctx, decoder, func(p []byte) error {
		_, _ = plain.Write(p) // never fails
		switch {
		case plain.count > a.Size:
			return fmt.Errorf("%w: %s holds more than the %d bytes of its manifest", ErrDamaged, path, a.Size)
		case write == nil:
			return nil
		}
		return write(p)
	}, moved)
	if err == nil {
		_, err = io.Copy(io.Discard, tee) // hash the rest, which the decoder did not need
	}
	if err != nil {
		if isCorrupt(err) {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
		}
		return err
	}
	if got := (Archive{plain.count, plain.hexSum(), packed.count, packed.hexSum()}); got != a {
		return fmt.Errorf("%w: %s differs from its manifest: %d bytes with SHA-256 %s instead of %d with %s",
			ErrDamaged, path, got.Size, got.SHA256, a.Size, a.SHA256)
	}
	return nil
}

// isCorrupt reports whether an error comes from zstd, and not from the files, the context or an
// earlier check.
func isCorrupt(err error) bool {
	var path *os.PathError
	return !errors.Is(err, ErrDamaged) && !errors.As(err, &path) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// copyChunks reads to the end and passes each chunk to write. moved, which may be nil, is called
// with the bytes done.
func copyChunks(ctx context.Context, from io.Reader, write func([]byte) error, moved func(int64)) error {
	buffer := make([]byte, chunkSize)
	total := int64(0)
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n, err := io.ReadFull(from, buffer)
		if n > 0 {
			if err := write(buffer[:n]); err != nil {
				return err
			}
			total += int64(n)
			if moved != nil {
				moved(total)
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF) && n > 0:
			return nil
		case err != nil:
			return err
		}
	}
}

var zeros = make([]byte, chunkSize)

// sparseWriter writes a file with holes in place of zeros.
type sparseWriter struct{ file *os.File }

func (s sparseWriter) writeChunk(p []byte) error {
	if bytes.Equal(p, zeros[:len(p)]) {
		_, err := s.file.Seek(int64(len(p)), io.SeekCurrent)
		return err
	}
	_, err := s.file.Write(p)
	return err
}

// setLength sets the length of a file that ends with a hole.
func (s sparseWriter) setLength() error {
	at, err := s.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	return s.file.Truncate(at)
}
