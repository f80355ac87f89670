package ledgertest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// resendRun is a run that remembers what it has sent, so that requests can be sent
// again.
type resendRun struct {
	*run
	actions       []action // still to be taken
	requests      []sentRequest
	statuses      []string          // the status of every event when it was first sent
	remainingUses map[ledger.ID]int // how many events of turns have this transfer id
}

// sentRequest is one that was sent, with its answers.
type sentRequest struct {
	accounts  []ledger.Account // one of the two
	transfers []ledger.Transfer
	statuses  []string
}

func newResendRun(base *run, turns []action) *resendRun {
	r := &resendRun{run: base, actions: turns, remainingUses: make(map[ledger.ID]int)}
	for _, t := range turns {
		if events, ok := t.(createTransfersAction); ok {
			for i := range events {
				r.remainingUses[r.space.mapID(events[i].ID)]++
			}
		}
	}
	return r
}

func (r *resendRun) hasActions() bool { return len(r.actions) > 0 }

// runNextAction takes the next turn.
func (r *resendRun) runNextAction() {
	r.tb.Helper()
	t := r.actions[0]
	r.actions = r.actions[1:]
	var sent sentRequest
	switch events := t.(type) {
	case createAccountsAction:
		sent.accounts = r.mapAccounts(events)
	case createTransfersAction:
		sent.transfers = r.mapTransfers(events)
		for i := range sent.transfers {
			r.remainingUses[sent.transfers[i].ID]--
		}
	}
	for _, v := range r.runAction(t).results {
		sent.statuses = append(sent.statuses, v.status)
	}
	if len(sent.statuses) > 0 {
		r.requests = append(r.requests, sent)
		r.statuses = append(r.statuses, sent.statuses...)
	}
}

// drawResend sends a request once more, as a client does that has lost the answer,
// if that can change nothing.
func (r *resendRun) resendRequest(i int) {
	r.tb.Helper()
	sent := &r.requests[i]
	if !r.isIdempotent(sent) {
		return
	}
	var again answer
	if sent.transfers != nil {
		again = r.createTransfers(sent.transfers)
	} else {
		again = r.createAccounts(sent.accounts)
	}
	for j, v := range again.results {
		require.NotEqual(r.tb, ledger.OutcomeApplied, v.outcome, "%s: sent again, event %d was applied again", r.describeAction(), j)
		if beginsChain(sent.transfers, j) && sent.statuses[j] == ledger.TransferCreated.String() {
			require.Equal(r.tb, ledger.OutcomeAlreadyApplied, v.outcome, "%s: sent again, event %d: %s", r.describeAction(), j, v.status)
		}
	}
}

// beginsChain reports whether the transfer is not behind another one in a chain.
func beginsChain(transfers []ledger.Transfer, i int) bool {
	return i < len(transfers) && (i == 0 || !transfers[i-1].Flags.Has(ledger.TransferLinked))
}

// isIdempotent reports whether sending the request again changes nothing, by
// TigerBeetle's rules and by the answers that it got. An account that was refused
// will be refused for ever. A transfer too, with two exceptions: an overflow may
// be gone; and an earlier member of a broken chain may now be the one that breaks
// it and have its id spent, which matters if that id is still to be used.
func (r *resendRun) isIdempotent(sent *sentRequest) bool {
	for start := 0; start < len(sent.transfers); {
		end := start + 1
		for end < len(sent.transfers) && !beginsChain(sent.transfers, end) {
			end++
		}
		if !r.isIdempotentChain(sent.transfers[start:end], sent.statuses[start:end]) {
			return false
		}
		start = end
	}
	return true
}

// isIdempotentChain is neutral for one chain, or for an event that stands alone.
func (r *resendRun) isIdempotentChain(chain []ledger.Transfer, statuses []string) bool {
	breaker := slices.IndexFunc(statuses, func(s string) bool {
		return s != ledger.TransferCreated.String() && s != ledger.TransferLinkedEventFailed.String()
	})
	if breaker < 0 {
		return true // stored: the first member exists
	}
	if overflowStatuses[statuses[breaker]] {
		return false
	}
	broke := &chain[breaker]
	for i := range chain[:breaker] {
		// A hold of the same chain may get another amount by balancing.
		if r.remainingUses[chain[i].ID] > 0 || chain[i].ID == broke.PendingID {
			return false
		}
	}
	return true
}

var overflowStatuses = map[string]bool{
	ledger.TransferOverflowsDebitsPending.String():  true,
	ledger.TransferOverflowsCreditsPending.String(): true,
	ledger.TransferOverflowsDebitsPosted.String():   true,
	ledger.TransferOverflowsCreditsPosted.String():  true,
	ledger.TransferOverflowsDebits.String():         true,
	ledger.TransferOverflowsCredits.String():        true,
	ledger.TransferOverflowsTimeout.String():        true,
}
