package backup

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// The files of a backup.
const (
	dataName     = "data.zst"
	manifestName = "manifest.json"
	formatNow    = 1
)

// Manifest says what a backup is of.
type Manifest struct {
	Format    int           `json:"format"`     // of the backup: 1
	ClusterID ledger.Amount `json:"cluster_id"` // in decimal digits, as TigerBeetle takes it
	Taken     time.Time     `json:"taken"`      // by the clock of this machine
	File      string        `json:"file"`       // the name that the data file had, without its folder
	Release   string        `json:"release"`
	Sequence  uint64        `json:"sequence"` // of the superblock
	// Checkpoint is the number of the operation of the newest checkpoint; the log goes on
	// from there.
	Checkpoint uint64 `json:"checkpoint"`
	Size       int64  `json:"size"`            // bytes of the data file
	SHA256     string `json:"sha256"`          // of the data file, in hexadecimal digits
	Packed     int64  `json:"packed"`          // bytes of data.zst
	PackedSum  string `json:"packed_sha256"`   // of data.zst
	Snapshot   bool   `json:"snapshot"`        // copied from an atomic snapshot, of a server that may have run
	Totals     Totals `json:"totals,omitzero"` // read from the server just before it was stopped; nil if they were not
}

// Backup is a backup in a folder.
type Backup struct {
	Folder   string   `json:"folder"`
	Manifest Manifest `json:"manifest"`
}

// Open reads the manifest of a backup and checks that the data is there with its size. The
// error matches ErrDamaged, or is that of reading.
func Open(folder string) (Backup, error) {
	b := Backup{Folder: folder}
	content, err := os.ReadFile(filepath.Join(folder, manifestName))
	if err != nil {
		return b, missing(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b.Manifest); err != nil {
		return b, fmt.Errorf("%w: %s: %w", ErrDamaged, filepath.Join(folder, manifestName), err)
	}
	if decoder.More() {
		return b, fmt.Errorf("%w: %s goes on after its end", ErrDamaged, filepath.Join(folder, manifestName))
	}
	if b.Manifest.Format != formatNow {
		return b, fmt.Errorf("%w: %s: format %d is not known", ErrDamaged, filepath.Join(folder, manifestName), b.Manifest.Format)
	}
	info, err := os.Stat(filepath.Join(folder, dataName))
	if err != nil {
		return b, missing(err)
	}
	if info.Size() != b.Manifest.Packed {
		return b, fmt.Errorf("%w: %s has %d bytes, and should have %d", ErrDamaged, filepath.Join(folder, dataName), info.Size(), b.Manifest.Packed)
	}
	return b, nil
}

// missing says that a backup is damaged if a file of it is not there; other errors are those
// of whoever reads.
func missing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return fmt.Errorf("backup: %w", err)
}

// writeManifest writes the manifest of a backup, onto the disk.
func writeManifest(folder string, m Manifest) error {
	content, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(folder, manifestName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(content, '\n'))
	return finish(file, err)
}
