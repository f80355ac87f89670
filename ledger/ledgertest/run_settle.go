package ledgertest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// compareBooks compares the accounts and the new change events with the mirror.
func (r *run) compareBooks() {
	r.tb.Helper()
	ids := make([]ledger.ID, len(r.mirror.accounts))
	for i, a := range r.mirror.accounts {
		ids[i] = a.ID
	}
	var accounts []ledger.Account
	changes := r.retryUntilSteady(func() {
		var err error
		accounts, err = r.subject.LookupAccounts(r.tb.Context(), ids)
		require.NoError(r.tb, err, r.describeTurn())
	})
	all := make(sums)
	all.addAccount(accounts)
	all.requireEqual(r.tb)
	requireSame(r.tb, r.mirror.accountsNow(), accounts, "%s: accounts", r.describeTurn())
	if r.subject.feed != nil {
		requireSame(r.tb, r.mirror.changesFrom(r.compared), changes, "%s: change events", r.describeTurn())
	}
	if n := len(r.mirror.transfers); n > 0 {
		r.compared = r.mirror.transfers[n-1].Timestamp + 1
	}
}

// retryUntilSteady asks until no hold has expired meanwhile, so that the mirror is at the
// moment of the last answer. It returns the change events since the last settling.
func (r *run) retryUntilSteady(ask func()) []ledger.ChangeEvent {
	r.tb.Helper()
	for {
		ask()
		changes := r.readChanges()
		news := r.newExpiries(changes)
		if len(news) == 0 {
			return changes
		}
		r.applyExpiries(news)
	}
}

// readChanges are the run's change events that have not been compared yet, and
// perhaps some expiries that have.
func (r *run) readChanges() []ledger.ChangeEvent {
	r.tb.Helper()
	return r.changesFrom(r.compared)
}

// changesFrom are the run's change events, none without a feed. (Holds of others
// may expire meanwhile.)
func (r *run) changesFrom(timestamp uint64) []ledger.ChangeEvent {
	r.tb.Helper()
	if r.subject.feed == nil {
		return nil
	}
	changes := r.subject.changesSince(r.tb, timestamp)
	return slices.DeleteFunc(changes, func(e ledger.ChangeEvent) bool { return e.TransferID.Hi != r.realm.ids })
}

// newExpiries are those that the mirror does not know yet.
func (r *run) newExpiries(changes []ledger.ChangeEvent) (news []ledger.ChangeEvent) {
	for i := range changes {
		e := &changes[i]
		if e.Type == ledger.ChangeEventTwoPhaseExpired && r.mirror.held[e.TransferID] {
			news = append(news, *e)
		}
	}
	return news
}

func (r *run) applyExpiries(news []ledger.ChangeEvent) {
	r.tb.Helper()
	for i := range news {
		require.NoError(r.tb, r.mirror.expireHold(news[i].TransferID, news[i].Timestamp), r.describeTurn())
	}
}

// readEverything reads all that the run has stored, by queries, compares it with the
// mirror and returns it.
func (r *run) readEverything() answer {
	r.tb.Helper()
	var got answer
	r.retryUntilSteady(func() {
		got = answer{accounts: r.allAccounts(), transfers: r.allTransfers(), balances: r.allBalances()}
		got.changes = r.changesFrom(r.start)
	})
	want := answer{accounts: r.mirror.accountsNow(), transfers: r.mirror.transfers}
	for _, a := range r.mirror.accounts {
		filter := bothSides(a.ID)
		want.balances = append(want.balances, r.mirror.accountBalances(&filter)...)
	}
	if r.subject.feed != nil {
		want.changes = r.mirror.changesFrom(r.start)
	}
	want.requireEqual(r.tb, &got, "everything")
	return got
}

func (r *run) allAccounts() []ledger.Account {
	r.tb.Helper()
	return readPages(r.tb, accountTimestamp, r.start, func(from uint64) []ledger.Account {
		page, err := r.subject.QueryAccounts(r.tb.Context(), ledger.QueryFilter{TimestampMin: from, Limit: ledger.QueryMax})
		require.NoError(r.tb, err)
		return page
	})
}

func (r *run) allTransfers() []ledger.Transfer {
	r.tb.Helper()
	return readPages(r.tb, transferTimestamp, r.start, func(from uint64) []ledger.Transfer {
		page, err := r.subject.QueryTransfers(r.tb.Context(), ledger.QueryFilter{TimestampMin: from, Limit: ledger.QueryMax})
		require.NoError(r.tb, err)
		return page
	})
}

// allBalances are the histories of all accounts, one behind the other.
func (r *run) allBalances() (rows []ledger.AccountBalance) {
	r.tb.Helper()
	for _, a := range r.mirror.accounts {
		history, err := r.subject.GetAccountBalances(r.tb.Context(), bothSides(a.ID))
		require.NoError(r.tb, err)
		rows = append(rows, history...)
	}
	return rows
}

func bothSides(id ledger.ID) ledger.AccountFilter {
	return ledger.AccountFilter{
		AccountID: id, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits, Limit: ledger.QueryMax,
	}
}

// releaseHolds ends the run with nothing held, as what is left would expire under
// somebody else's eyes: every hold can be voided, on closed accounts too.
func (r *run) releaseHolds() {
	r.tb.Helper()
	if r.wild {
		// Some may be due. What is left must not expire just now: no pause of a
		// program ends on such a fraction.
		r.sleepFor(napTurn(nap + 777_777*time.Nanosecond))
	}
	var voids []ledger.Transfer
	for i := range r.mirror.transfers {
		if hold := &r.mirror.transfers[i]; r.mirror.held[hold.ID] {
			id := ledger.NewID(1<<32+uint64(i), r.realm.ids)
			voids = append(voids, ledger.Transfer{ID: id, PendingID: hold.ID, Flags: ledger.TransferVoidPending})
		}
	}
	got := r.createTransfers(voids)
	for _, v := range got.verdicts {
		require.Equal(r.tb, ledger.TransferCreated.String(), v.status, "a hold that cannot be voided")
	}
	for _, a := range r.mirror.accounts {
		require.True(r.tb, a.DebitsPending.IsZero() && a.CreditsPending.IsZero(), "account %v holds something for ever", a.ID)
	}
}
