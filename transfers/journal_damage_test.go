package transfers_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// leaveFulfills returns a fixture whose ledger holds n packets, the packets, and the files of a
// journal with their fulfills, as left by a killed process.
func leaveFulfills(t *testing.T, n int) (*fixture, []transfers.Packet, folderFiles) {
	t.Helper()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, n)
	silent := newSilentLedger(f.embedded, false, 0)
	r := f.newJournaled(t, folder, &eventLog{}, silent)
	for _, p := range packets {
		_, err := r.Submit(t.Context(), transfers.FulfillOp(p))
		require.NoError(t, err)
	}
	whole := readFiles(t, folder) // nothing is written now: nothing was answered
	<-silent.asked
	f.closeUnanswered(t, r, n)
	return f, packets, whole
}

// requireRefused requires an error at the opening of a journal, an unchanged folder, and no open
// file, goroutine or lock afterwards.
func (f *fixture) requireRefused(t *testing.T, book *accounts.Book, folder string) (err error) {
	t.Helper()
	before := readFiles(t, folder)
	synctest.Test(t, func(t *testing.T) { // it fails if a goroutine is left
		h := &eventLog{}
		var r *transfers.Recorder
		r, err = transfers.NewRecorder(f.embedded, book, transfers.Config{JournalFolder: folder, Events: h.toEvents()})
		require.ErrorIs(t, err, transfers.ErrJournal)
		require.Nil(t, r)
		require.Empty(t, h.journalErrors(), "the error says it")
		require.Empty(t, h.takeReplayed())
	})
	var fault *transfers.JournalError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, folder, fault.Folder)
	require.ErrorContains(t, err, folder)
	require.Equal(t, before, readFiles(t, folder))
	requireNoneOpen(t, folder)
	return err
}

// requireReplayed opens a journal and books what is left in it.
func (f *fixture) requireReplayed(t *testing.T, folder string, packets []transfers.Packet) {
	t.Helper()
	h := &eventLog{}
	r := f.newJournaled(t, folder, h, nil)
	require.NoError(t, r.Close(t.Context()))
	replayed := resultsByID(t, h.takeReplayed())
	require.Len(t, replayed, len(packets))
	for _, p := range packets {
		require.NoError(t, replayed[p.ID].Err)
	}
	require.Equal(t, int64(len(packets)), f.position(t, f.bob))
}

// The process or the machine stopped during a write: the torn record is dropped.
func TestTornJournal(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	garbage := make([]byte, 300)
	for i := range garbage {
		garbage[i] = byte(random.Uint32())
	}
	for name, tail := range map[string][]byte{
		"one byte": {0}, "zeros": make([]byte, 300), "garbage": garbage, "nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, packets, whole := leaveFulfills(t, 5)
			last := whole.newestLog()
			folder := whole.withFile(last, append(bytes.Clone(whole[last]), tail...)).writeFolder(t)
			f.requireReplayed(t, folder, packets)
			f.requireEmptyJournal(t, folder)
			f.closeAndCheck(t)
		})
	}
}

// A byte below the mark has changed.
func TestCorruptJournal(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	const header = 512
	for range 10 {
		f, packets, whole := leaveFulfills(t, 5)
		last := whole.newestLog()
		at := header + random.IntN(len(whole[last])-header)
		content := bytes.Clone(whole[last])
		content[at] ^= 1 << random.IntN(8)
		folder := whole.withFile(last, content).writeFolder(t)

		err := f.requireRefused(t, f.book, folder)
		require.ErrorIs(t, err, transfers.ErrJournalCorrupt)
		require.NotErrorIs(t, err, transfers.ErrJournalForeign)
		require.NotErrorIs(t, err, transfers.ErrJournalInUse)
		require.ErrorContains(t, err, filepath.Join(folder, last))
		var offset int
		_, scanErr := fmt.Sscanf(err.Error()[bytes.LastIndex([]byte(err.Error()), []byte("at byte ")):], "at byte %d", &offset)
		require.NoError(t, scanErr, err)
		require.LessOrEqual(t, offset, at)
		require.GreaterOrEqual(t, offset, header)

		// It is mended from a copy, and is not locked.
		require.NoError(t, os.WriteFile(filepath.Join(folder, last), whole[last], 0o600))
		f.requireReplayed(t, folder, packets)
		f.closeAndCheck(t)
	}
}

// A checkpoint must be whole.
func TestCorruptCheckpoint(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	require.NoError(t, f.newJournaled(t, folder, &eventLog{}, nil).Close(t.Context()))
	whole := readFiles(t, folder)
	for name, content := range whole {
		if len(content) == 0 || name == whole.newestLog() {
			continue // the lock
		}
		content = bytes.Clone(content)
		content[len(content)-1] ^= 1
		err := f.requireRefused(t, f.book, whole.withFile(name, content).writeFolder(t))
		require.ErrorIs(t, err, transfers.ErrJournalCorrupt)
		require.ErrorContains(t, err, name)
	}
	require.Len(t, whole, 3, "lock, checkpoint and log")
	f.closeAndCheck(t)
}

// The journal belongs to another deployment on the same cluster, or has an unknown format.
func TestForeignJournal(t *testing.T) {
	t.Parallel()
	f, packets, whole := leaveFulfills(t, 3)
	other, err := accounts.NewBook(f.embedded, accounts.Config{Namespace: "other", Assets: []accounts.Asset{usd, loss}})
	require.NoError(t, err)
	folder := whole.writeFolder(t)
	err = f.requireRefused(t, other, folder)
	require.ErrorIs(t, err, transfers.ErrJournalForeign)
	require.NotErrorIs(t, err, transfers.ErrJournalCorrupt)
	require.ErrorContains(t, err, `"other"`)
	f.requireReplayed(t, folder, packets)

	t.Log("also when nothing is left in it")
	err = f.requireRefused(t, other, folder)
	require.ErrorIs(t, err, transfers.ErrJournalForeign)
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}

// The book lacks an asset of the journal: nothing is lost until the asset is back.
func TestJournalWithAnUnknownAsset(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	p := transfers.Packet{From: f.alice, To: f.bobEUR, In: 10, Out: 1, Hold: time.Minute}
	held, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	f.leaveInJournal(t, folder, false, held.Packet)
	poor, err := accounts.NewBook(f.embedded, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	for range 2 {
		err = f.requireRefused(t, poor, folder)
		require.ErrorIs(t, err, accounts.ErrUnknownAsset)
		require.NotErrorIs(t, err, transfers.ErrJournalForeign)
		require.ErrorContains(t, err, "ledger number 2")
		require.ErrorContains(t, err, held.Packet.ID.String())
	}
	h := &eventLog{}
	require.NoError(t, f.newJournaled(t, folder, h, nil).Close(t.Context()))
	require.Contains(t, resultsByID(t, h.takeReplayed()), held.Packet.ID)
	require.Equal(t, int64(1), f.position(t, f.bobEUR))
	f.closeAndCheck(t)
}

// The book no longer allows a loss that it allowed.
func TestJournalWithALossThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	held, err := f.recorder.Prepare(t.Context(), transfers.Packet{From: f.aliceEUR, To: f.bobEUR, In: 10, Out: 12, Hold: time.Minute})
	require.NoError(t, err)
	f.leaveInJournal(t, folder, false, held.Packet)
	strict := loss
	strict.AllowLoss = false
	other, err := accounts.NewBook(f.embedded, accounts.Config{Assets: []accounts.Asset{usd, strict}})
	require.NoError(t, err)
	err = f.requireRefused(t, other, folder)
	require.ErrorIs(t, err, transfers.ErrAmounts)
	require.ErrorContains(t, err, held.Packet.ID.String())
	require.NoError(t, f.newJournaled(t, folder, &eventLog{}, nil).Close(t.Context()))
	require.Equal(t, int64(12), f.position(t, f.bobEUR))
	f.closeAndCheck(t)
}

func TestJournalInUse(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	r := f.newJournaled(t, folder, &eventLog{}, nil)
	for range 2 {
		_, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{JournalFolder: folder, Events: transfers.Events{Replayed: func([]transfers.Result) {}}})
		require.ErrorIs(t, err, transfers.ErrJournalInUse)
		require.ErrorIs(t, err, transfers.ErrJournal)
		require.NotErrorIs(t, err, transfers.ErrJournalCorrupt)
		require.ErrorContains(t, err, folder)
	}
	p := f.prepareHeld(t, 1)[0]
	_, err := r.Fulfill(t.Context(), p)
	require.NoError(t, err, "it was not disturbed")
	require.NoError(t, r.Close(t.Context()))
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}

func TestJournalThatCannotBeMade(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, folder := range map[string]string{
		"no parent": filepath.Join(t.TempDir(), "a", "b"), "a file": file, "in a file": filepath.Join(file, "a"),
	} {
		if runtime.GOOS == "windows" && name != "no parent" {
			continue // it has other errors for these
		}
		_, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{JournalFolder: folder, Events: transfers.Events{Replayed: func([]transfers.Result) {}}})
		require.ErrorIs(t, err, transfers.ErrJournal, name)
		require.NotErrorIs(t, err, transfers.ErrJournalCorrupt, name)
		require.ErrorContains(t, err, folder, name)
		if name == "no parent" {
			require.ErrorIs(t, err, os.ErrNotExist)
			require.NoDirExists(t, filepath.Dir(folder), "a mistyped path is not made")
		}
	}
	f.closeAndCheck(t)
}
