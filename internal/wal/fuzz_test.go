package wal

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzOpen reads any bytes as the frames of a segment with an empty mark. Open keeps the whole
// frames and cuts the rest, and then the segment is whole.
func FuzzOpen(f *testing.F) {
	h := header{magic: logMagic, folder: [16]byte{1, 2, 3}}
	head, sum := h.encodeHeader()
	frame := make([]byte, frameHeader+5)
	copy(frame[frameHeader:], "hello")
	putFrameHeader(frame, sum, 0, 1, frame[frameHeader:])
	f.Add([]byte{})
	f.Add(frame)
	f.Add(append(frame[:len(frame):len(frame)], endFrame(sum, 1)...))
	f.Add(append(frame[:len(frame):len(frame)], 0xff, 0xff, 0xff))
	f.Fuzz(func(t *testing.T, frames []byte) {
		m := newMemoryOf(map[string][]byte{fileName(segmentPrefix, 0): append(head[:headerSize:headerSize], frames...)})
		var got texts
		l, recovery, err := openFirstFormat(m, got.restore)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt) // a segment with an end has a successor
			return
		}
		require.Len(t, got, recovery.Records)
		position := l.Append(1, 0, appendText("more"))
		require.NoError(t, l.Wait(t.Context(), position))
		require.NoError(t, l.Close())
		want := append(got, "more")

		got = nil
		l, recovery, err = openFirstFormat(m, got.restore)
		require.NoError(t, err)
		require.Nil(t, recovery.Torn)
		require.Equal(t, want, got)
		require.NoError(t, l.Close())
	})
}
