package ledgertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/peerledger/peerledger/ledger"
)

// coverage counts the statuses met by a suite or a part of a suite.
type coverage struct {
	parent *coverage // also counts every status counted here; may be nil

	mu        sync.Mutex
	accounts  map[ledger.CreateAccountStatus]int
	transfers map[ledger.CreateTransferStatus]int
}

func newCoverage() *coverage { return (*coverage)(nil).newPart() }

// newPart returns a coverage whose counts are added to this coverage, too.
func (a *coverage) newPart() *coverage {
	return &coverage{
		parent:    a,
		accounts:  make(map[ledger.CreateAccountStatus]int),
		transfers: make(map[ledger.CreateTransferStatus]int),
	}
}

func (a *coverage) addAccounts(results []ledger.CreateAccountResult) {
	for ; a != nil; a = a.parent {
		a.mu.Lock()
		for _, r := range results {
			a.accounts[r.Status]++
		}
		a.mu.Unlock()
	}
}

func (a *coverage) addTransfers(results []ledger.CreateTransferResult) {
	for ; a != nil; a = a.parent {
		a.mu.Lock()
		for _, r := range results {
			a.transfers[r.Status]++
		}
		a.mu.Unlock()
	}
}

// logCounts logs how often each status was met, and the statuses never met.
func (a *coverage) logCounts(t *testing.T, title string) {
	t.Helper()
	t.Log(a.reportCounts(title))
}

func (a *coverage) reportCounts(title string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	accounts := summarizeStatuses("account", a.accounts, ledger.CreateAccountStatuses())
	transfers := summarizeStatuses("transfer", a.transfers, ledger.CreateTransferStatuses())
	never := append(accounts.never, transfers.never...)
	if len(never) == 0 {
		never = []string{"none"}
	}
	return fmt.Sprintf("%s: %d account events met %d of %d statuses, %d transfer events met %d of %d\n%s%snever met: %s",
		title, accounts.events, accounts.met, accounts.total, transfers.events, transfers.met, transfers.total,
		accounts.lines, transfers.lines, strings.Join(never, ", "))
}

// statusSummary describes the counts of accounts or of transfers.
type statusSummary struct {
	events, met, total int
	lines              string
	never              []string
}

func summarizeStatuses[S interface {
	comparable
	fmt.Stringer
}](kind string, met map[S]int, all []S) statusSummary {
	c := statusSummary{total: len(all)}
	var lines strings.Builder
	for _, s := range all {
		if met[s] == 0 {
			c.never = append(c.never, kind+" "+s.String())
			continue
		}
		c.events += met[s]
		c.met++
		fmt.Fprintf(&lines, "%9d %-8s %s\n", met[s], kind, s)
	}
	c.lines = lines.String()
	return c
}

// countingLedger counts the statuses that a ledger returns.
type countingLedger struct {
	ledger.Ledger
	coverage *coverage
}

func (c *countingLedger) CreateAccounts(
	ctx context.Context, accounts []ledger.Account,
) ([]ledger.CreateAccountResult, error) {
	results, err := c.Ledger.CreateAccounts(ctx, accounts)
	c.coverage.addAccounts(results)
	return results, err
}

func (c *countingLedger) CreateTransfers(
	ctx context.Context, transfers []ledger.Transfer,
) ([]ledger.CreateTransferResult, error) {
	results, err := c.Ledger.CreateTransfers(ctx, transfers)
	c.coverage.addTransfers(results)
	return results, err
}
