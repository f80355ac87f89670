package accounts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// HoldOrder is the order of a list of open holds.
type HoldOrder string

// The orders of open holds.
const (
	HoldsByAge    HoldOrder = "age"    // the oldest first
	HoldsByExpiry HoldOrder = "expiry" // the nearest expiry first; holds without expiry come last
	HoldsByAmount HoldOrder = "amount" // by asset, and in an asset the largest sum of In and Out first
)

// The limits of [HoldQuery.Limit].
const (
	DefaultHoldLimit = 1000
	MaxHoldLimit     = 100_000
)

// HoldQuery selects a page of open holds for [Book.OpenHolds].
type HoldQuery struct {
	Order HoldOrder // default [HoldsByAge]
	Limit int       // the most holds returned, 1 to [MaxHoldLimit]; default [DefaultHoldLimit]
	// After is the last hold of the previous page, in the same order: only holds behind it are
	// returned, also if it is resolved by now. Default nil: from the first hold on.
	After *OpenHold
}

// OpenHold is what holds an amount of a peer: a prepared packet, or a reservation of a recorder in
// rounds. A packet between two peers is an OpenHold of each of them, with the same Packet.
type OpenHold struct {
	Account PeerAccount
	Asset   Asset
	// Hold is the hold of the packet. For a reservation, Packet and ConditionTag are zero, In is the
	// reserved amount, and Out is 0.
	Hold
	Reservation ledger.ID // the reservation's transfer; zero for a packet
	Journal     uint64    // the number of the journal of the reservation's recorder; 0 for a packet
}

// HoldTotal sums up all open holds of a peer. Amounts are in units.
type HoldTotal struct {
	Account      PeerAccount
	Asset        Asset
	Packets      int           // prepared packets
	Reservations int           // of recorders in rounds
	In           ledger.Amount // held from the peer
	Out          ledger.Amount // held for the peer
	Oldest       time.Time     // since when the oldest hold is open, by the ledger's clock
	// NearestExpiry is the first expiry, by the ledger's clock; zero if none of the holds expires.
	NearestExpiry time.Time
}

// OpenHolds is a page of open holds.
type OpenHolds struct {
	Holds []OpenHold // in the order of the query
	// Totals has each peer that holds something, in the order of the arguments. It counts all
	// holds, whatever Limit and After leave out of Holds.
	Totals []HoldTotal
	More   bool // further holds follow: repeat the query with After, the last of Holds
}

// OpenHolds lists what packets and reservations hold of peers, without settlement orders, and sums
// it up for each peer. A repeated account counts once.
//
// The holds of one peer are of one moment, those of two peers may be of two. One look-up of the
// balances finds the peers that hold something, some 2,000 in a request; the rows of each of them
// are read as [Book.Holds] does. So the work grows with what was booked since the oldest hold of
// each such peer, not with Limit: bound it with the context. Memory holds a page, and the open
// rows of one peer.
//
// The errors match [ErrInvalid] (the query), [ErrUnknownAsset] or [ErrNotProvisioned], or are of a request.
func (b *Book) OpenHolds(ctx context.Context, query HoldQuery, accounts ...PeerAccount) (OpenHolds, error) {
	page, err := newHoldPage(query)
	if err != nil {
		return OpenHolds{}, err
	}
	balances, err := b.LookUpBalances(ctx, uniqueAccounts(accounts)...)
	if err != nil {
		return OpenHolds{}, fmt.Errorf("open holds: %w", err)
	}
	var totals []HoldTotal
	for i := range balances {
		if balances[i].HeldIn.IsZero() && balances[i].HeldOut.IsZero() {
			continue
		}
		holds, err := b.listOpenHolds(ctx, balances[i].Account, balances[i].Asset)
		if err != nil {
			return OpenHolds{}, err
		}
		if len(holds) > 0 {
			totals = append(totals, sumHolds(holds))
			page.add(holds)
		}
	}
	holds, more := page.cut()
	return OpenHolds{Holds: holds, Totals: totals, More: more}, nil
}

// uniqueAccounts returns the accounts without repeated ones.
func uniqueAccounts(list []PeerAccount) (unique []PeerAccount) {
	seen := make(map[PeerAccount]struct{}, len(list))
	for _, a := range list {
		if _, repeated := seen[a]; !repeated {
			seen[a] = struct{}{}
			unique = append(unique, a)
		}
	}
	return unique
}

// listOpenHolds returns all open holds of a peer.
func (b *Book) listOpenHolds(ctx context.Context, account PeerAccount, asset Asset) ([]OpenHold, error) {
	open, err := b.openRows(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("open holds of %v: %w", account, err)
	}
	var list []OpenHold
	for _, h := range groupByPacket(open, account.id) {
		list = append(list, OpenHold{Account: account, Asset: asset, Hold: h})
	}
	for _, r := range listReservations(open, account.id) {
		list = append(list, OpenHold{
			Account: account, Asset: asset, Hold: Hold{In: r.Amount, Since: r.Since, Expiry: r.Expiry},
			Reservation: r.ID, Journal: r.Journal,
		})
	}
	return list, nil
}

// sumHolds sums up the holds of one peer, of which there is at least one.
func sumHolds(holds []OpenHold) HoldTotal {
	total := HoldTotal{Account: holds[0].Account, Asset: holds[0].Asset, Oldest: holds[0].Since}
	for i := range holds {
		h := &holds[i]
		if h.Reservation.IsZero() {
			total.Packets++
		} else {
			total.Reservations++
		}
		total.In, _ = total.In.Add(h.In) // the ledger keeps these sums too, so they fit
		total.Out, _ = total.Out.Add(h.Out)
		if h.Since.Before(total.Oldest) {
			total.Oldest = h.Since
		}
		if !h.Expiry.IsZero() && (total.NearestExpiry.IsZero() || h.Expiry.Before(total.NearestExpiry)) {
			total.NearestExpiry = h.Expiry
		}
	}
	return total
}

// holdPage collects the first holds of a query, and one more to know whether further holds follow.
type holdPage struct {
	compare func(a, b *OpenHold) int
	after   *OpenHold
	limit   int
	holds   []OpenHold
}

func newHoldPage(query HoldQuery) (*holdPage, error) {
	const subject = "hold query"
	p := holdPage{after: query.After, limit: cmp.Or(query.Limit, DefaultHoldLimit)}
	if p.limit < 1 || p.limit > MaxHoldLimit {
		return nil, &FieldError{Subject: subject, Field: "Limit", Reason: fmt.Sprintf("must be 1 to %d", MaxHoldLimit)}
	}
	var key func(a, b *OpenHold) int
	switch cmp.Or(query.Order, HoldsByAge) {
	case HoldsByAge:
		key = func(a, b *OpenHold) int { return a.Since.Compare(b.Since) }
	case HoldsByExpiry:
		key = compareExpiry
	case HoldsByAmount:
		key = compareAmount
	default:
		return nil, &FieldError{Subject: subject, Field: "Order", Reason: fmt.Sprintf("must be %q, %q or %q", HoldsByAge, HoldsByExpiry, HoldsByAmount)}
	}
	// A page begins behind the last hold of the previous page, so no two holds may be equal.
	p.compare = func(a, b *OpenHold) int {
		return cmp.Or(key(a, b), a.Since.Compare(b.Since), a.Account.id.Compare(b.Account.id), a.Packet.Compare(b.Packet), a.Reservation.Compare(b.Reservation))
	}
	return &p, nil
}

func compareExpiry(a, b *OpenHold) int {
	switch {
	case a.Expiry.IsZero() == b.Expiry.IsZero():
		return a.Expiry.Compare(b.Expiry)
	case a.Expiry.IsZero():
		return 1
	default:
		return -1
	}
}

func compareAmount(a, b *OpenHold) int {
	sum := func(h *OpenHold) ledger.Amount {
		total, _ := h.In.Add(h.Out) // both are parts of the pending amounts of one account
		return total
	}
	return cmp.Or(cmp.Compare(a.Asset.Ledger, b.Asset.Ledger), sum(b).Compare(sum(a)))
}

// add adds the holds of a peer that belong to the page.
func (p *holdPage) add(holds []OpenHold) {
	for i := range holds {
		if p.after == nil || p.compare(&holds[i], p.after) > 0 {
			p.holds = append(p.holds, holds[i])
		}
		if len(p.holds) > 2*p.limit+1 {
			p.shrink()
		}
	}
}

// shrink sorts the page, and drops what no page of the limit has.
func (p *holdPage) shrink() {
	slices.SortFunc(p.holds, func(a, b OpenHold) int { return p.compare(&a, &b) })
	p.holds = p.holds[:min(len(p.holds), p.limit+1)]
}

// cut returns the page, and whether further holds follow.
func (p *holdPage) cut() (holds []OpenHold, more bool) {
	p.shrink()
	n := min(len(p.holds), p.limit)
	return p.holds[:n:n], len(p.holds) > n
}
