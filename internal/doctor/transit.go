package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// checkTransit reports an amount on the transit account of an asset, and what recorders in rounds have
// reserved. Books without rounds have no transit account.
func (s Subject) checkTransit(ctx context.Context, session ledger.Ledger, book *accounts.Book, asset accounts.Asset, subject string, r *Report) error {
	own, _ := book.AssetIDs(asset.Ledger)
	found, err := session.LookupAccounts(ctx, []ledger.ID{own.Transit})
	if err != nil || len(found) == 0 {
		return err
	}
	transit := &found[0]
	if stuck := transit.CreditsPosted.SubFloor(transit.DebitsPosted); !stuck.IsZero() {
		r.addFinding(MoneyInTransit, subject, asset.Text(stuck))
	}
	if transit.CreditsPending.IsZero() {
		return nil
	}
	list, complete, err := readReservations(ctx, session, transit)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%s are reserved: %s", asset.Text(transit.CreditsPending), s.describeReservations(asset, list))
	if !complete {
		text += "; the ledger was written to meanwhile, or has further reservations, older than the newest rows"
	}
	r.addFinding(Reserved, subject, text)
	return nil
}

// reservationPages is how many pages of the transit account's newest rows are read. A recorder renews
// all reservations within their timeout; a busy one does so with each round.
const reservationPages = 8

// readReservations returns the newest open reservations of a transit account. complete is set if their sum
// is what the account has pending.
func readReservations(ctx context.Context, session ledger.Ledger, transit *ledger.Account) (open []ledger.Transfer, complete bool, err error) {
	var sum ledger.Amount
	resolved := make(map[ledger.ID]bool)
	pageSize, last := ledger.QueryMax, uint64(0)
	for range reservationPages {
		rows, err := batch.Page(&pageSize, func() ([]ledger.Transfer, error) {
			return session.GetAccountTransfers(ctx, ledger.AccountFilter{
				AccountID: transit.ID, Code: chart.CodeReserve, TimestampMax: last, Limit: uint32(pageSize),
				Flags: ledger.AccountFilterCredits | ledger.AccountFilterReversed,
			})
		})
		if err != nil {
			return nil, false, err
		}
		for i := range rows { // the newest first, so a post comes before its reservation
			row := &rows[i]
			switch {
			case !row.PendingID.IsZero():
				resolved[row.PendingID] = true
			case !resolved[row.ID] && row.Flags.Has(ledger.TransferPending):
				open = append(open, *row)
				sum, _ = sum.Add(row.Amount) // a part of the account's total, so it fits
			}
		}
		if !sum.Less(transit.CreditsPending) || len(rows) < pageSize {
			break
		}
		last = rows[len(rows)-1].Timestamp - 1
	}
	return open, sum == transit.CreditsPending, nil
}

// reservationSums are the open reservations of a recorder's journal.
type reservationSums struct {
	count  int
	amount ledger.Amount
	newest ledger.Transfer
	last   time.Time // when the last of them ends
}

// describeReservations lists reservations by journal. A running recorder renews its reservations long before
// they expire, so old ones are probably of a recorder that was killed.
func (s Subject) describeReservations(asset accounts.Asset, list []ledger.Transfer) string {
	byJournal := make(map[uint64]*reservationSums)
	for i := range list {
		row := &list[i]
		sums := byJournal[row.UserData64]
		if sums == nil {
			sums = &reservationSums{newest: *row}
			byJournal[row.UserData64] = sums
		}
		sums.count++
		sums.amount, _ = sums.amount.Add(row.Amount)
		if end := endOf(row); end.After(sums.last) {
			sums.last = end
		}
	}
	journals := slices.SortedFunc(maps.Keys(byJournal), func(a, b uint64) int {
		return cmp.Or(byJournal[b].amount.Compare(byJournal[a].amount), cmp.Compare(a, b))
	})
	texts := make([]string, len(journals))
	for i, journal := range journals {
		texts[i] = s.describeJournal(asset, journal, byJournal[journal])
	}
	return strings.Join(texts, "; ")
}

func (s Subject) describeJournal(asset accounts.Asset, journal uint64, sums *reservationSums) string {
	made := time.Unix(0, int64(sums.newest.Timestamp))
	text := fmt.Sprintf("%s by journal %016x in %s, the newest %v old", asset.Text(sums.amount), journal,
		formatCount(sums.count, "reservation", "reservations"), s.Now().Sub(made).Round(time.Second))
	if timeout := time.Duration(sums.newest.Timeout) * time.Second; s.Now().Sub(made) > timeout/2 {
		text += fmt.Sprintf(", not renewed: if its connector was killed, the ledger frees them until %s UTC", sums.last.UTC().Format(time.TimeOnly))
	}
	return text
}

func endOf(row *ledger.Transfer) time.Time {
	return time.Unix(0, int64(row.Timestamp)).Add(time.Duration(row.Timeout) * time.Second)
}
