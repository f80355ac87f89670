package embedded

import (
	"os"
	"path/filepath"

	"github.com/peerledger/peerledger/internal/wal"
)

// WithProgress makes [Open] and [Read] call report while they read a folder, after every 16 MiB and at
// the end: with the bytes of its checkpoint and log that are done, and with all of them. The conversion
// of a folder of format 1 reads them twice, and all is twice their size then. The last call has done
// equal to all. An error ends Open, which returns it: the folder is as it was. The goroutine of Open calls report.
func WithProgress(report func(done, all int64) error) Option {
	return func(l *Ledger) { l.progress.report = report }
}

// progressStep is the number of bytes between two reports.
const progressStep = 16 << 20

// openProgress is the progress of opening a folder.
type openProgress struct {
	report              func(done, all int64) error // nil reports nothing
	done, all, reported int64
}

// folderBytes returns the size of the checkpoint and the log in a folder.
func folderBytes(path string) (bytes int64, err error) {
	names, err := wal.Names(path)
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil {
			return 0, err
		}
		bytes += info.Size()
	}
	return bytes, nil
}

// count returns a function that restores a record and counts it as done.
func (p *openProgress) count(restore func(wal.Record) error) func(wal.Record) error {
	if p.report == nil {
		return restore
	}
	const frameBytes = 24 // of a record, besides its data
	return func(record wal.Record) error {
		if err := restore(record); err != nil {
			return err
		}
		p.done = min(p.done+frameBytes+int64(len(record.Data)), p.all)
		if p.done-p.reported < progressStep {
			return nil
		}
		p.reported = p.done
		return p.report(p.done, p.all)
	}
}

// finish reports the end. The ledger is open, so an error comes too late.
func (p *openProgress) finish() {
	if p.report != nil {
		_ = p.report(p.all, p.all)
	}
}
