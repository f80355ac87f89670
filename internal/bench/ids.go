package bench

import (
	"crypto/rand"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// idSource draws ids in the format of tigerbeetle-go's ID, which needs cgo: 48 bits of
// milliseconds, then 80 bits that are random at the start of each millisecond and counted up after
// it.
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
		// The top bit of the 80 is cleared, so counting never carries.
		b[6] &= 0x7f
		s.last = uint128.FromBytesBE(b[:]).Or(uint128.From64(uint64(ms)).Lsh(80))
	} else {
		s.last = s.last.AddWrap64(1)
	}
	return ledger.ID(s.last)
}
