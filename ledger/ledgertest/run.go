package ledgertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// run is a program under way on a ledger. After every turn it compares all that
// the program's accounts and change events show with its mirror.
type run struct {
	tb      testing.TB
	subject *subject
	realm   idSpace
	wild    bool
	mirror  *model

	turn     int
	compared uint64   // change events before this moment have been compared
	start    uint64   // the ledger's time when the run began
	mark     uint64   // what timestamps of imports count from
	lastSlot uint64   // the newest timestamp of a result that was the ledger's to give
	timeline []uint64 // timestamps of all results, in the order of the events
}

// newRun begins a run in a realm in which nothing is stored. Nobody else may write
// until it ends.
func newRun(tb testing.TB, s *subject, place idSpace, p *program) *run {
	tb.Helper()
	r := &run{tb: tb, subject: s, realm: place, wild: p.wild, mirror: newMirror()}
	r.setMark()
	r.start, r.compared = r.mark, r.mark
	return r
}

// setMark makes now the moment that timestamps of imports count from, and lets a
// little time pass.
func (r *run) setMark() {
	r.tb.Helper()
	r.mark = r.subject.readClock(r.tb)
	r.lastSlot = r.mark
	r.subject.sleepFor(r.tb, markWait)
}

// describeTurn says which turn it is, for messages.
func (r *run) describeTurn() string { return fmt.Sprintf("turn %d", r.turn) }

// takeTurn does the next turn.
func (r *run) takeTurn(t turn) answer {
	r.tb.Helper()
	r.turn++
	return t.runOn(r)
}

func (markTurn) runOn(r *run) answer {
	r.setMark()
	return answer{}
}

func (n napTurn) runOn(r *run) answer {
	r.sleepFor(n)
	return answer{}
}

// sleepFor sleeps. Without change events it takes for granted that a nap is long
// enough for all that is due to expire.
func (r *run) sleepFor(n napTurn) {
	r.tb.Helper()
	r.subject.sleepFor(r.tb, time.Duration(n))
	r.checkExpiries()
}

// checkExpiries looks at what happened while time passed.
func (r *run) checkExpiries() {
	r.tb.Helper()
	if r.subject.feed == nil {
		for _, hold := range r.mirror.dueHolds(r.subject.readClock(r.tb)) {
			require.NoError(r.tb, r.mirror.expireHold(hold.ID, expiryOf(&hold)), r.describeTurn())
		}
	}
	r.compareBooks()
	if !r.wild {
		require.Empty(r.tb, r.mirror.dueHolds(r.subject.readClock(r.tb)), "%s: holds that should have expired", r.describeTurn())
	}
}

func (events accountsTurn) runOn(r *run) answer { return r.createAccounts(r.sentAccounts(events)) }

func (events transfersTurn) runOn(r *run) answer { return r.createTransfers(r.sentTransfers(events)) }

// sentAccounts are the events as they are sent: in the realm of the run.
func (r *run) sentAccounts(events []ledger.Account) []ledger.Account {
	sent := make([]ledger.Account, len(events))
	for i := range events {
		sent[i] = r.realm.mapAccount(events[i])
		if sent[i].Flags.Has(ledger.AccountImported) {
			sent[i].Timestamp = r.importTime(sent[i].Timestamp)
		}
	}
	return sent
}

// sentTransfers is sentAccounts for transfers.
func (r *run) sentTransfers(events []ledger.Transfer) []ledger.Transfer {
	sent := make([]ledger.Transfer, len(events))
	for i := range events {
		sent[i] = r.realm.mapTransfer(events[i])
		if sent[i].Flags.Has(ledger.TransferImported) {
			sent[i].Timestamp = r.importTime(sent[i].Timestamp)
		}
	}
	return sent
}

// importTime is that of an imported event, as a program writes it.
func (r *run) importTime(n uint64) uint64 {
	if n == 0 || n >= stampsEnd {
		return n
	}
	return r.mark + n
}

// createAccounts sends a request as it stands.
func (r *run) createAccounts(sent []ledger.Account) answer {
	r.tb.Helper()
	results, err := r.subject.CreateAccounts(r.tb.Context(), sent)
	require.NoError(r.tb, err, r.describeTurn())
	heads, verdicts := make([]head, len(sent)), make([]verdict, len(results))
	for i := range sent {
		heads[i] = accountHead(&sent[i])
	}
	for i, result := range results {
		verdicts[i] = accountVerdict(result)
	}
	r.acceptResults(heads, verdicts, func(id ledger.ID) uint64 {
		if a := r.mirror.accountIDs[id]; a != nil {
			return a.Timestamp
		}
		return 0
	}, func(i int) error { return r.mirror.createAccount(sent[i], verdicts[i].timestamp) })
	return answer{verdicts: verdicts}
}

// createTransfers sends a request as it stands.
func (r *run) createTransfers(sent []ledger.Transfer) answer {
	r.tb.Helper()
	results, err := r.subject.CreateTransfers(r.tb.Context(), sent)
	require.NoError(r.tb, err, r.describeTurn())
	heads, verdicts := make([]head, len(sent)), make([]verdict, len(results))
	for i := range sent {
		heads[i] = transferHead(&sent[i])
	}
	for i, result := range results {
		verdicts[i] = transferVerdict(result)
	}
	r.acceptResults(heads, verdicts, func(id ledger.ID) uint64 {
		t, _ := r.mirror.applyTransfer(id)
		return t.Timestamp
	}, func(i int) error { return r.mirror.createTransfer(sent[i], verdicts[i].timestamp) })
	return answer{verdicts: verdicts}
}
