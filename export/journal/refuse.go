package journal

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// UnsupportedError is returned by Begin for an asset that the format cannot carry. It matches [export.ErrFormat], and
// nothing was written.
// Export the asset in another format, or leave it out.
type UnsupportedError struct {
	Format string // the format's name
	Asset  accounts.Asset
	Reason string // completes "asset USD/9 ..."
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("format %s: asset %v (ledger %d) %s", e.Format, e.Asset, e.Asset.Ledger, e.Reason)
}

// Unwrap returns [export.ErrFormat].
func (e *UnsupportedError) Unwrap() error { return export.ErrFormat }

// naming is how a program names things, and what it takes.
type naming struct {
	format    string
	peer      func(id string) string
	hash      func(ledger.ID) string
	commodity func(code string, scale uint8) string
	maxScale  uint8
	// longest returns the longest name of a commodity made from an asset's, for at most maxLength characters; nil if
	// the program takes any length.
	longest   func(commodity string, scale uint8) string
	maxLength int
}

// commodities returns the commodity of each asset by its ledger number. The error is an
// [UnsupportedError].
func (n naming) commodities(assets []export.Asset) (map[uint32]string, error) {
	names, owners := make(map[uint32]string, len(assets)), map[string]uint32{}
	for _, a := range assets {
		name := n.commodity(a.Code, a.Scale)
		other, taken := owners[name]
		reason := ""
		switch {
		case a.Scale > n.maxScale:
			reason = fmt.Sprintf("has a scale above %d", n.maxScale)
		case n.longest != nil && len(n.longest(name, a.Scale)) > n.maxLength:
			reason = fmt.Sprintf("would need the commodity %s: the program takes at most %d characters", n.longest(name, a.Scale), n.maxLength)
		case taken:
			reason = fmt.Sprintf("would be the commodity %s, as the asset of ledger %d: export one of the two at a time", name, other)
		}
		if reason != "" {
			return nil, &UnsupportedError{Format: n.format, Asset: a.Asset, Reason: reason}
		}
		names[a.Ledger], owners[name] = name, a.Ledger
	}
	return names, nil
}
