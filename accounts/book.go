package accounts

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/internal/retryledger"
	"github.com/peerledger/peerledger/ledger"
)

// Config configures a [Book].
type Config struct {
	// Namespace separates deployments on one cluster. It is part of every account's id, so it
	// must never change. Default "".
	Namespace string
	// Assets are the assets for peers to trade in: at least one, each with its own ledger number.
	// No default.
	Assets []Asset
	// NoHistory leaves the history of balances out of the peer accounts, for about a tenth more
	// two-phase throughput (measured on TigerBeetle 0.17.9). History cannot be added later.
	// Default false.
	NoHistory bool
	// Limits are the credit lines of peers, and the caps enforced by recorders. Each field of
	// [Limits] is resolved by itself: the first level that sets the field decides. Default: no
	// credit line, and no caps.
	Limits Rules[Limits]
	// Ceilings are the highest credit lines by asset. They bound Limits and every change of a
	// credit line. Default: [Unlimited].
	Ceilings map[Asset]Decimal
	// LiquidityFloors are the least liquidity of ours by asset that packets of peers must leave:
	// packets from a different asset, and packets that pay out more than came in. A floor below
	// 0, as "-500.00", is how short of the asset we may be. Packets from ourselves count, but are
	// not refused. Recorders enforce the floors like PayableCap. Default: no floors.
	LiquidityFloors map[Asset]Decimal
	// SuspensionPollInterval is how often each connector reads the suspensions, and the balances
	// of peers with caps. All processes on the ledger must have the same interval. Default 1 s.
	SuspensionPollInterval time.Duration
	// Progress is called with the progress of Provision, ProvisionAll, AllBalances, Peers,
	// TrialBalance and CheckAssets, after each few thousand peers. The caller's goroutine calls
	// it, so concurrent callers call it concurrently. It must not block. Default: none.
	Progress func(Progress)
}

// Book is the register of assets and peers on a ledger. It stores nothing outside the ledger, and
// only caches payments. Any number of Books, in any number of processes, may work on one ledger.
// Its methods may be called concurrently.
type Book struct {
	ledger    ledger.Ledger // resends requests with lost answers
	namespace chart.Namespace
	assets    map[uint32]bookAsset // by ledger number; never changed after NewBook
	flags     ledger.AccountFlags  // of peer accounts

	limits       Rules[Limits]
	ceilings     map[Asset]Decimal
	floors       map[Asset]Decimal
	pollInterval time.Duration
	progress     func(Progress) // may be nil
	peerIDs      peerIDCache
	// missingAccount stands for each account that a look-up did not find. It is zero and never changes.
	missingAccount ledger.Account

	prepaymentMemory *prepayment.Memory
	suspense         map[uint32]*suspenseRows // by ledger number; never changed after NewBook
	returnedPayments *returnedPayments
}

type bookAsset struct {
	asset Asset
	ids   AssetIDs
	tag   uint64 // in user_data_64 of the asset's accounts
}

const configSubject = "accounts config"

// Validate reports all faults of the configuration at once, as errors that match [ErrInvalid] and
// name the field.
func (c Config) Validate() error {
	var errs []error
	if len(c.Assets) == 0 {
		errs = append(errs, &FieldError{Subject: configSubject, Field: "Assets", Reason: "must not be empty"})
	}
	byLedger := make(map[uint32]Asset, len(c.Assets))
	for _, a := range c.Assets {
		errs = append(errs, a.validate())
		if other, taken := byLedger[a.Ledger]; taken && a.Ledger != 0 {
			errs = append(errs, &FieldError{
				Subject: fmt.Sprintf("asset %q", a.Code), Field: "Ledger",
				Reason: fmt.Sprintf("%d is already used by %v", a.Ledger, other),
			})
		}
		byLedger[a.Ledger] = a
	}
	if c.SuspensionPollInterval < 0 {
		errs = append(errs, &FieldError{Subject: configSubject, Field: "SuspensionPollInterval", Reason: "must not be negative"})
	}
	return errors.Join(append(errs, c.validateLimits())...)
}

// NewBook makes a Book. It sends nothing to the ledger. The errors are as for
// [Config.Validate].
func NewBook(l ledger.Ledger, cfg Config) (*Book, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &Book{
		ledger: retryledger.Ledger{Ledger: l}, namespace: chart.Namespace(cfg.Namespace), flags: chart.PeerFlags,
		limits: cfg.Limits, ceilings: cfg.Ceilings, floors: cfg.LiquidityFloors,
		pollInterval: cmp.Or(cfg.SuspensionPollInterval, time.Second), progress: cfg.Progress,
		assets: make(map[uint32]bookAsset, len(cfg.Assets)), suspense: make(map[uint32]*suspenseRows, len(cfg.Assets)),
	}
	b.returnedPayments = newReturnedRows(b.ledger)
	b.prepaymentMemory = prepayment.NewMemory(prepayment.NewReader(b.ledger, ledger.QueryMax))
	if cfg.NoHistory {
		b.flags &^= ledger.AccountHistory
	}
	for _, a := range cfg.Assets {
		id := func(code uint16) ledger.ID { return b.namespace.AssetAccount(code, a.Ledger) }
		b.assets[a.Ledger] = bookAsset{asset: a, tag: b.namespace.AssetTag(a.Code), ids: AssetIDs{
			Liquidity: id(chart.CodeLiquidity), Revenue: id(chart.CodeRevenue), Dust: id(chart.CodeDust),
			Suspense: id(chart.CodeSuspense), Outside: id(chart.CodeOutside), Control: id(chart.CodeControl),
			Transit: id(chart.CodeTransit),
		}}
		b.suspense[a.Ledger] = newSuspenseRows(b.ledger, id(chart.CodeSuspense), id(chart.CodeTransit))
	}
	return b, nil
}

// PeerAccount returns the handle of a peer in an asset. The handle is computed without a look-up:
// only [Book.Provision] and [Book.Balances] find out whether the ledger has the accounts. The
// errors match [ErrInvalid] or [ErrUnknownAsset].
func (b *Book) PeerAccount(peer string, asset Asset) (PeerAccount, error) {
	p := PeerConfig{ID: peer, Asset: asset}
	if err := b.checkConfig(p); err != nil {
		return PeerAccount{}, err
	}
	return b.peerHandle(p), nil
}

// AccountIn returns the handle of a peer, or with the peer "" our own, in the asset with a ledger
// number, as journals name it. The errors match [ErrInvalid] or [ErrUnknownAsset].
func (b *Book) AccountIn(ledgerNumber uint32, peer string) (PeerAccount, error) {
	asset, isKnown := b.Asset(ledgerNumber)
	switch {
	case !isKnown:
		return PeerAccount{}, fmt.Errorf("%w: ledger number %d", ErrUnknownAsset, ledgerNumber)
	case peer == "":
		return b.OwnAccount(asset)
	default:
		return b.PeerAccount(peer, asset)
	}
}

// OwnAccount returns our own handle in an asset, for packets that begin or end here. The error
// matches [ErrUnknownAsset].
func (b *Book) OwnAccount(asset Asset) (PeerAccount, error) {
	entry, known := b.assets[asset.Ledger]
	if !known || entry.asset != asset {
		return PeerAccount{}, b.unknownAssetError(asset)
	}
	return PeerAccount{id: entry.ids.Liquidity, ledger: asset.Ledger}, nil
}

// Assets returns the assets of the Book, by ledger number.
func (b *Book) Assets() []Asset {
	assets := make([]Asset, 0, len(b.assets))
	for _, number := range slices.Sorted(maps.Keys(b.assets)) {
		assets = append(assets, b.assets[number].asset)
	}
	return assets
}

// Asset returns the asset with a ledger number; ok is false if the Book has none.
func (b *Book) Asset(ledgerNumber uint32) (asset Asset, ok bool) {
	entry, ok := b.assets[ledgerNumber]
	return entry.asset, ok
}

// AssetIDs returns the ids of our own accounts in the asset with a ledger number; ok is false if
// the Book has none.
func (b *Book) AssetIDs(ledgerNumber uint32) (ids AssetIDs, ok bool) {
	entry, ok := b.assets[ledgerNumber]
	return entry.ids, ok
}

// PeerIDs returns the ids of the ledger accounts behind a peer's handle of the Book's namespace.
func (b *Book) PeerIDs(a PeerAccount) PeerIDs {
	return b.peerIDs.get(a, func() PeerIDs {
		return PeerIDs{
			Peer:       a.id,
			Line:       b.namespace.PeerAccount(chart.CodeLine, a.peer, a.ledger),
			Settlement: b.namespace.PeerAccount(chart.CodeSettlement, a.peer, a.ledger),
			Arrears:    b.namespace.PeerAccount(chart.CodeArrears, a.peer, a.ledger),
		}
	})
}

// SuspensionPollInterval returns [Config.SuspensionPollInterval], or its default.
func (b *Book) SuspensionPollInterval() time.Duration { return b.pollInterval }

// Namespace returns [Config.Namespace].
func (b *Book) Namespace() string { return string(b.namespace) }

func (b *Book) peerHandle(p PeerConfig) PeerAccount {
	return PeerAccount{peer: p.ID, id: b.namespace.PeerAccount(chart.CodePeer, p.ID, p.Asset.Ledger), ledger: p.Asset.Ledger}
}

func (b *Book) checkConfig(p PeerConfig) error {
	if err := p.validate(); err != nil {
		return err
	}
	if b.assets[p.Asset.Ledger].asset != p.Asset {
		return b.unknownAssetError(p.Asset)
	}
	return nil
}

func (b *Book) unknownAssetError(a Asset) error {
	var known []string
	for _, asset := range b.Assets() {
		known = append(known, asset.describeExactly())
	}
	return fmt.Errorf("%w: %s; the book has %s", ErrUnknownAsset, a.describeExactly(), strings.Join(known, ", "))
}

// checkPeer refuses the handle of no peer, and of an asset unknown to the Book.
func (b *Book) checkPeer(account PeerAccount) error {
	if account.IsZero() || account.IsOwn() {
		return &FieldError{Subject: account.String(), Field: "Account", Reason: "must be a peer's"}
	}
	if _, known := b.assets[account.ledger]; !known {
		return wrapAccount(account, ErrUnknownAsset)
	}
	return nil
}
