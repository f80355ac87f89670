//go:build unix

package embedded_test

import (
	"maps"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// checkFolder looks at the folder without a change, or else opens it for good.
func (k *killedFolder) checkFolder(open bool) {
	k.t.Helper()
	read := embedded.Read
	if open {
		read = embedded.Open
	}
	l, err := read(k.dir, k.options()...)
	require.NoError(k.t, err)
	k.checks++
	for w := range killWriters {
		k.checkWriter(l, w)
	}
	if k.accountsExist(l) {
		require.Equal(k.t, k.rows, l.Recovery().Transfers, "rows that no one has written, or that were written twice")
		k.checkBalances(l)
	}
	require.NoError(k.t, l.Close())
}

func (k *killedFolder) accountsExist(l ledger.Ledger) bool {
	k.t.Helper()
	found, err := l.LookupAccounts(k.t.Context(), []ledger.ID{killAccount(0)})
	require.NoError(k.t, err)
	require.True(k.t, len(found) == 1 || k.rows == 0)
	return len(found) == 1
}

// checkWriter looks for the requests of a writer since the last check, for some older ones, and for
// the two that may have been under way: a writer has one, and its process did not see whether the
// one of the process before was written.
func (k *killedFolder) checkWriter(l ledger.Ledger, w int) {
	k.t.Helper()
	for n := k.found[w]; ; n++ {
		events := k.transfers(w, n)
		whole := k.lookUp(l, events)
		if n < k.atLeast[w] {
			require.True(k.t, whole, "writer %d, request %d was answered", w, n)
		} else if !whole {
			break
		}
		require.LessOrEqual(k.t, n, k.atLeast[w], "writer %d had one request under way", w)
		if n >= k.atLeast[w] {
			k.unanswered++
		}
		k.found[w]++
		k.rows += len(events)
		k.applyAll(events)
	}
	require.GreaterOrEqual(k.t, k.found[w], k.atLeast[w])
	k.atLeast[w] = k.found[w]
	for range min(5, k.found[w]) {
		require.True(k.t, k.lookUp(l, k.transfers(w, k.random.IntN(k.found[w]))), "writer %d", w)
	}
}

// lookUp reports whether all transfers of a request are there, with their fields. It fails the test
// if only some are.
func (k *killedFolder) lookUp(l ledger.Ledger, events []ledger.Transfer) (whole bool) {
	k.t.Helper()
	ids := make([]ledger.ID, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	found, err := l.LookupTransfers(k.t.Context(), ids)
	require.NoError(k.t, err)
	if len(found) == 0 {
		return false
	}
	require.Len(k.t, found, len(events), "a request in part")
	for i := range found {
		k.requireStored(&events[i], &found[i])
	}
	return true
}

// requireStored compares a stored transfer with the event: a post takes what it leaves out from its
// hold.
func (k *killedFolder) requireStored(event, stored *ledger.Transfer) {
	want := *event
	want.Timestamp = stored.Timestamp
	if want.Flags.Has(ledger.TransferPostPending) {
		hold := k.holdOf(event)
		hold.ID, hold.PendingID, hold.Flags, hold.Timestamp = want.ID, want.PendingID, want.Flags, want.Timestamp
		want = hold
	}
	if want != *stored {
		require.Equal(k.t, want, *stored)
	}
}

// holdOf returns the hold of a post.
func (k *killedFolder) holdOf(post *ledger.Transfer) ledger.Transfer {
	id := post.PendingID
	w, n := int(id.Hi-1), int(id.Lo>>16)
	if last := &k.lastHolds[w]; last.holds == nil || last.request != n {
		last.request, last.holds = n, k.holds(w, n)
	}
	return k.lastHolds[w].holds[id.Lo&0xFFFF-killBatchMany]
}

func (k *killedFolder) applyAll(events []ledger.Transfer) {
	for i := range events {
		hold, sign := events[i], true
		post := hold.Flags.Has(ledger.TransferPostPending)
		if post {
			hold, sign = k.holdOf(&events[i]), false
		}
		debit, credit := k.balances[hold.DebitAccountID], k.balances[hold.CreditAccountID]
		if sign {
			debit.DebitsPending = sum(debit.DebitsPending, hold.Amount)
			credit.CreditsPending = sum(credit.CreditsPending, hold.Amount)
		} else {
			debit.DebitsPending = debit.DebitsPending.SubFloor(hold.Amount)
			credit.CreditsPending = credit.CreditsPending.SubFloor(hold.Amount)
			debit.DebitsPosted = sum(debit.DebitsPosted, hold.Amount)
			credit.CreditsPosted = sum(credit.CreditsPosted, hold.Amount)
		}
		k.balances[hold.DebitAccountID], k.balances[hold.CreditAccountID] = debit, credit
	}
}

func sum(a, b ledger.Amount) ledger.Amount {
	all, _ := a.Add(b)
	return all
}

func (k *killedFolder) checkBalances(l ledger.Ledger) {
	k.t.Helper()
	for n := range uint64(killAccounts) {
		found, err := l.LookupAccounts(k.t.Context(), []ledger.ID{killAccount(n)})
		require.NoError(k.t, err)
		require.Len(k.t, found, 1)
		a, want := found[0], k.balances[killAccount(n)]
		require.Equal(k.t,
			[]ledger.Amount{want.DebitsPending, want.CreditsPending, want.DebitsPosted, want.CreditsPosted},
			[]ledger.Amount{a.DebitsPending, a.CreditsPending, a.DebitsPosted, a.CreditsPosted}, "account %d", n)
	}
}

// checkAllRows reads all rows in order: each request whole, in a row, and the requests of a writer
// in order.
func (k *killedFolder) checkAllRows() {
	k.t.Helper()
	l, err := embedded.Open(k.dir, k.options()...)
	require.NoError(k.t, err)
	rows, next := 0, map[int]int{}
	var request []ledger.Transfer
	filter := ledger.QueryFilter{Limit: ledger.QueryMax}
	for {
		page, err := l.QueryTransfers(k.t.Context(), filter)
		require.NoError(k.t, err)
		if len(page) == 0 {
			break
		}
		for i := range page {
			if len(request) == 0 {
				w := int(page[i].ID.Hi - 1)
				request = k.transfers(w, next[w])
				next[w]++
			}
			k.requireStored(&request[0], &page[i])
			request = request[1:]
		}
		rows += len(page)
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
	require.Empty(k.t, request)
	require.Equal(k.t, k.rows, rows)
	want := map[int]int{}
	for w, n := range k.found {
		if n > 0 {
			want[w] = n
		}
	}
	require.True(k.t, maps.Equal(want, next), "%v, not %v", next, want)
	require.NoError(k.t, l.Close())
}
