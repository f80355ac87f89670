package accounts

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// The limits of [FindQuery.Limit].
const (
	DefaultFindLimit = 1000
	MaxFindLimit     = ledger.QueryMax
)

// FindQuery names what [Book.Find] looks for: exactly one of ID, ConditionTag and Key.
type FindQuery struct {
	// ID is the id of a packet, of a settlement order, of any transfer, or a [Entry.KeyHash].
	ID ledger.ID
	// ConditionTag is the first 8 bytes of an execution condition, as in [Entry.ConditionTag].
	ConditionTag [8]byte
	// Key is the key of a payment, of a returned payment, of an adjustment or of a write-off of one
	// of the Peers.
	Key string
	// Peers are the peers to name in the result. With Key, they are the peers searched.
	Peers []PeerAccount
	// After limits the search for a ConditionTag or a KeyHash to rows after a moment, by the
	// ledger's clock: give the Next of the earlier page to go on. Default: from the first row on.
	After time.Time
	// Limit is the most rows that one request for a ConditionTag or a KeyHash reads, 1 to
	// [MaxFindLimit]. Default [DefaultFindLimit].
	Limit int
	// Now decides whether an unresolved hold has expired: give the ledger's time if it differs from
	// this machine's. Default: time.Now().
	Now time.Time
}

// FindResult is a page of what [Book.Find] found.
type FindResult struct {
	Found []Found // the oldest first; empty if the ledger has no such thing
	// Next is the After of the next page; zero if there is none. A packet is found once, with all its
	// rows, on the page of its first row. So a page can be empty although others follow.
	Next time.Time
}

// Find looks up what an id, a condition or a key means in the ledger: what it is, of which peers, since when,
// and what became of it.
//
// An id takes two to four requests. A condition takes one, and if there are more rows than Limit one for
// each packet of the page. A key takes one request for each hundred Peers, and
// one for each booking. One more request is for accounts that are not of Peers. The rows are of the moments of
// their requests. Packets that a recorder in rounds (package transfers/aggregate) decided are in its journal,
// and not in the ledger: only their rounds are found here.
//
// The errors match [ErrInvalid] (the query) or [ErrUnknownAsset] (Peers), or are of a request.
func (b *Book) Find(ctx context.Context, query FindQuery) (FindResult, error) {
	f, err := b.newFinder(query)
	if err != nil {
		return FindResult{}, err
	}
	switch {
	case !query.ID.IsZero():
		err = f.findID(ctx, query.ID)
	case query.Key != "":
		err = f.findKey(ctx, query.Key)
	default:
		err = f.findCondition(ctx, query.ConditionTag)
	}
	if err == nil {
		err = f.nameAccounts(ctx)
	}
	if err != nil {
		return FindResult{}, fmt.Errorf("find: %w", err)
	}
	return f.makeResult(), nil
}

// finder collects the rows of things, each row once.
type finder struct {
	book  *Book
	query FindQuery
	limit int
	rows  map[ledger.ID]ledger.Transfer
	next  time.Time

	// partial has the pending rows of which a page of rows may lack the post or void.
	partial  map[ledger.ID]struct{}
	accounts map[ledger.ID]FoundAccount
}

func (b *Book) newFinder(query FindQuery) (*finder, error) {
	const subject = "find query"
	named := countTrue(!query.ID.IsZero(), query.ConditionTag != [8]byte{}, query.Key != "")
	switch {
	case named != 1:
		return nil, &FieldError{Subject: subject, Field: "ID", Reason: "exactly one of ID, ConditionTag and Key must be set; a ConditionTag of zeros cannot be searched"}
	case query.Limit < 0 || query.Limit > MaxFindLimit:
		return nil, &FieldError{Subject: subject, Field: "Limit", Reason: fmt.Sprintf("must be 1 to %d", MaxFindLimit)}
	case query.Key != "" && len(query.Peers) == 0:
		return nil, &FieldError{Subject: subject, Field: "Peers", Reason: "must name the peers whose keys are searched"}
	}
	for _, peer := range query.Peers {
		if err := b.checkPeer(peer); err != nil {
			return nil, err
		}
	}
	if query.Limit == 0 {
		query.Limit = DefaultFindLimit
	}
	if query.Now.IsZero() {
		query.Now = time.Now()
	}
	return &finder{
		book: b, query: query, limit: query.Limit,
		rows: map[ledger.ID]ledger.Transfer{}, partial: map[ledger.ID]struct{}{}, accounts: map[ledger.ID]FoundAccount{},
	}, nil
}

func countTrue(list ...bool) (n int) {
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}

func (f *finder) addRows(rows []ledger.Transfer) {
	for i := range rows {
		f.rows[rows[i].ID] = rows[i]
	}
}
