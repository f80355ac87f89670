package aggregate_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// leaveJournal fulfills packets, all of which are in rounds, and returns them. The journal's folder
// has a checkpoint, a log and archive files.
func (f *fixture) leaveJournal(t *testing.T) (fulfilled []transfers.Packet) {
	t.Helper()
	const checkpointInterval = 2 << 10
	r, err := aggregate.NewRecorderWithCheckpoints(t.Context(), f.ledger, f.book, aggregate.Config{JournalFolder: f.folder}, checkpointInterval)
	require.NoError(t, err)
	for range 3 {
		for range 20 {
			held, err := r.Prepare(t.Context(), f.packet(0, 1, 10, 9))
			require.NoError(t, err)
			_, err = r.Fulfill(t.Context(), held.Packet)
			require.NoError(t, err)
			fulfilled = append(fulfilled, held.Packet)
		}
		require.NoError(t, r.Flush(t.Context()))
	}
	require.NoError(t, r.Close(t.Context()))
	return fulfilled
}

// requireRemembered checks that a recorder recognizes the packets.
func requireRemembered(t *testing.T, r *aggregate.Recorder, packets []transfers.Packet) {
	t.Helper()
	for _, p := range packets {
		result, err := r.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, result.Outcome, "packet %v would be booked twice", p.ID)
	}
}

// openFolder opens a recorder with another folder on the fixture's ledger.
func (f *fixture) openFolder(t *testing.T, folder string) (*aggregate.Recorder, error) {
	t.Helper()
	return aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{JournalFolder: folder})
}

// journalFiles returns the files of a journal with content, relative to its folder.
func journalFiles(t *testing.T, folder string) (names []string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS(folder), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && entry.Name() != "lock" {
			names = append(names, name)
		}
		return err
	}))
	return names
}

// Of a journal that was changed in any way, each packet is recognized, or the journal is refused: the
// error names the file. Nothing is booked twice.
func TestDamagedJournal(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1_000_000)
	packets := f.leaveJournal(t)
	flip := func(at int) func([]byte) []byte {
		return func(data []byte) []byte {
			data[at*len(data)/16] ^= 4
			return data
		}
	}
	damages := map[string]func([]byte) []byte{
		"removed": nil, "emptied": func([]byte) []byte { return nil }, "cut": func(data []byte) []byte { return data[:len(data)-1] },
		"halved": func(data []byte) []byte { return data[:len(data)/2] },
	}
	for at := range 16 {
		damages["flipped at "+string(rune('a'+at))] = flip(at)
	}
	refused := map[string]int{} // by kind of file
	for _, name := range journalFiles(t, f.folder) {
		for damage, change := range damages {
			folder := filepath.Join(t.TempDir(), "journal")
			require.NoError(t, os.CopyFS(folder, os.DirFS(f.folder)))
			path := filepath.Join(folder, name)
			if change == nil {
				require.NoError(t, os.Remove(path))
			} else {
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(path, change(data), 0o600))
			}
			r, err := f.openFolder(t, folder)
			if err == nil {
				requireRemembered(t, r, packets)
				require.NoError(t, r.Close(t.Context()))
				continue
			}
			refused[strings.Split(filepath.Base(name), "-")[0]]++
			require.ErrorIs(t, err, transfers.ErrJournal, "%s %s", name, damage)
			require.ErrorIs(t, err, transfers.ErrJournalCorrupt, "%s %s", name, damage)
			if kind := filepath.Base(name); change != nil || strings.HasPrefix(kind, "packets-") {
				require.ErrorContains(t, err, kind, damage)
			}
		}
	}
	for _, kind := range []string{"log", "checkpoint", "packets"} {
		require.GreaterOrEqual(t, refused[kind], 10, kind)
	}
	r := f.open(t)
	requireRemembered(t, r, packets)
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, "60", f.figures(t)["revenue in USD"])
}

// The packets of an archive file that are beyond the horizon are not read at a start. The ends of the file
// are, since they tell so: a file without them is refused by its name.
func TestDamagedArchiveBeyondHorizon(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1_000_000)
	f.leaveJournal(t)
	later := func(c *aggregate.Config) { c.Clock = func() time.Time { return time.Now().Add(time.Hour) } }
	archives, err := packetlog.ListArchives(filepath.Join(f.folder, packetlog.ArchiveFolder))
	require.NoError(t, err)
	oldest := archives[0].Path
	whole, err := os.ReadFile(oldest)
	require.NoError(t, err)
	damage := func(at int) {
		data := append([]byte(nil), whole...)
		data[at] ^= 4
		require.NoError(t, os.WriteFile(oldest, data, 0o600))
	}
	const header = 32
	damage(header + 20) // in the block of packets
	require.NoError(t, f.open(t, later).Close(t.Context()))
	damage(len(whole) - 1)
	_, err = aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{JournalFolder: f.folder})
	require.ErrorIs(t, err, transfers.ErrJournalCorrupt)
	require.ErrorContains(t, err, filepath.Base(oldest))
	require.NoError(t, os.Rename(oldest, filepath.Join(t.TempDir(), "damaged")))
	require.NoError(t, f.open(t, later).Close(t.Context()), "its packets are missing in searches only")
}

// Journals of other programs, of other versions of this one, and of other recorders are refused, and
// stay as they are.
func TestForeignJournals(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	refused := func(folder, text string) {
		t.Helper()
		before := readFolder(t, folder)
		_, err := f.openFolder(t, folder)
		require.ErrorIs(t, err, transfers.ErrJournal)
		require.ErrorIs(t, err, transfers.ErrJournalForeign)
		require.NotErrorIs(t, err, transfers.ErrJournalCorrupt)
		require.ErrorContains(t, err, folder)
		require.ErrorContains(t, err, text)
		require.Equal(t, before, readFolder(t, folder))
	}
	for _, version := range []uint32{1, 3} {
		folder := t.TempDir()
		log, _, err := wal.OpenFormat(folder, wal.Format{Name: "rounds", Newest: version}, nil)
		require.NoError(t, err)
		log.Append(1, 8, func(b []byte) []byte { return append(b, 0, 0, 0, 0, 0, 0, 0, 7) })
		require.NoError(t, log.Close())
		refused(folder, "rounds of format "+string(rune('0'+version)))
	}
	folder := t.TempDir()
	r, err := transfers.NewRecorder(f.ledger, f.book, transfers.Config{
		JournalFolder: folder, Events: transfers.Events{Replayed: func([]transfers.Result) {}},
	})
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	refused(folder, "rounds of format 1")
	require.NoError(t, f.open(t).Close(t.Context()))
	before := readFolder(t, f.folder)
	_, err = transfers.NewRecorder(f.ledger, f.book, transfers.Config{
		JournalFolder: f.folder, Events: transfers.Events{Replayed: func([]transfers.Result) {}},
	})
	require.ErrorIs(t, err, transfers.ErrJournalForeign)
	require.Equal(t, before, readFolder(t, f.folder))
}

func readFolder(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range journalFiles(t, folder) {
		data, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		files[name] = string(data)
	}
	return files
}

// A folder that cannot be made or used is refused with the file system's reason.
func TestJournalThatCannotBeMade(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, folder := range map[string]string{
		"no parent": filepath.Join(t.TempDir(), "a", "b"), "a file": file, "in a file": filepath.Join(file, "a"),
	} {
		if runtime.GOOS == "windows" && name != "no parent" {
			continue // it has other errors for these
		}
		_, err := f.openFolder(t, folder)
		require.ErrorIs(t, err, transfers.ErrJournal, name)
		require.NotErrorIs(t, err, transfers.ErrJournalCorrupt, name)
		require.ErrorContains(t, err, folder, name)
		if name == "no parent" {
			require.ErrorIs(t, err, os.ErrNotExist)
			require.NoDirExists(t, filepath.Dir(folder), "a mistyped path is not made")
		}
	}
}

// While the archive cannot be written, rounds and fulfills go on, the failure is reported, and the log
// keeps the packets. Failed attempts are not repeated with each round.
func TestArchiveThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1_000_000)
	obstacle := filepath.Join(f.folder, packetlog.ArchiveFolder)
	failures := make(chan error, 1000)
	open := func() *aggregate.Recorder {
		r, err := aggregate.NewRecorderWithCheckpoints(t.Context(), f.ledger, f.book, aggregate.Config{
			JournalFolder: f.folder, Events: aggregate.Events{JournalFailed: func(err error) { failures <- err }},
		}, 1<<10)
		require.NoError(t, err)
		return r
	}
	var packets []transfers.Packet
	fulfill := func(r *aggregate.Recorder) {
		held, err := r.Prepare(t.Context(), f.packet(0, 1, 10, 9))
		require.NoError(t, err)
		_, err = r.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		require.NoError(t, r.Flush(t.Context()))
		packets = append(packets, held.Packet)
	}
	r := open()
	require.NoError(t, os.WriteFile(obstacle, nil, 0o600))
	for range 100 {
		fulfill(r)
	}
	require.NoError(t, r.Close(t.Context()))
	first := <-failures
	require.ErrorIs(t, first, transfers.ErrJournal)
	require.ErrorContains(t, first, obstacle)
	segments, err := filepath.Glob(filepath.Join(f.folder, "log-*"))
	require.NoError(t, err)
	require.Less(t, len(segments), 60, "an attempt for each KiB of log, not for each of 100 rounds")
	require.NoError(t, os.Remove(obstacle))
	r = open()
	requireRemembered(t, r, packets)
	for range 20 {
		fulfill(r)
	}
	require.NoError(t, r.Close(t.Context()))
	archives, err := packetlog.ListArchives(obstacle)
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	r = open()
	requireRemembered(t, r, packets)
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, "120", f.figures(t)["revenue in USD"])
}
