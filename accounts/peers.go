package accounts

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// PeerEntry is an entry of [Book.Peers].
type PeerEntry struct {
	// Account is the peer's handle; zero if the peer is not among the given names.
	Account PeerAccount
	ID      ledger.ID // of the peer account
	// Balance is the peer's balance. Its Account is zero if the peer is not among the given
	// names.
	Balance Balance
	// Incomplete is set if the line account or the settlement account is missing: provisioning
	// was interrupted, and [Book.Provision] completes it. The Balance is then empty.
	Incomplete bool
}

// Known reports whether the peer is among the given names.
func (l PeerEntry) Known() bool { return !l.Account.IsZero() }

// Peers lists all peers in an asset, in the order of their provisioning by any Book of the
// namespace. The ledger has only a hash of each peer's id. names are the ids known to the caller,
// in any order; a peer missing from names is listed without a handle. [Book.MissingPeers] returns
// the names without an account.
//
// Peers reads as the caller iterates: some 2,000 peers with two requests, and two more requests
// for each unknown peer. It keeps only the names in memory. Peers provisioned meanwhile may be
// listed or not. If an error ends it, the last pair has the error: [ErrUnknownAsset],
// [ErrInvalid] for an invalid id, or of a request.
func (b *Book) Peers(ctx context.Context, asset Asset, names ...string) iter.Seq2[PeerEntry, error] {
	return func(yield func(PeerEntry, error) bool) {
		byTag, err := b.handlesByTag(asset, names)
		if err != nil {
			yield(PeerEntry{}, err)
			return
		}
		count := 0
		for page, err := range b.peerPages(ctx, asset) {
			var entries []PeerEntry
			if err == nil {
				entries, err = b.readEntries(ctx, asset, page, byTag)
			}
			if err != nil {
				yield(PeerEntry{}, fmt.Errorf("list the peers in %v: %w", asset, err))
				return
			}
			count += len(page)
			b.reportProgress("list peers", count, 0)
			for _, l := range entries {
				if !yield(l, nil) {
					return
				}
			}
		}
	}
}

// MissingPeers returns the names without an account in the asset, in order. The errors are as
// for [Book.Peers].
func (b *Book) MissingPeers(ctx context.Context, asset Asset, names ...string) ([]string, error) {
	var missing []string
	for chunk := range slices.Chunk(names, peersPerRequest) {
		byTag, err := b.handlesByTag(asset, chunk)
		if err != nil {
			return nil, err
		}
		ids := make([]ledger.ID, 0, len(byTag))
		for _, a := range byTag {
			ids = append(ids, a.id)
		}
		found, err := b.lookupIDs(ctx, ids, 1)
		if err != nil {
			return nil, fmt.Errorf("look peers up in %v: %w", asset, err)
		}
		for _, name := range chunk {
			if _, exists := found[byTag[b.namespace.PeerTag(name)].id]; !exists {
				missing = append(missing, name)
			}
		}
	}
	return missing, nil
}

// handlesByTag returns the handles of names, by the hash of the name in user_data_128 of the
// accounts.
func (b *Book) handlesByTag(asset Asset, names []string) (map[uint128.Uint128]PeerAccount, error) {
	if _, err := b.OwnAccount(asset); err != nil {
		return nil, err
	}
	byTag := make(map[uint128.Uint128]PeerAccount, len(names))
	for _, name := range names {
		a, err := b.PeerAccount(name, asset)
		if err != nil {
			return nil, err
		}
		byTag[b.namespace.PeerTag(name)] = a
	}
	return byTag, nil
}

// peerPages reads the peer accounts of an asset, in the order of their creation.
func (b *Book) peerPages(ctx context.Context, asset Asset) iter.Seq2[[]ledger.Account, error] {
	return func(yield func([]ledger.Account, error) bool) {
		filter := ledger.QueryFilter{
			UserData64: b.assets[asset.Ledger].tag, Ledger: asset.Ledger, Code: chart.CodePeer, Limit: peersPerRequest,
		}
		for {
			page, err := b.ledger.QueryAccounts(ctx, filter)
			if err != nil || len(page) == 0 {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			if !yield(page, nil) || len(page) < peersPerRequest {
				return
			}
			filter.TimestampMin = page[len(page)-1].Timestamp + 1
		}
	}
}

// readEntries reads the balances of a page of peer accounts.
func (b *Book) readEntries(
	ctx context.Context, asset Asset, page []ledger.Account, byTag map[uint128.Uint128]PeerAccount,
) ([]PeerEntry, error) {
	entries := make([]PeerEntry, len(page))
	var known []PeerAccount
	for i := range page {
		a := byTag[page[i].UserData128]
		if a.id != page[i].ID { // a foreign program has copied the tag of the name
			a = PeerAccount{}
		}
		entries[i] = PeerEntry{Account: a, ID: page[i].ID}
		if !a.IsZero() {
			known = append(known, a)
		}
	}
	found := make([]peerRecords, len(known))
	err := b.readRecords(ctx, known, func(i int, r peerRecords) error {
		found[i] = r
		return nil
	})
	if err != nil {
		return nil, err
	}
	var complete []*Balance
	for i := range entries {
		l := &entries[i]
		var f peerRecords
		if l.Known() {
			f, found = found[0], found[1:]
		} else if f, err = b.lookUpUnknownPeer(ctx, &page[i]); err != nil {
			return nil, err
		}
		if l.Incomplete = f.isIncomplete(); !l.Incomplete {
			l.Balance = newBalance(l.Account, asset, &f)
			b.estimatePrepaid(&l.Balance)
			complete = append(complete, &l.Balance)
		}
	}
	return entries, b.readTotals(ctx, complete)
}

// lookUpUnknownPeer reads the accounts of a peer that is not among the names. The accounts share
// the hash of the name: a query finds their ids, and one look-up reads them together with
// suspense, so that all are of one moment.
func (b *Book) lookUpUnknownPeer(ctx context.Context, peer *ledger.Account) (f peerRecords, err error) {
	rows, err := b.ledger.QueryAccounts(ctx, ledger.QueryFilter{
		UserData128: peer.UserData128, UserData64: peer.UserData64, Ledger: peer.Ledger, Limit: ledger.QueryMax,
	})
	if err != nil {
		return f, err
	}
	ids := []ledger.ID{peer.ID, b.assets[peer.Ledger].ids.Suspense}
	for _, row := range rows {
		if row.Code != chart.CodePeer {
			ids = append(ids, row.ID)
		}
	}
	if rows, err = b.ledger.LookupAccounts(ctx, ids); err != nil {
		return f, err
	}
	var missing ledger.Account
	f = peerRecords{&missing, &missing, &missing, &missing, &missing}
	for i := range rows {
		switch row := &rows[i]; row.Code {
		case chart.CodePeer:
			f.peer = row
		case chart.CodeLine:
			f.line = row
		case chart.CodeSettlement:
			f.settlement = row
		case chart.CodeArrears:
			f.arrears = row
		case chart.CodeSuspense:
			f.suspense = row
		}
	}
	return f, nil
}
