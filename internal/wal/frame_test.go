package wal

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// shortenedFile has fewer bytes than its size.
type shortenedFile struct {
	file
	content []byte
}

func (s shortenedFile) ReadAt(b []byte, offset int64) (int, error) {
	return bytes.NewReader(s.content).ReadAt(b, offset)
}

// A file that becomes shorter while it is read is not damaged, and gives no record of its missing
// part.
func TestFrameOfAFileThatBecameShorter(t *testing.T) {
	t.Parallel()
	data := []byte("data")
	whole := make([]byte, headerSize+frameHeader, headerSize+frameHeader+len(data))
	putFrameHeader(whole[headerSize:], 5, 0, 1, data)
	whole = append(whole, data...)
	r := newFrameReader(shortenedFile{content: whole}, 5, int64(len(whole)))
	record, err := r.readFrame()
	require.NoError(t, err)
	require.Equal(t, data, record.Data)
	for length := headerSize; length < len(whole); length++ {
		r := newFrameReader(shortenedFile{content: whole[:length]}, 5, int64(len(whole)))
		_, err := r.readFrame()
		require.Error(t, err, length)
		require.NotErrorAs(t, err, new(damage), length)
		require.Equal(t, int64(headerSize), r.offset)
	}
}
