package requestlimit_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// A server started with --development refuses the largest request. The next request fits.
func ExampleLimit_Lower() {
	limit := requestlimit.NewCreates(ledger.BatchMax)
	fmt.Println(limit.Max())
	if limit.Lower(limit.Max()) {
		fmt.Println(limit.Max())
	}
	// Output:
	// 8189
	// 253
}

// Three events are a group, so the limit stays a multiple of three.
func ExampleNew() {
	limit := requestlimit.New(100, 3)
	fmt.Println(limit.Max())
	for limit.Lower(limit.Max()) {
		fmt.Println(limit.Max())
	}
	// Output:
	// 99
	// 48
	// 24
	// 12
	// 6
	// 3
}

func TestLimitNeverRises(t *testing.T) {
	t.Parallel()
	limit := requestlimit.NewCreates(ledger.BatchMax)
	for _, c := range []struct{ refused, want int }{
		{ledger.BatchMax, requestlimit.Development},
		{requestlimit.Development + 1, requestlimit.Development},
		{requestlimit.Development, requestlimit.Development / 2},
		{ledger.BatchMax, requestlimit.Development / 2}, // a request that was under way
		{2, 1},
	} {
		require.True(t, limit.Lower(c.refused))
		require.Equal(t, c.want, limit.Max(), "a request of %d", c.refused)
	}
	require.False(t, limit.Lower(1), "there is no smaller request")
	require.Equal(t, 1, limit.Max())
}

func TestFind(t *testing.T) {
	t.Parallel()
	for want := range ledger.BatchMax + 1 {
		requests, limit := 0, requestlimit.NewCreates(ledger.BatchMax)
		require.NoError(t, limit.Find(func(events int) (bool, error) {
			requests++
			return events <= want, nil
		}))
		require.Equal(t, want, limit.Max())
		switch want {
		case ledger.BatchMax:
			require.Equal(t, 1, requests)
		case requestlimit.Development:
			require.Equal(t, 3, requests)
		default:
			require.LessOrEqual(t, requests, 17)
		}
	}
}

// A limit at or below that of a development server is searched without it.
func TestFindBelowDevelopment(t *testing.T) {
	t.Parallel()
	for most := 1; most <= requestlimit.Development; most++ {
		limit := requestlimit.NewCreates(most)
		require.NoError(t, limit.Find(func(events int) (bool, error) {
			require.LessOrEqual(t, events, most)
			return events <= most/3, nil
		}))
		require.Equal(t, most/3, limit.Max())
	}
}

func TestFindStopsAtAnError(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for stop := 1; stop < 5; stop++ {
		requests, limit := 0, requestlimit.NewCreates(ledger.BatchMax)
		require.ErrorIs(t, limit.Find(func(int) (bool, error) {
			if requests++; requests == stop {
				return false, away
			}
			return false, nil
		}), away)
		require.Equal(t, stop, requests)
		require.Equal(t, ledger.BatchMax, limit.Max())
	}
}

type limited struct{ *embedded.Ledger }

func (limited) BatchMax() int { return 7 }

func TestOfCreates(t *testing.T) {
	t.Parallel()
	require.Equal(t, 7, requestlimit.OfCreates(limited{}))
	require.Equal(t, ledger.BatchMax, requestlimit.OfCreates(embedded.New()))
}
