package chart

import (
	"crypto/rand"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// A packet's id has 48 bits of milliseconds since the Unix epoch, 72 unique bits, and 8 low bits
// for its transfers. Time-ordered ids keep TigerBeetle's indexes fast.
// (https://docs.tigerbeetle.com/coding/data-modeling/#tigerbeetle-time-based-identifiers-recommended)
const (
	uniqueBits  = 72
	reservedLow = 8
)

// PacketIDs generates ever growing packet ids, also when the clock goes back. Ids of two
// sources do not collide: each millisecond starts at 71 random bits. The zero value is ready, and
// safe for concurrent use.
type PacketIDs struct {
	mu   sync.Mutex
	last uint128.Uint128 // milliseconds and unique bits, without the low 8
}

// NextID returns a new id. If now is before the last id, because the caller waited for the
// lock or the clock went back, the last id is counted up.
func (s *PacketIDs) NextID(now time.Time) ledger.ID {
	start := uint128.From64(clampMillis(now.UnixMilli())).Lsh(uniqueBits)
	s.mu.Lock()
	defer s.mu.Unlock()
	if start.Cmp(s.last.Rsh(uniqueBits).Lsh(uniqueBits)) > 0 {
		s.last = start.Or(random71())
	} else {
		// Carries into the next millisecond when the unique bits run out.
		s.last = s.last.AddWrap64(1)
	}
	return ledger.ID(s.last.Lsh(reservedLow))
}

// clampMillis keeps a moment within 48 bits, from the first millisecond of 1970 on. So a
// wrong clock produces neither id 0 nor a wrapped id.
func clampMillis(ms int64) uint64 { return uint64(min(max(ms, 1), 1<<48-1)) }

// random71 returns random bits with the top unique bit clear: from any start 2^71 ids can
// be counted up within a millisecond.
func random71() uint128.Uint128 {
	var b [16]byte
	rand.Read(b[:])
	return uint128.FromBytes(b[:]).Rsh(128 - (uniqueBits - 1))
}
