package bench

import (
	"crypto/rand"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// idSource draws ids as tigerbeetle-go's ID does, which needs cgo: 48 bits of
// milliseconds, and 80 that are random at the start of each millisecond and then
// counted.
type idSource struct {
	mu   sync.Mutex
	ms   int64
	last uint128.Uint128
}

func (s *idSource) nextID() ledger.ID {
	ms := time.Now().UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	if ms > s.ms {
		s.ms = ms
		var b [16]byte
		rand.Read(b[6:])
		// Without the top one of the 80 bits, so that counting never carries.
		b[6] &= 0x7f
		s.last = uint128.FromBytesBE(b[:]).Or(uint128.From64(uint64(ms)).Lsh(80))
	} else {
		s.last = s.last.AddWrap64(1)
	}
	return ledger.ID(s.last)
}
