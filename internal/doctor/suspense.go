package doctor

import (
	"context"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// suspenseRows is how many of the newest rows of a kind are looked at.
const suspenseRows = 2000

// judgeSuspense reports payments that came in while their peers were closed, and wait. It looks at
// the newest ones, in four requests.
func judgeSuspense(ctx context.Context, session ledger.Ledger, book *accounts.Book, balances []accounts.Balance, subject string, r *Report) error {
	if len(balances) == 0 {
		return nil
	}
	own, _ := book.AssetIDs(balances[0].Asset.Ledger)
	came, err := rowsOf(ctx, session, own.Suspense, ledger.AccountFilterCredits, chart.CodeIncoming, chart.CodeVoucher)
	if err != nil || len(came) == 0 {
		return err
	}
	went, err := rowsOf(ctx, session, own.Suspense, ledger.AccountFilterDebits, chart.CodeAdjust, chart.CodeReturned)
	if err != nil {
		return err
	}
	// What was given back carries the id of the row that waited, and what came back carries the
	// key of the payment, as the payment does.
	left := map[uint128.Uint128]bool{}
	for _, row := range went {
		left[row.UserData128] = true
	}
	waits := map[ledger.ID]ledger.Amount{} // by settlement account
	for _, row := range came {
		if !left[uint128.Uint128(row.ID)] && !left[row.UserData128] {
			waits[row.DebitAccountID], _ = waits[row.DebitAccountID].Add(row.Amount) // parts of one account's credits
		}
	}
	var waiting []string
	for _, b := range balances {
		if amount, is := waits[book.PeerIDs(b.Account).Settlement]; is {
			waiting = append(waiting, fmt.Sprintf("%s %s %s", b.Account.Peer(), b.Asset.Format(amount), b.Asset.Code))
		}
	}
	if len(waiting) > 0 {
		r.add(MoneyWaits, subject, few(waiting))
	}
	return nil
}

// rowsOf are the newest rows of an account with each of these codes.
func rowsOf(ctx context.Context, session ledger.Ledger, account ledger.ID, side ledger.AccountFilterFlags, codes ...uint16) (all []ledger.Transfer, err error) {
	for _, code := range codes {
		rows, err := session.GetAccountTransfers(ctx, ledger.AccountFilter{
			AccountID: account, Code: code, Limit: suspenseRows, Flags: side | ledger.AccountFilterReversed,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}
