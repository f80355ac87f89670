package ledgertest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// resendRun is a run that remembers its requests, to send them again.
type resendRun struct {
	*run
	actions       []action // not yet run
	requests      []sentRequest
	statuses      []string          // the status of every event when first sent
	remainingUses map[ledger.ID]int // by transfer id: uses in actions not yet run
}

// sentRequest is a request already sent, with its statuses.
type sentRequest struct {
	accounts  []ledger.Account // either accounts or transfers
	transfers []ledger.Transfer
	statuses  []string
}

func newResendRun(base *run, actions []action) *resendRun {
	r := &resendRun{run: base, actions: actions, remainingUses: make(map[ledger.ID]int)}
	for _, t := range actions {
		if events, ok := t.(createTransfersAction); ok {
			for i := range events {
				r.remainingUses[r.space.mapID(events[i].ID)]++
			}
		}
	}
	return r
}

func (r *resendRun) hasActions() bool { return len(r.actions) > 0 }

// runNextAction runs the next action and remembers its request.
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

// resendRequest sends a request once more, like a client that has lost the reply. A request that
// could change the books is left out.
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
		require.NotEqual(r.tb, ledger.OutcomeApplied, v.outcome, "%s: event %d was applied again when resent", r.describeAction(), j)
		if beginsChain(sent.transfers, j) && sent.statuses[j] == ledger.TransferCreated.String() {
			require.Equal(r.tb, ledger.OutcomeAlreadyApplied, v.outcome, "%s: event %d does not exist when resent: %s", r.describeAction(), j, v.status)
		}
	}
}

// beginsChain reports whether the transfer stands alone or is the first of a chain.
func beginsChain(transfers []ledger.Transfer, i int) bool {
	return i < len(transfers) && (i == 0 || !transfers[i-1].Flags.Has(ledger.TransferLinked))
}

// isIdempotent reports whether sending the request again changes nothing, by TigerBeetle's rules
// and the statuses received. A refused account or transfer stays refused, with two exceptions. An
// overflow may be gone. And an earlier member of a broken chain may now break the chain itself,
// which burns the member's id; this matters if an action not yet run uses the id.
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

// isIdempotentChain is isIdempotent for one chain or single event.
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
