// Package lookup finds what a text names in the ledger, as operators type it: an id, a condition or a key.
package lookup

import (
	"context"
	"encoding/hex"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Parse returns the query for a text. 32 hexadecimal digits are an id, 16 or 64 a condition. All other texts are keys,
// and so is every text with isKey. The error matches [accounts.ErrInvalid].
func Parse(text string, isKey bool) (query accounts.FindQuery, err error) {
	const subject = "thing"
	if err := accounts.CheckKey(subject, subject, text); err != nil {
		return query, err
	}
	bytes, err := hex.DecodeString(text)
	switch {
	case isKey || err != nil:
		query.Key = text
	case len(bytes) == 16:
		query.ID = ledger.IDFromBytes([16]byte(bytes))
	case len(bytes) == 8 || len(bytes) == 32:
		query.ConditionTag = [8]byte(bytes)
	default:
		query.Key = text
	}
	if query.ID.IsZero() && query.Key == "" && query.ConditionTag == [8]byte{} {
		return query, &accounts.FieldError{Subject: subject, Field: subject, Reason: "must not be zeros, which cannot be found"}
	}
	return query, nil
}

// Find calls [accounts.Book.Find]. A key is searched among the keys of peers. If the ledger has no such id or condition,
// Find searches the text as a key too, which may look like an id. Without peers no key is found.
func Find(ctx context.Context, book *accounts.Book, text string, query accounts.FindQuery, peers []accounts.PeerAccount) (accounts.FindResult, error) {
	if query.Key == "" {
		result, err := book.Find(ctx, query)
		if err != nil || len(result.Found) > 0 || !result.Next.IsZero() || !query.After.IsZero() {
			return result, err
		}
	}
	if len(peers) == 0 {
		return accounts.FindResult{}, nil
	}
	return book.Find(ctx, accounts.FindQuery{Key: text, Peers: peers, After: query.After, Limit: query.Limit, Now: query.Now})
}
