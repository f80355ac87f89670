package accounts

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// All items come in order, in chunks of which only the last is shorter, and none is empty.
func TestCollectChunks(t *testing.T) {
	t.Parallel()
	items := []int{1, 2, 3, 4, 5, 6}
	for count, want := range [][][]int{
		nil, {{1}}, {{1, 2}}, {{1, 2, 3}}, {{1, 2, 3}, {4}}, {{1, 2, 3}, {4, 5}}, {{1, 2, 3}, {4, 5, 6}},
	} {
		var chunks [][]int
		for chunk := range collectChunks(slices.Values(items[:count]), 3) {
			chunks = append(chunks, slices.Clone(chunk))
		}
		require.Equal(t, want, chunks, "%d items", count)
	}
}
