package wal

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkAppendAndWait appends records of 128 bytes and waits for each, in a folder of the
// temporary directory: most of the time is the sync.
func BenchmarkAppendAndWait(b *testing.B) {
	data := make([]byte, 128)
	encode := func(to []byte) []byte { return append(to, data...) }
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprintf("goroutines=%d", goroutines), func(b *testing.B) {
			l, _, err := Open(b.TempDir(), nil)
			require.NoError(b, err)
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			var running sync.WaitGroup
			b.ResetTimer()
			for i := range goroutines {
				running.Go(func() {
					for range (b.N + i) / goroutines {
						if err := l.Wait(b.Context(), l.Append(1, len(data), encode)); err != nil {
							b.Error(err)
						}
					}
				})
			}
			running.Wait()
			b.StopTimer()
			require.NoError(b, l.Close())
		})
	}
}

// BenchmarkAppend appends records of a megabyte, and waits at the end.
func BenchmarkAppend(b *testing.B) {
	data := make([]byte, 1<<20)
	encode := func(to []byte) []byte { return append(to, data...) }
	l, _, err := Open(b.TempDir(), nil)
	require.NoError(b, err)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		l.Append(1, len(data), encode)
		if l.Appended()%4 == 0 {
			require.NoError(b, l.Wait(b.Context(), l.Appended()))
		}
	}
	require.NoError(b, l.Close())
}
