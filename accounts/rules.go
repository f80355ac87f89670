package accounts

import (
	"iter"
	"maps"
)

// Rules are values of T by level, from the narrowest level to the widest: a peer in one asset,
// a peer, an asset, and the default.
//
// [Rules.For] takes the value of the first level with an entry. [Config.Limits] is resolved
// field by field instead.
type Rules[T any] struct {
	PeerAsset map[PeerAsset]T // of a peer in one asset
	Peer      map[string]T    // of a peer, by its id, in every asset
	Asset     map[Asset]T     // of every peer in an asset
	Default   T               // of every peer in every asset
}

// PeerAsset is a peer in one asset.
type PeerAsset struct {
	Peer  string
	Asset Asset
}

// For returns the value of the first level with an entry for the peer in the asset, in the
// order of the fields. A zero value counts as an entry.
func (r Rules[T]) For(peer string, asset Asset) T {
	if t, ok := r.PeerAsset[PeerAsset{Peer: peer, Asset: asset}]; ok {
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

// containsFunc reports whether a value of any level matches.
func (r Rules[T]) containsFunc(match func(T) bool) bool {
	anyOf := func(values iter.Seq[T]) bool {
		for t := range values {
			if match(t) {
				return true
			}
		}
		return false
	}
	return match(r.Default) || anyOf(maps.Values(r.Asset)) || anyOf(maps.Values(r.Peer)) || anyOf(maps.Values(r.PeerAsset))
}
