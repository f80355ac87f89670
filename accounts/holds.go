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

// Hold is the hold of a prepared packet between us and a peer, neither fulfilled nor rejected so
// far.
type Hold struct {
	Packet       ledger.ID
	ConditionTag [8]byte       // the first 8 bytes of the packet's execution condition
	In           ledger.Amount // units sent by the peer
	Out          ledger.Amount // units for the peer
	Since        time.Time     // by the ledger's clock
	// Expiry is when the ledger releases the hold, by the ledger's clock. It is zero for a hold
	// without expiry (of a packet held while its books were moved to a new ledger).
	Expiry time.Time
}

// Holds returns the holds of packets from and to a peer, by expiry. Settlement orders are
// excluded, and so are packets of recorders in rounds, which the ledger does not know: it has
// [Book.Reservations] for them.
//
// The result is of one moment, the time of the newest row of the peer's account, however long
// reading takes and whatever is written meanwhile. If nothing was written meanwhile, holds that
// have expired since are left out. Rows are read from the newest on, a page at a time, until all
// of the account's pending amounts are found. Without a history of the account
// ([Config.NoHistory]) all rows are read.
//
// The error is [ErrUnknownAsset], [ErrNotProvisioned], or of a request.
func (b *Book) Holds(ctx context.Context, account PeerAccount) ([]Hold, error) {
	open, err := b.openRows(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("holds of %v: %w", account, err)
	}
	return groupByPacket(open, account.id), nil
}

// openRows returns the unresolved pending rows of a peer's account, by expiry.
func (b *Book) openRows(ctx context.Context, account PeerAccount) ([]ledger.Transfer, error) {
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
	return r.open, err
}

// holdReader reads the rows of an account, the newest first. So it meets the post or void of a
// hold before the hold.
type holdReader struct {
	book      *Book
	accountID ledger.ID
	pageSize  int    // rows in a page
	moment    uint64 // the time of the result

	hasHistory      bool
	debits, credits ledger.Amount // pending at the moment, with a history only

	open                      []ledger.Transfer // pending rows without post or void, and unexpired at the moment
	foundDebits, foundCredits ledger.Amount     // sums of open
	resolved                  map[ledger.ID]struct{}
}

// fixMoment fixes the moment, and reads the amounts pending then.
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

// newestRow returns the time of the account's newest row, 0 if there is none.
func (r *holdReader) newestRow(ctx context.Context) (uint64, error) {
	row, _, err := sequence.Newest(ctx, r.book.ledger, filterOf(r.accountID, 1, ledger.TimestampMax, 1))
	return row.Timestamp, err
}

// foundAll reports whether all pending amounts are found. An expired hold that the ledger still
// counts as pending is never found: then all rows are read.
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
	r.changeFound(row, func(total *ledger.Amount) { *total, _ = total.Add(row.Amount) }) // the ledger keeps this sum too, so it fits
}

func (r *holdReader) changeFound(row *ledger.Transfer, change func(total *ledger.Amount)) {
	if row.DebitAccountID == r.accountID {
		change(&r.foundDebits)
	} else {
		change(&r.foundCredits)
	}
}

// forgetExpired leaves out the holds that have expired since the moment. If nothing was written
// on the account since, only expiry has reduced the pending amounts, in order of expiry.
func (r *holdReader) forgetExpired(ctx context.Context) error {
	slices.SortFunc(r.open, func(a, b ledger.Transfer) int {
		return cmp.Or(cmp.Compare(expiryOf(&a)-1, expiryOf(&b)-1), cmp.Compare(a.Timestamp, b.Timestamp)) // holds without expiry come last
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

// groupByPacket returns the holds of an account's open rows: all legs of a packet are one hold.
func groupByPacket(open []ledger.Transfer, accountID ledger.ID) []Hold {
	var holds []Hold
	indexByPacket := make(map[ledger.ID]int) // index in holds
	for i := range open {
		row := &open[i]
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
		if row.DebitAccountID == accountID {
			side = &holds[n].In
		}
		*side, _ = side.Add(row.Amount)
	}
	return holds
}
