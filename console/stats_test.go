package console_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStats(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	before := f.console.Stats()
	require.Empty(t, before.Acts, "a view only")
	require.Zero(t, before.LastLook)
	began := time.Now()
	f.show("/peers")
	status, _ := f.open("/nothing")
	require.Equal(t, http.StatusNotFound, status)
	after := f.console.Stats()
	require.Equal(t, before.Requests[2]+1, after.Requests[2])
	require.Equal(t, before.Requests[4]+1, after.Requests[4])
	require.Contains(t, after.Requests, 3)
	require.Contains(t, after.Requests, 5)
	require.WithinRange(t, after.LastLook, began, time.Now())
	require.Zero(t, after.LookFailures)
	require.Zero(t, after.Streams)
}

// Each change counts once, by its outcome.
func TestStatsOfActs(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	require.Equal(t, map[string]uint64{"written": 0, "already": 0, "refused": 0, "unknown": 0, "failed": 0}, a.console.Stats().Acts)
	second := a.prepare("suspend", ofAlice, url.Values{})
	a.do("suspend", second)
	a.do("suspend", second) // the same form: nothing is done again
	require.Equal(t, map[string]uint64{"written": 1, "already": 0, "refused": 0, "unknown": 0, "failed": 0}, a.console.Stats().Acts)
}
