package accounts

import (
	"iter"
)

// Progress is how far something long has come.
type Progress struct {
	Phase string // e.g. "provision peers"
	Done  int    // peers, accounts or assets
	Total int    // 0 if it is not known
}

// reportProgress tells of progress.
func (b *Book) reportProgress(phase string, done, total int) {
	if b.progress != nil {
		b.progress(Progress{Phase: phase, Done: done, Total: total})
	}
}

// collectChunks gives what a sequence has in slices of up to size, each of which may be
// used until the next.
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
