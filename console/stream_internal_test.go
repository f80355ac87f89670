package console

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// A download that fails before its first row gets a page with the reason, and one that fails later is broken off.
func TestStreamsBreakOff(t *testing.T) {
	t.Parallel()
	c, _ := newHealthConsole(t, nil)
	away := errors.New("the ledger is away")
	fields := []field[int]{{"n", func(n int) any { return n }}}
	stream := func(rows int, err error, f format) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		streamRows(c, w, httptest.NewRequest(http.MethodGet, "/find.csv", nil), f, "find", fields, func(context.Context) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				for i := range rows {
					if !yield(i, nil) {
						return
					}
				}
				if err != nil {
					yield(0, err)
				}
			}
		})
		return w
	}
	for _, f := range []format{formatCSV, formatJSON} {
		w := stream(0, away, f)
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Contains(t, w.Body.String(), away.Error())
		require.Equal(t, http.StatusBadRequest, stream(0, accounts.ErrInvalid, f).Code)
		require.PanicsWithValue(t, http.ErrAbortHandler, func() { stream(2, away, f) })
	}
	require.Equal(t, "n\n0\n1\n2\n", stream(3, nil, formatCSV).Body.String())
	require.Equal(t, "n\n", stream(0, nil, formatCSV).Body.String())
	require.Equal(t, "[\n{\"n\":0}\n]\n", stream(1, nil, formatJSON).Body.String())
	require.Equal(t, "[\n]\n", stream(0, nil, formatJSON).Body.String())
	require.Empty(t, c.reads, "all reads have ended")
}

// Statements are compared by a bounded number of requests, each of a bounded number of entries.
func TestComparisonsAreBounded(t *testing.T) {
	t.Parallel()
	endless := func(yield func(accounts.Entry, error) bool) {
		for yield(accounts.Entry{}, nil) {
			continue
		}
	}
	count := 0
	for _, err := range limitEntries(endless) {
		if err != nil {
			require.ErrorIs(t, err, errManyEntries)
			break
		}
		count++
	}
	require.Equal(t, maxCompared, count)
	require.Equal(t, http.StatusBadRequest, statusOfUpload(errManyEntries))

	c, _ := newHealthConsole(t, nil)
	post := func() int {
		w := httptest.NewRecorder()
		c.compare(w, httptest.NewRequest(http.MethodPost, "/compare?peer=alice&asset=USD/2", nil), formatHTML)
		return w.Code
	}
	for range 2 * maxUploads {
		require.Equal(t, http.StatusBadRequest, post(), "each gives its place back")
	}
	for range maxUploads {
		c.uploads <- struct{}{}
	}
	require.Equal(t, http.StatusServiceUnavailable, post())
}
