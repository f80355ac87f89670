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

// The files of a backup, and the newest format of its manifest. Format 1 had a data file alone,
// and neither a number nor a hash of its own.
const (
	dataName     = "data.zst"
	ledgerName   = "ledger.tar.zst"
	journalName  = "journal.tar.zst"
	manifestName = "manifest.json"
	currentFormat    = 2
)

// manifestMax is how many bytes a manifest may have: totals take some 200 a ledger number.
const manifestMax = 64 << 20

// Manifest says what a backup is of: a data file, or the folder of an embedded ledger, and a
// recorder's journal; or one of these.
type Manifest struct {
	Format    int           `json:"format"`              // of the backup: 1 or 2
	ClusterID ledger.Amount `json:"cluster_id,omitzero"` // of the data file, in decimal digits, as TigerBeetle takes it
	Taken     time.Time     `json:"taken"`               // by the clock of this machine
	// Number is one more than that of the backup of the same ledger that was in the folder
	// before, from 1 on. It says which one came later, whatever the clock said. 0 in format 1.
	Number  uint64 `json:"number,omitzero"`
	File    string `json:"file,omitempty"` // the name that the data file had, without its folder; "" if there is none
	Release string `json:"release,omitempty"`
	// Sequence is that of the superblock, or how many records the folder's log has had. It
	// never falls.
	Sequence uint64 `json:"sequence"`
	// Checkpoint is the number of the operation of the data file's newest checkpoint; the log
	// goes on from there.
	Checkpoint uint64 `json:"checkpoint"`
	Archive           // of the data file
	Snapshot   bool   `json:"snapshot"` // copied from an atomic snapshot, of a server that may have run
	// Totals were read from the server just before it was stopped, nil if they were not; or
	// from the copy of an embedded ledger.
	Totals  Totals         `json:"totals,omitzero"`
	Ledger  *Folder        `json:"ledger,omitempty"`  // an embedded ledger; nil if there is none
	Journal *JournalFolder `json:"journal,omitempty"` // a recorder's journal; nil if there is none
}

// Archive is a file of a backup.
type Archive struct {
	Size      int64  `json:"size,omitzero"`           // bytes of what was packed
	SHA256    string `json:"sha256,omitempty"`        // of what was packed, in hexadecimal digits
	Packed    int64  `json:"packed,omitzero"`         // bytes of the file
	PackedSum string `json:"packed_sha256,omitempty"` // of the file
}

// Source says which ledger a backup is of, or, if it has none, which journal: the cluster's id,
// "folder-" and a folder's, or "journal-" and a journal's.
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

// listArchives are the files of a backup, by name.
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

// Bytes are those of all that was packed.
func (m Manifest) Bytes() (n int64) {
	for _, archive := range m.listArchives() {
		n += archive.Size
	}
	return n
}

// PackedBytes are those of the backup's files.
func (m Manifest) PackedBytes() (n int64) {
	for _, archive := range m.listArchives() {
		n += archive.Packed
	}
	return n
}

// folderName is that of the backup's folder.
func (m Manifest) folderName() string { return m.Source() + "-" + m.Taken.Format(nameTime) }

// Backup is a backup in a folder.
type Backup struct {
	Folder   string   `json:"folder"`
	Manifest Manifest `json:"manifest"`

	doubt error // why the manifest is not to be believed; matches ErrDamaged
}

// storedManifest is a manifest as it is in its file. Sum is the SHA-256 of the file with zeros in the
// place of its digits.
type storedManifest struct {
	Manifest
	Sum string `json:"manifest_sha256,omitempty"`
}

// blankSum stands in the place of the hash.
var blankSum = strings.Repeat("0", 2*sha256.Size)

// Open reads what a backup says of itself, and checks that its data is there with its size.
// Whether it is to be believed, List, Restore and Verify ask. The error matches ErrFormat or
// ErrDamaged, or is that of reading.
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
	defer func() { _ = file.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(file, manifestMax+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("backup: %w", err)
	case len(content) > manifestMax:
		return nil, fmt.Errorf("%w: %s is no manifest: it has more than %d bytes", ErrDamaged, path, manifestMax)
	}
	return content, nil
}

// parseManifest reads a manifest, of this format or an older one. The format comes first: a
// newer one may have fields that are not known here.
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

// checkSum is what is wrong with the manifest's own hash.
func (s storedManifest) checkSum(content []byte) error {
	if s.Format < 2 && s.Sum == "" {
		return nil // it had none
	}
	if len(s.Sum) != len(blankSum) || hashContent(replaceLast(content, s.Sum, blankSum)) != s.Sum {
		return errors.New("it is not what was written: its own hash is another one")
	}
	return nil
}

// replaceLast puts a text in the last place of another one of the same length: the manifest's own
// hash is its last field.
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

// checkNames is what is wrong with what there is and with the names: the data file's is used as
// one, and that of the folder says what the manifest says, unless it was given another one.
func (b Backup) checkNames() error {
	m := b.Manifest
	switch name := m.File; {
	case len(m.listArchives()) == 0:
		return errors.New("there is nothing in it")
	case name != "" && m.Ledger != nil:
		return errors.New("there are two ledgers in it")
	case name != "" && (name != filepath.Base(name) || !filepath.IsLocal(name) || name == "."):
		return fmt.Errorf("%q is no name of a file", name)
	}
	if folder := filepath.Base(b.Folder); backupName.MatchString(folder) && folder != m.folderName() {
		return fmt.Errorf("it is of %s", m.folderName())
	}
	return nil
}

// wrapMissing says that a backup is damaged if a file of it is not there; other errors are those
// of whoever reads.
func wrapMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("backup: %w", err)
}

// writeManifest writes the manifest of a backup, onto the disk.
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
