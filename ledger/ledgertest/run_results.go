package ledgertest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// head is what events of both kinds have in common.
type head struct {
	id               ledger.ID
	linked, imported bool
	timestamp        uint64
}

func accountHead(a *ledger.Account) head {
	return head{a.ID, a.Flags.Has(ledger.AccountLinked), a.Flags.Has(ledger.AccountImported), a.Timestamp}
}

func transferHead(t *ledger.Transfer) head {
	return head{t.ID, t.Flags.Has(ledger.TransferLinked), t.Flags.Has(ledger.TransferImported), t.Timestamp}
}

// verdict is the result of an event of either kind.
type verdict struct {
	status    string
	outcome   ledger.Outcome
	failed    bool // linked_event_failed
	timestamp uint64
}

func accountVerdict(r ledger.CreateAccountResult) verdict {
	return verdict{r.Status.String(), r.Status.Outcome(), r.Status == ledger.AccountLinkedEventFailed, r.Timestamp}
}

func transferVerdict(r ledger.CreateTransferResult) verdict {
	return verdict{r.Status.String(), r.Status.Outcome(), r.Status == ledger.TransferLinkedEventFailed, r.Timestamp}
}

// acceptResults checks the results of a request and does in the mirror what was created.
// stored is the timestamp of the object with the id, 0 if there is none.
func (r *run) acceptResults(
	heads []head, verdicts []verdict, stored func(ledger.ID) uint64, create func(i int) error,
) {
	r.tb.Helper()
	require.Len(r.tb, verdicts, len(heads), r.describeTurn())
	news := r.newExpiries(r.readChanges())
	first := r.firstSlot(heads, verdicts)
	before := slices.IndexFunc(news, func(e ledger.ChangeEvent) bool { return e.Timestamp > first })
	if before < 0 {
		before = len(news)
	}
	r.applyExpiries(news[:before])
	for i, v := range verdicts {
		r.timeline = append(r.timeline, v.timestamp)
		switch v.outcome { //nolint:exhaustive // all others change nothing
		case ledger.OutcomeApplied:
			require.NoError(r.tb, create(i), "%s, event %d", r.describeTurn(), i)
		case ledger.OutcomeAlreadyApplied:
			require.Equal(r.tb, r.existingTime(heads[:i], verdicts, heads[i].id, stored), v.timestamp,
				"%s, event %d: exists, but since when", r.describeTurn(), i)
		}
	}
	r.applyExpiries(news[before:])
	r.compareBooks()
}

// firstSlot checks that the request has its timestamps to itself, one for each
// event in a row, and returns the first of them. If no event tells, it is the
// newest slot known.
func (r *run) firstSlot(heads []head, verdicts []verdict) uint64 {
	r.tb.Helper()
	first := uint64(0)
	for i, v := range verdicts {
		switch {
		case v.outcome == ledger.OutcomeAlreadyApplied:
			continue // the stored object's
		case heads[i].imported && (v.outcome == ledger.OutcomeApplied || v.failed && !behindBreaker(heads, verdicts, i)):
			// The one asked for, which the event had even if it was rolled back.
			require.Equal(r.tb, heads[i].timestamp, v.timestamp, "%s, event %d", r.describeTurn(), i)
			continue
		case first == 0:
			first = v.timestamp - uint64(i)
			require.Greater(r.tb, first, r.lastSlot, "%s: a timestamp was given twice", r.describeTurn())
		}
		require.Equal(r.tb, first+uint64(i), v.timestamp, "%s, event %d: %s", r.describeTurn(), i, v.status)
	}
	if first == 0 {
		return r.lastSlot
	}
	r.lastSlot = first + uint64(len(heads)-1)
	return first
}

// behindBreaker reports whether event i, a member of a chain that failed, stands
// behind the one that broke it, so that it was not tried and has its slot's
// timestamp.
func behindBreaker(heads []head, verdicts []verdict, i int) bool {
	for i--; i >= 0 && heads[i].linked; i-- {
		if !verdicts[i].failed {
			return true
		}
	}
	return false
}

// existingTime is the timestamp of the object with the id that is there before an
// event: a stored one, or one of the same chain that was rolled back with it.
func (r *run) existingTime(
	before []head, verdicts []verdict, id ledger.ID, stored func(ledger.ID) uint64,
) uint64 {
	if timestamp := stored(id); timestamp != 0 {
		return timestamp
	}
	for i := len(before) - 1; i >= 0 && before[i].linked; i-- {
		if before[i].id == id {
			return verdicts[i].timestamp
		}
	}
	return 0
}
