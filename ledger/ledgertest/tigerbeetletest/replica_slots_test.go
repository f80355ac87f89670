//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReplicaSlots(t *testing.T) {
	t.Parallel()
	r := newReplicaSlots(4)
	acquire := func(test string, replicas int) func() {
		t.Helper()
		releases, err := r.acquireSlots(t.Context(), test, replicas)
		require.NoError(t, err)
		return releases
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()

	releases := []func(){acquire("TestA", 3), acquire("TestA", 3), acquire("TestA/sub", 6), acquire("TestB", 1)}
	for _, test := range []string{"TestC", "TestAB", "TestC/TestA"} {
		_, err := r.acquireSlots(canceled, test, 1)
		require.ErrorIs(t, err, context.Canceled, test)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		l, err := r.acquireSlots(t.Context(), "TestC", 6)
		if assert.NoError(t, err) {
			l()
		}
	})
	releases = append(releases, acquire("TestB", 3), acquire("TestA/sub/deep", 1)) // whether TestC waits or not
	for _, l := range releases {
		l()
	}
	waiting.Wait()
	acquire("TestD", 6)()
	require.Empty(t, r.held)
}
