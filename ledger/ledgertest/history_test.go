package ledgertest

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Two equal ledgers pass. A transfer depends on the seed and its number alone, and refers to earlier
// ones.
func TestHistoryPasses(t *testing.T) {
	t.Parallel()
	restarts := 0
	cfg := History{Seed: Seed(t), Events: 3000, Restart: func() { restarts++ }, Restarts: 5, Programs: 1, Expiries: 2}
	RunHistory(t, newManualClockLedger(), newManualClockLedger(), cfg)
	require.GreaterOrEqual(t, restarts, 5)

	h, ids := &history{History: cfg}, map[ledger.ID]bool{}
	ends := 0
	for n := range uint64(1000) {
		ids[historyID(n)] = true
		event := h.transfer(n)
		require.Equal(t, event, h.transfer(n))
		if event.Flags.Any(ledger.TransferPostPending|ledger.TransferVoidPending) && ids[event.PendingID] {
			ends++
		}
	}
	require.Len(t, ids, 1000)
	require.Greater(t, ends, 150)
}

// Every fault of a ledger is found, and so is one that only old transfers have.
func TestHistoryFindsFaults(t *testing.T) {
	t.Parallel()
	faults := map[string]func() ledger.Ledger{
		"forgotten id":   func() ledger.Ledger { return &forgettingLedger{newManualClockLedger(), 0} },
		"old transfer":   func() ledger.Ledger { return &agingLedger{manualClockLedger: newManualClockLedger()} },
		"stuck pages":    func() ledger.Ledger { return &stuckPagesLedger{newManualClockLedger(), 0} },
		"without a feed": func() ledger.Ledger { l := newManualClockLedger(); return &feedlessLedger{l, l} },
	}
	for name, spoil := range ledgerFaults {
		if strings.Contains(name, "import") {
			continue // a history has imports in its programs alone
		}
		faults[name] = func() ledger.Ledger {
			l := &faultyLedger{manualClockLedger: newManualClockLedger()}
			spoil(l)
			return l
		}
	}
	for name, open := range faults {
		failure := captureFailure(t, func(tb testing.TB) {
			tb.Helper()
			RunHistory(tb, newManualClockLedger(), open(), History{Seed: 1, Events: 4000, Expiries: 1})
		})
		require.NotEmpty(t, failure, name)
	}
}

// agingLedger finds no transfer that is older than a thousand others.
type agingLedger struct {
	*manualClockLedger
	created int
	numbers map[ledger.ID]int
}

func (l *agingLedger) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.manualClockLedger.CreateTransfers(ctx, t)
	for i := range results {
		if results[i].Status == ledger.TransferCreated {
			if l.numbers == nil {
				l.numbers = map[ledger.ID]int{}
			}
			l.created++
			l.numbers[t[i].ID] = l.created
		}
	}
	return results, err
}

func (l *agingLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	var recent []ledger.ID
	for _, id := range ids {
		if l.created-l.numbers[id] < 1000 {
			recent = append(recent, id)
		}
	}
	return l.manualClockLedger.LookupTransfers(ctx, recent)
}
