package transfers_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/transfers"
)

// meter collects the figures of a soak.
type meter struct {
	mu             sync.Mutex
	lastBatchAt    time.Time
	longestGap     time.Duration // without a finished batch
	slowestBatch   time.Duration
	batches        int
	transferCount  int
	operationCount int
	touchedPeers   int // passed to Events.BalancesChanged

	answerCount int64
	duration    time.Duration
	samples     []memorySample
}

// memorySample is the memory in use at one moment.
type memorySample struct {
	at         time.Duration
	heap       uint64 // in use, after a garbage collection
	goroutines uint64
	journal    int64  // bytes in its folder
	resident   uint64 // bytes of this process, with the C library's; 0 if not known
	ledger     uint64 // bytes of the ledger's process, which grows with its books; 0 if not known
	operations int    // up to this moment
	faults     []string
}

// memorySampleCount is the number of samples of a soak.
const memorySampleCount = 40

// recordBatch records a batch; see [transfers.Events].
func (m *meter) recordBatch(b transfers.Batch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.batches > 0 {
		m.longestGap = max(m.longestGap, now.Sub(m.lastBatchAt))
	}
	m.lastBatchAt, m.slowestBatch = now, max(m.slowestBatch, b.Duration)
	m.batches++
	m.transferCount += b.Transfers
	m.operationCount += b.Operations
}

func (m *meter) recordTouched(peers []accounts.PeerAccount) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.touchedPeers += len(peers)
}

func (m *meter) operationsSoFar() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.operationCount
}

// recordEnd records the end of the storm.
func (m *meter) recordEnd(answers int64, took time.Duration) {
	m.answerCount, m.duration = answers, took
}

// measureMemory samples the memory until the storm ends.
func (s *soak) measureMemory(storm context.Context) {
	began := time.Now()
	for waitFor(storm, s.length/memorySampleCount) {
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		s.meter.samples = append(s.meter.samples, memorySample{
			time.Since(began), stats.HeapInuse, uint64(runtime.NumGoroutine()), folderSize(s.journalFolder),
			residentBytes(os.Getpid()), residentBytes(int(s.ledgerPID.Load())), s.meter.operationsSoFar(), s.takeRecentFaults(),
		})
	}
}

// residentBytes returns the resident memory of a process, 0 if the system does not tell.
func residentBytes(pid int) (bytes uint64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err == nil {
		var size, pages uint64
		if _, err = fmt.Sscan(string(text), &size, &pages); err == nil {
			bytes = pages * uint64(os.Getpagesize())
		}
	}
	return bytes
}

// folderSize returns the total size of the files in a folder. Files may be removed meanwhile.
func folderSize(folder string) (size int64) {
	_ = filepath.WalkDir(folder, func(path string, _ fs.DirEntry, _ error) error {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	return size
}

// maxJournalBytes is the largest allowed size of the journal's folder: two checkpoints, each of a
// full backlog or of the fulfills left by recorders closed in a hurry, and a few megabytes of
// log between them.
const maxJournalBytes = 32 << 20

// checkFigures logs the figures, and checks the memory after a long soak.
func (m *meter) checkFigures(t *testing.T, long bool) {
	t.Helper()
	seconds := m.duration.Seconds()
	t.Logf("%d answers to callers in %v, %.0f a second; %d operations and %d transfers in %d batches, %.0f transfers a second",
		m.answerCount, m.duration.Round(time.Millisecond), float64(m.answerCount)/seconds, m.operationCount, m.transferCount, m.batches, float64(m.transferCount)/seconds)
	t.Logf("longest time without a finished batch %v, slowest batch %v; %d peers touched", m.longestGap, m.slowestBatch, m.touchedPeers)
	for _, s := range m.samples {
		t.Logf("after %v: %v", s.at.Round(100*time.Millisecond), s)
		require.Less(t, s.journal, int64(maxJournalBytes), "the journal is bounded")
	}
	if long {
		m.requireFlat(t)
	}
}

// maxReplayBytes is the memory that a replay of the journal may use for a moment.
const maxReplayBytes = 64 << 20

// requireFlat compares the memory of the storm's two halves. The median shows memory in
// permanent use. The maximum is momentary, and depends on the size of a replay.
func (m *meter) requireFlat(t *testing.T) {
	t.Helper()
	half := len(m.samples) / 2
	for name, of := range map[string]func(memorySample) uint64{
		"heap":       func(s memorySample) uint64 { return s.heap },
		"process":    func(s memorySample) uint64 { return s.resident }, // with the C library's
		"goroutines": func(s memorySample) uint64 { return s.goroutines },
	} {
		median, most := medianAndMax(m.samples[:half], of)
		medianAfter, mostAfter := medianAndMax(m.samples[half:], of)
		t.Logf("%s: median %d, then %d; maximum %d, then %d", name, median, medianAfter, most, mostAfter)
		require.LessOrEqual(t, float64(medianAfter), 1.25*float64(median), "%s is flat", name)
		if name == "heap" {
			require.LessOrEqual(t, float64(mostAfter), 1.25*float64(most)+maxReplayBytes, "the peaks of the heap are flat")
		}
	}
}

// medianAndMax returns the median and the maximum of one figure of the samples.
func medianAndMax(samples []memorySample, of func(memorySample) uint64) (median, most uint64) {
	var all []uint64
	for _, s := range samples {
		all = append(all, of(s))
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

func (m memorySample) String() string {
	text := fmt.Sprintf("heap %d MiB, process %d MiB, %d goroutines", m.heap>>20, m.resident>>20, m.goroutines)
	if m.journal > 0 {
		text += fmt.Sprintf(", journal %d KiB", m.journal>>10)
	}
	if m.ledger > 0 {
		text += fmt.Sprintf(", ledger's process %d MiB", m.ledger>>20)
	}
	return fmt.Sprintf("%s, %d operations, %v", text, m.operations, m.faults)
}
