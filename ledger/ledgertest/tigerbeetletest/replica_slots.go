//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"
)

// maxReplicas is how many replicas of different tests run at once in a process, as they take
// much memory. A larger cluster runs alone.
const maxReplicas = 4

// processSlots is for all clusters of the process.
var processSlots = newReplicaSlots(maxReplicas)

// replicaSlots has tests wait for each other, so that not too many replicas run at once.
//
// A test that has a cluster and wants another, or whose subtest does, never waits: it might
// wait for its own end. So a test can have more replicas than there is room for.
type replicaSlots struct {
	size int64
	free *semaphore.Weighted

	mu   sync.Mutex
	held map[string]int // clusters by the name of their test
}

func newReplicaSlots(size int64) *replicaSlots {
	return &replicaSlots{size: size, free: semaphore.NewWeighted(size), held: make(map[string]int)}
}

// acquireSlots waits until there is room for so many replicas of a test. The error is the context's.
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

// hasCluster reports whether a test, or one that it is a subtest of, has a cluster.
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
