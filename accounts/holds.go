package accounts

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// Hold is what the ledger holds for a packet between us and a peer that was prepared, and
// neither fulfilled nor rejected.
type Hold struct {
	Packet       ledger.ID
	ConditionTag [8]byte       // the first 8 bytes of the packet's execution condition
	In           ledger.Amount // units held of what the peer has sent
	Out          ledger.Amount // units held for the peer
	Since        time.Time     // the ledger's
	// Expiry is when the ledger gives it back, by its own clock; zero if it never does (a
	// ledger that was moved there while the packet was held).
	Expiry time.Time
}

// Holds are the packets to and from a peer that the ledger holds, those that expire first
// before the others. Settlement orders are none.
//
// It is what was held at one moment, by the newest row of the peer's account, however long
// reading takes and whoever writes meanwhile; what has expired since is left out if nobody
// has written. Rows are read from the newest on, a page at a time, until all that the account
// has pending is found; without a history of the account (Config.NoHistory) to the first one.
//
// The error is ErrUnknownAsset, ErrNotProvisioned, or that of a request.
func (b *Book) Holds(ctx context.Context, account PeerAccount) ([]Hold, error) {
	if err := b.checkPeer(account); err != nil {
		return nil, err
	}
	r := holdReader{book: b, accountID: account.id, resolved: make(map[ledger.ID]struct{}), pageSize: ledger.QueryMax}
	err := r.fixMoment(ctx)
	if err == nil {
		err = r.readPages(ctx)
	}
	if err == nil {
		err = r.forgetExpired(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("holds of %v: %w", account, err)
	}
	return r.groupByPacket(), nil
}

// holdReader reads the rows of an account, the newest first, so that it meets what resolves a
// hold before the hold.
type holdReader struct {
	book      *Book
	accountID ledger.ID
	pageSize  int    // rows in a page
	moment    uint64 // the moment that it reads for

	hasHistory      bool
	debits, credits ledger.Amount // pending at the moment, if there is a history

	open                      []ledger.Transfer // pending rows that are not resolved, and had not expired
	foundDebits, foundCredits ledger.Amount     // of open
	resolved                  map[ledger.ID]struct{}
}

// fixMoment fixes the moment, and reads what was pending then.
func (r *holdReader) fixMoment(ctx context.Context) error {
	byID, err := r.book.lookupIDs(ctx, []ledger.ID{r.accountID}, 1)
	if err != nil {
		return err
	}
	account, found := byID[r.accountID]
	if !found {
		return ErrNotProvisioned
	}
	if r.hasHistory = account.Flags.Has(ledger.AccountHistory); !r.hasHistory {
		r.moment, err = r.newestRow(ctx)
		return err
	}
	balance, err := r.book.balanceAt(ctx, r.accountID, ledger.TimestampMax)
	r.moment, r.debits, r.credits = balance.Timestamp, balance.DebitsPending, balance.CreditsPending
	return err
}

// newestRow is the moment of the account's newest row, 0 if it has none.
func (r *holdReader) newestRow(ctx context.Context) (uint64, error) {
	row, _, err := sequence.Newest(ctx, r.book.ledger, filterOf(r.accountID, 1, ledger.TimestampMax, 1))
	return row.Timestamp, err
}

// foundAll reports whether all that was pending is found. What has expired and is still
// pending, since the ledger has not come to it, is never found: then all rows are read.
func (r *holdReader) foundAll() bool {
	return r.hasHistory && r.foundDebits == r.debits && r.foundCredits == r.credits
}

func (r *holdReader) readPages(ctx context.Context) error {
	for last := r.moment; last > 0 && !r.foundAll(); {
		page, err := batch.Page(&r.pageSize, func() ([]ledger.Transfer, error) {
			filter := filterOf(r.accountID, 1, last, r.pageSize)
			filter.Flags |= ledger.AccountFilterReversed
			return r.book.ledger.GetAccountTransfers(ctx, filter)
		})
		if err != nil {
			return err
		}
		for i := range page {
			r.addRow(&page[i])
		}
		if len(page) < r.pageSize {
			return nil
		}
		last = page[len(page)-1].Timestamp - 1
	}
	return nil
}

func (r *holdReader) addRow(row *ledger.Transfer) {
	if !row.PendingID.IsZero() {
		r.resolved[row.PendingID] = struct{}{}
		return
	}
	if !row.Flags.Has(ledger.TransferPending) {
		return
	}
	_, resolved := r.resolved[row.ID]
	delete(r.resolved, row.ID)
	if ends := expiryOf(row); resolved || ends != 0 && ends <= r.moment {
		return
	}
	r.open = append(r.open, *row)
	r.changeFound(row, func(total *ledger.Amount) { *total, _ = total.Add(row.Amount) }) // sums that the ledger keeps too
}

func (r *holdReader) changeFound(row *ledger.Transfer, change func(total *ledger.Amount)) {
	if row.DebitAccountID == r.accountID {
		change(&r.foundDebits)
	} else {
		change(&r.foundCredits)
	}
}

// forgetExpired leaves out what has expired since the moment. If nobody has written on the
// account, only that makes less pending, and what expires first goes first.
func (r *holdReader) forgetExpired(ctx context.Context) error {
	slices.SortFunc(r.open, func(a, b ledger.Transfer) int {
		return cmp.Or(cmp.Compare(expiryOf(&a)-1, expiryOf(&b)-1), cmp.Compare(a.Timestamp, b.Timestamp)) // what never ends is last
	})
	if len(r.open) == 0 {
		return nil
	}
	byID, err := r.book.lookupIDs(ctx, []ledger.ID{r.accountID}, 1)
	if err != nil {
		return err
	}
	newest, err := r.newestRow(ctx)
	if err != nil || newest != r.moment {
		return err
	}
	account := byID[r.accountID]
	for len(r.open) > 0 && expiryOf(&r.open[0]) != 0 && (account.DebitsPending.Less(r.foundDebits) || account.CreditsPending.Less(r.foundCredits)) {
		row := &r.open[0]
		r.changeFound(row, func(total *ledger.Amount) { *total = total.SubFloor(row.Amount) })
		r.open = r.open[1:]
	}
	return nil
}

// groupByPacket are the packets of the open rows: all legs of one together.
func (r *holdReader) groupByPacket() []Hold {
	var holds []Hold
	indexByPacket := make(map[ledger.ID]int) // of the packet in holds
	for i := range r.open {
		row := &r.open[i]
		if row.Code < chart.CodePacket || row.Code > chart.CodeDustLeg {
			continue
		}
		packet := ledger.ID(row.UserData128)
		n, exists := indexByPacket[packet]
		if !exists {
			n = len(holds)
			indexByPacket[packet] = n
			h := Hold{Packet: packet, Since: timeOf(row.Timestamp)}
			binary.BigEndian.PutUint64(h.ConditionTag[:], row.UserData64)
			if ends := expiryOf(row); ends != 0 {
				h.Expiry = timeOf(ends)
			}
			holds = append(holds, h)
		}
		side := &holds[n].Out
		if row.DebitAccountID == r.accountID {
			side = &holds[n].In
		}
		*side, _ = side.Add(row.Amount)
	}
	return holds
}
