package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// run executes one program on a ledger. After every action it compares the program's accounts and
// change events with its model.
type run struct {
	tb            testing.TB
	subject       *subject
	space         idSpace
	racesExpiries bool
	model         *model

	actionNumber  int
	comparedUntil uint64   // change events before this moment have been compared
	start         uint64   // the ledger's time at the start of the run
	importBase    uint64   // timestamps of imports count from here
	lastAssigned  uint64   // the newest timestamp assigned by the ledger to a result
	resultTimes   []uint64 // timestamps of all results, in the order of the events
}

// newRun begins a run in a space without stored objects. The run must be the only writer until its
// end.
func newRun(tb testing.TB, s *subject, space idSpace, p *program) *run {
	tb.Helper()
	r := &run{tb: tb, subject: s, space: space, racesExpiries: p.racesExpiries, model: newModel()}
	r.setImportBase()
	r.start, r.comparedUntil = r.importBase, r.importBase
	return r
}

// setImportBase makes now the base for timestamps of imports, and sleeps for importDelay.
func (r *run) setImportBase() {
	r.tb.Helper()
	r.importBase = r.subject.readClock(r.tb)
	r.lastAssigned = r.importBase
	r.subject.sleepFor(r.tb, importDelay)
}

// describeAction names the current action, for messages.
func (r *run) describeAction() string { return fmt.Sprintf("action %d", r.actionNumber) }

// runAction runs the next action.
func (r *run) runAction(t action) answer {
	r.tb.Helper()
	r.actionNumber++
	return t.runOn(r)
}

func (importBaseAction) runOn(r *run) answer {
	r.setImportBase()
	return answer{}
}

func (n sleepAction) runOn(r *run) answer {
	r.sleepFor(n)
	return answer{}
}

// sleepFor sleeps, and then checks the expiries.
func (r *run) sleepFor(n sleepAction) {
	r.tb.Helper()
	r.subject.sleepFor(r.tb, time.Duration(n))
	r.checkExpiries()
}

// checkExpiries compares the books after time has passed. Without change events it assumes that
// every hold due has expired.
func (r *run) checkExpiries() {
	r.tb.Helper()
	if r.subject.feed == nil {
		for _, hold := range r.model.findDueHolds(r.subject.readClock(r.tb)) {
			require.NoError(r.tb, r.model.expireHold(hold.ID, expiryTime(&hold)), r.describeAction())
		}
	}
	r.compareBooks()
	if !r.racesExpiries {
		require.Empty(r.tb, r.model.findDueHolds(r.subject.readClock(r.tb)), "%s: holds that should have expired", r.describeAction())
	}
}

func (events createAccountsAction) runOn(r *run) answer {
	return r.createAccounts(r.mapAccounts(events))
}

func (events createTransfersAction) runOn(r *run) answer {
	return r.createTransfers(r.mapTransfers(events))
}

// mapAccounts returns the events as sent: in the space of the run.
func (r *run) mapAccounts(events []ledger.Account) []ledger.Account {
	sent := make([]ledger.Account, len(events))
	for i := range events {
		sent[i] = r.space.mapAccount(events[i])
		if sent[i].Flags.Has(ledger.AccountImported) {
			sent[i].Timestamp = r.resolveImportTime(sent[i].Timestamp)
		}
	}
	return sent
}

// mapTransfers is mapAccounts for transfers.
func (r *run) mapTransfers(events []ledger.Transfer) []ledger.Transfer {
	sent := make([]ledger.Transfer, len(events))
	for i := range events {
		sent[i] = r.space.mapTransfer(events[i])
		if sent[i].Flags.Has(ledger.TransferImported) {
			sent[i].Timestamp = r.resolveImportTime(sent[i].Timestamp)
		}
	}
	return sent
}

// resolveImportTime translates the timestamp of an imported event, as written in a program.
func (r *run) resolveImportTime(n uint64) uint64 {
	if n == 0 || n >= relativeTimesEnd {
		return n
	}
	return r.importBase + n
}

// createAccounts sends a request of accounts already mapped to the space.
func (r *run) createAccounts(sent []ledger.Account) answer {
	r.tb.Helper()
	results, err := r.subject.CreateAccounts(r.tb.Context(), sent)
	require.NoError(r.tb, err, r.describeAction())
	headers, eventResults := make([]eventHeader, len(sent)), make([]eventResult, len(results))
	for i := range sent {
		headers[i] = newAccountHeader(&sent[i])
	}
	for i, result := range results {
		eventResults[i] = newAccountResult(result)
	}
	r.acceptResults(headers, eventResults, func(id ledger.ID) uint64 {
		if a := r.model.accountsByID[id]; a != nil {
			return a.Timestamp
		}
		return 0
	}, func(i int) error { return r.model.createAccount(sent[i], eventResults[i].timestamp) })
	return answer{results: eventResults}
}

// createTransfers sends a request of transfers already mapped to the space.
func (r *run) createTransfers(sent []ledger.Transfer) answer {
	r.tb.Helper()
	results, err := r.subject.CreateTransfers(r.tb.Context(), sent)
	require.NoError(r.tb, err, r.describeAction())
	headers, eventResults := make([]eventHeader, len(sent)), make([]eventResult, len(results))
	for i := range sent {
		headers[i] = newTransferHeader(&sent[i])
	}
	for i, result := range results {
		eventResults[i] = newTransferResult(result)
	}
	r.acceptResults(headers, eventResults, func(id ledger.ID) uint64 {
		t, _ := r.model.findTransfer(id)
		return t.Timestamp
	}, func(i int) error { return r.model.createTransfer(sent[i], eventResults[i].timestamp) })
	return answer{results: eventResults}
}
