package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// action is a kind of change that the pages can make. Its page is a form; a second page shows the books
// before and after the change; the post of the second page makes the change.
type action struct {
	path    string // of its route
	label   string // of its pages and links
	wording effects.Wording
	help    string
	target  target
	// seenField is the form's field with the text of see: the part of the books that the form was based on. A
	// form is refused if the text is another one now. "" if the action depends on no such part.
	seenField string
	see       func(*subject) string
	fields    []formField
	keyed     bool // the ledger books the change once for its key
	versioned bool // the change is refused if an operator has changed the peer since the second page
	rail      bool // the change needs Config.Settlement

	plan func(c *Console, f *actForm, s *subject) (plan, error)
	run  func(ctx context.Context, c *Console, f *actForm, s *subject) (actResult, error)
	look func(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error)
	// compare looks for the change of a form that was sent before, whose latest act is e. nil for keyed actions.
	compare func(ctx context.Context, c *Console, f *actForm, s *subject, e *operatorlog.Entry) (resend, error)
}

// target is the object of an action.
type target int

const (
	onPeer target = iota
	onOrder
	onAsset
)

// place names an object: a peer in an asset, one of its orders, or an asset.
type place struct {
	account   accounts.PeerAccount
	asset     accounts.Asset
	assetName string // as of nameAsset
	order     ledger.ID
}

// query is the query of the pages about a place.
func (p place) query() string {
	values := url.Values{"asset": {p.assetName}}
	if p.account != (accounts.PeerAccount{}) {
		values.Set("peer", p.account.Peer())
	}
	if !p.order.IsZero() {
		values.Set("order", p.order.String())
	}
	return values.Encode()
}

// peer is the peer's id; "" for an asset.
func (p place) peer() string {
	if p.account == (accounts.PeerAccount{}) {
		return ""
	}
	return p.account.Peer()
}

// subject is the state of an object, as one request read it.
type subject struct {
	place

	balance  accounts.Balance       // of a peer
	own      accounts.AssetPosition // of an asset
	order    settlement.OpenOrder   // of the place, or else the peer's open order
	hasOrder bool
	version  string // of the operators' changes of a peer; "" unless the action is versioned
}

// plan is a change as the second page shows it, in the words of the command.
type plan struct {
	sentence effects.Sentence
	now      string // the balance before the change
	effect   string
	note     string
	blocked  string // why the change cannot be sent; "" if it can be
	shown    string // what the second page is based on besides action.see; it comes back with the form
	outdated string // how the books differ from what the second page has shown; "" if the change may be made
}

// actResult is the result of a change that was made, or had been made before.
type actResult struct {
	already       bool
	transfer      string
	amount, after string // "" if they are as planned
	note          string
	rest          error // why a part of the change was not made; nil if all was
}

// newActions returns the actions of a console; none if it only shows.
func newActions(cfg *Config) map[string]*action {
	actions := map[string]*action{}
	if cfg.Allow != Act {
		return actions
	}
	for _, list := range [][]*action{newPeerActions(), newBookings(), newCapitalActions(), newPaymentActions(), newOrderActions()} {
		for _, a := range list {
			if !a.rail || cfg.Settlement != nil {
				actions[a.path] = a
			}
		}
	}
	return actions
}

// addActRoutes adds the routes of the actions. A console that only shows has none.
func (c *Console) addActRoutes(routes map[string]route) {
	for path, a := range c.actions {
		routes["/"+path] = route{
			get:  func(w http.ResponseWriter, r *http.Request) { c.showForm(w, r, a) },
			post: func(w http.ResponseWriter, r *http.Request) { c.takeForm(w, r, a) },
			page: true, act: true,
		}
	}
	if c.cfg.Allow == Act {
		routes["/done"] = route{get: c.showDone, page: true, act: true}
	}
	if c.cfg.JournalFile != "" {
		routes["/audit"] = route{get: func(w http.ResponseWriter, r *http.Request) { c.showAudit(w, r, formatHTML) }, page: true}
		routes["/audit.csv"] = route{get: c.newDownload(c.showAudit, formatCSV)}
		routes["/audit.json"] = route{get: c.newDownload(c.showAudit, formatJSON)}
	}
}

// findPlace returns the object that a query or a form names.
func (c *Console) findPlace(a *action, values url.Values) (place, error) {
	if a.target == onAsset {
		for _, asset := range c.cfg.Book.Assets() {
			if name := c.nameAsset(asset); name == values.Get("asset") {
				return place{asset: asset, assetName: name}, nil
			}
		}
		return place{}, &accounts.FieldError{Subject: "address", Field: "asset", Reason: "names no asset of the books"}
	}
	account, asset, err := c.findAccount(values)
	if err != nil {
		return place{}, err
	}
	p := place{account: account, asset: asset, assetName: c.nameAsset(asset)}
	if a.target == onOrder {
		if p.order, err = ledger.ParseID(values.Get("order")); err != nil {
			return p, &accounts.FieldError{Subject: "address", Field: "order", Reason: "must be the id of an order: 32 hexadecimal digits"}
		}
	}
	return p, nil
}

// readSubject reads the state of an action's object.
func (c *Console) readSubject(ctx context.Context, a *action, p place) (*subject, error) {
	s := &subject{place: p}
	err := c.readLedger(ctx, c.cfg.Timeout, func(ctx context.Context) error {
		if p.peer() == "" {
			return s.readOwn(ctx, c.cfg.Book)
		}
		var err error
		if a.versioned { // before the balance: what comes between is noticed by the version
			if s.version, err = readVersion(ctx, c.cfg.Book, p.account); err != nil {
				return err
			}
		}
		if s.balance, err = c.cfg.Book.Balance(ctx, p.account); err != nil || !a.rail {
			return err
		}
		orders, err := c.cfg.Settlement.Orders(ctx, p.account)
		for _, o := range orders {
			if p.order.IsZero() || o.ID == p.order {
				s.order, s.hasOrder = o, true
			}
		}
		return err
	})
	return s, err
}

// readVersion returns a text that is the same only if no operator has changed the peer between two calls.
func readVersion(ctx context.Context, book *accounts.Book, account accounts.PeerAccount) (string, error) {
	latest, err := book.LatestChanges(ctx, account)
	return fmt.Sprintf("%d.%d.%d", latest.Line.UnixNano(), latest.Suspension.UnixNano(), latest.Closing.UnixNano()), err
}

func (s *subject) readOwn(ctx context.Context, book *accounts.Book) error {
	positions, err := book.OwnPositions(ctx)
	if err != nil {
		return err
	}
	for _, own := range positions {
		if own.Asset == s.asset {
			s.own = own
			return nil
		}
	}
	return fmt.Errorf("%w: %v", accounts.ErrUnknownAsset, s.asset)
}

// describe returns the figures of the object for the form, and "" for an order or an asset.
func (s *subject) describe(c *Console) string {
	if s.peer() == "" {
		return "liquidity " + formatSigned(s.asset, s.own.Liquidity) + ", of which " + s.asset.Format(s.own.Free) + " is free; capital " + formatSigned(s.asset, s.own.Capital)
	}
	due := ""
	if c.cfg.Settlement != nil {
		due = s.asset.Format(c.cfg.Settlement.Due(s.balance))
	}
	return effects.Summarize(s.balance, due).String()
}

// newSentence returns a sentence about the object of a form.
func (f *actForm) newSentence(wording effects.Wording) effects.Sentence {
	s := effects.Sentence{Wording: wording, Peer: f.peer(), Asset: f.assetName, Reason: f.reason, ReasonName: f.reasonName}
	if !f.order.IsZero() {
		s.Order = f.order.String()
	}
	return s
}

var errFormGone = errors.New("the form was not sent whole: open it again")
