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
// The timestamp of an imported event, if it is below relativeTimesEnd, counts from the
// last mark. So whether it regresses does not depend on what the ledger held
// before.
type program struct {
	actions []action
	// racesExpiries says that pauses may end just before or just behind an expiry. Then it
	// depends on the cut of the requests what they see of it.
	racesExpiries bool
}

// action is one thing that a program does to a ledger.
type action interface {
	// runOn does it, compares the answer with what the run knows, and returns it.
	runOn(r *run) answer
}

type (
	createAccountsAction  []ledger.Account
	createTransfersAction []ledger.Transfer
	sleepAction           time.Duration
	importBaseAction      struct{}
)

const (
	// sleepDuration is the pause of programs that are not wild. Timeouts in them are one or
	// two seconds, or days. So on a ledger that waits in real time no request comes
	// within 300 ms of an expiry, if all turns together take less than maxWork.
	sleepDuration = 1300 * time.Millisecond
	maxSleeps     = 3
	maxWork       = 400 * time.Millisecond

	// relativeTimesEnd is above all timestamps that count from the mark.
	relativeTimesEnd = 1 << 42
	// futureOffset is a timestamp that counts from the mark and has not come yet.
	futureOffset = uint64(time.Hour)
	// importDelay is what passes behind a mark, or the start of a scenario, so that
	// timestamps just after it are in the past.
	importDelay = 2 * time.Millisecond

	seedActions    = 45 // turns of a program drawn from a seed
	maxActions     = 60
	bytesPerAction = 24 // bytes that make a program one turn longer
)

// pauseMode says how a program may let time pass.
type pauseMode uint8

const (
	noPauses   pauseMode = iota // not at all
	safePauses                  // only by whole naps
	anyPauses                   // the program is wild
)

// newSeedProgram is the program of the seed.
func newSeedProgram(seed uint64, mode pauseMode) *program {
	return drawProgram(rand.NewPCG(seed, 0), seedActions, mode)
}

// newBytesProgram is the program that the bytes spell. Few bytes make a short one.
func newBytesProgram(data []byte, mode pauseMode) *program {
	return drawProgram(newBytesSource(data), min(maxActions, 3+len(data)/bytesPerAction), mode)
}

// bytesSource is random numbers that somebody else has chosen, a byte each, and
// when these are used up, those of a generator seeded with all of them.
type bytesSource struct {
	bytes    []byte
	fallback rand.PCG
}

func newBytesSource(data []byte) *bytesSource {
	return &bytesSource{bytes: data, fallback: *rand.NewPCG(hashSeed(data), 0)}
}

// hashSeed is a seed made of all the bytes.
func hashSeed(data []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(data)
	return sum.Sum64()
}

// Uint64 repeats the byte, as rand.Rand looks at the high bits or at the low ones.
func (s *bytesSource) Uint64() uint64 {
	if len(s.bytes) == 0 {
		return s.fallback.Uint64()
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return uint64(b) * 0x0101010101010101
}
