package export

import (
	"context"
	"fmt"
	"slices"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// ledgerAccount is an account of the ledger. The credit line account of a peer and the peer's account
// are one [Account].
type ledgerAccount struct {
	id    ledger.ID
	shown *Account
	// covered is set if all rows of the account are read. The export then has an entry for each row that
	// moves money.
	covered bool
	// posted are the debits and credits of the rows read so far, and expected those of the ledger at a
	// moment after the export's last row.
	posted, expected sums
}

// sums are posted debits and credits.
type sums struct{ debits, credits ledger.Amount }

// register has all accounts of an export.
type register struct {
	accounts []*ledgerAccount
	byID     accountTable // of accounts
	shown    []*Account
	assets   []Asset
}

// kindsByCode are the kinds of accounts by the ledger's code.
var kindsByCode = map[uint16]AccountKind{
	chart.CodePeer: KindPeer, chart.CodeLine: KindPeer, chart.CodeSettlement: KindSettlement, chart.CodeArrears: KindArrears,
	chart.CodeLiquidity: KindLiquidity, chart.CodeRevenue: KindRevenue, chart.CodeDust: KindDust, chart.CodeSuspense: KindSuspense,
	chart.CodeOutside: KindOutside, chart.CodeControl: KindControl, chart.CodeTransit: KindTransit,
}

// loader reads the accounts of an export.
type loader struct {
	ledger    ledger.Ledger
	namespace chart.Namespace
	names     map[uint128.Uint128]string   // by the hash of the peer's id
	chosen    map[uint128.Uint128]struct{} // the hashes of the chosen peers; nil if all are
	// hasOpening is set if the balances before the first entry may not be 0.
	hasOpening bool
	previous   *state // the end of the part before, or nil
	register   *register
	byKey      map[accountKey]*Account
}

// accountKey identifies an [Account] among the accounts of the ledger.
type accountKey struct {
	ledger uint32
	kind   AccountKind
	hash   ledger.ID
}

// loadAccounts reads the accounts of the assets, with their sums. startsLater is set if the range does not begin with the
// first row, and previous is the end of the part before, or nil.
func loadAccounts(ctx context.Context, l ledger.Ledger, book *accounts.Book, q *Query, assets []accounts.Asset, startsLater bool, previous *state) (*register, error) {
	r := &loader{
		ledger: l, namespace: chart.Namespace(book.Namespace()), names: map[uint128.Uint128]string{}, byKey: map[accountKey]*Account{},
		hasOpening: startsLater || previous != nil, previous: previous, register: &register{byID: newAccountTable()},
	}
	for _, name := range slices.Concat(q.Names, q.Peers) {
		r.names[r.namespace.PeerTag(name)] = name
	}
	if len(q.Peers) > 0 {
		r.chosen = map[uint128.Uint128]struct{}{}
		for _, name := range q.Peers {
			r.chosen[r.namespace.PeerTag(name)] = struct{}{}
		}
	}
	found := map[uint128.Uint128]struct{}{}
	for _, asset := range assets {
		if err := r.loadAsset(ctx, asset, found); err != nil {
			return nil, fmt.Errorf("read the accounts of %v: %w", asset, err)
		}
	}
	for _, name := range q.Peers {
		if _, exists := found[r.namespace.PeerTag(name)]; !exists {
			return nil, fmt.Errorf("peer %q: %w", name, accounts.ErrNotProvisioned)
		}
	}
	return r.register, nil
}

// loadAsset reads the accounts of an asset, in the order of their creation.
func (r *loader) loadAsset(ctx context.Context, asset accounts.Asset, found map[uint128.Uint128]struct{}) error {
	bound, tag := newBound(), r.namespace.AssetTag(asset.Code)
	filter := ledger.QueryFilter{Ledger: asset.Ledger, Limit: ledger.QueryMax}
	for {
		page, err := batch.Page(&filter.Limit, func() ([]ledger.Account, error) { return r.ledger.QueryAccounts(ctx, filter) })
		if err != nil {
			return err
		}
		for i := range page {
			row := &page[i]
			bound.addAccount(r.addAccount(asset, tag, row), row)
			found[row.UserData128] = struct{}{}
		}
		if len(page) < int(filter.Limit) {
			break
		}
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
	r.register.assets = append(r.register.assets, Asset{Asset: asset, Bound: bound.total(r.hasOpening)})
	return nil
}

// addAccount adds an account of the ledger.
func (r *loader) addAccount(asset accounts.Asset, tag uint64, row *ledger.Account) *ledgerAccount {
	account := Account{Asset: asset, Kind: kindsByCode[row.Code], New: true}
	switch isOurs := row.UserData64 == tag; {
	case !isOurs || account.Kind == "":
		account.Kind, account.Hash, account.Partial = KindOther, row.ID, true
	case row.Code < chart.CodeLiquidity:
		_, isChosen := r.chosen[row.UserData128]
		account.Peer, account.Partial = r.nameOf(row), r.chosen != nil && !isChosen
		if account.Peer == "" {
			account.Hash = ledger.ID(row.UserData128)
		}
	default:
		account.Partial = r.chosen != nil
	}
	added := &ledgerAccount{
		id: row.ID, shown: r.showAccount(account, row), covered: !account.Partial, expected: sums{row.DebitsPosted, row.CreditsPosted},
	}
	r.register.accounts = append(r.register.accounts, added)
	r.register.byID.add(added)
	return added
}

// nameOf returns the id of a peer, "" if it is unknown. An account has the name of the parts before, whether the caller still
// knows the id or did not know it then: to programs another name is another account.
func (r *loader) nameOf(row *ledger.Account) string {
	if r.previous != nil {
		if before, isKnown := r.previous.accounts[row.ID]; isKnown {
			r.names[row.UserData128] = before.peer // for its accounts that are new
		}
	}
	return r.names[row.UserData128]
}

// showAccount returns the Account that an account of the ledger belongs to.
func (r *loader) showAccount(account Account, row *ledger.Account) *Account {
	key := accountKey{account.Asset.Ledger, account.Kind, account.Hash}
	if account.Peer != "" {
		key.hash = ledger.ID(row.UserData128)
	}
	if r.byKey[key] == nil {
		account.Index = len(r.register.shown)
		r.byKey[key] = &account
		r.register.shown = append(r.register.shown, &account)
	}
	return r.byKey[key]
}

// keepAccounts leaves only the covered accounts and those in use to show.
func (r *register) keepAccounts(inUse map[*Account]struct{}) {
	kept := r.shown[:0]
	for _, account := range r.shown {
		if _, used := inUse[account]; used || !account.Partial {
			account.Index = len(kept)
			kept = append(kept, account)
		}
	}
	r.shown = kept
}

// coveredIDs returns the ids of the covered accounts, in ascending order.
func (r *register) coveredIDs() []ledger.ID {
	var ids []ledger.ID
	for _, account := range r.accounts {
		if account.covered {
			ids = append(ids, account.id)
		}
	}
	slices.SortFunc(ids, ledger.ID.Compare)
	return ids
}
