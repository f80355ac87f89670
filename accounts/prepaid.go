package accounts

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// Balances reads the balances of peers, in the order asked. It looks some 2,000 of them up
// in a request, and reads the payments of those of which the look-up does not tell what is
// prepaid, in some ten requests each, several peers at a time. The Book remembers what it has
// read: later it asks for what is new. The balance of a peer is of one moment; those that
// were looked up in one request and needed no reading are of the same one.
//
// Prepaid is exact, but for an account without history (Config.NoHistory): then it is an
// upper bound (PrepaidAtMost). For the lifetime totals the Book reads the rows of the assets'
// suspense accounts, and what came back of the payments of peers that ever had arrears.
//
// Errors: ErrNotProvisioned names a handle that the ledger has no accounts for
// (our own has none), ErrUnknownAsset one whose ledger number the Book does not
// have; any other error is that of a request.
func (b *Book) Balances(ctx context.Context, accounts ...PeerAccount) ([]Balance, error) {
	balances, err := b.LookUpBalances(ctx, accounts...)
	if err != nil {
		return nil, err
	}
	pointers := make([]*Balance, len(balances))
	var unsettled []*Balance
	for i := range balances {
		pointers[i] = &balances[i]
		if !balances[i].prepaidSettled {
			unsettled = append(unsettled, pointers[i])
		}
	}
	if err := readEach(unsettled, func(balance *Balance) error { return b.readPrepaid(ctx, balance) }); err != nil {
		return nil, err
	}
	if err := b.readTotals(ctx, pointers); err != nil {
		return nil, err
	}
	return balances, nil
}

// readersAtOnce is how many peers' payments are read at a time: queries wait for the ledger,
// and not for us.
const readersAtOnce = 16

// readEach reads something for each of the balances, for several at a time. It goes on behind an
// error, and returns all of them.
func readEach(balances []*Balance, read func(*Balance) error) error {
	errs := make([]error, len(balances))
	slots := make(chan struct{}, readersAtOnce)
	var readers sync.WaitGroup
	for i, balance := range balances {
		slots <- struct{}{}
		readers.Go(func() {
			defer func() { <-slots }()
			errs[i] = read(balance)
		})
	}
	readers.Wait()
	return errors.Join(errs...)
}

// estimatePrepaid sets what a look-up tells of a prepayment.
func (b *Book) estimatePrepaid(balance *Balance) {
	balance.setPrepaid(b.prepaymentMemory.Estimate(balance.Account.id, &balance.totals))
}

func (b *Balance) setPrepaid(e prepayment.Estimate) {
	b.Prepaid, b.PrepaidAtMost, b.netAtMost, b.prepaidSettled = e.Prepaid, !e.Exact, e.NetAtMost, e.Settled
}

// readPrepaid reads the payments of a peer, and makes the balance that of a moment at which
// they are known.
func (b *Book) readPrepaid(ctx context.Context, balance *Balance) error {
	a := balance.Account
	e, err := b.prepaymentMemory.Read(ctx, b.prepaymentAccounts(a), balance.totals, func(ctx context.Context) (prepayment.Sums, error) {
		reread, err := b.LookUpBalances(ctx, a)
		if err == nil {
			*balance = reread[0]
		}
		return balance.totals, err
	})
	if err != nil {
		return fmt.Errorf("work out what %v has prepaid: %w", a, err)
	}
	balance.setPrepaid(e)
	return nil
}

func (b *Book) prepaymentAccounts(a PeerAccount) prepayment.Accounts {
	ids := b.PeerIDs(a)
	return prepayment.Accounts{Peer: ids.Peer, Line: ids.Line, Settlement: ids.Settlement, Arrears: ids.Arrears}
}

// PastBalance is what stood between us and a peer right after a moment, in units.
type PastBalance struct {
	Position *big.Int // above 0 we owed the peer
	Net      *big.Int // Position less Prepaid
	Prepaid  ledger.Amount
	Arrears  ledger.Amount
}

// ErrNoHistory says that the ledger keeps no history of the peer account
// (Config.NoHistory), so that what it once stood at cannot be known.
var ErrNoHistory = prepayment.ErrNoHistory

// BalanceAt works out what stood between us and a peer right after a moment of the past, by
// the ledger's clock. It follows from rows that never change, so everybody finds the same
// whenever it is asked.
//
// Errors: ErrNoHistory, ErrNotProvisioned, ErrUnknownAsset, or that of a request.
func (b *Book) BalanceAt(ctx context.Context, account PeerAccount, at time.Time) (PastBalance, error) {
	now, err := b.LookUpBalances(ctx, account)
	if err != nil {
		return PastBalance{}, err
	}
	then, err := b.prepaymentMemory.At(ctx, b.prepaymentAccounts(account), now[0].totals, timestampOf(at))
	if err != nil {
		return PastBalance{}, fmt.Errorf("work out what %v stood at: %w", account, err)
	}
	return PastBalance{
		Position: then.Position, Net: then.Net, Prepaid: ledger.ClampAmount(then.Prepaid), Arrears: then.Arrears,
	}, nil
}
