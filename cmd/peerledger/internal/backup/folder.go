package backup

import (
	"archive/tar"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// Folder is the folder of an embedded ledger or of a recorder's journal, packed as a tar archive.
type Folder struct {
	Name string `json:"name"` // the last element of the original path
	ID   string `json:"id"`   // the id in the folder's files, in hexadecimal digits; copies share it
	// Records is the number of records that the folder's log has ever had. It never falls.
	Records uint64 `json:"records"`
	Archive
}

// JournalFolder is the packed folder of a journal.
type JournalFolder struct {
	Folder
	Journal
}

// Journal describes a recorder's journal.
type Journal struct {
	Namespace string `json:"namespace"` // of the accounts
	// Waiting is the number of fulfills that the next recorder must record.
	Waiting int `json:"waiting"`
	// Rounds is set for a journal of rounds (package transfers/aggregate).
	Rounds   bool   `json:"rounds,omitzero"`
	Round    uint64 `json:"round,omitzero"`    // the newest round that the ledger is known to have
	Archives int    `json:"archives,omitzero"` // files of the journal's archive of packets
}

// lockedFolder is a folder that no program can open before release.
type lockedFolder struct {
	path    string
	names   []string // of its files
	release func() error
}

// lockSource locks a folder.
func lockSource(folder string) (*lockedFolder, error) {
	names, release, err := wal.LockFolder(folder)
	switch {
	case errors.Is(err, wal.ErrLocked):
		return nil, fmt.Errorf("%w: %s: a program has this folder open: stop the program first, or give --stop and --start", ErrInUse, folder)
	case err != nil:
		return nil, fmt.Errorf("backup: %w", err)
	}
	sealed, err := listSealed(folder)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	archives, err := listArchives(folder)
	if err != nil {
		return nil, errors.Join(err, release())
	}
	return &lockedFolder{folder, slices.Concat(names, sealed, archives), release}, nil
}

// sealedFile matches the names of a ledger's files that are written once: segments of transfers, and
// runs of ids.
var sealedFile = regexp.MustCompile(`^(?:segment|ids)-[0-9a-f]{16}$`)

// listSealed returns the names of the sealed files in the folder of a ledger. Files that the newest
// checkpoint does not name are among them after a crash; [embedded.Open] removes these.
func listSealed(folder string) (names []string, err error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	for _, file := range files {
		if sealedFile.MatchString(file.Name()) {
			names = append(names, file.Name())
		}
	}
	return names, nil
}

// listArchives returns the names of the archive files of packets in a journal's folder, from there, in
// order. Such a file has its name once it is whole, and is not changed while no recorder is open.
func listArchives(folder string) (names []string, err error) {
	return listArchivesUpTo(folder, math.MaxUint64)
}

// listArchivesUpTo returns the names of the archive files up to a number.
func listArchivesUpTo(folder string, number uint64) (names []string, err error) {
	list, err := packetlog.ListArchives(filepath.Join(folder, packetlog.ArchiveFolder))
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	for _, a := range list {
		if a.Number <= number {
			names = append(names, path.Join(packetlog.ArchiveFolder, filepath.Base(a.Path)))
		}
	}
	return names, nil
}

// packFolder packs the folder's files into an archive.
func (h *lockedFolder) packFolder(ctx context.Context, to string) (*Folder, error) {
	return packFiles(h.path, to, func(out *tar.Writer) error {
		for _, name := range h.names {
			if err := addFile(ctx, out, h.path, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// packFiles packs the files added by add into an archive of a folder.
func packFiles(folder, to string, add func(out *tar.Writer) error) (*Folder, error) {
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	archive, err := packInto(file, func(w io.Writer) error {
		out := tar.NewWriter(w)
		if err := add(out); err != nil {
			return err
		}
		return out.Close()
	})
	if err := syncAndClose(file, err); err != nil {
		return nil, err
	}
	return &Folder{Name: filepath.Base(folder), Archive: archive}, nil
}

// addFile adds a file of a folder to an archive.
func addFile(ctx context.Context, out *tar.Writer, folder, name string) error {
	file, err := os.Open(filepath.Join(folder, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // opened only for reading
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return addContent(ctx, out, name, info.Size(), file)
}

// addContent adds a file with the content to an archive.
func addContent(ctx context.Context, out *tar.Writer, name string, size int64, content io.Reader) error {
	if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size}); err != nil {
		return err
	}
	return copyChunks(ctx, content, func(p []byte) error { _, err := out.Write(p); return err }, nil)
}

// unpackFolder unpacks an archive into a folder.
func (f Folder) unpackFolder(ctx context.Context, archive, to string) error {
	r, w := io.Pipe()
	extracted := make(chan error, 1)
	go func() {
		err := extractFiles(r, to)
		_ = r.CloseWithError(err) // always nil; passes err to the writer
		extracted <- err
	}()
	err := f.unpackFile(ctx, archive, func(p []byte) error { _, err := w.Write(p); return err }, nil)
	_ = w.CloseWithError(err) // always nil; a nil err is the end of the archive
	if extractErr := <-extracted; err == nil && extractErr != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, archive, extractErr)
	}
	return err
}

// logFile matches the names of files that the archive of a folder may hold.
var logFile = regexp.MustCompile(`^(?:(?:log|checkpoint|segment|ids)-|archive/packets-)[0-9a-f]{16}$`)

// extractFiles writes the files of a tar archive and reads the archive to its end.
func extractFiles(r io.Reader, to string) error {
	in := tar.NewReader(r)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg || !logFile.MatchString(header.Name) {
			return fmt.Errorf("%q is not a file of a log", header.Name)
		}
		name := filepath.Join(to, filepath.FromSlash(header.Name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return err
		}
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, in)
		if err := syncAndClose(file, err); err != nil {
			return err
		}
	}
}

// readIdentity reads a folder's files, which must be complete, and sets ID and Records.
func (f *Folder) readIdentity(folder string) error {
	content, err := wal.Read(folder, wal.AnyFormat, func(wal.Record) error { return nil })
	if err != nil {
		return err
	}
	f.ID, f.Records = hex.EncodeToString(content.ID[:]), content.Records
	return nil
}

// describeArchive unpacks an archive into a temporary folder, sets ID and Records, and calls open
// with the folder.
func (f *Folder) describeArchive(ctx context.Context, archive string, open func(folder string) error) (err error) {
	folder, err := os.MkdirTemp(filepath.Dir(archive), ".read-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	err = f.unpackFolder(ctx, archive, folder)
	if err == nil {
		err = f.readIdentity(folder)
	}
	if err == nil {
		err = open(folder)
	}
	if err != nil {
		return fmt.Errorf("backup: the copy of %s: %w", f.Name, err)
	}
	return nil
}

// restoreFolder unpacks an archive into target, which must have no log.
func (f Folder) restoreFolder(ctx context.Context, archive, target string) (err error) {
	present, err := wal.Names(target)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	sealed, err := listSealed(target)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	archives, err := listArchives(target)
	switch present = slices.Concat(present, sealed, archives); {
	case err != nil:
		return err
	case len(present) > 0:
		return fmt.Errorf("%w: %s has %s; restore into an empty folder, and keep the old folder until the new one is verified", ErrNotEmpty, target, present[0])
	}
	if err := os.Mkdir(target, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	partial, err := os.MkdirTemp(target, ".restoring-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(partial)) }()
	if err := f.unpackFolder(ctx, archive, partial); err != nil {
		return err
	}
	restored := Folder{}
	if err := restored.readIdentity(partial); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if restored.ID != f.ID || restored.Records != f.Records {
		return fmt.Errorf("%w: %s holds folder %s with %d records, and its manifest names %s and %d", ErrDamaged, archive, restored.ID, restored.Records, f.ID, f.Records)
	}
	return errors.Join(linkFiles(partial, target), syncFolder(filepath.Dir(target)))
}

// linkFiles links a folder's files into another folder and replaces nothing. The oldest segment of
// the log is linked last: without this segment the folder is refused as corrupt, and never taken
// for a new one.
func linkFiles(from, to string) (err error) {
	names, err := wal.Names(from)
	if err != nil {
		return err
	}
	archives, err := listArchives(from)
	if err != nil {
		return err
	}
	if len(archives) > 0 {
		folder := filepath.Join(to, packetlog.ArchiveFolder)
		if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
		defer func() { err = errors.Join(err, syncFolder(folder)) }()
	}
	sealed, err := listSealed(from)
	if err != nil {
		return err
	}
	names = slices.Concat(names, sealed, archives)
	for i, name := range slices.Backward(names) {
		if err := os.Link(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			for _, done := range names[i+1:] {
				err = errors.Join(err, os.Remove(filepath.Join(to, done)))
			}
			return err
		}
	}
	return syncFolder(to)
}

// readLedger reads all files of an embedded ledger that no program has open, and adds up its
// accounts.
func readLedger(ctx context.Context, folder string) (totals Totals, err error) {
	l, err := embedded.Read(folder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if err := l.VerifyFiles(ctx); err != nil {
		return nil, err
	}
	return ReadTotals(ctx, l, nil)
}

// readJournal reads a journal that no recorder has open.
func readJournal(folder string) (Journal, error) {
	content, err := transfers.ReadJournal(folder)
	if !errors.Is(err, transfers.ErrJournalForeign) {
		return Journal{Namespace: content.Namespace, Waiting: content.PendingFulfills}, err
	}
	rounds, roundsErr := aggregate.ReadJournal(folder)
	if errors.Is(roundsErr, transfers.ErrJournalForeign) {
		return Journal{}, err
	}
	if roundsErr != nil {
		return Journal{}, roundsErr
	}
	archives, err := readArchives(folder, rounds.Number)
	return Journal{
		Namespace: rounds.Namespace, Waiting: int(rounds.PendingFulfills), Rounds: true, Round: rounds.Round, Archives: archives,
	}, err
}

// readArchives reads all packets of a journal's archive, with the sums of the files, and returns the
// number of files.
func readArchives(folder string, journal uint64) (int, error) {
	archive := filepath.Join(folder, packetlog.ArchiveFolder)
	list, err := packetlog.ReadRecent(archive, math.MinInt64, func(*packetlog.Packet) error { return nil })
	for _, a := range list {
		if a.Journal != journal {
			err = errors.Join(err, fmt.Errorf("backup: %s belongs to journal %016x, and the folder to %016x", a.Path, a.Journal, journal))
		}
	}
	if err != nil {
		return 0, err
	}
	return len(list), nil
}
