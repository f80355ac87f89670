package ledgertest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/peerledger/peerledger/ledger"
)

// tally counts the answers that a suite has met.
type tally struct {
	mu        sync.Mutex
	accounts  map[ledger.CreateAccountStatus]int
	transfers map[ledger.CreateTransferStatus]int
}

func newTally() *tally {
	return &tally{
		accounts:  make(map[ledger.CreateAccountStatus]int),
		transfers: make(map[ledger.CreateTransferStatus]int),
	}
}

// log says how much was met, and which statuses never were.
func (y *tally) log(t *testing.T) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	events, met, never := count(y.accounts, ledger.CreateAccountStatuses(), "account ")
	t.Logf("%d account events met %d statuses", events, met)
	events, met, more := count(y.transfers, ledger.CreateTransferStatuses(), "transfer ")
	t.Logf("%d transfer events met %d statuses", events, met)
	if never = append(never, more...); len(never) > 0 {
		t.Logf("never met: %s", strings.Join(never, ", "))
	}
}

func count[S interface {
	comparable
	fmt.Stringer
}](counts map[S]int, all []S, kind string) (events, met int, never []string) {
	for _, s := range all {
		events += counts[s]
		if counts[s] == 0 {
			never = append(never, kind+s.String())
		}
	}
	return events, len(all) - len(never), never
}

// counted is a ledger whose answers are counted.
type counted struct {
	ledger.Ledger
	answers *tally
}

func (c *counted) CreateAccounts(
	ctx context.Context, accounts []ledger.Account,
) ([]ledger.CreateAccountResult, error) {
	results, err := c.Ledger.CreateAccounts(ctx, accounts)
	c.answers.mu.Lock()
	defer c.answers.mu.Unlock()
	for _, r := range results {
		c.answers.accounts[r.Status]++
	}
	return results, err
}

func (c *counted) CreateTransfers(
	ctx context.Context, transfers []ledger.Transfer,
) ([]ledger.CreateTransferResult, error) {
	results, err := c.Ledger.CreateTransfers(ctx, transfers)
	c.answers.mu.Lock()
	defer c.answers.mu.Unlock()
	for _, r := range results {
		c.answers.transfers[r.Status]++
	}
	return results, err
}
