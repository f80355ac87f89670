package ledgertest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// eventHeader holds the fields common to accounts and transfers.
type eventHeader struct {
	id               ledger.ID
	linked, imported bool
	timestamp        uint64
}

func newAccountHeader(a *ledger.Account) eventHeader {
	return eventHeader{a.ID, a.Flags.Has(ledger.AccountLinked), a.Flags.Has(ledger.AccountImported), a.Timestamp}
}

func newTransferHeader(t *ledger.Transfer) eventHeader {
	return eventHeader{t.ID, t.Flags.Has(ledger.TransferLinked), t.Flags.Has(ledger.TransferImported), t.Timestamp}
}

// eventResult is the result of an account or a transfer.
type eventResult struct {
	status      string
	outcome     ledger.Outcome
	chainFailed bool // linked_event_failed
	timestamp   uint64
}

func newAccountResult(r ledger.CreateAccountResult) eventResult {
	return eventResult{r.Status.String(), r.Status.Outcome(), r.Status == ledger.AccountLinkedEventFailed, r.Timestamp}
}

func newTransferResult(r ledger.CreateTransferResult) eventResult {
	return eventResult{r.Status.String(), r.Status.Outcome(), r.Status == ledger.TransferLinkedEventFailed, r.Timestamp}
}

// acceptResults checks the results of a request, and creates in the model every event that the
// ledger created. stored returns the timestamp of the object with the id, or 0.
func (r *run) acceptResults(
	headers []eventHeader, results []eventResult, stored func(ledger.ID) uint64, create func(i int) error,
) {
	r.tb.Helper()
	require.Len(r.tb, results, len(headers), r.describeAction())
	expiries := r.newExpiries(r.readChanges())
	first := r.checkResultTimes(headers, results)
	split := slices.IndexFunc(expiries, func(e ledger.ChangeEvent) bool { return e.Timestamp > first })
	if split < 0 {
		split = len(expiries)
	}
	r.applyExpiries(expiries[:split])
	for i, v := range results {
		r.resultTimes = append(r.resultTimes, v.timestamp)
		switch v.outcome { //nolint:exhaustive // all others change nothing
		case ledger.OutcomeApplied:
			require.NoError(r.tb, create(i), "%s, event %d", r.describeAction(), i)
		case ledger.OutcomeAlreadyApplied:
			require.Equal(r.tb, r.findExistingTime(headers[:i], results, headers[i].id, stored), v.timestamp,
				"%s, event %d: exists carries a wrong timestamp", r.describeAction(), i)
		}
	}
	r.applyExpiries(expiries[split:])
	r.compareBooks()
}

// checkResultTimes checks that the request has a row of timestamps of its own, one per event, and
// returns the first. If no event shows the row, it returns the newest timestamp known.
func (r *run) checkResultTimes(headers []eventHeader, results []eventResult) uint64 {
	r.tb.Helper()
	first := uint64(0)
	for i, v := range results {
		switch {
		case v.outcome == ledger.OutcomeAlreadyApplied:
			continue // the timestamp of the stored object
		case headers[i].imported && (v.outcome == ledger.OutcomeApplied || v.chainFailed && !isAfterBreaker(headers, results, i)):
			// The imported timestamp, also of an event that was rolled back.
			require.Equal(r.tb, headers[i].timestamp, v.timestamp, "%s, event %d", r.describeAction(), i)
			continue
		case first == 0:
			first = v.timestamp - uint64(i)
			require.Greater(r.tb, first, r.lastAssigned, "%s: a timestamp was given twice", r.describeAction())
		}
		require.Equal(r.tb, first+uint64(i), v.timestamp, "%s, event %d: %s", r.describeAction(), i, v.status)
	}
	if first == 0 {
		return r.lastAssigned
	}
	r.lastAssigned = first + uint64(len(headers)-1)
	return first
}

// isAfterBreaker reports whether event i, a member of a failed chain, comes after the member that
// broke the chain. Such an event was not tried, and has the timestamp of its place in the row.
func isAfterBreaker(headers []eventHeader, results []eventResult, index int) bool {
	for index--; index >= 0 && headers[index].linked; index-- {
		if !results[index].chainFailed {
			return true
		}
	}
	return false
}

// findExistingTime returns the timestamp of the object with the id before an event: a stored
// object, or an earlier member of the same chain that was rolled back with it.
func (r *run) findExistingTime(
	before []eventHeader, results []eventResult, id ledger.ID, stored func(ledger.ID) uint64,
) uint64 {
	if timestamp := stored(id); timestamp != 0 {
		return timestamp
	}
	for i := len(before) - 1; i >= 0 && before[i].linked; i-- {
		if before[i].id == id {
			return results[i].timestamp
		}
	}
	return 0
}
