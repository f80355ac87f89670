// Package backup backs up the data file of a single TigerBeetle node, or the folder of an embedded
// ledger, and a recorder's journal, with the archive of a journal of rounds. It also restores backups, and verifies them by opening the
// copies: [Create], [List], [Newest], [Open], [Backup.Restore], [Backup.RestoreJournal],
// [Backup.Verify].
//
// A backup is a folder with these files. The archives are compressed with zstd; "zstd -d --sparse"
// and "tar --zstd" unpack them as well.
//
//	data.zst         the data file
//	ledger.tar.zst   the folder of an embedded ledger
//	journal.tar.zst  the folder of a journal, and the files of its archive
//	manifest.json    the ledger, the time, and the hashes of each archive, packed and unpacked, and of the manifest
//
// Create writes a backup into a folder whose name begins with a dot, reads it back, and renames the
// folder at the end: a folder with the name of a backup is complete.
//
// # Folders in use
//
// A program may have folders open while they are copied. The copy of a folder is of one moment. Of a ledger
// and a journal, the moment of the journal comes first. So each fulfill that was on disk before is in the
// journal's copy, or the ledger had answered it and the ledger's copy has it. The next recorder tries what
// is in the journal's copy, and books nothing twice. If the recorder wrote an attempt of a round or a
// refusal between the two moments, the copies are taken again: of such a record the journal's copy must
// not know less than the ledger's.
//
// The copy of a journal alone is as good as that of a closed one: it has the fulfills that were waiting.
// The program goes on afterwards in both cases, and a recorder in rounds then refuses the copy as old.
//
// # Replicas
//
// Create refuses replicas of a cluster ([ErrReplicated]). A replica restored from a copy would
// forget what it has acknowledged to the other replicas, and the cluster could lose transfers.
// Bring a lost replica back with "tigerbeetle recover".
package backup

import (
	"errors"
	"fmt"
)

// The errors.
var (
	// ErrReplicated is returned when the data file belongs to a cluster of several replicas.
	ErrReplicated = errors.New("backup: a replica of a cluster is not backed up or restored by itself")
	// ErrInUse is returned when a server holds the data file, or a program has the journal beside it
	// open, or a folder after [Options].Stop. A copy made meanwhile would mix different moments. It
	// is also returned when a program writes rounds so often that no two copies fit together.
	ErrInUse = errors.New("backup: in use")
	// ErrBusy is returned when another process makes or verifies a backup in the folder.
	ErrBusy = errors.New("backup: another process is at work in this folder")
	// ErrDamaged is returned when a backup differs from its manifest, or the manifest is missing or
	// was changed.
	ErrDamaged = errors.New("backup: damaged")
	// ErrFormat is returned when a newer version of this program made the backup.
	ErrFormat = errors.New("backup: of a newer version")
	// ErrUnclear is returned when it is not certain which backup in a folder is the newest.
	ErrUnclear = errors.New("backup: it is not certain which backup is the newest")
	// ErrOtherCluster is returned when a file's name, or the data file to copy, belongs to another
	// cluster than expected.
	ErrOtherCluster = errors.New("backup: of another cluster")
	// ErrNotEmpty is returned when the place to restore to already has a data file or a log.
	ErrNotEmpty = errors.New("backup: the volume is not empty")
)

func newReplicatedError(path string, count int) error {
	return fmt.Errorf("%w: %s belongs to a cluster of %d replicas. A copy of a replica lacks later acknowledgements, so restoring the copy can lose transfers. "+
		"The other replicas are its backup: bring a lost replica back with tigerbeetle recover (docs/operations.md#a-lost-replica)", ErrReplicated, path, count)
}
