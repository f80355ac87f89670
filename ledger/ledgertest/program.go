package ledgertest

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// program is a random list of turns, aimed at the edges of the rules: few
// accounts, few ids, amounts near 0 and near the largest, many chains, many events
// and requests sent again. Its ids and ledger numbers are moved to a realm when it
// is run, so that it can be run twice.
//
// The timestamp of an imported event, if it is below stampsEnd, counts from the
// last mark. So whether it regresses does not depend on what the ledger held
// before.
type program struct {
	turns []turn
	// wild says that pauses may end just before or just behind an expiry. Then it
	// depends on the cut of the requests what they see of it.
	wild bool
}

// turn is one thing that a program does to a ledger.
type turn interface {
	// runOn does it, compares the answer with what the run knows, and returns it.
	runOn(r *run) answer
}

type (
	accountsTurn  []ledger.Account
	transfersTurn []ledger.Transfer
	napTurn       time.Duration
	markTurn      struct{}
)

const (
	// nap is the pause of programs that are not wild. Timeouts in them are one or
	// two seconds, or days. So on a ledger that waits in real time no request comes
	// within 300 ms of an expiry, if all turns together take less than workMost.
	nap      = 1300 * time.Millisecond
	longNaps = 3
	workMost = 400 * time.Millisecond

	// stampsEnd is above all timestamps that count from the mark.
	stampsEnd = 1 << 42
	// future is a timestamp that counts from the mark and has not come yet.
	future = uint64(time.Hour)
	// markWait is what passes behind a mark, or the start of a scenario, so that
	// timestamps just after it are in the past.
	markWait = 2 * time.Millisecond

	seedTurns  = 45 // turns of a program drawn from a seed
	mostTurns  = 60
	turnLength = 24 // bytes that make a program one turn longer
)

// pauses says how a program may let time pass.
type pauses uint8

const (
	noPauses   pauses = iota // not at all
	longPauses               // only by whole naps
	anyPauses                // the program is wild
)

// programOf is the program of the seed.
func programOf(seed uint64, allowed pauses) *program {
	return drawProgram(rand.NewPCG(seed, 0), seedTurns, allowed)
}

// programFrom is the program that the bytes spell. Few bytes make a short one.
func programFrom(data []byte, allowed pauses) *program {
	return drawProgram(newBytesSource(data), min(mostTurns, 3+len(data)/turnLength), allowed)
}

// bytesSource is random numbers that somebody else has chosen, a byte each, and
// when these are used up, those of a generator seeded with all of them.
type bytesSource struct {
	bytes []byte
	rest  rand.PCG
}

func newBytesSource(data []byte) *bytesSource {
	return &bytesSource{bytes: data, rest: *rand.NewPCG(seedOf(data), 0)}
}

// seedOf is a seed made of all the bytes.
func seedOf(data []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(data)
	return sum.Sum64()
}

// Uint64 repeats the byte, as rand.Rand looks at the high bits or at the low ones.
func (s *bytesSource) Uint64() uint64 {
	if len(s.bytes) == 0 {
		return s.rest.Uint64()
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return uint64(b) * 0x0101010101010101
}
