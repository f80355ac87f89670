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

// Balance reads the balance of one peer in one asset. See Balances.
func (b *Book) Balance(ctx context.Context, account PeerAccount) (Balance, error) {
	balances, err := b.Balances(ctx, account)
	if err != nil {
		return Balance{}, err
	}
	return balances[0], nil
}

// LookUpBalances reads the balances of peers, in the order asked, some 2,000 of them in a
// request. Those of one request are of one moment. It reads no history, so Prepaid may be an
// upper bound (PrepaidAtMost), and the lifetime totals are 0; Balances knows them exactly.
//
// Errors: ErrNotProvisioned names a handle that the ledger has no accounts for
// (our own has none), ErrUnknownAsset one whose ledger number the Book does not
// have; any other error is that of a request.
func (b *Book) LookUpBalances(ctx context.Context, accounts ...PeerAccount) ([]Balance, error) {
	for _, a := range accounts {
		if _, known := b.assets[a.ledger]; !known {
			return nil, fmt.Errorf("%w: %v", ErrUnknownAsset, a)
		}
	}
	figures, err := b.lookUpRecords(ctx, accounts)
	if err != nil {
		return nil, err
	}
	balances := make([]Balance, len(accounts))
	for i, a := range accounts {
		if figures[i].isIncomplete() || a.IsOwn() {
			return nil, fmt.Errorf("%w: %v", ErrNotProvisioned, a)
		}
		balances[i] = newBalance(a, b.assets[a.ledger].asset, &figures[i])
		b.estimatePrepaid(&balances[i])
	}
	return balances, nil
}

// lookUpBalance is LookUpBalances of one peer.
func (b *Book) lookUpBalance(ctx context.Context, account PeerAccount) (Balance, error) {
	balances, err := b.LookUpBalances(ctx, account)
	if err != nil {
		return Balance{}, err
	}
	return balances[0], nil
}

// AllBalances reads the balances of any number of peers, some 2,000 in a request, and
// gives them in order; it keeps no more than that many. Those of one request are of one
// moment. The last pair has the error, if something goes wrong: those of Balances.
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
