package embedded

import (
	"errors"
	"fmt"
)

// ErrDiskFull is matched by the error of a create request while the file system of the folder has less
// room than the reserve ([WithDiskReserve]). The request has changed nothing. Reads go on. Make room:
// create requests go on by themselves then.
var ErrDiskFull = errors.New("embedded: the disk is full: make room, and writes go on by themselves")

// defaultDiskReserve is enough for the requests that are under way when the last room is taken
// (backlogMax), and for the expiries of holds.
const defaultDiskReserve = 128 << 20

// WithDiskReserve sets the room in bytes on the file system of the folder below which create requests
// return [ErrDiskFull]: 128 MiB by default, 0 is no reserve. Without a reserve, and on systems other
// than Linux, the ledger ends when the disk is full (see [Open]).
func WithDiskReserve(bytes int64) Option { return func(l *Ledger) { l.space.reserve = max(0, bytes) } }

// spaceGuard keeps a reserve of room for the log, which ends when it cannot be written.
type spaceGuard struct {
	folder  string // "" in memory
	reserve int64
	free    func(folder string) (bytes uint64, ok bool) // ok is false if the system does not tell
}

// checkRoom returns an error that matches [ErrDiskFull] unless there is room for the bytes beside the
// reserve.
func (g *spaceGuard) checkRoom(bytes int64) error {
	if g.folder == "" || g.reserve == 0 {
		return nil
	}
	if free, ok := g.free(g.folder); ok && free < uint64(g.reserve+bytes) {
		return fmt.Errorf("%w: %d MiB are left in %s, and %d MiB are the reserve", ErrDiskFull, free>>20, g.folder, g.reserve>>20)
	}
	return nil
}
