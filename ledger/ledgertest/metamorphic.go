package ledgertest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Seed is a random number for RunProgram, or that of PEERLEDGER_SEED. It is
// printed if the test fails.
func Seed(tb testing.TB) uint64 {
	tb.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("PEERLEDGER_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(tb, err, "PEERLEDGER_SEED")
	}
	tb.Logf("PEERLEDGER_SEED=%d", seed)
	return seed
}

// RunProgram gives the ledger a random program and checks what must be so on any
// ledger, whatever its answers: after each request debits equal credits; in the
// end the balances are the sum of the stored transfers, and queries answer what
// looking through all transfers gives; all requests sent again change nothing; and
// the same events in other requests get the same answers and leave the same
// balances.
func RunProgram(tb testing.TB, l ledger.Ledger, seed uint64) {
	tb.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	first := newRun(tb, l, seed)
	requests := first.program.requests(random)
	first.create(requests)
	first.requireSum()
	first.requireHistory()
	first.requireQueries(random)

	before := first.state()
	first.create(requests)
	require.Equal(tb, before, first.state(), "sending everything again changed something")

	second := newRun(tb, l, seed)
	second.create(second.program.requests(random))
	require.Equal(tb, first.answers[:programEvents], second.answers, "other requests, other answers")
	require.Equal(tb, first.balances(), second.balances(), "other requests, other balances")
}

// programRun is a program on a ledger, under ids of its own.
type programRun struct {
	t       testing.TB
	l       ledger.Ledger
	program *program
	answers []string // to each event sent
}

func newRun(tb testing.TB, l ledger.Ledger, seed uint64) *programRun {
	tb.Helper()
	r := &programRun{t: tb, l: l, program: newProgram(seed, rand.Uint64()>>1, rand.Uint32()>>1|1)}
	results, err := l.CreateAccounts(tb.Context(), r.program.accounts)
	require.NoError(tb, err)
	for _, result := range results {
		require.Equal(tb, ledger.AccountCreated, result.Status)
	}
	return r
}

// create sends requests, and looks at the balances and timestamps after each.
func (r *programRun) create(requests [][]ledger.Transfer) {
	last := uint64(0)
	for _, events := range requests {
		results, err := r.l.CreateTransfers(r.t.Context(), events)
		require.NoError(r.t, err)
		require.Len(r.t, results, len(events))
		for i, result := range results {
			r.answers = append(r.answers, result.Status.String())
			if result.Status != ledger.TransferExists {
				require.Greater(r.t, result.Timestamp, last, "event %d of %d: %v", i, len(events), result.Status)
				last = result.Timestamp
			}
		}
		r.requireConserved()
	}
}

func (r *programRun) accounts() []ledger.Account {
	var ids []ledger.ID
	for i := range r.program.accounts {
		ids = append(ids, r.program.accounts[i].ID)
	}
	accounts, err := r.l.LookupAccounts(r.t.Context(), ids)
	require.NoError(r.t, err)
	require.Len(r.t, accounts, len(ids))
	return accounts
}

func (r *programRun) transfers() []ledger.Transfer {
	filter := ledger.QueryFilter{Ledger: r.program.accounts[0].Ledger, Limit: ledger.QueryMax}
	transfers, err := r.l.QueryTransfers(r.t.Context(), filter)
	require.NoError(r.t, err)
	return transfers
}

// programState is all that can be read of a program's doings.
type programState struct {
	accounts  []ledger.Account
	transfers []ledger.Transfer
}

func (r *programRun) state() programState { return programState{r.accounts(), r.transfers()} }

// balances are those of all accounts, and whether each is closed.
func (r *programRun) balances() (all []string) {
	for _, a := range r.accounts() {
		all = append(all, balancesOf(&a).String()+" closed "+strconv.FormatBool(a.Closed()))
	}
	return all
}

// requireConserved is RequireConserved for the program's accounts only; there may
// be many others, and this is called very often.
func (r *programRun) requireConserved() {
	var sum total
	for _, a := range r.accounts() {
		sum.add(&a)
	}
	require.Zero(r.t, sum.debitsPosted.Cmp(&sum.creditsPosted), "debits posted are not credits posted")
	require.Zero(r.t, sum.debitsPending.Cmp(&sum.creditsPending), "debits pending are not credits pending")
}

// requireSum adds up the stored transfers and compares with the balances.
func (r *programRun) requireSum() {
	transfers := r.transfers()
	resolved := make(map[ledger.ID]bool)
	for i := range transfers {
		resolved[transfers[i].PendingID] = true
	}
	sums := make(map[ledger.ID]*balances)
	for i := range r.program.accounts {
		sums[r.program.accounts[i].ID] = new(balances)
	}
	for i := range transfers {
		t := &transfers[i]
		debit, credit := sums[t.DebitAccountID], sums[t.CreditAccountID]
		switch {
		case !t.Flags.Any(ledger.TransferPending | ledger.TransferVoidPending):
			debit.add(debitsPosted, t.Amount)
			credit.add(creditsPosted, t.Amount)
		case t.Flags.Has(ledger.TransferPending) && !resolved[t.ID]:
			debit.add(debitsPending, t.Amount)
			credit.add(creditsPending, t.Amount)
		}
	}
	for _, a := range r.accounts() {
		require.Equal(r.t, *sums[a.ID], balancesOf(&a), "account %v", a.ID)
	}
}

// requireHistory compares the last row of each account's history, and the number
// of rows, with the account and its transfers.
func (r *programRun) requireHistory() {
	for _, a := range r.accounts() {
		filter := ledger.AccountFilter{
			AccountID: a.ID, Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits, Limit: ledger.QueryMax,
		}
		rows, err := r.l.GetAccountBalances(r.t.Context(), filter)
		require.NoError(r.t, err)
		if !a.Flags.Has(ledger.AccountHistory) {
			require.Empty(r.t, rows)
			continue
		}
		transfers, err := r.l.GetAccountTransfers(r.t.Context(), filter)
		require.NoError(r.t, err)
		require.Len(r.t, rows, len(transfers))
		for i := range rows {
			require.Equal(r.t, transfers[i].Timestamp, rows[i].Timestamp)
		}
		if len(rows) > 0 {
			last := rows[len(rows)-1]
			require.Equal(r.t, balancesOf(&a),
				balances{last.DebitsPending, last.DebitsPosted, last.CreditsPending, last.CreditsPosted})
		}
	}
}

// requireQueries asks for transfers with random filters, and compares with what
// looking through all of them gives.
func (r *programRun) requireQueries(random *rand.Rand) {
	all := r.transfers()
	for range 100 {
		f := r.filter(random, all)
		got, err := r.l.GetAccountTransfers(r.t.Context(), f)
		require.NoError(r.t, err)
		want := selectTransfers(all, f.Flags&ledger.AccountFilterReversed != 0, f.Limit, func(t *ledger.Transfer) bool {
			return (f.Flags&ledger.AccountFilterDebits != 0 && t.DebitAccountID == f.AccountID ||
				f.Flags&ledger.AccountFilterCredits != 0 && t.CreditAccountID == f.AccountID) &&
				(f.UserData64 == 0 || f.UserData64 == t.UserData64) &&
				(f.UserData32 == 0 || f.UserData32 == t.UserData32) &&
				t.Timestamp >= f.TimestampMin && (f.TimestampMax == 0 || t.Timestamp <= f.TimestampMax)
		})
		require.Equal(r.t, want, got, "%+v", f)

		q := ledger.QueryFilter{
			Ledger: r.program.accounts[0].Ledger, UserData64: f.UserData64, UserData32: f.UserData32,
			TimestampMin: f.TimestampMin, TimestampMax: f.TimestampMax, Limit: f.Limit,
			Flags: ledger.QueryFilterFlags(f.Flags >> 2),
		}
		got, err = r.l.QueryTransfers(r.t.Context(), q)
		require.NoError(r.t, err)
		want = selectTransfers(all, q.Flags != 0, q.Limit, func(t *ledger.Transfer) bool {
			return (q.UserData64 == 0 || q.UserData64 == t.UserData64) &&
				(q.UserData32 == 0 || q.UserData32 == t.UserData32) &&
				t.Timestamp >= q.TimestampMin && (q.TimestampMax == 0 || t.Timestamp <= q.TimestampMax)
		})
		require.Equal(r.t, want, got, "%+v", q)
	}
}

// filter is a random one. It is valid, but that it may ask for no side or for
// times in the wrong order.
func (r *programRun) filter(random *rand.Rand, all []ledger.Transfer) ledger.AccountFilter {
	f := ledger.AccountFilter{
		AccountID: r.program.accounts[random.IntN(programAccounts)].ID,
		Limit:     1 + random.Uint32N(20),
		Flags:     ledger.AccountFilterFlags(random.IntN(8)),
	}
	if random.IntN(3) == 0 {
		f.UserData64 = 1 + random.Uint64N(3)
	}
	if random.IntN(3) == 0 {
		f.UserData32 = 1
	}
	if random.IntN(2) == 0 {
		f.TimestampMin = all[random.IntN(len(all))].Timestamp
	}
	if random.IntN(2) == 0 {
		f.TimestampMax = all[random.IntN(len(all))].Timestamp
	}
	return f
}

// selectTransfers returns the first transfers that match, at most limit.
func selectTransfers(
	all []ledger.Transfer, reversed bool, limit uint32, match func(*ledger.Transfer) bool,
) []ledger.Transfer {
	selected := []ledger.Transfer{}
	for i := range all {
		t := &all[i]
		if reversed {
			t = &all[len(all)-1-i]
		}
		if match(t) && len(selected) < int(limit) {
			selected = append(selected, *t)
		}
	}
	return selected
}
