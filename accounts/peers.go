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

// PeerEntry is a peer as the Directory finds it.
type PeerEntry struct {
	// Account is the peer's handle; the zero Account if the peer is nobody's that the
	// caller knows.
	Account PeerAccount
	ID      ledger.ID // of the peer's account
	// Balance is what stands between us and the peer. Its Account is the zero one too if
	// the peer is nobody's.
	Balance Balance
	// Incomplete says that the line account or the settlement account is missing: the
	// provisioning was cut short. Provision completes it. The Balance is empty.
	Incomplete bool
}

// Known reports whether the caller knows the peer.
func (l PeerEntry) Known() bool { return !l.Account.IsZero() }

// Peers lists all peers that the ledger has in an asset, in the order in which they
// were provisioned, whoever did that; those of other namespaces are not ours. The ledger
// knows no names, only a hash of each: names are the peers' ids that the caller knows, in
// any order, and accounts that none of them claims are listed without one. Missing tells
// which names have no account.
//
// It reads as it goes, some 2,000 peers at a time, in two requests, and two more for each
// account that nobody claims; beside that it keeps the names. What is provisioned
// meanwhile may be listed or not. The last pair has the error, if something goes wrong:
// ErrUnknownAsset, ErrInvalid that names a bad ID, or that of a request.
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

// MissingPeers are the names of which the ledger has no account in the asset, in order. The
// errors are those of Directory.
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

// handlesByTag are those of names, by what their accounts carry of them.
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

// peerPages are the peer accounts of an asset, in the order of their creation.
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
		if a.id != page[i].ID { // the name is another's, whose tag somebody has copied
			a = PeerAccount{}
		}
		entries[i] = PeerEntry{Account: a, ID: page[i].ID}
		if !a.IsZero() {
			known = append(known, a)
		}
	}
	found, err := b.lookUpRecords(ctx, known)
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
			l.Balance.setPrepaid(b.prepaymentMemory.Estimate(l.ID, &l.Balance.totals))
			complete = append(complete, &l.Balance)
		}
	}
	return entries, b.readTotals(ctx, complete)
}

// lookUpUnknownPeer are the accounts of a peer whose name nobody knows: they carry the same
// hash of it. A query tells which they are, and a look-up reads them with suspense, so that
// all are of one moment.
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
	for _, row := range rows {
		switch row.Code {
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
