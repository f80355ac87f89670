package settlement

import (
	"errors"
	"fmt"
	"iter"

	"github.com/peerledger/peerledger/accounts"
)

// Rules say what holds for an account. The first of the levels that has an entry for
// it decides, in the order of the fields, as in accounts.Settings: an entry that is
// nil says that nothing holds there.
type Rules[T any] struct {
	PeerAsset map[accounts.PeerAsset]T // a peer in one asset
	Peer      map[string]T             // a peer, by its id, in each asset
	Asset     map[accounts.Asset]T     // each peer in an asset
	Default   T                        // everybody else
}

// Policies say when peers are paid. A nil Policy is one that never pays.
type Policies = Rules[Policy]

// Rails say who pays peers. A nil Rail is none: the peer is not settled with.
type Rails = Rules[*Rail]

// For is what holds for a peer in an asset.
func (r Rules[T]) For(peer string, asset accounts.Asset) T {
	if t, ok := r.PeerAsset[accounts.PeerAsset{Peer: peer, Asset: asset}]; ok {
		return t
	}
	if t, ok := r.Peer[peer]; ok {
		return t
	}
	if t, ok := r.Asset[asset]; ok {
		return t
	}
	return r.Default
}

// entries are all that there are, each with its name.
func (r Rules[T]) entries() iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for key, t := range r.PeerAsset {
			if !yield(fmt.Sprintf(".PeerAsset[%.40q in %v]", key.Peer, key.Asset), t) {
				return
			}
		}
		for peer, t := range r.Peer {
			if !yield(fmt.Sprintf(".Peer[%.40q]", peer), t) {
				return
			}
		}
		for asset, t := range r.Asset {
			if !yield(fmt.Sprintf(".Asset[%v]", asset), t) {
				return
			}
		}
		yield(".Default", r.Default)
	}
}

// check calls f for each entry and joins its errors, with the name of the entry in
// front.
func (r Rules[T]) check(field string, f func(T) error) error {
	var errs []error
	for where, t := range r.entries() {
		if err := f(t); err != nil {
			errs = append(errs, fmt.Errorf("settlement config: %s%s: %w", field, where, err))
		}
	}
	return errors.Join(errs...)
}

// checkRuleAssets refuses entries for assets that the book does not have: nobody would
// ever be found under them.
func (r Rules[T]) checkAssets(field string, book *accounts.Book) error {
	var errs []error
	check := func(asset accounts.Asset) {
		if known, ok := book.Asset(asset.Ledger); !ok || known != asset {
			errs = append(errs, fmt.Errorf("settlement config: %s names %v: %w", field, asset, accounts.ErrUnknownAsset))
		}
	}
	for key := range r.PeerAsset {
		check(key.Asset)
	}
	for asset := range r.Asset {
		check(asset)
	}
	return errors.Join(errs...)
}
