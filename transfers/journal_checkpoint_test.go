package transfers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// checkpointEvery has the value of the package's checkpointInterval: bytes of log between two
// checkpoints.
const checkpointEvery = 4 << 20

// prepareLongNamed prepares packets to a peer with the longest possible name: some 1200 bytes each in the
// journal.
func (f *fixture) prepareLongNamed(t *testing.T, n int) []transfers.Packet {
	t.Helper()
	peers, err := f.book.Provision(t.Context(), accounts.PeerConfig{ID: strings.Repeat("c", 1023), Asset: usd})
	require.NoError(t, err)
	packets := make([]transfers.Packet, n)
	for i := range packets {
		packets[i] = f.numbered(t, i)
		packets[i].To = peers[0]
	}
	f.prepareAll(t, packets)
	return packets
}

// fulfillInRounds fulfills packets repeatedly, until the log is much longer than one interval between
// checkpoints.
func fulfillInRounds(t *testing.T, r *transfers.Recorder, packets []transfers.Packet) {
	t.Helper()
	var ops []transfers.Op
	for _, p := range packets {
		ops = append(ops, transfers.FulfillOp(p))
	}
	for range checkpointEvery/1000/len(packets) + 1 { // round after round: a pending fulfill is not appended again
		_, err := r.RecordAll(t.Context(), ops...)
		require.NoError(t, err)
	}
}

// The folder does not grow with the number of fulfills, from many goroutines.
func TestJournalStaysSmall(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareLongNamed(t, 64)
	h := &eventLog{}
	r := f.newJournaled(t, folder, h, nil)
	fulfills := 800
	if testing.Short() {
		fulfills = 200
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	largest := int64(0)
	for _, p := range packets {
		group.Go(func() {
			for n := range fulfills {
				if _, err := r.Submit(t.Context(), transfers.FulfillOp(p)); err != nil {
					t.Error(err)
					return
				}
				if n%20 == 0 {
					mu.Lock()
					largest = max(largest, folderBytes(t, folder))
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	logged := int64(fulfills) * 64 * 1200
	t.Logf("%d MiB logged, the folder had up to %d MiB", logged>>20, largest>>20)
	require.Less(t, largest, int64(4*checkpointEvery))
	require.NoError(t, r.Close(t.Context()))
	require.Empty(t, h.journalErrors())
	require.Less(t, folderBytes(t, folder), int64(4<<10), "no fulfill is pending, so the files are almost empty")
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}

// More fulfills are pending than fit between two checkpoints.
func TestMuchIsOwed(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareLongNamed(t, 5000)
	for n := range 3 {
		silent := newSilentLedger(f.embedded, false, 0)
		r := f.newJournaled(t, folder, &eventLog{}, silent)
		left := 5000
		if n == 0 {
			for _, p := range packets {
				_, err := r.TrySubmit(transfers.FulfillOp(p))
				require.NoError(t, err)
			}
		}
		if n == 1 {
			future, err := r.TrySubmit(transfers.FulfillOp(packets[0])) // once more
			require.NoError(t, err)
			require.NoError(t, future.Journaled(t.Context()))
			left++
		}
		<-silent.asked
		f.closeUnanswered(t, r, left)
		require.Less(t, folderBytes(t, folder), int64(4*5000*1200), "a restart does not write the fulfills a second time")
	}
	h := &eventLog{}
	r := f.newJournaled(t, folder, h, nil)
	require.NoError(t, r.Close(t.Context()))
	require.Len(t, resultsByID(t, h.takeReplayed()), 5000)
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}

// Processes are killed one after the other without reaching the ledger. Each keeps the pending
// fulfills anew, and drops the records of the process before.
func TestRestartsDoNotAddUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
		packets := f.prepareHeld(t, 100)
		f.leaveInJournal(t, folder, false, packets...)
		before := folderBytes(t, folder)
		for range 5 {
			silent := newSilentLedger(f.embedded, false, 0)
			r := f.newJournaled(t, folder, &eventLog{}, silent)
			synctest.Wait()
			folder = readFiles(t, folder).writeFolder(t) // as of now, and without a last checkpoint
			require.Less(t, folderBytes(t, folder), before+4<<10)
			<-silent.asked
			f.closeUnanswered(t, r, len(packets))
		}
		f.requireReplayed(t, folder, packets)
		f.closeAndCheck(t)
	})
}

// A checkpoint, or the segment behind it, cannot be written. The error is reported, the
// recorder goes on, and tries again after another interval.
func TestCheckpointThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"checkpoint-%016x.tmp", "checkpoint-%016x", "log-%016x"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
				packets := f.prepareLongNamed(t, 10)
				h := &eventLog{}
				r := f.newJournaled(t, folder, h, nil)
				var blocks []string
				for n := range 4 {
					block := filepath.Join(folder, fmt.Sprintf(kind, n+1))
					require.NoError(t, os.MkdirAll(filepath.Join(block, "something"), 0o700))
					blocks = append(blocks, block)
				}
				fulfillInRounds(t, r, packets)
				synctest.Wait()
				first := len(h.journalErrors())
				require.Positive(t, first)
				_, err := r.Submit(t.Context(), transfers.FulfillOp(packets[1]))
				require.NoError(t, err, "the journal goes on")
				require.NoError(t, r.Flush(t.Context()))
				synctest.Wait()
				require.Len(t, h.journalErrors(), first, "not tried for each batch")
				fulfillInRounds(t, r, packets)
				synctest.Wait()
				faults := h.journalErrors()
				require.Greater(t, len(faults), first, "tried again")
				require.LessOrEqual(t, len(faults), 6)
				for _, fault := range faults {
					require.NotErrorIs(t, fault, transfers.ErrJournal, "it goes on")
					require.ErrorContains(t, fault, "journal "+folder+" goes on")
				}
				killed := readFilesOf(t, folder)

				for _, block := range blocks {
					require.NoError(t, os.RemoveAll(block))
				}
				fulfillInRounds(t, r, packets)
				synctest.Wait()
				require.Len(t, h.journalErrors(), len(faults), "now it could")
				require.Less(t, folderBytes(t, folder), int64(2*checkpointEvery))
				require.NoError(t, r.Close(t.Context()))
				require.Len(t, h.journalErrors(), len(faults))
				f.requireEmptyJournal(t, folder)

				t.Log("a process that was killed without one has all of it")
				require.NoError(t, f.newJournaled(t, killed.writeFolder(t), h, nil).Close(t.Context()))
				replayed := resultsByID(t, h.takeReplayed())
				require.Len(t, replayed, 10)
				for _, got := range replayed {
					require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
				}
				f.closeAndCheck(t)
			})
		})
	}
}

// readFilesOf is readFiles without subfolders.
func readFilesOf(t *testing.T, dir string) folderFiles {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := make(folderFiles)
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		all[entry.Name()], err = os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
	}
	return all
}

// The last checkpoint cannot be written: that is reported, and is no error of Close.
func TestLastCheckpointCannotBeWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
		packets := f.prepareHeld(t, 3)
		h := &eventLog{}
		r := f.newJournaled(t, folder, h, nil)
		block := filepath.Join(folder, fmt.Sprintf("checkpoint-%016x.tmp", 1))
		require.NoError(t, os.MkdirAll(filepath.Join(block, "something"), 0o700))
		for _, p := range packets {
			_, err := r.Fulfill(t.Context(), p)
			require.NoError(t, err)
		}
		require.NoError(t, r.Close(t.Context()))
		require.Len(t, h.journalErrors(), 1)
		require.NotErrorIs(t, h.journalErrors()[0], transfers.ErrJournal)
		require.ErrorContains(t, h.journalErrors()[0], "journal "+folder+" is closed")
		require.NoError(t, os.RemoveAll(block))
		require.NoError(t, f.newJournaled(t, folder, h, nil).Close(t.Context()))
		for _, got := range h.takeReplayed() {
			require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome, "more to do, and nothing else")
		}
		f.requireEmptyJournal(t, folder)
		f.closeAndCheck(t)
	})
}
