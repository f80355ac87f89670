package ledgertest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Seed returns PEERLEDGER_SEED, or else a random seed, for [RunProgram] and [RunDifferential]. The
// seed is logged.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("PEERLEDGER_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(tb, err, "PEERLEDGER_SEED")
	}
	tb.Logf("PEERLEDGER_SEED=%d", seed)
	return seed
}

// RunProgram runs the random program of the seed on the ledger, and checks the rules that hold on
// any ledger whatever its answers are:
//
//   - each request has a row of consecutive timestamps of its own, and exists carries the timestamp
//     of the existing object;
//   - at every moment accounts, history and change events show exactly the effects of the created
//     events, and debits equal credits;
//   - look-ups and queries find the same rows as a search of everything stored;
//   - the same events cut into other requests, with earlier requests sent again in between, get the
//     same statuses and leave the same books;
//   - in the end every hold can be voided.
//
// The ledger may hold other accounts, but RunProgram must be the only writer. Holds expire only in
// programs for a ledger that implements [Sleeper]; RunProgram does not wait in real time. If the
// ledger has change events too, a second program ends holds at the very moment of their expiry.
func RunProgram(tb testing.TB, l ledger.Ledger, seed uint64) {
	tb.Helper()
	runSeed(tb, newTestSubject(l), seed)
}

func runSeed(tb testing.TB, s *subject, seed uint64) {
	tb.Helper()
	runProgram(tb, s, newSeedProgram(seed, s.choosePauses()), seed, newIDSpace)
	if s.canRaceExpiries() {
		runProgram(tb, s, newSeedProgram(seed, anyPauses), seed, newIDSpace)
	}
}

// RunBytes is [RunProgram] with a program drawn from bytes, for a fuzz target. Few bytes make a
// short program. The ledger must be empty.
//
// If the ledger's time begins at a fixed moment and only Sleep moves it, the same bytes make the
// same requests to the last bit. With any other clock imports have different timestamps each time.
func RunBytes(tb testing.TB, l ledger.Ledger, data []byte) {
	tb.Helper()
	s, seed := newTestSubject(l), hashSeed(data)
	mode := s.choosePauses()
	if s.canRaceExpiries() && len(data) > 0 && data[0]%3 == 0 {
		mode = anyPauses
	}
	var space idSpace
	runProgram(tb, s, newBytesProgram(data, mode), seed, func() idSpace {
		space.idHigh++
		space.ledgerOffset += 1000
		return space
	})
}

// runProgram runs the program in a new space. Unless the program races expiries, runProgram also
// runs a variant in another space and compares the books.
func runProgram(tb testing.TB, s *subject, p *program, seed uint64, newSpace func() idSpace) {
	tb.Helper()
	first := newResendRun(newRun(tb, s, newSpace(), p), p.actions)
	for first.hasActions() {
		first.runNextAction()
	}
	first.readBooks()
	for i := range first.requests {
		first.resendRequest(i)
	}
	firstBooks := first.normalizeBooks()
	first.voidHolds()
	if p.racesExpiries { // the variant's requests come at other moments
		return
	}
	second := runVariant(newRun(tb, s, newSpace(), p), p, rand.New(rand.NewPCG(seed, 1)))
	second.readBooks()
	require.Len(tb, second.statuses, len(first.statuses))
	for i := range first.statuses {
		require.Equal(tb, first.statuses[i], second.statuses[i], "cut into other requests, event %d has another status", i)
	}
	otherBooks := second.normalizeBooks()
	firstBooks.requireEqual(tb, &otherBooks, "cut into other requests, the events leave other books")
	second.voidHolds()
}

// runVariant runs a variant of the program. In between it sends requests again, at once or later.
func runVariant(base *run, p *program, random *rand.Rand) *resendRun {
	base.tb.Helper()
	r := newResendRun(base, p.rebatchActions(random))
	for r.hasActions() {
		r.runNextAction()
		if len(r.requests) > 0 && random.IntN(4) == 0 {
			r.resendRequest(len(r.requests) - 1)
		}
		for len(r.requests) > 0 && random.IntN(3) == 0 {
			r.resendRequest(random.IntN(len(r.requests)))
		}
	}
	return r
}

// normalizeBooks returns the model's books without the space's ids and without timestamps.
func (r *run) normalizeBooks() (b answer) {
	for _, a := range r.model.accounts {
		b.accounts = append(b.accounts, r.space.unmapAccount(*a))
	}
	for i := range r.model.transfers {
		b.transfers = append(b.transfers, r.space.unmapTransfer(r.model.transfers[i]))
	}
	for _, e := range r.model.selectChangesFrom(0) {
		b.changes = append(b.changes, r.space.unmapChange(e))
	}
	return b
}
