package console

import (
	"cmp"
	"context"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// look is a reading of the ledger for all pages. It never changes after the reader has published it.
type look struct {
	at     time.Time // when it began
	took   time.Duration
	assets []accounts.Asset
	peers  []*peer // nearest to trouble first
	totals []total
	own    []accounts.AssetPosition

	orders      []settlement.OpenOrder // the oldest first
	ordersErr   error                  // why orders are unknown; nil if known
	ordersUnder int                    // peers with an open order whose orders were not read (Config.MaxOrders)
	pauses      []settlement.Pause
	settling    int // peers with an open order

	suspenseErr error   // why it is unknown for whom money waits in suspense; nil if known
	alerts      []alert // the gravest first
}

// peer is a peer in a look.
type peer struct {
	accounts.PeerEntry

	Asset     accounts.Asset
	assetName string // as of nameAsset
	name      string // the peer's id, or its account's id if the name is unknown
	search    string // name in lower case

	payableCap   ledger.Amount
	hasCap       bool
	capUnknown   bool // the peer has no known name, so the configured cap, if any, cannot be found
	figures           // follow from Balance and payableCap, see derive
	trouble      int  // sorts peers, see troubleOf
	arrearsSince time.Time

	waiting        ledger.Amount // in suspense for the peer
	waitingUnknown bool
}

// total has the sums over all peers of an asset, in units.
type total struct {
	asset                                                  accounts.Asset
	name                                                   string // of the asset, as of nameAsset
	peers, suspended, closed, incomplete                   int
	inArrears, near                                        int
	payable, receivable, arrears, prepaid                  big.Int
	heldIn, heldOut, settling, announced, lines, headrooms big.Int
	prepaidAtMost                                          bool // prepaid is an upper bound
	unlimited                                              int  // peers with an unlimited line, left out of lines and headrooms

	sent big.Int // by packets, since the accounts were created
	rate rate    // of sent
}

// nearTrouble is the percentage of a line or a cap from which a peer counts as near to its end.
const nearTrouble = 80

// looker takes looks. One goroutine at a time uses it.
type looker struct {
	cfg Config
	// inArrears says since when the peers that were in arrears at the last look are so.
	inArrears map[accounts.PeerAccount]time.Time
	lookedAt  time.Time // when the last look that noted arrears began
	dated     int       // looks that dated arrears

	sent        map[uint32]sentSum // of the last look, by the asset's ledger
	orderErrors *orderErrors
}

// takeLook reads the ledger. Orders may be unknown in a look; all else is known, or takeLook fails.
func (l *looker) takeLook(ctx context.Context) (*look, error) {
	k := &look{at: time.Now(), assets: l.cfg.Book.Assets()}
	var err error
	if k.own, err = l.cfg.Book.OwnPositions(ctx); err != nil {
		return nil, err
	}
	for _, asset := range k.assets {
		sums := total{asset: asset, name: nameAsset(k.assets, asset)}
		for entry, err := range l.cfg.Book.Peers(ctx, asset, l.cfg.Peers(asset)...) {
			if err != nil {
				return nil, err
			}
			p, err := l.newPeer(asset, sums.name, entry)
			if err != nil {
				return nil, err
			}
			sums.add(p)
			k.peers = append(k.peers, p)
		}
		k.totals = append(k.totals, sums)
	}
	slices.SortStableFunc(k.peers, byTrouble)
	l.readOrders(ctx, k)
	l.noteRates(k)
	l.noteSuspense(ctx, k)
	l.noteArrears(ctx, k) // last of the reads: a look without dates has all its figures
	l.findAlerts(k)
	k.took = time.Since(k.at)
	return k, nil
}

// newPeer returns an entry with the figures that follow from it.
func (l *looker) newPeer(asset accounts.Asset, assetName string, entry accounts.PeerEntry) (*peer, error) {
	p := &peer{PeerEntry: entry, Asset: asset, assetName: assetName, name: entry.ID.String(), capUnknown: !entry.Known() && l.cfg.Book.HasCaps()}
	if entry.Known() {
		p.name = entry.Account.Peer()
		limits, err := l.cfg.Book.EffectiveLimits(entry.Account)
		if err != nil {
			return nil, err
		}
		p.payableCap, p.hasCap = limits.PayableCap, limits.PayableCapped
	}
	p.search = strings.ToLower(p.name)
	p.derive()
	p.trouble = p.troubleOf()
	return p, nil
}

// troubleOf orders peers: first peers in arrears, then incomplete ones, then by the used percentage of
// line or cap.
func (p *peer) troubleOf() int {
	used := max(p.lineUsed, p.capUsed, 0)
	switch {
	case !p.Balance.Arrears.IsZero():
		return 3*maxPercent + used
	case p.Incomplete:
		return 2 * maxPercent
	default:
		return used
	}
}

func byTrouble(a, b *peer) int { return cmp.Compare(b.trouble, a.trouble) }

// state is the peer's state, in the words of "peerledger balances".
func (p *peer) state() string {
	if p.Incomplete {
		return "incomplete"
	}
	return effects.DescribeState(p.Balance)
}

func (t *total) add(p *peer) {
	t.peers++
	if p.Incomplete {
		t.incomplete++
		return
	}
	b := &p.Balance
	switch p.state() {
	case "closed":
		t.closed++
	case "suspended":
		t.suspended++
	}
	if !b.Arrears.IsZero() {
		t.inArrears++
	}
	if p.isNear() {
		t.near++
	}
	t.prepaidAtMost = t.prepaidAtMost || b.PrepaidAtMost
	addTo(&t.sent, b.Sent)
	addTo(&t.payable, b.Payable)
	addTo(&t.receivable, b.Receivable)
	addTo(&t.arrears, b.Arrears)
	addTo(&t.prepaid, b.Prepaid)
	addTo(&t.heldIn, b.HeldIn)
	addTo(&t.heldOut, b.HeldOut)
	addTo(&t.settling, b.Settling)
	addTo(&t.announced, b.Announced)
	if b.CreditLine == accounts.Unlimited {
		t.unlimited++
		return
	}
	addTo(&t.lines, b.CreditLine)
	addTo(&t.headrooms, b.Headroom)
}

func addTo(sum *big.Int, amount ledger.Amount) {
	if !amount.IsZero() {
		sum.Add(sum, amount.Big())
	}
}

var errNoEngine = errors.New("the console has no settlement engine (Config.Settlement)")

// readOrders reads the open orders and the pauses.
func (l *looker) readOrders(ctx context.Context, k *look) {
	var settling []accounts.PeerAccount
	for _, p := range k.peers {
		if !p.Balance.Settling.IsZero() {
			k.settling++
			if p.Known() && len(settling) < l.cfg.MaxOrders {
				settling = append(settling, p.Account)
			}
		}
	}
	k.ordersUnder = k.settling - len(settling)
	if l.cfg.Settlement == nil {
		k.ordersErr = errNoEngine
		return
	}
	if len(settling) > 0 { // Orders without accounts would read all that the engine ever touched
		k.orders, k.ordersErr = l.cfg.Settlement.Orders(ctx, settling...)
		slices.SortStableFunc(k.orders, func(a, b settlement.OpenOrder) int { return a.PlacedAt.Compare(b.PlacedAt) })
		l.orderErrors.note(k.orders)
	}
	if k.ordersErr == nil {
		k.pauses, k.ordersErr = l.cfg.Settlement.Pauses(ctx)
	}
}

// findPeer returns a known peer of the look.
func (k *look) findPeer(account accounts.PeerAccount) (*peer, bool) {
	for _, p := range k.peers {
		if p.Account == account {
			return p, true
		}
	}
	return nil, false
}

// trial is the trial balance of an asset.
type trial struct {
	asset   accounts.Asset
	name    string // of the asset, as of nameAsset
	balance accounts.TrialBalance
	at      time.Time
	// err is the error of the trial balance: with accounts.ErrUnbalanced and accounts.ErrTransit the
	// balance is known and wrong, with others it is unknown.
	err error
}

func (t *trial) isKnown() bool {
	return t.err == nil || errors.Is(t.err, accounts.ErrUnbalanced) || errors.Is(t.err, accounts.ErrTransit)
}

// addUpBooks makes the trial balance of each asset.
func (l *looker) addUpBooks(ctx context.Context) []trial {
	var trials []trial
	assets := l.cfg.Book.Assets()
	for _, asset := range assets {
		t := trial{asset: asset, name: nameAsset(assets, asset), at: time.Now()}
		t.balance, t.err = l.cfg.Book.TrialBalance(ctx, asset)
		trials = append(trials, t)
	}
	return trials
}
