package aggregate

import (
	"sync"

	"github.com/peerledger/peerledger/internal/packetlog"
)

// archiveSize is the size of an archive. The folder is listed once: it may have many files.
type archiveSize struct {
	mu     sync.Mutex
	files  int
	bytes  int64
	newest packetlog.Archive // Number and Size
}

// add counts a file. After a crash, the newest file may be written again.
func (s *archiveSize) add(number uint64, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files > 0 && s.newest.Number == number {
		s.files--
		s.bytes -= s.newest.Size
	}
	s.files++
	s.bytes += size
	s.newest = packetlog.Archive{Number: number, Size: size}
}

// remove takes files out that were removed.
func (s *archiveSize) remove(removed []packetlog.Archive) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range removed {
		s.files--
		s.bytes -= removed[i].Size
	}
}

func (s *archiveSize) get() (files int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.files, s.bytes
}
