package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Books selects the books for [Examine].
type Books struct {
	// Config is the configuration of the connectors' [accounts.Book]. Without assets no books are
	// checked.
	Config accounts.Config
	// Peers are the peers to check. The ledger keeps only hashes of their names.
	Peers []accounts.PeerAsset
}

// ExamineBooks checks the books alone, in a ledger that is open: the folder of an embedded ledger belongs to the process
// that has opened it, and [Examine] cannot read it meanwhile. At the end of ctx it returns the findings so far.
func ExamineBooks(ctx context.Context, l ledger.Ledger, books Books) Report {
	var r Report
	Subject{Books: books}.examineBooks(ctx, l, &r)
	return r
}

// examineBooks checks the balances of the named peers. Requests: two for some 2,000 peers; one for
// each 8,189 rows of an asset's suspense account; one for an asset's transit account, and up to
// reservationPages for its reservations; one for the newest orders of each of the first
// maxOrderPeers peers with orders; one for the pauses in each asset.
func (s Subject) examineBooks(ctx context.Context, session ledger.Ledger, r *Report) {
	if len(s.Books.Config.Assets) == 0 {
		return
	}
	s.checkNames(r)
	book, err := accounts.NewBook(session, s.Books.Config)
	if err == nil {
		err = book.CheckAssets(ctx)
	}
	if err != nil {
		r.addFinding(BooksUnread, "books", err.Error())
		return
	}
	for _, asset := range book.Assets() {
		subject := "books in " + asset.String()
		balances, err := s.readBalances(ctx, book, asset)
		if err != nil {
			r.addFinding(BooksUnread, subject, err.Error())
			continue
		}
		checkArrears(balances, subject, r)
		checkArrearsAccounts(balances, subject, r)
		if err := checkSuspense(ctx, book, balances, subject, r); err != nil {
			r.addFinding(BooksUnread, subject, err.Error())
		}
		if err := s.checkTransit(ctx, session, book, asset, subject, r); err != nil {
			r.addFinding(BooksUnread, subject, err.Error())
		}
		if err := checkOrders(ctx, session, book, balances, subject, r); err != nil {
			r.addFinding(BooksUnread, subject, err.Error())
		}
	}
	checkPauses(ctx, session, book, r)
}

// checkNames reports ids that look alike.
func (s Subject) checkNames(r *Report) {
	names := make([]string, len(s.Books.Peers))
	for i, p := range s.Books.Peers {
		names[i] = p.Peer
	}
	if lookalikes := Alike(names); lookalikes != "" {
		r.addFinding(PeersAlike, "books", lookalikes)
	}
}

// Alike describes groups of similar ids, as found by [accounts.Lookalikes]; "" is none.
func Alike(names []string) string {
	var groups []string
	for _, group := range accounts.Lookalikes(names...) {
		quoted := make([]string, len(group))
		for i, name := range group {
			quoted[i] = fmt.Sprintf("%+q", name)
		}
		groups = append(groups, strings.Join(quoted, " and "))
	}
	return joinFirst(groups)
}

// readBalances returns the balances of the named peers that the ledger has in an asset.
func (s Subject) readBalances(ctx context.Context, book *accounts.Book, asset accounts.Asset) ([]accounts.Balance, error) {
	var names []string
	for _, p := range s.Books.Peers {
		if p.Asset == asset {
			names = append(names, p.Peer)
		}
	}
	missing, err := book.MissingPeers(ctx, asset, names...)
	if err != nil {
		return nil, err
	}
	absent := map[string]bool{}
	for _, name := range missing {
		absent[name] = true
	}
	var list []accounts.PeerAccount
	for _, name := range names {
		if absent[name] {
			continue
		}
		account, err := book.PeerAccount(name, asset)
		if err != nil {
			return nil, err
		}
		list = append(list, account)
	}
	return book.LookUpBalances(ctx, list...)
}

// checkArrears reports peers in arrears.
func checkArrears(balances []accounts.Balance, subject string, r *Report) {
	var owing []string
	for _, b := range balances {
		if !b.Arrears.IsZero() {
			owing = append(owing, fmt.Sprintf("%s %s %s", b.Account.Peer(), b.Asset.Format(b.Arrears), b.Asset.Code))
		}
	}
	if len(owing) == 0 {
		r.addFinding(BooksRight, subject, formatCount(len(balances), "peer", "peers")+" of the configuration, none in arrears")
		return
	}
	r.addFinding(InArrears, subject, joinFirst(owing))
}

// checkArrearsAccounts reports peers without an arrears account, provisioned by an earlier version.
func checkArrearsAccounts(balances []accounts.Balance, subject string, r *Report) {
	var without []string
	for _, b := range balances {
		if !b.HasArrearsAccount() {
			without = append(without, b.Account.Peer())
		}
	}
	if len(without) > 0 {
		r.addFinding(NoArrearsAccount, subject, joinFirst(without))
	}
}

// The limits of checkOrders: peers, and newest orders of each peer.
const (
	maxOrderPeers = 100
	maxOrders     = 100
)

// checkOrders reports engines of a version that places orders without a check.
func checkOrders(
	ctx context.Context, session ledger.Ledger, book *accounts.Book, balances []accounts.Balance, subject string, r *Report,
) error {
	var oldOrders []string
	examined := 0
	for _, b := range balances {
		if !b.EverSettled() || !b.HasHistory() || examined == maxOrderPeers {
			continue
		}
		examined++
		rows, err := session.GetAccountTransfers(ctx, ledger.AccountFilter{
			AccountID: book.PeerIDs(b.Account).Settlement, Code: chart.CodeOrder, Limit: maxOrders,
			Flags: ledger.AccountFilterCredits | ledger.AccountFilterReversed,
		})
		if err != nil {
			return err
		}
		if order, found := findOldEngineOrder(rows); found {
			oldOrders = append(oldOrders, fmt.Sprintf("order %v of %s", order, b.Account.Peer()))
		}
	}
	if len(oldOrders) > 0 {
		r.addFinding(OldEngine, subject, joinFirst(oldOrders))
	}
	return nil
}

// findOldEngineOrder returns the newest unchecked order placed after checked orders. rows begins
// with the newest row. Bits 56 to 61 of an order's user_data_64 are the version of the check; 0 is
// unchecked.
func findOldEngineOrder(rows []ledger.Transfer) (order ledger.ID, found bool) {
	const versionShift, versionMask = 56, 1<<6 - 1
	for _, row := range rows {
		if !row.Flags.Has(ledger.TransferPending) {
			continue // the post or void of an order
		}
		checked := row.UserData64>>versionShift&versionMask != 0
		switch {
		case checked && !order.IsZero():
			return order, true
		case !checked && order.IsZero():
			order = row.ID
		}
	}
	return ledger.ID{}, false
}

// joinFirst lists the first ten elements, and the number of the others.
func joinFirst(list []string) string {
	const shown = 10
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}
