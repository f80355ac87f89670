package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// RunDifferential runs the random program of the seed on two ledgers, turn by
// turn, and compares the answers: statuses, all fields, the order of all
// timestamps, look-ups, queries, history and, if both have them, change events.
// Each ledger is also checked as by RunProgram.
//
// The ledgers may hold other accounts, but nobody else may write meanwhile. A
// ledger that implements Sleeper moves its own time; with any other one the
// program takes up to four seconds, and ends early, which the log says, if the
// ledger is too slow for the timeouts in it.
//
// Wild programs, in which holds are ended at the very moment when they expire, are
// left to RunProgram and RunBytes. Two ledgers that are both right may answer them
// differently: each gives timestamps by a clock of its own, and a nanosecond decides
// what is in time and what is too late.
func RunDifferential(tb testing.TB, one, other ledger.Ledger, seed uint64) {
	tb.Helper()
	d := &differential{tb: tb, times: timestamps{}}
	p, place := programOf(seed, longPauses), newRealm()
	a, b := subjectOf(one), subjectOf(other)
	if a.feed == nil || b.feed == nil {
		a.feed, b.feed = nil, nil
	}
	d.one, d.other = newRun(tb, a, place, p), newRun(tb, b, place, p)
	d.start = time.Now()
	if n := d.compareTurns(p.turns); n < len(p.turns) {
		tb.Logf("compared %d of %d turns, for then they had taken longer than the timeouts in them allow", n, len(p.turns))
		d.sleepBoth(napTurn(2 * nap)) // what may expire is gone then, and the rest can be voided
		d.wakeBoth()
	} else {
		want, got := d.one.readEverything(), d.other.readEverything()
		d.compareAnswers(&want, &got)
	}
	require.NoError(tb, d.times.checkOrder())
	d.one.releaseHolds()
	d.other.releaseHolds()
}

// differential is a program under way on two ledgers.
type differential struct {
	tb         testing.TB
	one, other *run
	times      timestamps // of one, as those of the other

	start  time.Time
	rested time.Duration // in all naps
}

// compareTurns takes the turns and compares the answers. It returns how many it compared:
// not all if the ledgers are so slow that an expiry might come between.
func (d *differential) compareTurns(turns []turn) int {
	d.tb.Helper()
	for i, t := range turns {
		if n, ok := t.(napTurn); ok {
			d.sleepBoth(n)
			if d.isLate() {
				return i
			}
			d.wakeBoth()
			continue
		}
		want, got := d.one.takeTurn(t), d.other.takeTurn(t)
		if d.isLate() {
			return i
		}
		d.compareAnswers(&want, &got)
	}
	return len(turns)
}

// isLate reports whether what is not a nap has taken so long that expiries are no
// longer where the program has them.
// Time that is moved by hand does not slip.
func (d *differential) isLate() bool {
	byHand := d.one.subject.sleeper != nil && d.other.subject.sleeper != nil
	return !byHand && time.Since(d.start)-d.rested > workMost
}

// sleepBoth sleeps on both ledgers at once.
func (d *differential) sleepBoth(n napTurn) {
	d.tb.Helper()
	waited := false
	for _, r := range []*run{d.one, d.other} {
		switch {
		case r.subject.sleeper != nil:
			r.subject.sleepFor(d.tb, time.Duration(n))
		case !waited:
			r.subject.sleepFor(d.tb, time.Duration(n))
			waited = true
			d.rested += time.Duration(n)
		}
	}
}

func (d *differential) wakeBoth() {
	d.tb.Helper()
	d.one.checkExpiries()
	d.other.checkExpiries()
}

func (d *differential) compareAnswers(want, got *answer) {
	d.tb.Helper()
	message := d.one.describeTurn()
	require.Len(d.tb, got.verdicts, len(want.verdicts), message)
	for i := range want.verdicts {
		require.Equal(d.tb, want.verdicts[i].status, got.verdicts[i].status, "%s, event %d", message, i)
	}
	requirePaired(d.tb, d.times, want.verdicts, got.verdicts, message, verdictStamps)
	requirePaired(d.tb, d.times, want.accounts, got.accounts, message, accountStamps)
	requirePaired(d.tb, d.times, want.transfers, got.transfers, message, transferStamps)
	requirePaired(d.tb, d.times, want.balances, got.balances, message, balanceStamps)
	requirePaired(d.tb, d.times, want.changes, got.changes, message, changeStamps)
}
