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
// program takes up to four seconds.
func RunDifferential(tb testing.TB, one, other ledger.Ledger, seed uint64) {
	tb.Helper()
	d := &differential{tb: tb, times: timestamps{}}
	p, place := programOf(seed, longPauses), newRealm()
	a, b := subjectOf(one), subjectOf(other)
	if a.feed == nil || b.feed == nil {
		a.feed, b.feed = nil, nil
	}
	d.one, d.other = newRun(tb, a, place, p), newRun(tb, b, place, p)
	for _, t := range p.turns {
		if n, ok := t.(napTurn); ok {
			d.rest(n)
			continue
		}
		want, got := d.one.take(t), d.other.take(t)
		d.compare(&want, &got)
	}
	want, got := d.one.everything(), d.other.everything()
	d.compare(&want, &got)
	require.NoError(tb, d.times.check())
	d.one.release()
	d.other.release()
}

// differential is a program under way on two ledgers.
type differential struct {
	tb         testing.TB
	one, other *run
	times      timestamps // of one, as those of the other
}

// rest sleeps on both ledgers at once.
func (d *differential) rest(n napTurn) {
	d.tb.Helper()
	waited := false
	for _, r := range []*run{d.one, d.other} {
		if r.subject.sleeper != nil || !waited {
			r.subject.sleep(d.tb, time.Duration(n))
		}
		waited = waited || r.subject.sleeper == nil
	}
	d.one.wake()
	d.other.wake()
}

func (d *differential) compare(want, got *answer) {
	d.tb.Helper()
	message := d.one.where()
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
