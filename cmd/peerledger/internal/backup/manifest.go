package backup

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// The files of a backup, and the current format of the manifest. Format 1 had only a data file, no
// number, and no hash of the manifest. Format 2 has no journal of rounds.
const (
	dataName      = "data.zst"
	ledgerName    = "ledger.tar.zst"
	journalName   = "journal.tar.zst"
	manifestName  = "manifest.json"
	roundsFormat  = 3
	currentFormat = roundsFormat
)

// manifestMax is the largest size of a manifest in bytes: totals take about 200 for each ledger
// number.
const manifestMax = 64 << 20

// Manifest describes a backup: a data file or the folder of an embedded ledger, a recorder's
// journal, or both.
type Manifest struct {
	Format    int           `json:"format"`              // of the backup: 1, 2, or 3 with a journal of rounds
	ClusterID ledger.Amount `json:"cluster_id,omitzero"` // of the data file, in decimal digits, like TigerBeetle's flag
	Taken     time.Time     `json:"taken"`               // just before the copy, by this machine's clock
	// Number counts the backups of a ledger in a folder, from 1: the order of backups, independent
	// of clocks. 0 in format 1.
	Number  uint64 `json:"number,omitzero"`
	File    string `json:"file,omitempty"` // the data file's name without its folder; "" without a data file
	Release string `json:"release,omitempty"`
	// Sequence is the sequence of the superblock, or the number of records that the folder's log
	// has ever had. It never falls.
	Sequence uint64 `json:"sequence"`
	// Checkpoint is the operation number of the data file's newest checkpoint, from which the log
	// continues.
	Checkpoint uint64 `json:"checkpoint"`
	Archive           // of the data file
	Snapshot   bool   `json:"snapshot"` // copied from an atomic snapshot; the server may have run
	// Totals were read from the server just before the stop, or from the copy of an embedded
	// ledger; nil if they were not read.
	Totals  Totals         `json:"totals,omitzero"`
	Ledger  *Folder        `json:"ledger,omitempty"`  // nil without an embedded ledger
	Journal *JournalFolder `json:"journal,omitempty"` // nil without a journal
}

// Archive describes a file of a backup.
type Archive struct {
	Size      int64  `json:"size,omitzero"`           // bytes before packing
	SHA256    string `json:"sha256,omitempty"`        // before packing, in hexadecimal digits
	Packed    int64  `json:"packed,omitzero"`         // bytes of the packed file
	PackedSum string `json:"packed_sha256,omitempty"` // of the packed file
}

// Source identifies the ledger of a backup, or the journal of a backup without a ledger: the
// cluster's id, "folder-" and the id of a folder, or "journal-" and the id of a journal.
func (m Manifest) Source() string {
	switch {
	case m.Ledger != nil:
		return "folder-" + m.Ledger.ID
	case m.File == "" && m.Journal != nil:
		return "journal-" + m.Journal.ID
	default:
		return m.ClusterID.String()
	}
}

// listArchives returns the archives of a backup by file name.
func (m Manifest) listArchives() map[string]Archive {
	files := map[string]Archive{}
	if m.File != "" {
		files[dataName] = m.Archive
	}
	if m.Ledger != nil {
		files[ledgerName] = m.Ledger.Archive
	}
	if m.Journal != nil {
		files[journalName] = m.Journal.Archive
	}
	return files
}

// Bytes returns the sum of the sizes before packing.
func (m Manifest) Bytes() (n int64) {
	for _, archive := range m.listArchives() {
		n += archive.Size
	}
	return n
}

// PackedBytes returns the sum of the packed sizes.
func (m Manifest) PackedBytes() (n int64) {
	for _, archive := range m.listArchives() {
		n += archive.Packed
	}
	return n
}

// folderName returns the name of the backup's folder.
func (m Manifest) folderName() string { return m.Source() + "-" + m.Taken.Format(nameTime) }

// Backup is a backup in a folder, from [Open], [List], [Newest] or [Create].
type Backup struct {
	Folder   string   `json:"folder"`
	Manifest Manifest `json:"manifest"`

	doubt error // why the manifest cannot be trusted; matches ErrDamaged
}

// storedManifest is a manifest in its file. Sum is the SHA-256 of the file with zeros in place of
// the digits of Sum.
type storedManifest struct {
	Manifest
	Sum string `json:"manifest_sha256,omitempty"`
}

// blankSum takes the place of Sum while the file is hashed.
var blankSum = strings.Repeat("0", 2*sha256.Size)

// Open reads the manifest of a backup and checks that the archives exist with their sizes. Only
// [List], [Backup.Restore] and [Backup.Verify] refuse a manifest that was changed. The error
// matches [ErrFormat] or [ErrDamaged], or is an error of reading.
func Open(folder string) (Backup, error) {
	b := Backup{Folder: folder}
	path := filepath.Join(folder, manifestName)
	content, err := readManifest(path)
	if err != nil {
		return b, err
	}
	s, err := parseManifest(content)
	if err != nil {
		return b, fmt.Errorf("%w: %s", err, path)
	}
	b.Manifest = s.Manifest
	if b.doubt = cmp.Or(s.checkSum(content), b.checkNames()); b.doubt != nil {
		b.doubt = fmt.Errorf("%w: %s: %w", ErrDamaged, path, b.doubt)
	}
	for name, archive := range b.Manifest.listArchives() {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			return b, wrapMissing(err)
		}
		if info.Size() != archive.Packed {
			return b, fmt.Errorf("%w: %s has %d bytes, and should have %d", ErrDamaged, filepath.Join(folder, name), info.Size(), archive.Packed)
		}
	}
	return b, nil
}

// readManifest reads the file of a manifest.
func readManifest(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, wrapMissing(err)
	}
	defer func() { _ = file.Close() }() // opened only for reading
	content, err := io.ReadAll(io.LimitReader(file, manifestMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("backup: %w", err)
	case len(content) > manifestMax:
		return nil, fmt.Errorf("%w: %s is not a manifest: the file has more than %d bytes", ErrDamaged, path, manifestMax)
	}
	return content, nil
}

// parseManifest reads a manifest of the current or an older format. It checks the format first: a
// newer manifest may have unknown fields.
func parseManifest(content []byte) (s storedManifest, err error) {
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(content, &format); err != nil {
		return s, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	switch {
	case format.Format > currentFormat:
		return s, fmt.Errorf("%w: format %d; this program reads up to %d", ErrFormat, format.Format, currentFormat)
	case format.Format < 1:
		return s, fmt.Errorf("%w: there is no format %d", ErrDamaged, format.Format)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}

// checkSum returns an error if the manifest's own hash is wrong.
func (s storedManifest) checkSum(content []byte) error {
	if s.Format < 2 && s.Sum == "" {
		return nil // format 1 had no hash
	}
	if len(s.Sum) != len(blankSum) || hashContent(replaceLast(content, s.Sum, blankSum)) != s.Sum {
		return errors.New("the manifest was changed: its own hash differs")
	}
	return nil
}

// replaceLast replaces the last occurrence of a text by another text of the same length: the
// manifest's own hash is its last field.
func replaceLast(content []byte, from, to string) []byte {
	changed := bytes.Clone(content)
	if at := bytes.LastIndex(changed, []byte(from)); at >= 0 {
		copy(changed[at:], to)
	}
	return changed
}

func hashContent(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// checkNames returns an error if the manifest has no archive or two ledgers, if the data file's
// name is not usable as a file name, or if the folder has the name of another backup. Other folder
// names are allowed.
func (b Backup) checkNames() error {
	m := b.Manifest
	switch name := m.File; {
	case len(m.listArchives()) == 0:
		return errors.New("the manifest lists no archive")
	case name != "" && m.Ledger != nil:
		return errors.New("the manifest lists two ledgers")
	case name != "" && (name != filepath.Base(name) || !filepath.IsLocal(name) || name == "."):
		return fmt.Errorf("%q is not the name of a file", name)
	}
	if folder := filepath.Base(b.Folder); backupName.MatchString(folder) && folder != m.folderName() {
		return fmt.Errorf("the manifest belongs to %s", m.folderName())
	}
	return nil
}

// wrapMissing makes the error of a missing file match [ErrDamaged]; other errors are errors of
// reading.
func wrapMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("backup: %w", err)
}

// writeManifest writes the manifest of a backup and syncs the file.
func writeManifest(folder string, m Manifest) error {
	content, err := json.MarshalIndent(storedManifest{m, blankSum}, "", "  ")
	if err != nil {
		return err
	}
	content = append(content, '\n')
	content = replaceLast(content, blankSum, hashContent(content))
	file, err := os.OpenFile(filepath.Join(folder, manifestName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return syncAndClose(file, err)
}
