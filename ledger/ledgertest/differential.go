package ledgertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// RunDifferential runs the random program of the seed on two ledgers, action by action, and
// compares the answers: statuses, all fields, the order of all timestamps, look-ups, queries,
// history and, if both ledgers have them, change events. Each ledger is also checked as by
// [RunProgram].
//
// The ledgers may hold other accounts, but RunDifferential must be the only writer. Unless both
// ledgers implement [Sleeper], the program takes up to four seconds. If the ledgers are too slow
// for the timeouts, the program ends early and logs where.
//
// Programs that race expiries are left to [RunProgram] and [RunBytes]. Two correct ledgers may
// answer such a program differently: each ledger has a clock of its own, and a nanosecond decides
// whether a hold has expired.
func RunDifferential(tb testing.TB, first, second ledger.Ledger, seed uint64) {
	tb.Helper()
	d := &differential{tb: tb, times: timestampMap{}}
	p, space := newSeedProgram(seed, safePauses), newIDSpace()
	a, b := newTestSubject(first), newTestSubject(second)
	if a.feed == nil || b.feed == nil {
		a.feed, b.feed = nil, nil
	}
	d.first, d.second = newRun(tb, a, space, p), newRun(tb, b, space, p)
	d.start = time.Now()
	if n := d.compareActions(p.actions); n < len(p.actions) {
		tb.Logf("compared %d of %d actions: the ledgers were too slow for the timeouts", n, len(p.actions))
		d.sleepBoth(sleepAction(2 * sleepDuration)) // everything due has expired then, and the other holds can be voided
		d.checkBothExpiries()
	} else {
		want, got := d.first.readBooks(), d.second.readBooks()
		d.compareAnswers(&want, &got)
	}
	require.NoError(tb, d.times.checkOrder())
	d.first.voidHolds()
	d.second.voidHolds()
}

// differential is the run of one program on two ledgers.
type differential struct {
	tb            testing.TB
	first, second *run
	times         timestampMap // from the first ledger to the second

	start time.Time
	slept time.Duration // in all sleeps
}

// compareActions runs the actions and compares the answers. It returns the number of actions
// compared: fewer than all if the ledgers are so slow that a hold might expire between them.
func (d *differential) compareActions(actions []action) int {
	d.tb.Helper()
	for i, t := range actions {
		if n, ok := t.(sleepAction); ok {
			d.sleepBoth(n)
			if d.isLate() {
				return i
			}
			d.checkBothExpiries()
			continue
		}
		want, got := d.first.runAction(t), d.second.runAction(t)
		if d.isLate() {
			return i
		}
		d.compareAnswers(&want, &got)
	}
	return len(actions)
}

// isLate reports whether the actions other than sleeps have taken so long that expiries come
// earlier in the program than planned. With two manual clocks it is always false.
func (d *differential) isLate() bool {
	manualClocks := d.first.subject.sleeper != nil && d.second.subject.sleeper != nil
	return !manualClocks && time.Since(d.start)-d.slept > maxWork
}

// sleepBoth sleeps on both ledgers at once.
func (d *differential) sleepBoth(n sleepAction) {
	d.tb.Helper()
	sleptInRealTime := false
	for _, r := range []*run{d.first, d.second} {
		switch {
		case r.subject.sleeper != nil:
			r.subject.sleepFor(d.tb, time.Duration(n))
		case !sleptInRealTime:
			r.subject.sleepFor(d.tb, time.Duration(n))
			sleptInRealTime = true
			d.slept += time.Duration(n)
		}
	}
}

func (d *differential) checkBothExpiries() {
	d.tb.Helper()
	d.first.checkExpiries()
	d.second.checkExpiries()
}

func (d *differential) compareAnswers(want, got *answer) {
	d.tb.Helper()
	message := d.first.describeAction()
	require.Len(d.tb, got.results, len(want.results), message)
	for i := range want.results {
		require.Equal(d.tb, want.results[i].status, got.results[i].status, "%s, event %d", message, i)
	}
	requirePaired(d.tb, d.times, want.results, got.results, message, resultTimePointers)
	requirePaired(d.tb, d.times, want.accounts, got.accounts, message, accountTimePointers)
	requirePaired(d.tb, d.times, want.transfers, got.transfers, message, transferTimePointers)
	requirePaired(d.tb, d.times, want.balances, got.balances, message, balanceTimePointers)
	requirePaired(d.tb, d.times, want.changes, got.changes, message, changeTimePointers)
}
