package accounts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/peerledger/peerledger/ledger"
)

// newIDFault returns why an id is refused for a new peer; "" if it is accepted. The ledger knows
// a peer by a hash of its id's bytes. So "é" in one code point and "é" in two (a letter and an
// accent) would be two peers that people cannot tell apart, and so would "bob" and "bob ". Ids
// are not normalized on the way in: existing ledgers may have any.
func newIDFault(id string) string {
	switch {
	case !norm.NFC.IsNormalString(id):
		return fmt.Sprintf("must be in Unicode's normal form C, which is %+q, for a new peer", norm.NFC.String(id))
	case strings.TrimSpace(id) != id:
		return "must not begin or end with white space for a new peer"
	default:
		return ""
	}
}

// checkNewIDs refuses new peers with an id that could be mistaken for a different id. The error
// is a *[FieldError], or of a request.
func (b *Book) checkNewIDs(ctx context.Context, peers []PeerConfig, handles []PeerAccount) error {
	faults := make(map[ledger.ID]int)
	var ids []ledger.ID
	for i := range peers {
		if newIDFault(peers[i].ID) != "" {
			faults[handles[i].id] = i
			ids = append(ids, handles[i].id)
		}
	}
	found, err := b.lookupIDs(ctx, ids, 1)
	if err != nil {
		return fmt.Errorf("look up which peers are new: %w", err)
	}
	for _, id := range ids {
		if _, exists := found[id]; !exists {
			p := peers[faults[id]]
			return &FieldError{Subject: fmt.Sprintf("peer %+.40q in %v", p.ID, p.Asset), Field: "ID", Reason: newIDFault(p.ID)}
		}
	}
	return nil
}

// Lookalikes returns the groups of ids that differ only by case, by Unicode's normal form, or by
// white space at either end. To the ledger each id is a separate peer, usually by mistake. The
// groups, and the ids of a group, are in order.
func Lookalikes(ids ...string) [][]string {
	byLook := make(map[string][]string)
	for _, id := range ids {
		look := foldedID(id)
		if !slices.Contains(byLook[look], id) {
			byLook[look] = append(byLook[look], id)
		}
	}
	var groups [][]string
	for _, group := range byLook {
		if len(group) > 1 {
			slices.Sort(group)
			groups = append(groups, group)
		}
	}
	slices.SortFunc(groups, slices.Compare)
	return groups
}

// foldedID returns a text that is equal for ids that look alike.
func foldedID(id string) string {
	return strings.Map(func(r rune) rune {
		least := r // least of the upper and lower case forms of r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, norm.NFC.String(strings.TrimSpace(id)))
}
