package ledgertest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// compareBooks compares the accounts and the new change events with the model.
func (r *run) compareBooks() {
	r.tb.Helper()
	ids := make([]ledger.ID, len(r.model.accounts))
	for i, a := range r.model.accounts {
		ids[i] = a.ID
	}
	var accounts []ledger.Account
	changes := r.retryUntilSteady(func() {
		var err error
		accounts, err = r.subject.LookupAccounts(r.tb.Context(), ids)
		require.NoError(r.tb, err, r.describeAction())
	})
	totals := make(sums)
	totals.addAccounts(accounts)
	totals.requireEqual(r.tb)
	requireSame(r.tb, r.model.copyAccounts(), accounts, "%s: accounts", r.describeAction())
	if r.subject.feed != nil {
		requireSame(r.tb, r.model.selectChangesFrom(r.comparedUntil), changes, "%s: change events", r.describeAction())
	}
	if n := len(r.model.transfers); n > 0 {
		r.comparedUntil = r.model.transfers[n-1].Timestamp + 1
	}
}

// retryUntilSteady calls ask until no hold has expired meanwhile, so that the model is at the
// moment of the last answer. It returns the change events not yet compared.
func (r *run) retryUntilSteady(ask func()) []ledger.ChangeEvent {
	r.tb.Helper()
	for {
		ask()
		changes := r.readChanges()
		expiries := r.newExpiries(changes)
		if len(expiries) == 0 {
			return changes
		}
		r.applyExpiries(expiries)
	}
}

// readChanges returns the run's change events not yet compared, and perhaps some expiries already
// compared.
func (r *run) readChanges() []ledger.ChangeEvent {
	r.tb.Helper()
	return r.readChangesFrom(r.comparedUntil)
}

// readChangesFrom returns the run's change events, none without a feed. The events of other spaces
// are left out: their holds may expire meanwhile.
func (r *run) readChangesFrom(timestamp uint64) []ledger.ChangeEvent {
	r.tb.Helper()
	if r.subject.feed == nil {
		return nil
	}
	changes := r.subject.readChangesSince(r.tb, timestamp)
	return slices.DeleteFunc(changes, func(e ledger.ChangeEvent) bool { return e.TransferID.Hi != r.space.idHigh })
}

// newExpiries returns the expiries of holds still open in the model.
func (r *run) newExpiries(changes []ledger.ChangeEvent) (expiries []ledger.ChangeEvent) {
	for i := range changes {
		e := &changes[i]
		if e.Type == ledger.ChangeEventTwoPhaseExpired && r.model.openHolds[e.TransferID] {
			expiries = append(expiries, *e)
		}
	}
	return expiries
}

func (r *run) applyExpiries(expiries []ledger.ChangeEvent) {
	r.tb.Helper()
	for i := range expiries {
		require.NoError(r.tb, r.model.expireHold(expiries[i].TransferID, expiries[i].Timestamp), r.describeAction())
	}
}

// readBooks reads all objects of the run by queries, compares them with the model and returns them.
func (r *run) readBooks() answer {
	r.tb.Helper()
	var got answer
	r.retryUntilSteady(func() {
		got = answer{accounts: r.readAllAccounts(), transfers: r.readAllTransfers(), balances: r.readAllBalances()}
		got.changes = r.readChangesFrom(r.start)
	})
	want := answer{accounts: r.model.copyAccounts(), transfers: r.model.transfers}
	for _, a := range r.model.accounts {
		filter := filterBothSides(a.ID)
		want.balances = append(want.balances, r.model.getAccountBalances(&filter)...)
	}
	if r.subject.feed != nil {
		want.changes = r.model.selectChangesFrom(r.start)
	}
	want.requireEqual(r.tb, &got, "everything")
	return got
}

func (r *run) readAllAccounts() []ledger.Account {
	r.tb.Helper()
	return readPages(r.tb, accountTimestamp, r.start, func(from uint64) []ledger.Account {
		page, err := r.subject.QueryAccounts(r.tb.Context(), ledger.QueryFilter{TimestampMin: from, Limit: ledger.QueryMax})
		require.NoError(r.tb, err)
		return page
	})
}

func (r *run) readAllTransfers() []ledger.Transfer {
	r.tb.Helper()
	return readPages(r.tb, transferTimestamp, r.start, func(from uint64) []ledger.Transfer {
		page, err := r.subject.QueryTransfers(r.tb.Context(), ledger.QueryFilter{TimestampMin: from, Limit: ledger.QueryMax})
		require.NoError(r.tb, err)
		return page
	})
}

// readAllBalances returns the histories of all accounts, one after another.
func (r *run) readAllBalances() (rows []ledger.AccountBalance) {
	r.tb.Helper()
	for _, a := range r.model.accounts {
		history, err := r.subject.GetAccountBalances(r.tb.Context(), filterBothSides(a.ID))
		require.NoError(r.tb, err)
		rows = append(rows, history...)
	}
	return rows
}

func filterBothSides(id ledger.ID) ledger.AccountFilter {
	return ledger.AccountFilter{
		AccountID: id, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits, Limit: ledger.QueryMax,
	}
}

// voidHolds voids every hold, on closed accounts too, and ends the run. A hold left open would
// expire during another run.
func (r *run) voidHolds() {
	r.tb.Helper()
	if r.racesExpiries {
		// Some holds may be due. The others must not expire just now: no pause of a program ends on
		// this fraction of a second.
		r.sleepFor(sleepAction(sleepDuration + 777_777*time.Nanosecond))
	}
	var voids []ledger.Transfer
	for i := range r.model.transfers {
		if hold := &r.model.transfers[i]; r.model.openHolds[hold.ID] {
			id := ledger.NewID(1<<32+uint64(i), r.space.idHigh)
			voids = append(voids, ledger.Transfer{ID: id, PendingID: hold.ID, Flags: ledger.TransferVoidPending})
		}
	}
	answer := r.createTransfers(voids)
	for _, v := range answer.results {
		require.Equal(r.tb, ledger.TransferCreated.String(), v.status, "a hold that cannot be voided")
	}
	for _, a := range r.model.accounts {
		require.True(r.tb, a.DebitsPending.IsZero() && a.CreditsPending.IsZero(), "account %v has a pending amount that no void released", a.ID)
	}
}
