package accounts

import (
	"iter"
)

// Progress is the progress of a long call, for [Config.Progress].
type Progress struct {
	Phase string // e.g. "provision peers"
	Done  int    // peers, accounts or assets
	Total int    // 0 if unknown
}

func (b *Book) reportProgress(phase string, done, total int) {
	if b.progress != nil {
		b.progress(Progress{Phase: phase, Done: done, Total: total})
	}
}

// collectChunks yields the items of a sequence in slices of up to size. A slice is valid until
// the next iteration.
func collectChunks[T any](items iter.Seq[T], size int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		chunk := make([]T, 0, size)
		for v := range items {
			if chunk = append(chunk, v); len(chunk) == size {
				if !yield(chunk) {
					return
				}
				chunk = chunk[:0]
			}
		}
		if len(chunk) > 0 {
			yield(chunk)
		}
	}
}
