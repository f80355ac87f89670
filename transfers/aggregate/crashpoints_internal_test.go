package aggregate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// awayLedger loses requests of transfers while it is away.
type awayLedger struct {
	ledger.Ledger

	away atomic.Bool
}

func (l *awayLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if l.away.Load() {
		return nil, fmt.Errorf("%w: away", ledger.ErrOutcomeUnknown)
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

// crashWorld is a recorder whose journal is to be cut at a step of a checkpoint.
type crashWorld struct {
	ledger              *awayLedger
	book                *accounts.Book
	peers               []accounts.PeerAccount // alice, bob
	folder              string
	recorder            *Recorder
	fulfilled, rejected []transfers.Packet
}

func newCrashWorld(t *testing.T) *crashWorld {
	t.Helper()
	w := &crashWorld{ledger: &awayLedger{Ledger: embedded.New()}, folder: filepath.Join(t.TempDir(), "journal")}
	var err error
	w.book, err = accounts.NewBook(w.ledger, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	w.peers, err = w.book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1_000_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	w.open(t)
	return w
}

func (w *crashWorld) open(t *testing.T) {
	t.Helper()
	var err error
	w.recorder, err = NewRecorder(t.Context(), w.ledger, w.book, Config{JournalFolder: w.folder, RoundInterval: time.Millisecond})
	require.NoError(t, err)
}

// resolve prepares packets, fulfills most and rejects the others. The last are fulfilled while the
// ledger is away, if it goes away.
func (w *crashWorld) resolve(t *testing.T, packets int, goesAway bool) {
	t.Helper()
	held := make([]transfers.Packet, packets)
	for i := range held {
		result, err := w.recorder.Prepare(t.Context(), transfers.Packet{
			From: w.peers[0], To: w.peers[1], In: 10, Out: 9, Expiry: time.Now().Add(30 * time.Second),
		})
		require.NoError(t, err)
		held[i] = result.Packet
	}
	for i, p := range held {
		w.ledger.away.Store(goesAway && i >= packets/2)
		if i%5 == 4 {
			_, err := w.recorder.Reject(t.Context(), p)
			require.NoError(t, err)
			w.rejected = append(w.rejected, p)
			continue
		}
		_, err := w.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		w.fulfilled = append(w.fulfilled, p)
	}
}

func (w *crashWorld) writeCheckpoint(t *testing.T) error {
	t.Helper()
	return w.recorder.journal.writeCheckpoint(t.Context(), w.recorder.beginCheckpoint())
}

// abandon ends the recorder as a crash does: what no round has stays in the journal.
func (w *crashWorld) abandon(t *testing.T) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.recorder.Close(ended), context.Canceled)
	w.ledger.away.Store(false)
}

// check checks that the recorder recognizes each packet, that the books have the fulfilled packets once,
// and that log and archive have all packets as they were.
func (w *crashWorld) check(t *testing.T) {
	t.Helper()
	for _, p := range w.fulfilled {
		result, err := w.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, result.Outcome, "packet %v is forgotten", p.ID)
		_, err = w.recorder.Reject(t.Context(), p)
		require.ErrorIs(t, err, transfers.ErrPacketConflict)
	}
	for _, p := range w.rejected {
		_, err := w.recorder.Fulfill(t.Context(), p)
		require.ErrorIs(t, err, transfers.ErrPacketConflict)
	}
	require.NoError(t, w.recorder.Flush(t.Context()))
	balance, err := w.book.Balance(t.Context(), w.peers[1])
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(9*uint64(len(w.fulfilled))), balance.Payable)
	w.checkDetail(t)
}

// checkDetail checks that a search of log and archive finds each packet, in each place the same.
func (w *crashWorld) checkDetail(t *testing.T) {
	t.Helper()
	found := map[ledger.ID]packetlog.Packet{}
	add := func(p *packetlog.Packet) error {
		if before, isThere := found[p.ID]; isThere && before != *p {
			return fmt.Errorf("packet %v differs: %v and %v", p.ID, before, *p)
		}
		found[p.ID] = *p
		return nil
	}
	_, err := packetlog.ReadRecent(filepath.Join(w.folder, packetlog.ArchiveFolder), math.MinInt64, add)
	require.NoError(t, err)
	var decoder packetlog.Decoder
	_, err = wal.ReadLive(w.folder, journalFormat, func(record wal.Record) error {
		switch record.Kind {
		case packetlog.KindParty:
			return decoder.AddParty(record.Data)
		case packetlog.KindFulfill, packetlog.KindReject:
			p, _, _, err := decoder.ReadPacket(record.Data)
			return errors.Join(err, add(&p))
		default:
			return nil
		}
	})
	require.NoError(t, err)
	require.Len(t, found, len(w.fulfilled)+len(w.rejected))
	numbers := map[uint64]bool{}
	for _, p := range w.fulfilled {
		numbers[found[p.ID].Number] = true
	}
	require.Len(t, numbers, len(w.fulfilled), "each fulfill has a number of its own")
	for _, p := range w.rejected {
		require.Contains(t, found, p.ID)
		require.Zero(t, found[p.ID].Number)
	}
}

// goOn checks the journal after a crash, and after another checkpoint and a restart.
func (w *crashWorld) goOn(t *testing.T) {
	t.Helper()
	w.open(t)
	w.check(t)
	w.resolve(t, 10, false)
	require.NoError(t, w.writeCheckpoint(t))
	left, err := filepath.Glob(filepath.Join(w.folder, packetlog.ArchiveFolder, "*.tmp"))
	require.NoError(t, err)
	require.Empty(t, left)
	w.resolve(t, 10, true)
	w.abandon(t)
	w.open(t)
	w.check(t)
	require.NoError(t, w.recorder.Close(t.Context()))
}

// The names of the files of a journal with a second checkpoint.
const (
	oldCheckpoint = "checkpoint-0000000000000001"
	oldLog        = "log-0000000000000001"
	oldArchive    = packetlog.ArchiveFolder + "/packets-0000000000000001"
	newCheckpoint = "checkpoint-0000000000000002"
	newLog        = "log-0000000000000002"
	newArchive    = packetlog.ArchiveFolder + "/packets-0000000000000002"
	half          = " half" // of a file that is still being written, under its name with .tmp
)

// A process that ends between any two steps of a checkpoint loses nothing, and books nothing twice.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	old := []string{oldCheckpoint, oldLog, oldArchive}
	for step, files := range map[string][]string{
		"segment made":           append([]string{newLog}, old...),
		"archive begun":          append([]string{newLog, newArchive + half}, old...),
		"archive written":        append([]string{newLog, newArchive}, old...),
		"checkpoint begun":       append([]string{newLog, newArchive, newCheckpoint + half}, old...),
		"checkpoint written":     append([]string{newLog, newArchive, newCheckpoint}, old...),
		"old checkpoint removed": {newLog, newArchive, newCheckpoint, oldLog, oldArchive},
		"old log removed":        {newLog, newArchive, newCheckpoint, oldArchive},
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			w := newCrashWorld(t)
			w.resolve(t, 30, false)
			require.NoError(t, w.writeCheckpoint(t))
			w.resolve(t, 30, true)
			image := filepath.Join(t.TempDir(), "journal")
			require.NoError(t, os.MkdirAll(filepath.Join(image, packetlog.ArchiveFolder), 0o700))
			w.link(t, image, old...) // a checkpoint removes some of them
			require.NoError(t, w.writeCheckpoint(t))
			require.NoFileExists(t, filepath.Join(w.folder, oldLog))
			w.resolveAway(t)
			w.abandon(t)
			for _, name := range []string{newCheckpoint, newLog, newArchive} {
				w.link(t, image, name)
			}
			keepOnly(t, image, files)
			w.folder = image
			w.goOn(t)
		})
	}
}

// resolveAway fulfills forgotten packets while the ledger is away.
func (w *crashWorld) resolveAway(t *testing.T) {
	t.Helper()
	require.True(t, w.ledger.away.Load())
	for i := range 5 {
		p := transfers.Packet{
			ID: ledger.NewID(uint64(i+1)<<8, 1), From: w.peers[0], To: w.peers[1], In: 10, Out: 9, Expiry: time.Now().Add(30 * time.Second),
		}
		_, err := w.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		w.fulfilled = append(w.fulfilled, p)
	}
}

func (w *crashWorld) link(t *testing.T, image string, names ...string) {
	t.Helper()
	for _, name := range names {
		require.NoError(t, os.Link(filepath.Join(w.folder, name), filepath.Join(image, name)))
	}
}

// keepOnly makes an image of a folder: the files that are not listed are removed.
func keepOnly(t *testing.T, image string, files []string) {
	t.Helper()
	keep := map[string]bool{}
	for _, file := range files {
		keep[file] = true
	}
	for _, name := range []string{oldCheckpoint, oldLog, oldArchive, newCheckpoint, newLog, newArchive} {
		path := filepath.Join(image, name)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.Remove(path))
		switch {
		case keep[name]:
			require.NoError(t, os.WriteFile(path, data, 0o600))
		case keep[name+half]:
			require.NoError(t, os.WriteFile(path+".tmp", data[:len(data)/2], 0o600))
		}
	}
}

// A checkpoint that fails at a step fails alone: the log is whole, and the next checkpoint goes on. The
// log is never replaced before the archive has its packets.
func TestCheckpointFailsAlone(t *testing.T) {
	t.Parallel()
	for _, obstacle := range []string{newArchive + ".tmp", newArchive, newCheckpoint + ".tmp", newCheckpoint} {
		t.Run(filepath.Base(obstacle), func(t *testing.T) {
			t.Parallel()
			w := newCrashWorld(t)
			w.resolve(t, 30, false)
			require.NoError(t, w.writeCheckpoint(t))
			w.resolve(t, 30, false)
			path := filepath.Join(w.folder, obstacle)
			require.NoError(t, os.MkdirAll(filepath.Join(path, "not empty"), 0o700))
			require.Error(t, w.writeCheckpoint(t))
			require.FileExists(t, filepath.Join(w.folder, oldLog))
			require.NoError(t, os.RemoveAll(path))
			w.resolve(t, 10, true)
			w.abandon(t)
			w.goOn(t)
		})
	}
}
