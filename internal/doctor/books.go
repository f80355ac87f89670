package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Books are the books that a cluster is asked about.
type Books struct {
	// Config is that of the connectors. Without assets no books are looked at.
	Config accounts.Config
	// Peers are the peers to look at. The ledger keeps only hashes of their names.
	Peers []accounts.PeerAsset
}

// examineBooks looks at what stands between us and the named peers: two requests for some
// 2,000 of them, one for each 8,189 rows of the suspense account of each asset, one for the newest
// orders of each of the first ordersOf peers that have any, and one for the pauses in each asset.
func (s Subject) examineBooks(ctx context.Context, session ledger.Ledger, r *Report) {
	if len(s.Books.Config.Assets) == 0 {
		return
	}
	s.judgeNames(r)
	book, err := accounts.NewBook(session, s.Books.Config)
	if err == nil {
		err = book.CheckAssets(ctx)
	}
	if err != nil {
		r.add(BooksUnread, "books", err.Error())
		return
	}
	for _, asset := range book.Assets() {
		subject := "books in " + asset.String()
		balances, err := s.balances(ctx, book, asset)
		if err != nil {
			r.add(BooksUnread, subject, err.Error())
			continue
		}
		judgeArrears(balances, subject, r)
		judgeArrearsAccounts(balances, subject, r)
		if err := judgeSuspense(ctx, book, balances, subject, r); err != nil {
			r.add(BooksUnread, subject, err.Error())
		}
		if err := judgeOrders(ctx, session, book, balances, subject, r); err != nil {
			r.add(BooksUnread, subject, err.Error())
		}
	}
	judgePauses(ctx, session, book, r)
}

// judgeNames reports ids that look alike.
func (s Subject) judgeNames(r *Report) {
	names := make([]string, len(s.Books.Peers))
	for i, p := range s.Books.Peers {
		names[i] = p.Peer
	}
	if alike := Alike(names); alike != "" {
		r.add(PeersAlike, "books", alike)
	}
}

// Alike says which ids look alike, "" if none do.
func Alike(names []string) string {
	var groups []string
	for _, group := range accounts.Lookalikes(names...) {
		quoted := make([]string, len(group))
		for i, name := range group {
			quoted[i] = fmt.Sprintf("%+q", name)
		}
		groups = append(groups, strings.Join(quoted, " and "))
	}
	return few(groups)
}

// balances are those of the named peers that the ledger has in an asset.
func (s Subject) balances(ctx context.Context, book *accounts.Book, asset accounts.Asset) ([]accounts.Balance, error) {
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

func judgeArrears(balances []accounts.Balance, subject string, r *Report) {
	var owing []string
	for _, b := range balances {
		if !b.Arrears.IsZero() {
			owing = append(owing, fmt.Sprintf("%s %s %s", b.Account.Peer(), b.Asset.Format(b.Arrears), b.Asset.Code))
		}
	}
	if len(owing) == 0 {
		r.add(BooksRight, subject, number(len(balances), "peer", "peers")+" of the configuration, none in arrears")
		return
	}
	r.add(InArrears, subject, few(owing))
}

// judgeArrearsAccounts reports peers that a version before arrears provisioned.
func judgeArrearsAccounts(balances []accounts.Balance, subject string, r *Report) {
	var without []string
	for _, b := range balances {
		if !b.HasArrearsAccount() {
			without = append(without, b.Account.Peer())
		}
	}
	if len(without) > 0 {
		r.add(NoArrearsAccount, subject, few(without))
	}
}

// Of so many peers so many of the newest orders are looked at.
const (
	ordersOf     = 100
	newestOrders = 100
)

// judgeOrders reports engines of a version before the check of orders.
func judgeOrders(
	ctx context.Context, session ledger.Ledger, book *accounts.Book, balances []accounts.Balance, subject string, r *Report,
) error {
	var old []string
	looked := 0
	for _, b := range balances {
		if !b.EverSettled() || !b.HasHistory() || looked == ordersOf {
			continue
		}
		looked++
		rows, err := session.GetAccountTransfers(ctx, ledger.AccountFilter{
			AccountID: book.PeerIDs(b.Account).Settlement, Code: chart.CodeOrder, Limit: newestOrders,
			Flags: ledger.AccountFilterCredits | ledger.AccountFilterReversed,
		})
		if err != nil {
			return err
		}
		if order, is := uncheckedAfterChecked(rows); is {
			old = append(old, fmt.Sprintf("order %v of %s", order, b.Account.Peer()))
		}
	}
	if len(old) > 0 {
		r.add(OldEngine, subject, few(old))
	}
	return nil
}

// uncheckedAfterChecked finds the newest order without a check that was placed when orders with
// one were there already. The rows are the newest first. Bits 56 to 61 of an order's
// user_data_64 are the version of its check; 0 is none.
func uncheckedAfterChecked(rows []ledger.Transfer) (order ledger.ID, is bool) {
	const versionShift, versionMask = 56, 1<<6 - 1
	for _, row := range rows {
		if !row.Flags.Has(ledger.TransferPending) {
			continue // its post or void
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

// few are the first of a list, and how many more there are.
func few(list []string) string {
	const shown = 10
	if len(list) <= shown {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}
