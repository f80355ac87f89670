package ledgertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// liar is a ledger with one answer changed.
type liar struct {
	*sleepy
	transfers func([]ledger.Transfer, []ledger.CreateTransferResult)
	lookup    func([]ledger.Account)
	stored    func([]ledger.Transfer) []ledger.Transfer
	balances  func([]ledger.AccountBalance)
	changes   func([]ledger.ChangeEvent)
}

func (l *liar) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.sleepy.CreateTransfers(ctx, t)
	if l.transfers != nil {
		l.transfers(t, results)
	}
	return results, err
}

func (l *liar) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	found, err := l.sleepy.LookupAccounts(ctx, ids)
	if l.lookup != nil {
		l.lookup(found)
	}
	return found, err
}

func (l *liar) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	found, err := l.sleepy.QueryTransfers(ctx, f)
	if l.stored != nil {
		found = l.stored(found)
	}
	return found, err
}

func (l *liar) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	found, err := l.sleepy.GetAccountBalances(ctx, f)
	if l.balances != nil {
		l.balances(found)
	}
	return found, err
}

func (l *liar) GetChangeEvents(ctx context.Context, f ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	found, err := l.sleepy.GetChangeEvents(ctx, f)
	if l.changes != nil {
		l.changes(found)
	}
	return found, err
}

func more(a *ledger.Amount) { *a, _ = a.Add(ledger.NewAmount(1)) }

func rolledBackImport(event *ledger.Transfer, result ledger.CreateTransferResult) bool {
	return event.Flags.Has(ledger.TransferImported) && result.Status == ledger.TransferLinkedEventFailed
}

// lies are what may be wrong with a ledger.
var lies = map[string]func(*liar){
	"half a movement": func(l *liar) {
		l.lookup = func(a []ledger.Account) {
			for i := range a {
				a[i].CreditsPending = ledger.Amount{}
			}
		}
	},
	"balance": func(l *liar) {
		l.lookup = func(a []ledger.Account) { more(&a[0].DebitsPosted); more(&a[0].CreditsPosted) }
	},
	"flag": func(l *liar) {
		l.lookup = func(a []ledger.Account) { a[0].Flags ^= ledger.AccountClosed }
	},
	"a result that is none": func(l *liar) {
		l.transfers = func(_ []ledger.Transfer, r []ledger.CreateTransferResult) {
			r[len(r)-1] = ledger.CreateTransferResult{}
		}
	},
	"timestamp of exists": func(l *liar) {
		l.transfers = func(_ []ledger.Transfer, results []ledger.CreateTransferResult) {
			for i := range results {
				if results[i].Status == ledger.TransferExists {
					results[i].Timestamp++
				}
			}
		}
	},
	"timestamp of an import before the breaker of its chain": func(l *liar) {
		l.transfers = func(events []ledger.Transfer, results []ledger.CreateTransferResult) {
			for i := range results {
				if rolledBackImport(&events[i], results[i]) && results[i].Timestamp == events[i].Timestamp {
					results[i].Timestamp++
				}
			}
		}
	},
	"timestamp of an import behind the breaker of its chain": func(l *liar) {
		l.transfers = func(events []ledger.Transfer, results []ledger.CreateTransferResult) {
			for i := range results {
				if rolledBackImport(&events[i], results[i]) && results[i].Timestamp != events[i].Timestamp {
					results[i].Timestamp = events[i].Timestamp
				}
			}
		}
	},
	"created, but not": func(l *liar) {
		l.transfers = func(_ []ledger.Transfer, results []ledger.CreateTransferResult) {
			for i := range results {
				if results[i].Status == ledger.TransferExceedsCredits {
					results[i].Status = ledger.TransferCreated
				}
			}
		}
	},
	"stored field": func(l *liar) {
		l.stored = func(t []ledger.Transfer) []ledger.Transfer {
			for i := range t {
				t[i].Timeout++
			}
			return t
		}
	},
	"one row left out": func(l *liar) {
		l.stored = func(t []ledger.Transfer) []ledger.Transfer { return t[min(1, len(t)):] }
	},
	"history": func(l *liar) {
		l.balances = func(rows []ledger.AccountBalance) {
			for i := range rows {
				more(&rows[i].DebitsPosted)
			}
		}
	},
	"change event": func(l *liar) {
		l.changes = func(events []ledger.ChangeEvent) {
			for i := range events {
				events[i].CreditAccountFlags ^= ledger.AccountClosed
			}
		}
	},
}

// A ledger that gets something wrong does not pass, neither alone nor beside one
// that does not.
func TestLiarsAreFound(t *testing.T) {
	t.Parallel()
	for name, spoil := range lies {
		lying := func() ledger.Ledger {
			l := &liar{sleepy: newSleepy()}
			spoil(l)
			return l
		}
		requireFound(t, name, lying)
	}
}

// requireFound fails the test if the programs of all of 30 seeds pass on the ledger,
// alone or beside one that is right. Most lies are found by the first few.
func requireFound(t *testing.T, name string, open func() ledger.Ledger) {
	t.Helper()
	alone, beside := "", ""
	for seed := uint64(0); seed < 30 && (alone == "" || beside == ""); seed++ {
		alone += failureOf(t, func(tb testing.TB) {
			tb.Helper()
			RunProgram(tb, open(), seed)
		})
		beside += failureOf(t, func(tb testing.TB) {
			tb.Helper()
			RunDifferential(tb, newSleepy(), open(), seed)
		})
	}
	require.NotEmpty(t, alone, name)
	require.NotEmpty(t, beside, name)
}

// A ledger whose pages all begin at the beginning is found wherever the suite reads
// on until nothing comes.
func TestStuckPagesAreFound(t *testing.T) {
	t.Parallel()
	requireFound(t, "stuck", func() ledger.Ledger { return &stuck{newSleepy(), 0} })
	for name, read := range map[string]func(testing.TB, *stuck){
		"conserved": func(tb testing.TB, l *stuck) {
			tb.Helper()
			RequireConserved(tb, l)
		},
		"nothing held": func(tb testing.TB, l *stuck) {
			tb.Helper()
			RequireNothingHeld(tb, l)
		},
		"change events": func(tb testing.TB, l *stuck) {
			tb.Helper()
			subjectOf(l).changesSince(tb, 0)
		},
		"accounts": func(tb testing.TB, l *stuck) {
			tb.Helper()
			newRun(tb, subjectOf(l), newRealm(), &program{}).allAccounts()
		},
		"transfers": func(tb testing.TB, l *stuck) {
			tb.Helper()
			newRun(tb, subjectOf(l), newRealm(), &program{}).allTransfers()
		},
	} {
		l := &stuck{newSleepy(), 0}
		stock := requestTest{subjectOf(l), t}
		stock.mustCreate(stock.createPair())
		failure := failureOf(t, func(tb testing.TB) {
			tb.Helper()
			read(tb, l)
		})
		require.Contains(t, failure, "does not belong to a page from", name)
	}
}

// stuck begins each answer at the oldest row. It gives up after some, for the test
// of a suite that would ask for ever.
type stuck struct {
	*sleepy
	asked int
}

func (l *stuck) moveOn(from uint64) uint64 {
	if l.asked++; l.asked < 1000 {
		return 0
	}
	return from
}

func (l *stuck) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	f.TimestampMin = l.moveOn(f.TimestampMin)
	return l.sleepy.QueryAccounts(ctx, f)
}

func (l *stuck) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	f.TimestampMin = l.moveOn(f.TimestampMin)
	return l.sleepy.QueryTransfers(ctx, f)
}

func (l *stuck) GetChangeEvents(ctx context.Context, f ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	f.TimestampMin = l.moveOn(f.TimestampMin)
	return l.sleepy.GetChangeEvents(ctx, f)
}

// A ledger that forgets which ids are spent is consistent in itself: only another
// ledger, or the same request sent again, gives it away.
func TestForgottenIDsAreFound(t *testing.T) {
	t.Parallel()
	requireFound(t, "forgetful", func() ledger.Ledger { return &forgetful{newSleepy(), 0} })
}

// forgetful takes id_already_failed back, and tries under another id.
type forgetful struct {
	*sleepy
	next uint64
}

func (l *forgetful) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.sleepy.CreateTransfers(ctx, t)
	for i := range results {
		if results[i].Status == ledger.TransferIDAlreadyFailed && !t[i].Flags.Has(ledger.TransferLinked) {
			l.next++
			t[i].ID = ledger.NewID(l.next, 1<<63+7)
			again, err := l.sleepy.CreateTransfers(ctx, t[i:i+1])
			if err != nil {
				return nil, err
			}
			results[i].Status = again[0].Status
		}
	}
	return results, err
}
