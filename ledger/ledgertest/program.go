package ledgertest

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// program is a random list of actions, aimed at the edges of the rules: few accounts, few ids,
// amounts near 0 and near the largest, many chains, many events and requests sent again. A run maps
// the program's ids and ledger numbers to an idSpace, so one program can run twice on a ledger.
//
// The timestamp of an imported event, if below relativeTimesEnd, counts from the last
// importBaseAction. Whether the import regresses is therefore independent of the earlier content of
// the ledger.
type program struct {
	actions []action
	// racesExpiries is set if a pause may end just before or just after an expiry. The answers then
	// depend on how the events are cut into requests.
	racesExpiries bool
}

// action is one step of a program.
type action interface {
	// runOn performs the action, compares the answer with the run's model, and returns the answer.
	runOn(r *run) answer
}

type (
	createAccountsAction  []ledger.Account
	createTransfersAction []ledger.Transfer
	sleepAction           time.Duration
	importBaseAction      struct{}
)

const (
	// sleepDuration is the pause of programs that do not race expiries. Their timeouts are one or
	// two seconds, or days. So on a ledger in real time no request comes within 300 ms of an
	// expiry, if all actions together take less than maxWork.
	sleepDuration = 1300 * time.Millisecond
	maxSleeps     = 3
	maxWork       = 400 * time.Millisecond

	// relativeTimesEnd is above all timestamps that count from the import base.
	relativeTimesEnd = 1 << 42
	// futureOffset counts from the import base, and lies in the future.
	futureOffset = uint64(time.Hour)
	// importDelay is the pause after setting the import base, or after the start of a scenario.
	// Timestamps just after the base are then in the past.
	importDelay = 2 * time.Millisecond

	seedActions    = 45 // actions of a program drawn from a seed
	maxActions     = 60
	bytesPerAction = 24 // bytes that make a program one action longer
)

// pauseMode is how a program may let time pass.
type pauseMode uint8

const (
	noPauses   pauseMode = iota // not at all
	safePauses                  // only by sleepDuration
	anyPauses                   // by any time: the program races expiries
)

// newSeedProgram draws the program of the seed.
func newSeedProgram(seed uint64, mode pauseMode) *program {
	return drawProgram(rand.NewPCG(seed, 0), seedActions, mode)
}

// newBytesProgram draws a program from bytes. Few bytes make a short program.
func newBytesProgram(data []byte, mode pauseMode) *program {
	return drawProgram(newBytesSource(data), min(maxActions, 3+len(data)/bytesPerAction), mode)
}

// bytesSource is a [rand.Source] that returns the given bytes, one per number. After the last byte
// it returns the numbers of a generator seeded with all the bytes.
type bytesSource struct {
	bytes    []byte
	fallback rand.PCG
}

func newBytesSource(data []byte) *bytesSource {
	return &bytesSource{bytes: data, fallback: *rand.NewPCG(hashSeed(data), 0)}
}

// hashSeed makes a seed of all the bytes.
func hashSeed(data []byte) uint64 {
	sum := fnv.New64a()
	sum.Write(data)
	return sum.Sum64()
}

// Uint64 repeats the byte eight times, because [rand.Rand] uses either the high or the low bits.
func (s *bytesSource) Uint64() uint64 {
	if len(s.bytes) == 0 {
		return s.fallback.Uint64()
	}
	b := s.bytes[0]
	s.bytes = s.bytes[1:]
	return uint64(b) * 0x0101010101010101
}
