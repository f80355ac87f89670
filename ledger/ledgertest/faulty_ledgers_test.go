package ledgertest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// faultyLedger is a ledger with some answers changed.
type faultyLedger struct {
	*manualClockLedger
	transfers func([]ledger.Transfer, []ledger.CreateTransferResult)
	lookup    func([]ledger.Account)
	stored    func([]ledger.Transfer) []ledger.Transfer
	balances  func([]ledger.AccountBalance)
	changes   func([]ledger.ChangeEvent)
}

func (l *faultyLedger) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.manualClockLedger.CreateTransfers(ctx, t)
	if l.transfers != nil {
		l.transfers(t, results)
	}
	return results, err
}

func (l *faultyLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	found, err := l.manualClockLedger.LookupAccounts(ctx, ids)
	if l.lookup != nil {
		l.lookup(found)
	}
	return found, err
}

func (l *faultyLedger) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	found, err := l.manualClockLedger.QueryTransfers(ctx, f)
	if l.stored != nil {
		found = l.stored(found)
	}
	return found, err
}

func (l *faultyLedger) GetAccountBalances(ctx context.Context, f ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	found, err := l.manualClockLedger.GetAccountBalances(ctx, f)
	if l.balances != nil {
		l.balances(found)
	}
	return found, err
}

func (l *faultyLedger) GetChangeEvents(ctx context.Context, f ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	found, err := l.manualClockLedger.GetChangeEvents(ctx, f)
	if l.changes != nil {
		l.changes(found)
	}
	return found, err
}

func addUnit(a *ledger.Amount) { *a, _ = a.Add(ledger.NewAmount(1)) }

func rolledBackImport(event *ledger.Transfer, result ledger.CreateTransferResult) bool {
	return event.Flags.Has(ledger.TransferImported) && result.Status == ledger.TransferLinkedEventFailed
}

// ledgerFaults change the answers of a ledger.
var ledgerFaults = map[string]func(*faultyLedger){
	"half a movement": func(l *faultyLedger) {
		l.lookup = func(a []ledger.Account) {
			for i := range a {
				a[i].CreditsPending = ledger.Amount{}
			}
		}
	},
	"balance": func(l *faultyLedger) {
		l.lookup = func(a []ledger.Account) { addUnit(&a[0].DebitsPosted); addUnit(&a[0].CreditsPosted) }
	},
	"flag": func(l *faultyLedger) {
		l.lookup = func(a []ledger.Account) { a[0].Flags ^= ledger.AccountClosed }
	},
	"an empty result": func(l *faultyLedger) {
		l.transfers = func(_ []ledger.Transfer, r []ledger.CreateTransferResult) {
			r[len(r)-1] = ledger.CreateTransferResult{}
		}
	},
	"timestamp of exists": func(l *faultyLedger) {
		l.transfers = func(_ []ledger.Transfer, results []ledger.CreateTransferResult) {
			for i := range results {
				if results[i].Status == ledger.TransferExists {
					results[i].Timestamp++
				}
			}
		}
	},
	"timestamp of an import before the breaker of its chain": func(l *faultyLedger) {
		l.transfers = func(events []ledger.Transfer, results []ledger.CreateTransferResult) {
			for i := range results {
				if rolledBackImport(&events[i], results[i]) && results[i].Timestamp == events[i].Timestamp {
					results[i].Timestamp++
				}
			}
		}
	},
	"timestamp of an import behind the breaker of its chain": func(l *faultyLedger) {
		l.transfers = func(events []ledger.Transfer, results []ledger.CreateTransferResult) {
			for i := range results {
				if rolledBackImport(&events[i], results[i]) && results[i].Timestamp != events[i].Timestamp {
					results[i].Timestamp = events[i].Timestamp
				}
			}
		}
	},
	"created without an effect": func(l *faultyLedger) {
		l.transfers = func(_ []ledger.Transfer, results []ledger.CreateTransferResult) {
			for i := range results {
				if results[i].Status == ledger.TransferExceedsCredits {
					results[i].Status = ledger.TransferCreated
				}
			}
		}
	},
	"stored field": func(l *faultyLedger) {
		l.stored = func(t []ledger.Transfer) []ledger.Transfer {
			for i := range t {
				t[i].Timeout++
			}
			return t
		}
	},
	"one row left out": func(l *faultyLedger) {
		l.stored = func(t []ledger.Transfer) []ledger.Transfer { return t[min(1, len(t)):] }
	},
	"history": func(l *faultyLedger) {
		l.balances = func(rows []ledger.AccountBalance) {
			for i := range rows {
				addUnit(&rows[i].DebitsPosted)
			}
		}
	},
	"change event": func(l *faultyLedger) {
		l.changes = func(events []ledger.ChangeEvent) {
			for i := range events {
				events[i].CreditAccountFlags ^= ledger.AccountClosed
			}
		}
	},
}

// A ledger with a fault does not pass, neither alone nor beside a correct ledger.
func TestFaultyLedgersAreFound(t *testing.T) {
	t.Parallel()
	for name, spoil := range ledgerFaults {
		open := func() ledger.Ledger {
			l := &faultyLedger{manualClockLedger: newManualClockLedger()}
			spoil(l)
			return l
		}
		requireDetected(t, name, open)
	}
}

// requireDetected fails the test if the programs of all of 30 seeds pass on the ledger, alone or
// beside a correct ledger. The first few seeds find most faults.
func requireDetected(t *testing.T, name string, open func() ledger.Ledger) {
	t.Helper()
	alone, beside := "", ""
	for seed := uint64(0); seed < 30 && (alone == "" || beside == ""); seed++ {
		alone += captureFailure(t, func(tb testing.TB) {
			tb.Helper()
			RunProgram(tb, open(), seed)
		})
		beside += captureFailure(t, func(tb testing.TB) {
			tb.Helper()
			RunDifferential(tb, newManualClockLedger(), open(), seed)
		})
	}
	require.NotEmpty(t, alone, name)
	require.NotEmpty(t, beside, name)
}

// A ledger whose pages all begin with the oldest row is found wherever the suite reads until a page
// is empty.
func TestStuckPagesAreFound(t *testing.T) {
	t.Parallel()
	requireDetected(t, "stuck", func() ledger.Ledger { return &stuckPagesLedger{newManualClockLedger(), 0} })
	for name, read := range map[string]func(testing.TB, *stuckPagesLedger){
		"conserved": func(tb testing.TB, l *stuckPagesLedger) {
			tb.Helper()
			RequireConserved(tb, l)
		},
		"nothing held": func(tb testing.TB, l *stuckPagesLedger) {
			tb.Helper()
			RequireNothingHeld(tb, l)
		},
		"change events": func(tb testing.TB, l *stuckPagesLedger) {
			tb.Helper()
			newTestSubject(l).readChangesSince(tb, 0)
		},
		"accounts": func(tb testing.TB, l *stuckPagesLedger) {
			tb.Helper()
			newRun(tb, newTestSubject(l), newIDSpace(), &program{}).readAllAccounts()
		},
		"transfers": func(tb testing.TB, l *stuckPagesLedger) {
			tb.Helper()
			newRun(tb, newTestSubject(l), newIDSpace(), &program{}).readAllTransfers()
		},
	} {
		l := &stuckPagesLedger{newManualClockLedger(), 0}
		stock := requestTest{newTestSubject(l), t}
		stock.mustCreate(stock.createPair())
		failure := captureFailure(t, func(tb testing.TB) {
			tb.Helper()
			read(tb, l)
		})
		require.Contains(t, failure, "does not belong to a page from", name)
	}
}

// stuckPagesLedger begins each answer with the oldest row. After 1000 requests it answers
// correctly, so that a suite without the check does not run forever.
type stuckPagesLedger struct {
	*manualClockLedger
	asked int
}

func (l *stuckPagesLedger) resetStart(from uint64) uint64 {
	if l.asked++; l.asked < 1000 {
		return 0
	}
	return from
}

func (l *stuckPagesLedger) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	f.TimestampMin = l.resetStart(f.TimestampMin)
	return l.manualClockLedger.QueryAccounts(ctx, f)
}

func (l *stuckPagesLedger) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	f.TimestampMin = l.resetStart(f.TimestampMin)
	return l.manualClockLedger.QueryTransfers(ctx, f)
}

func (l *stuckPagesLedger) GetChangeEvents(ctx context.Context, f ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	f.TimestampMin = l.resetStart(f.TimestampMin)
	return l.manualClockLedger.GetChangeEvents(ctx, f)
}

// A ledger that forgets burnt ids is consistent in itself. Only a second ledger, or the same
// request sent again, reveals the fault.
func TestForgottenIDsAreFound(t *testing.T) {
	t.Parallel()
	requireDetected(t, "forgetful", func() ledger.Ledger { return &forgettingLedger{newManualClockLedger(), 0} })
}

// forgettingLedger replaces id_already_failed by the result of the transfer under a new id.
type forgettingLedger struct {
	*manualClockLedger
	next uint64
}

func (l *forgettingLedger) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.manualClockLedger.CreateTransfers(ctx, t)
	for i := range results {
		if results[i].Status == ledger.TransferIDAlreadyFailed && !t[i].Flags.Has(ledger.TransferLinked) {
			l.next++
			t[i].ID = ledger.NewID(l.next, 1<<63+7)
			again, err := l.manualClockLedger.CreateTransfers(ctx, t[i:i+1])
			if err != nil {
				return nil, err
			}
			results[i].Status = again[0].Status
		}
	}
	return results, err
}
