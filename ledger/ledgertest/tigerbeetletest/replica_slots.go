//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"
)

// maxReplicas is the number of replicas of different tests that run at once in a process, because
// replicas take much memory. A larger cluster runs alone.
const maxReplicas = 4

// processSlots serves all clusters of the process.
var processSlots = newReplicaSlots(maxReplicas)

// replicaSlots bounds the number of replicas that run at once: a test waits for the end of other
// tests.
//
// A second cluster of a test or of its subtests never waits, because it might wait for the end of
// its own test. So a test can have more replicas than there are slots.
type replicaSlots struct {
	size int64
	free *semaphore.Weighted

	mu   sync.Mutex
	held map[string]int // clusters by test name
}

func newReplicaSlots(size int64) *replicaSlots {
	return &replicaSlots{size: size, free: semaphore.NewWeighted(size), held: make(map[string]int)}
}

// acquireSlots waits until there are slots for a test's replicas. The error is the context's.
func (r *replicaSlots) acquireSlots(ctx context.Context, test string, replicas int) (release func(), err error) {
	slots := min(int64(replicas), r.size)
	if r.hasCluster(test) {
		slots = 0
	} else if err := r.free.Acquire(ctx, slots); err != nil {
		return nil, err
	}
	r.countReplicas(test, 1)
	return func() {
		r.countReplicas(test, -1)
		r.free.Release(slots)
	}, nil
}

// hasCluster reports whether the test or one of its parent tests has a cluster.
func (r *replicaSlots) hasCluster(test string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		if r.held[test] > 0 {
			return true
		}
		end := strings.LastIndexByte(test, '/')
		if end < 0 {
			return false
		}
		test = test[:end]
	}
}

func (r *replicaSlots) countReplicas(test string, change int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held[test] += change; r.held[test] == 0 {
		delete(r.held, test)
	}
}
