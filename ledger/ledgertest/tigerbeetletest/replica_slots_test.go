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
	enter := func(test string, replicas int) func() {
		t.Helper()
		leave, err := r.acquireSlots(t.Context(), test, replicas)
		require.NoError(t, err)
		return leave
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()

	leave := []func(){enter("TestA", 3), enter("TestA", 3), enter("TestA/sub", 6), enter("TestB", 1)}
	for _, other := range []string{"TestC", "TestAB", "TestC/TestA"} {
		_, err := r.acquireSlots(impatient, other, 1)
		require.ErrorIs(t, err, context.Canceled, other)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		l, err := r.acquireSlots(t.Context(), "TestC", 6)
		if assert.NoError(t, err) {
			l()
		}
	})
	leave = append(leave, enter("TestB", 3), enter("TestA/sub/deep", 1)) // whether TestC waits or not
	for _, l := range leave {
		l()
	}
	waiting.Wait()
	enter("TestD", 6)()
	require.Empty(t, r.held)
}
