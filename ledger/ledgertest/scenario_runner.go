package ledgertest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// scenarioRunner runs one scenario on a ledger, in an id space of its own.
type scenarioRunner struct {
	t       testing.TB
	subject *subject
	idSpace
	start uint64 // the ledger's time at the start of the scenario

	accounts, transfers map[ledger.ID]uint64 // timestamps given so far
}

func runScenario(tb testing.TB, s *subject, sc scenario) {
	tb.Helper()
	p := &scenarioRunner{
		t: tb, subject: s, idSpace: newIDSpace(), start: s.readClock(tb),
		accounts: map[ledger.ID]uint64{}, transfers: map[ledger.ID]uint64{},
	}
	s.sleepFor(tb, importDelay) // timestamps of imported events count from the start
	for _, step := range sc.steps {
		step.runOn(p)
	}
}

func (p *scenarioRunner) resolveTime(s scriptTime) uint64 {
	if s.sinceStart {
		return p.start + s.n
	}
	return s.n
}

func (p *scenarioRunner) mapAccount(e *accountEvent) ledger.Account {
	a := p.idSpace.mapAccount(e.Account)
	a.Timestamp = p.resolveTime(e.scriptTime)
	return a
}

func (p *scenarioRunner) mapTransfer(e *transferEvent) ledger.Transfer {
	t := p.idSpace.mapTransfer(e.Transfer)
	t.Timestamp = p.resolveTime(e.scriptTime)
	return t
}

// toLocalIDs returns the ids as written in the scenario, without the high half of the id space.
func toLocalIDs[T any](objects []T, id func(*T) ledger.ID) []ledger.ID {
	ids := make([]ledger.ID, len(objects))
	for i := range objects {
		ids[i] = ledger.NewID(id(&objects[i]).Lo, 0)
	}
	return ids
}

func accountID(a *ledger.Account) ledger.ID   { return a.ID }
func transferID(t *ledger.Transfer) ledger.ID { return t.ID }

// accountsCall is a row of A statements: one request.
type accountsCall struct{ events []accountEvent }

func (c *accountsCall) runOn(p *scenarioRunner) {
	accounts := make([]ledger.Account, len(c.events))
	for i := range c.events {
		accounts[i] = p.mapAccount(&c.events[i])
	}
	results, err := p.subject.CreateAccounts(p.t.Context(), accounts)
	require.NoError(p.t, err, c.events[0].at)
	require.Len(p.t, results, len(accounts), c.events[0].at)
	for i, r := range results {
		e := &c.events[i]
		require.Equal(p.t, e.want.String(), r.Status.String(), e.at)
		p.checkTimestamp(p.accounts, accounts[i].ID, r.Status.Outcome(), r.Timestamp, e.at)
	}
}

// transfersCall is a row of T statements: one request.
type transfersCall struct{ events []transferEvent }

func (c *transfersCall) runOn(p *scenarioRunner) {
	transfers := make([]ledger.Transfer, len(c.events))
	for i := range c.events {
		transfers[i] = p.mapTransfer(&c.events[i])
	}
	results, err := p.subject.CreateTransfers(p.t.Context(), transfers)
	require.NoError(p.t, err, c.events[0].at)
	require.Len(p.t, results, len(transfers), c.events[0].at)
	for i, r := range results {
		e := &c.events[i]
		require.Equal(p.t, e.want.String(), r.Status.String(), e.at)
		p.checkTimestamp(p.transfers, transfers[i].ID, r.Status.Outcome(), r.Timestamp, e.at)
	}
}

// checkTimestamp checks that exists carries the timestamp of the existing object. The object may
// have been rolled back with its chain since.
func (p *scenarioRunner) checkTimestamp(
	known map[ledger.ID]uint64, id ledger.ID, outcome ledger.Outcome, timestamp uint64, at origin,
) {
	require.NotZero(p.t, timestamp, at)
	if outcome == ledger.OutcomeAlreadyApplied {
		require.Equal(p.t, known[id], timestamp, at)
	} else if outcome == ledger.OutcomeApplied || known[id] == 0 {
		known[id] = timestamp
	}
}

type sleepStep time.Duration

func (s sleepStep) runOn(p *scenarioRunner) { p.subject.sleepFor(p.t, time.Duration(s)) }

// balances are debits pending, debits posted, credits pending, credits posted.
type balances [4]ledger.Amount

// Indexes of balances.
const (
	debitsPending = iota
	debitsPosted
	creditsPending
	creditsPosted
)

func balancesOf(a *ledger.Account) balances {
	return balances{a.DebitsPending, a.DebitsPosted, a.CreditsPending, a.CreditsPosted}
}

// String returns the balances as written in H statements.
func (b balances) String() string {
	return fmt.Sprintf("%v/%v/%v/%v", b[debitsPending], b[debitsPosted], b[creditsPending], b[creditsPosted])
}

type balancesStep struct {
	at    origin
	id    ledger.ID
	none  bool
	want  balances
	state string // "open", "closed" or "" for either
}

func (s balancesStep) runOn(p *scenarioRunner) {
	found, err := p.subject.LookupAccounts(p.t.Context(), []ledger.ID{p.mapID(s.id)})
	require.NoError(p.t, err, s.at)
	if s.none {
		require.Empty(p.t, found, s.at)
		return
	}
	require.Len(p.t, found, 1, s.at)
	a := found[0]
	require.Equal(p.t, s.want.String(), balancesOf(&a).String(), s.at)
	if s.state != "" {
		require.Equal(p.t, s.state == "closed", a.Closed(), s.at)
	}
}

type storedStep struct {
	want  transferEvent
	named []string // the fields to compare besides the amount
	none  bool
}

func (s storedStep) runOn(p *scenarioRunner) {
	want := p.mapTransfer(&s.want)
	found, err := p.subject.LookupTransfers(p.t.Context(), []ledger.ID{want.ID})
	require.NoError(p.t, err, s.want.at)
	if s.none {
		require.Empty(p.t, found, s.want.at)
		return
	}
	require.Len(p.t, found, 1, s.want.at)
	require.Equal(p.t, want.Amount, found[0].Amount, s.want.at)
	wantFields, got := transferFields(&want), transferFields(&found[0])
	wantFields["ts"], got["ts"] = &want.Timestamp, &found[0].Timestamp
	for _, name := range s.named {
		require.Equal(p.t, reflect.ValueOf(wantFields[name]).Elem().Interface(),
			reflect.ValueOf(got[name]).Elem().Interface(), "%v: %s", s.want.at, name)
	}
}

// accountFilter is a filter of the scenario. The timestamps of the transfers from and to are its
// bounds.
type accountFilter struct {
	ledger.AccountFilter
	at       origin
	from, to ledger.ID
}

func (f *accountFilter) mapToSpace(p *scenarioRunner) ledger.AccountFilter {
	filter := f.AccountFilter
	filter.AccountID, filter.UserData128 = p.mapID(f.AccountID), p.mapUserData(f.UserData128)
	filter.TimestampMin, filter.TimestampMax = p.transfers[p.mapID(f.from)], p.transfers[p.mapID(f.to)]
	return filter
}

type accountTransfersStep struct {
	accountFilter
	want []ledger.ID
}

func (s accountTransfersStep) runOn(p *scenarioRunner) {
	found, err := p.subject.GetAccountTransfers(p.t.Context(), s.mapToSpace(p))
	require.NoError(p.t, err, s.at)
	require.Equal(p.t, s.want, toLocalIDs(found, transferID), s.at)
}

type accountBalancesStep struct {
	accountFilter
	want []balances
}

func (s accountBalancesStep) runOn(p *scenarioRunner) {
	found, err := p.subject.GetAccountBalances(p.t.Context(), s.mapToSpace(p))
	require.NoError(p.t, err, s.at)
	var got []balances
	for _, row := range found {
		require.NotZero(p.t, row.Timestamp, s.at)
		got = append(got, balances{row.DebitsPending, row.DebitsPosted, row.CreditsPending, row.CreditsPosted})
	}
	require.Equal(p.t, s.want, got, s.at)
}

// queryFilter is a filter of the scenario. Its bounds are transfers for Q and accounts for QA.
type queryFilter struct {
	ledger.QueryFilter
	at       origin
	from, to ledger.ID
}

func (f *queryFilter) mapToSpace(p *scenarioRunner, timestamps map[ledger.ID]uint64) ledger.QueryFilter {
	filter := f.QueryFilter
	filter.Ledger, filter.UserData128 = p.mapLedger(f.Ledger), p.mapUserData(f.UserData128)
	filter.TimestampMin, filter.TimestampMax = timestamps[p.mapID(f.from)], timestamps[p.mapID(f.to)]
	return filter
}

type queryTransfersStep struct {
	queryFilter
	want []ledger.ID
}

func (s queryTransfersStep) runOn(p *scenarioRunner) {
	found, err := p.subject.QueryTransfers(p.t.Context(), s.mapToSpace(p, p.transfers))
	require.NoError(p.t, err, s.at)
	require.Equal(p.t, s.want, toLocalIDs(found, transferID), s.at)
}

type queryAccountsStep struct {
	queryFilter
	want []ledger.ID
}

func (s queryAccountsStep) runOn(p *scenarioRunner) {
	found, err := p.subject.QueryAccounts(p.t.Context(), s.mapToSpace(p, p.accounts))
	require.NoError(p.t, err, s.at)
	require.Equal(p.t, s.want, toLocalIDs(found, accountID), s.at)
}

// expectedChange is a change event of an E statement.
type expectedChange struct {
	changeType ledger.ChangeEventType
	id         ledger.ID
	amount     ledger.Amount
	pendingID  ledger.ID
}

type eventsStep struct {
	at   origin
	want []expectedChange
}

// runOn compares all change events of the scenario, if the ledger has a feed. Events of other users
// of the ledger have another high half of the transfer id.
func (s eventsStep) runOn(p *scenarioRunner) {
	if p.subject.feed == nil {
		return
	}
	var got []expectedChange
	for _, e := range p.subject.readChangesSince(p.t, p.start) {
		if e.TransferID.Hi != p.idHigh {
			continue
		}
		id, pendingID := ledger.NewID(e.TransferID.Lo, 0), ledger.NewID(e.TransferPendingID.Lo, 0)
		got = append(got, expectedChange{e.Type, id, e.TransferAmount, pendingID})
	}
	require.Equal(p.t, s.want, got, s.at)
}
