package settlement

import (
	"errors"
	"fmt"
	"iter"

	"github.com/peerledger/peerledger/accounts"
)

// Policies hold the [Policy] of each account. A nil Policy never pays.
type Policies = accounts.Rules[Policy]

// Rails hold the [Rail] of each account. A peer with a nil Rail is not settled with.
type Rails = accounts.Rules[*Rail]

// ruleEntries yields all entries, each with the name of its field and key.
func ruleEntries[T any](r accounts.Rules[T]) iter.Seq2[string, T] {
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

// checkRules calls f for each entry and joins the errors, with the name of the entry in front.
func checkRules[T any](r accounts.Rules[T], field string, f func(T) error) error {
	var errs []error
	for where, t := range ruleEntries(r) {
		if err := f(t); err != nil {
			errs = append(errs, fmt.Errorf("settlement config: %s%s: %w", field, where, err))
		}
	}
	return errors.Join(errs...)
}

// checkAssetsOf refuses entries for assets that the book does not have: no account would ever match
// such an entry.
func checkAssetsOf[T any](r accounts.Rules[T], field string, book *accounts.Book) error {
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
