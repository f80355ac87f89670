package sealed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Reader reads a file. Any number of goroutines may use it until Close.
type Reader struct {
	path string
	file File
	sum  uint32
	size int64
	data []byte
}

// OpenFile opens a file, and compares its size and the sum of its header with the values that the
// owner remembers.
func OpenFile(folder Folder, name string, format Format, size int64, sum uint32) (*Reader, error) {
	path := folder.FullPath(name)
	f, err := folder.OpenFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &CorruptError{path, 0, "the file is missing"}
	}
	if err != nil {
		return nil, err
	}
	r := &Reader{path: path, file: f, sum: sum, size: size}
	if err := r.readHeader(format); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func (r *Reader) readHeader(format Format) error {
	size, err := r.file.Size()
	if err != nil {
		return err
	}
	if size != r.size || size < HeaderBytes {
		return r.Corrupt(0, fmt.Sprintf("the file has %d bytes, and had %d", size, r.size))
	}
	b := make([]byte, HeaderBytes)
	if err := r.readFully(b, 0); err != nil {
		return err
	}
	sum := binary.LittleEndian.Uint32(b[headerSumAt:])
	if sum != r.sum || sum != crc32.Checksum(b[:headerSumAt], castagnoli) || string(b[:8]) != format.Magic {
		return r.Corrupt(0, "the header is damaged, or of another file")
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != format.Version {
		return fmt.Errorf("%w: %s has format %d, and this program reads %d", ErrVersion, r.path, v, format.Version)
	}
	r.data = b[headerDataAt:headerSumAt]
	return nil
}

// HeaderData returns the owner's part of the header. The Reader forgets it, to save memory.
func (r *Reader) HeaderData() []byte {
	data := r.data
	r.data = nil
	return data
}

// Size returns the size of the file in bytes.
func (r *Reader) Size() int64 { return r.size }

// Path returns the path of the file.
func (r *Reader) Path() string { return r.path }

// Corrupt returns a [CorruptError] at an offset.
func (r *Reader) Corrupt(offset int64, reason string) error {
	return &CorruptError{r.path, offset, reason}
}

// readFully reads bytes within the file.
func (r *Reader) readFully(b []byte, offset int64) error {
	n, err := r.file.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return r.Corrupt(offset, "the file ends here")
	}
	if errors.Is(err, fs.ErrNotExist) { // a FileCache has opened it again
		return r.Corrupt(0, "the file is missing")
	}
	return fmt.Errorf("%s at byte %d: %w", r.path, offset, err)
}

// ReadBlock reads the block at an offset with its sum into the buffer, whose length is the length of
// both, and returns the checked block.
func (r *Reader) ReadBlock(offset int64, buf []byte) ([]byte, error) {
	if err := r.readFully(buf, offset); err != nil {
		return nil, err
	}
	return r.CheckBlock(offset, buf)
}

// ReadBlocks reads blocks of one length, each with its sum, into the buffer, and checks them.
func (r *Reader) ReadBlocks(offset int64, buf []byte, blockBytes int) error {
	if err := r.readFully(buf, offset); err != nil {
		return err
	}
	for at := 0; at < len(buf); at += blockBytes {
		if _, err := r.CheckBlock(offset+int64(at), buf[at:at+blockBytes]); err != nil {
			return err
		}
	}
	return nil
}

// CheckBlock checks a block with its sum, read from an offset, and returns the block.
func (r *Reader) CheckBlock(offset int64, b []byte) ([]byte, error) {
	block := b[:len(b)-SumBytes]
	if binary.LittleEndian.Uint32(b[len(block):]) != blockSum(r.sum, offset, block) {
		return nil, r.Corrupt(offset, "the checksum does not match")
	}
	return block, nil
}

// MapBytes maps a part of the file into memory, unchecked, until unmap.
func (r *Reader) MapBytes(offset int64, length int) (bytes []byte, unmap func() error, err error) {
	bytes, unmap, err = r.file.MapBytes(offset, length)
	if err != nil {
		err = fmt.Errorf("%s at byte %d: %w", r.path, offset, err)
	}
	return bytes, unmap, err
}

// Close closes the file.
func (r *Reader) Close() error { return r.file.Close() }

// FileName returns the name of file N of a kind.
func FileName(prefix string, number uint64) string { return fmt.Sprintf("%s%016x", prefix, number) }

// RemoveOthers removes the files of a kind that are unfinished or not among the names to keep.
// Files with names that [FileName] does not make are left alone.
func RemoveOthers(folder Folder, prefix string, keep []string) error {
	names, err := folder.ListNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		whole, unfinished := strings.CutSuffix(name, tmpSuffix)
		if !isFileName(prefix, whole) || !unfinished && slices.Contains(keep, name) {
			continue
		}
		if err := folder.RemoveFile(name); err != nil {
			return err
		}
	}
	return nil
}

func isFileName(prefix, name string) bool {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return false
	}
	var number uint64
	if _, err := fmt.Sscanf(digits, "%x", &number); err != nil {
		return false
	}
	return name == FileName(prefix, number)
}
