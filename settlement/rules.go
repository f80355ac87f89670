package settlement

import (
	"errors"
	"fmt"
	"iter"

	"github.com/peerledger/peerledger/accounts"
)

// Rules hold values for accounts at four levels. The first level with an entry for an account decides,
// in the order of the fields, also if the entry is nil.
type Rules[T any] struct {
	PeerAsset map[accounts.PeerAsset]T // a peer in one asset
	Peer      map[string]T             // a peer, by its id, in each asset
	Asset     map[accounts.Asset]T     // each peer in an asset
	Default   T                        // every account without an entry
}

// Policies hold the [Policy] of each account. A nil Policy never pays.
type Policies = Rules[Policy]

// Rails hold the [Rail] of each account. A peer with a nil Rail is not settled with.
type Rails = Rules[*Rail]

// For returns the value for a peer in an asset.
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

// namedEntries yields all entries, each with the name of its field and key.
func (r Rules[T]) namedEntries() iter.Seq2[string, T] {
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

// checkEntries calls f for each entry and joins the errors, with the name of the entry in front.
func (r Rules[T]) checkEntries(field string, f func(T) error) error {
	var errs []error
	for where, t := range r.namedEntries() {
		if err := f(t); err != nil {
			errs = append(errs, fmt.Errorf("settlement config: %s%s: %w", field, where, err))
		}
	}
	return errors.Join(errs...)
}

// checkAssets refuses entries for assets that the book does not have: no account would ever match
// such an entry.
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
