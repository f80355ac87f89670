package ledgertest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Seed is a random number for RunProgram and RunDifferential, or that of
// PEERLEDGER_SEED. It is printed if the test fails.
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

// RunProgram gives the ledger the random program of the seed, and checks what must
// be so on any ledger whatever its answers are:
//
//   - each request has timestamps of its own in a row, and exists carries that of
//     the object that is there;
//   - at every moment accounts, history and change events show exactly what the
//     events that were created do to the books, and debits equal credits;
//   - look-ups and queries answer what looking through everything gives;
//   - the same events cut into other requests, with earlier requests sent again in
//     between, get the same answers and leave the same books;
//   - in the end every hold can be voided.
//
// The ledger may hold other accounts, but nobody else may write meanwhile. Holds
// expire in programs for a ledger that implements Sleeper; other ledgers are not
// kept waiting. If it has change events too, a second program makes holds expire at
// the very moment when they are ended.
func RunProgram(tb testing.TB, l ledger.Ledger, seed uint64) {
	tb.Helper()
	runSeed(tb, subjectOf(l), seed)
}

func runSeed(tb testing.TB, s *subject, seed uint64) {
	tb.Helper()
	runProgram(tb, s, programOf(seed, s.usualPauses()), seed, newRealm)
	if s.canRunWild() {
		runProgram(tb, s, programOf(seed, anyPauses), seed, newRealm)
	}
}

// RunBytes is RunProgram with a program that the bytes spell, for a fuzz target.
// Few bytes make a short program. The ledger must be empty. If nothing but Sleep
// moves its time, which began at a fixed moment, the same bytes make the same
// requests to the last bit. By any other clock imports have other timestamps each
// time.
func RunBytes(tb testing.TB, l ledger.Ledger, data []byte) {
	tb.Helper()
	s, seed := subjectOf(l), seedOf(data)
	allowed := s.usualPauses()
	if s.canRunWild() && len(data) > 0 && data[0]%3 == 0 {
		allowed = anyPauses
	}
	var place idSpace
	runProgram(tb, s, programFrom(data, allowed), seed, func() idSpace {
		place.ids++
		place.ledgers += 1000
		return place
	})
}

// runProgram runs the program in a new realm and, unless it is wild, its variant in
// another.
func runProgram(tb testing.TB, s *subject, p *program, seed uint64, place func() idSpace) {
	tb.Helper()
	first := newRetryRun(newRun(tb, s, place(), p), p.turns)
	for first.hasTurns() {
		first.takeNextTurn()
	}
	first.readEverything()
	for i := range first.requests {
		first.sendAgain(i)
	}
	end := first.normalizedBooks()
	first.releaseHolds()
	if p.wild { // other requests come at other moments
		return
	}
	second := runVariant(newRun(tb, s, place(), p), p, rand.New(rand.NewPCG(seed, 1)))
	second.readEverything()
	require.Len(tb, second.statuses, len(first.statuses))
	for i := range first.statuses {
		require.Equal(tb, first.statuses[i], second.statuses[i], "other requests, another answer to event %d", i)
	}
	other := second.normalizedBooks()
	end.requireEqual(tb, &other, "other requests, other books")
	second.releaseHolds()
}

// runVariant runs a variant of the program. In between requests are sent again,
// at once or later.
func runVariant(of *run, p *program, random *rand.Rand) *retryRun {
	of.tb.Helper()
	r := newRetryRun(of, p.variantOf(random))
	for r.hasTurns() {
		r.takeNextTurn()
		if len(r.requests) > 0 && random.IntN(4) == 0 {
			r.sendAgain(len(r.requests) - 1)
		}
		for len(r.requests) > 0 && random.IntN(3) == 0 {
			r.sendAgain(random.IntN(len(r.requests)))
		}
	}
	return r
}

// normalizedBooks is what the run has left, as it would be anywhere and any time.
func (r *run) normalizedBooks() (b answer) {
	for _, a := range r.mirror.accounts {
		b.accounts = append(b.accounts, r.realm.originalAccount(*a))
	}
	for i := range r.mirror.transfers {
		b.transfers = append(b.transfers, r.realm.originalTransfer(r.mirror.transfers[i]))
	}
	for _, e := range r.mirror.changesFrom(0) {
		b.changes = append(b.changes, r.realm.originalChange(e))
	}
	return b
}
