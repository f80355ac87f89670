package batch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
)

// A server with small requests refuses the first attempt, and gets smaller ones.
func ExampleEach() {
	send := func(_ context.Context, part []int) ([]int, error) {
		if len(part) > 3 {
			return nil, ledger.ErrTooMuchData
		}
		fmt.Println("sent", part)
		return part, nil
	}
	all, err := batch.Each(context.Background(), []int{1, 2, 3, 4, 5, 6, 7}, 1, send)
	fmt.Println(all, err)
	// Output:
	// sent [1 2 3]
	// sent [4 5 6]
	// sent [7]
	// [1 2 3 4 5 6 7] <nil>
}

func TestEachCutsAtGroups(t *testing.T) {
	t.Parallel()
	for size := range 40 {
		for most := 3; most < 12; most++ {
			events := make([]int, 3*size)
			for i := range events {
				events[i] = i
			}
			got, err := batch.Each(t.Context(), events, 3, func(_ context.Context, part []int) ([]int, error) {
				require.Zero(t, len(part)%3)
				if len(part) > most {
					return nil, fmt.Errorf("wrapped: %w", ledger.ErrTooMuchData)
				}
				return part, nil
			})
			require.NoError(t, err)
			require.Equal(t, events, got)
		}
	}
}

func TestEachKeepsToTheLimit(t *testing.T) {
	t.Parallel()
	requests := []int{}
	_, err := batch.Each(t.Context(), make([]int, 20_000), 3, func(_ context.Context, part []int) ([]int, error) {
		requests = append(requests, len(part))
		return part, nil
	})
	require.NoError(t, err)
	require.Equal(t, []int{8187, 8187, 3626}, requests)
}

func TestEachStopsAtAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	got, err := batch.Each(t.Context(), make([]int, 10_000), 1, func(_ context.Context, part []int) ([]int, error) {
		if len(part) < ledger.BatchMax {
			return nil, broken
		}
		return part, nil
	})
	require.ErrorIs(t, err, broken)
	require.Len(t, got, ledger.BatchMax, "the answers so far")
	_, err = batch.Each(t.Context(), make([]int, 3), 3, func(context.Context, []int) ([]int, error) {
		return nil, ledger.ErrTooMuchData
	})
	require.ErrorIs(t, err, ledger.ErrTooMuchData, "a group is not cut")
}

// Pages get as small as the server's answers, and stay so.
func TestPage(t *testing.T) {
	t.Parallel()
	rows := []int{1, 2, 3, 4, 5, 6, 7}
	limit, asked := uint32(8), []uint32{}
	read := func(from int) func() ([]int, error) {
		return func() ([]int, error) {
			asked = append(asked, limit)
			if limit > 3 {
				return nil, fmt.Errorf("wrapped: %w", ledger.ErrTooMuchData)
			}
			return rows[from:min(from+int(limit), len(rows))], nil
		}
	}
	first, err := batch.Page(&limit, read(0))
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, first)
	next, err := batch.Page(&limit, read(2))
	require.NoError(t, err)
	require.Equal(t, []int{3, 4}, next)
	require.Equal(t, []uint32{8, 4, 2, 2}, asked)
}

// A row that is too large by itself is an error, and so is any other.
func TestPageStopsAtAnError(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		left int
	}{{ledger.ErrTooMuchData, 1}, {errors.New("away"), 5}} {
		limit := 5
		_, err := batch.Page(&limit, func() ([]int, error) { return nil, c.err })
		require.ErrorIs(t, err, c.err)
		require.Equal(t, c.left, limit)
	}
}
