package settlement

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Settler that ends its goroutine keeps no other visit of the queue from being run, also with one goroutine.
func TestVisitQueueOutlivesGoexit(t *testing.T) {
	t.Parallel()
	for _, goroutines := range []int{1, 3} {
		var runs [10]atomic.Int64
		q := new(visitQueue)
		for i := range runs {
			q.visits = append(q.visits, queuedVisit{run: func() {
				runs[i].Add(1)
				if i%4 == 1 || i == len(runs)-1 {
					runtime.Goexit()
				}
			}})
		}
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() { q.runAll(t.Context(), &wg) })
		}
		wg.Wait()
		for i := range runs {
			require.Equal(t, int64(1), runs[i].Load(), "visit %d with %d goroutines", i, goroutines)
		}
	}
}
