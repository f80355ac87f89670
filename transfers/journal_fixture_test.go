package transfers_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// newFolder returns the path of a journal's folder that does not exist yet.
func newFolder(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "journal")
}

// eventLog collects the events of recorders.
type eventLog struct {
	mu            sync.Mutex
	replayed      []transfers.Result
	late          []transfers.Result
	journalFaults []error
}

func (h *eventLog) toEvents() transfers.Events {
	note := func(to *[]transfers.Result) func([]transfers.Result) {
		return func(results []transfers.Result) {
			h.mu.Lock()
			defer h.mu.Unlock()
			*to = append(*to, results...)
		}
	}
	return transfers.Events{Replayed: note(&h.replayed), Late: note(&h.late), JournalFailed: func(err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.journalFaults = append(h.journalFaults, err)
	}}
}

// takeReplayed returns the results replayed since the last call.
func (h *eventLog) takeReplayed() []transfers.Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	taken := h.replayed
	h.replayed = nil
	return taken
}

func (h *eventLog) journalErrors() []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.journalFaults)
}

// resultsByID returns the results by packet. No packet may have two.
func resultsByID(t *testing.T, results []transfers.Result) map[ledger.ID]transfers.Result {
	t.Helper()
	all := make(map[ledger.ID]transfers.Result)
	for _, r := range results {
		_, isTwice := all[r.Packet.ID] // require.NotContains would compare every key
		require.False(t, isTwice, "%v has two results", r.Packet.ID)
		all[r.Packet.ID] = r
	}
	return all
}

// newJournaled starts a recorder with a journal, on the fixture's ledger or on wrap if given.
// The fixture's own recorder has no journal.
func (f *fixture) newJournaled(t *testing.T, folder string, h *eventLog, wrap ledger.Ledger) *transfers.Recorder {
	t.Helper()
	if wrap == nil {
		wrap = f.embedded
	}
	r, err := transfers.NewRecorder(wrap, f.book, transfers.Config{JournalFolder: folder, Events: h.toEvents()})
	require.NoError(t, err)
	return r
}

// requireEmptyJournal opens a journal, and requires that it has no pending fulfill.
func (f *fixture) requireEmptyJournal(t *testing.T, folder string) {
	t.Helper()
	h := &eventLog{}
	r := f.newJournaled(t, folder, h, nil)
	require.NoError(t, r.Flush(t.Context()))
	require.NoError(t, r.Close(t.Context()))
	require.Empty(t, h.takeReplayed())
	require.Empty(t, h.journalErrors())
}

// prepareHeld prepares n packets of 1 from alice to bob.
func (f *fixture) prepareHeld(t *testing.T, n int) []transfers.Packet {
	t.Helper()
	ops := make([]transfers.Op, n)
	for i := range ops {
		ops[i] = transfers.PrepareOp(f.packet(1, 1))
	}
	results, err := f.recorder.RecordAll(t.Context(), ops...)
	require.NoError(t, err)
	packets := make([]transfers.Packet, n)
	for i, r := range results {
		packets[i] = r.Packet
	}
	return packets
}

// silentLedger is a ledger that answers some requests, and never a later one.
type silentLedger struct {
	ledger.Ledger
	applies bool          // it executes the requests that it does not answer
	after   int           // how many requests it answers
	asked   chan struct{} // closed with the first request without an answer

	mu       sync.Mutex
	requests int
}

func newSilentLedger(l ledger.Ledger, applies bool, after int) *silentLedger {
	return &silentLedger{Ledger: l, applies: applies, after: after, asked: make(chan struct{})}
}

func (m *silentLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	m.mu.Lock()
	m.requests++
	n := m.requests - m.after
	m.mu.Unlock()
	if n <= 0 {
		return m.Ledger.CreateTransfers(ctx, batch)
	}
	if m.applies {
		if _, err := m.Ledger.CreateTransfers(ctx, batch); err != nil {
			return nil, err
		}
	}
	if n == 1 {
		close(m.asked)
	}
	<-ctx.Done()
	return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, ctx.Err())
}

// leaveInJournal leaves fulfills in the journal: a recorder submits the fulfills to a ledger without
// answers, and is closed.
func (f *fixture) leaveInJournal(t *testing.T, folder string, applies bool, packets ...transfers.Packet) {
	t.Helper()
	silent := newSilentLedger(f.embedded, applies, 0)
	r := f.newJournaled(t, folder, &eventLog{}, silent)
	for _, p := range packets {
		future, err := r.Submit(t.Context(), transfers.FulfillOp(p))
		require.NoError(t, err)
		require.NoError(t, future.Journaled(canceled(t.Context())), "Submit has waited")
	}
	<-silent.asked
	f.closeUnanswered(t, r, len(packets))
}

// closeUnanswered closes a recorder with n fulfills without an answer.
func (f *fixture) closeUnanswered(t *testing.T, r *transfers.Recorder, n int) {
	t.Helper()
	err := r.Close(canceled(t.Context()))
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, transfers.ErrJournal, "the fulfills are in the journal, in order")
	var left *transfers.CloseError
	require.ErrorAs(t, err, &left)
	require.Len(t, append(left.UnknownOps, left.UnsentOps...), n)
}

// folderFiles is the content of a folder by file name.
type folderFiles map[string][]byte

// readFiles reads a folder whose journal may be open. If the journal removes a file meanwhile,
// readFiles starts again: the result is a state that existed.
func readFiles(t *testing.T, dir string) folderFiles {
	t.Helper()
	for {
		all, err := tryReadFiles(dir)
		if !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
			return all
		}
	}
}

func tryReadFiles(dir string) (folderFiles, error) {
	entries, err := os.ReadDir(dir)
	all := make(folderFiles)
	for _, entry := range entries {
		if all[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name())); err != nil {
			break
		}
	}
	return all, err
}

// writeFolder writes the files into a new folder.
func (f folderFiles) writeFolder(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range f {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir
}

// withFile returns the folder with another content of one file.
func (f folderFiles) withFile(name string, content []byte) folderFiles {
	changed := maps.Clone(f)
	changed[name] = content
	return changed
}

// newestLog returns the name of the newest segment of the log.
func (f folderFiles) newestLog() (newest string) {
	for name := range f {
		if strings.HasPrefix(name, "log-") && !strings.HasSuffix(name, ".tmp") && name > newest {
			newest = name
		}
	}
	return newest
}

// folderBytes returns the total size of a folder's files, which may change meanwhile.
func folderBytes(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

// requireNoneOpen fails if this process has a file of the folder open. It checks on Linux only.
func requireNoneOpen(t *testing.T, dir string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		path, err := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		if err == nil { // otherwise it was closed meanwhile
			require.False(t, strings.HasPrefix(path, dir), "%s is open", path)
		}
	}
}

// sleepVirtual lets virtual time pass.
func sleepVirtual(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // virtual time
}
