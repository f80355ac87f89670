package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/ledger"
)

// peerFigures are the ledger accounts of a peer, and the suspense account of its asset, as
// one request has read them. An account that the ledger has not got is the zero one: the
// arrears account of a peer that an older version provisioned, or suspense of an asset that
// was never provisioned.
type peerFigures struct {
	peer, line, settlement, arrears, suspense ledger.Account
}

// incomplete reports whether an account is missing that no version goes without.
func (f *peerFigures) incomplete() bool {
	return f.peer.ID.IsZero() || f.line.ID.IsZero() || f.settlement.ID.IsZero()
}

// sums are the totals that tell what is prepaid.
func (f *peerFigures) sums() prepayment.Sums {
	return prepayment.Sums{
		Peer: prepayment.TotalsOf(&f.peer), Line: prepayment.TotalsOf(&f.line),
		Settlement: prepayment.TotalsOf(&f.settlement), Arrears: prepayment.TotalsOf(&f.arrears),
		Suspense: prepayment.TotalsOf(&f.suspense), History: f.peer.Flags.Has(ledger.AccountHistory),
	}
}

// peersPerRequest is how many peers' accounts are read in a request, with the suspense
// account of their asset.
const peersPerRequest = (ledger.BatchMax - 1) / accountsPerPeer

// lookUpFigures reads the accounts of peers, in the order asked, as many in a request as the
// ledger takes.
func (b *Book) lookUpFigures(ctx context.Context, list []PeerAccount) ([]peerFigures, error) {
	figures := make([]peerFigures, 0, len(list))
	limit := requestlimit.New(peersPerRequest, 1)
	for len(list) > 0 {
		n, ids := b.figureIDs(list[:min(limit.Max(), len(list))])
		rows, err := b.ledger.LookupAccounts(ctx, ids)
		switch {
		case errors.Is(err, ledger.ErrTooMuchData) && limit.Lower(n):
			continue
		case err != nil:
			return nil, fmt.Errorf("look up balances: %w", err)
		}
		figures = b.appendFigures(figures, list[:n], ids, rows)
		list = list[n:]
	}
	return figures, nil
}

// appendFigures appends the figures of peers. The ids are those of figureIDs, and the rows are in
// their order, without those that the ledger has not got.
func (b *Book) appendFigures(figures []peerFigures, list []PeerAccount, ids []ledger.ID, rows []ledger.Account) []peerFigures {
	next := func() (row ledger.Account) {
		if len(rows) > 0 && rows[0].ID == ids[0] {
			row, rows = rows[0], rows[1:]
		}
		ids = ids[1:]
		return row
	}
	suspense := make(map[uint32]ledger.Account)
	for len(ids) > len(list)*accountsPerPeer {
		if row := next(); !row.ID.IsZero() {
			suspense[row.Ledger] = row
		}
	}
	for _, a := range list {
		figures = append(figures, peerFigures{
			peer: next(), line: next(), settlement: next(), arrears: next(), suspense: suspense[a.ledger],
		})
	}
	return figures
}

// figureIDs are the suspense accounts of the assets, and then the accounts of the first n
// peers of a list, as many as a request takes.
func (b *Book) figureIDs(list []PeerAccount) (n int, ids []ledger.ID) {
	ids = make([]ledger.ID, 0, accountsPerPeer*len(list)+1)
	suspense := make(map[uint32]bool)
	for _, a := range list {
		if !suspense[a.ledger] {
			suspense[a.ledger] = true
			ids = append(ids, b.assets[a.ledger].ids.Suspense)
		}
	}
	n = min(len(list), (ledger.BatchMax-len(ids))/accountsPerPeer)
	for _, a := range list[:n] {
		p := b.PeerIDs(a)
		ids = append(ids, p.Peer, p.Line, p.Settlement, p.Arrears)
	}
	return n, ids
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
	figures, err := b.lookUpFigures(ctx, accounts)
	if err != nil {
		return nil, err
	}
	balances := make([]Balance, len(accounts))
	for i, a := range accounts {
		if figures[i].incomplete() || a.IsOwn() {
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

// EnsureArrears makes sure that the ledger has the arrears accounts of peers, which a
// version before arrears did not provision. A transfer that debits an account which is not
// there burns its id, so whoever books on arrears calls it first. One request creates
// some 8,000 accounts; those that are there stay as they are.
//
// Errors: ErrUnknownAsset, *DriftError if the ledger has one with other fields, or that of a
// request.
func (b *Book) EnsureArrears(ctx context.Context, accounts ...PeerAccount) error {
	wants := make([]wanted, len(accounts))
	for i, a := range accounts {
		if err := b.checkPeer(a); err != nil {
			return err
		}
		all := b.peerAccounts(PeerConfig{ID: a.peer, Asset: b.assets[a.ledger].asset}, a)
		wants[i] = all[accountsPerPeer-1]
	}
	_, drifts, err := b.createAccounts(ctx, wants)
	if err == nil && len(drifts) > 0 {
		err = &DriftError{Drifts: drifts}
	}
	return err
}
