package accounts

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// Balances reads the balances of peers, in the order of the arguments. One request looks up some
// 2,000 peers. Where the look-up leaves Prepaid inexact, Balances reads the peer's payments, with
// some ten requests a peer and several peers at a time. The Book remembers what it has read, so
// later calls read only new rows. Each balance is of one moment. Balances looked up in one
// request, without reading payments, are of the same moment.
//
// Prepaid is exact, except for an account without history ([Config.NoHistory]): there it is an
// upper bound (PrepaidAtMost). For the lifetime totals the Book reads the rows of the assets'
// suspense accounts, and the returned payments of peers that ever had arrears.
//
// Errors: [ErrNotProvisioned] names a handle without accounts in the ledger (our own has none),
// [ErrUnknownAsset] a handle with an unknown ledger number. All further errors are of requests.
func (b *Book) Balances(ctx context.Context, accounts ...PeerAccount) ([]Balance, error) {
	balances, err := b.LookUpBalances(ctx, accounts...)
	if err != nil {
		return nil, err
	}
	pointers := make([]*Balance, len(balances))
	for i := range balances {
		pointers[i] = &balances[i]
	}
	if err := b.CompleteBalances(ctx, pointers...); err != nil {
		return nil, err
	}
	return balances, nil
}

// CompleteBalances turns balances of [Book.LookUpBalances] into those of [Book.Balances]: it makes Prepaid exact and
// adds up the lifetime totals. Where Prepaid has to be read from the peer's payments, the balance is replaced by
// one of a later moment. The errors are of requests; the balances are then not complete.
func (b *Book) CompleteBalances(ctx context.Context, balances ...*Balance) error {
	var unsettled []*Balance
	for _, balance := range balances {
		if !balance.prepaidSettled {
			unsettled = append(unsettled, balance)
		}
	}
	if err := readEach(unsettled, func(balance *Balance) error { return b.readPrepaid(ctx, balance) }); err != nil {
		return err
	}
	return b.readTotals(ctx, balances)
}

// readersAtOnce is how many peers' payments are read at a time. Queries spend their time in the
// ledger, so several in parallel are faster.
const readersAtOnce = 16

// readEach calls read for each of the balances, several at a time. An error does not stop it: it
// returns all errors joined.
func readEach(balances []*Balance, read func(*Balance) error) error {
	if len(balances) == 0 {
		return nil
	}
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

// estimatePrepaid sets Prepaid from a look-up alone.
func (b *Book) estimatePrepaid(balance *Balance) {
	if balance.totals.NeverPaidIn() { // most peers that we pay; the estimate would be the same
		balance.prepaidSettled = true
		return
	}
	balance.setPrepaid(b.prepaymentMemory.Estimate(balance.ids.Peer, &balance.totals))
}

func (b *Balance) setPrepaid(e prepayment.Estimate) {
	b.Prepaid, b.PrepaidAtMost, b.netAtMost, b.prepaidSettled = e.Prepaid, !e.Exact, e.NetAtMost, e.Final
}

// readPrepaid reads the payments of a peer, and replaces the balance by the one of a moment for
// which all payments are known.
func (b *Book) readPrepaid(ctx context.Context, balance *Balance) error {
	a := balance.Account
	e, err := b.prepaymentMemory.Read(ctx, b.prepaymentAccounts(a), balance.totals, func(ctx context.Context) (prepayment.Sums, error) {
		reread, err := b.LookUpBalance(ctx, a)
		if err == nil {
			*balance = reread
		}
		return balance.totals, err
	})
	if err != nil {
		return fmt.Errorf("read the prepayment of %v: %w", a, err)
	}
	balance.setPrepaid(e)
	return nil
}

func (b *Book) prepaymentAccounts(a PeerAccount) prepayment.Accounts {
	ids := b.PeerIDs(a)
	return prepayment.Accounts{Peer: ids.Peer, Line: ids.Line, Settlement: ids.Settlement, Arrears: ids.Arrears}
}

// Balance reads the balance of one peer in one asset. See [Book.Balances].
func (b *Book) Balance(ctx context.Context, account PeerAccount) (Balance, error) {
	balance, err := b.LookUpBalance(ctx, account)
	if err == nil {
		err = b.CompleteBalances(ctx, &balance)
	}
	if err != nil {
		return Balance{}, err
	}
	return balance, nil
}

// LookUpBalances reads the balances of peers, in the order of the arguments, some 2,000 in a
// request. The balances of a request are of one moment. It reads no history: Prepaid may be an
// upper bound (PrepaidAtMost), and the lifetime totals are 0. [Book.Balances] returns both
// exactly.
//
// Errors: [ErrNotProvisioned] names a handle without accounts in the ledger (our own has none),
// [ErrUnknownAsset] a handle with an unknown ledger number. All further errors are of requests.
func (b *Book) LookUpBalances(ctx context.Context, accounts ...PeerAccount) ([]Balance, error) {
	balances := make([]Balance, len(accounts))
	if err := b.lookUpInto(ctx, accounts, balances); err != nil {
		return nil, err
	}
	return balances, nil
}

// LookUpBalance reads the balance of one peer. See [Book.LookUpBalances].
func (b *Book) LookUpBalance(ctx context.Context, account PeerAccount) (Balance, error) {
	var balances [1]Balance
	if err := b.lookUpInto(ctx, []PeerAccount{account}, balances[:]); err != nil {
		return Balance{}, err
	}
	return balances[0], nil
}

// lookUpInto is LookUpBalances into a slice of the caller, with an element for each account.
func (b *Book) lookUpInto(ctx context.Context, accounts []PeerAccount, balances []Balance) error {
	for i, a := range accounts {
		if i > 0 && a.ledger == accounts[i-1].ledger { // almost always
			continue
		}
		if _, known := b.assets[a.ledger]; !known {
			return fmt.Errorf("%w: %v", ErrUnknownAsset, a)
		}
	}
	var asset Asset // of the account before
	return b.readRecords(ctx, accounts, func(i int, r peerRecords) error {
		a := accounts[i]
		if r.isIncomplete() || a.IsOwn() {
			return fmt.Errorf("%w: %v", ErrNotProvisioned, a)
		}
		if asset.Ledger != a.ledger {
			asset = b.assets[a.ledger].asset
		}
		balances[i] = newBalance(a, asset, &r)
		b.estimatePrepaid(&balances[i])
		return nil
	})
}

// AllBalances reads the balances of any number of peers, some 2,000 in a request, and yields them
// in order. It keeps only the balances of the current request, which are of one moment. If an
// error ends it, the last pair has the error of [Book.Balances].
func (b *Book) AllBalances(ctx context.Context, accounts iter.Seq[PeerAccount]) iter.Seq2[Balance, error] {
	return func(yield func(Balance, error) bool) {
		done := 0
		for chunk := range collectChunks(accounts, (ledger.BatchMax-len(b.assets))/accountsPerPeer) {
			balances, err := b.Balances(ctx, chunk...)
			if err != nil {
				yield(Balance{}, err)
				return
			}
			done += len(balances)
			b.reportProgress("read balances", done, 0)
			for _, balance := range balances {
				if !yield(balance, nil) {
					return
				}
			}
		}
	}
}
