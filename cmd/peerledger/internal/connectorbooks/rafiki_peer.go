package connectorbooks

import (
	"fmt"
	"math/big"
	"strings"
)

// readPeer reads a peer. Its liquidity is taken for credit line until its transfers tell more.
func (r *rafikiReader) readPeer(d *document, v value) {
	o := d.readObject(v)
	p := Peer{SourceID: o.text("id"), CreditLine: new(big.Int), Position: new(big.Int), OnlySum: true}
	_, p.Asset = r.readAssetName(d, d.readObject(o.require("asset")))
	address, name := o.text("staticIlpAddress"), o.optionalText("name")
	switch r.peerID {
	case PeerIDName:
		p.ID = name
	case PeerIDUUID:
		p.ID = p.SourceID
	case PeerIDAddress:
		p.ID = address
	}
	if d.fault == nil && p.ID == "" {
		d.fail(v.path, "has no %s, which is to be the id of the peer", r.peerID)
	}
	liquidity := o.unsigned("liquidity")
	if liquidity != nil {
		p.CreditLine = liquidity
		r.liquidity[p.SourceID] = liquidity
	} else {
		r.books.note(Obstacle, &p, "The answer has no liquidity of the peer. Ask for it in the query.")
	}
	leftOut := r.readPeerSettings(o, address, name)
	if o.isRoundedByOthers("liquidity") {
		r.books.note(Assumption, &p, roundedNote, "liquidity")
	}
	if len(leftOut) > 0 {
		r.books.note(LeftOut, &p, "%s.", strings.Join(leftOut, "; "))
	}
	r.books.Peers, r.places = append(r.books.Peers, p), append(r.places, place{d.file, v.path})
}

// readPeerSettings returns the settings that are not carried over. It shows no token.
func (r *rafikiReader) readPeerSettings(o *object, address, name string) (leftOut []string) {
	if r.peerID != PeerIDAddress {
		leftOut = append(leftOut, "staticIlpAddress "+address)
	}
	if r.peerID != PeerIDName && name != "" {
		leftOut = append(leftOut, fmt.Sprintf("name %q", name))
	}
	for _, field := range []string{"maxPacketAmount", "liquidityThreshold"} {
		if n := o.unsigned(field); n != nil {
			leftOut = append(leftOut, fmt.Sprintf("%s %v", field, n))
		}
	}
	if _, ok := o.get("http"); ok {
		leftOut = append(leftOut, "http (endpoint and tokens)")
	}
	if routes, ok := o.get("routes"); ok && len(routes.items) > 0 {
		leftOut = append(leftOut, fmt.Sprintf("%d routes", len(routes.items)))
	}
	o.get("createdAt")
	o.get("tenant")
	return append(leftOut, describeUnknown(o)...)
}

// makeBooks checks that the lists are whole, and applies the transfers.
func (r *rafikiReader) makeBooks() (Books, error) {
	for name, p := range r.pages {
		switch {
		case p.firstMissing:
			return Books{}, &FaultError{p.file, p.path, "is not the first page: give the files of all pages in their order"}
		case p.more:
			return Books{}, &FaultError{p.file, p.path, "has a next page: give the files of all pages in their order"}
		case !p.complete:
			r.books.note(Assumption, nil, "The list of %s is complete: its answer has no pageInfo. Rafiki sends 20 entries a page unless the query says more.", name)
		}
	}
	if err := r.checkPeers(); err != nil {
		return Books{}, err
	}
	if err := r.applyTransfers(); err != nil {
		return Books{}, err
	}
	r.noteRafiki()
	return r.books, nil
}

// checkPeers refuses two peers with one id, and adds the assets that only peers have.
func (r *rafikiReader) checkPeers() error {
	seen := map[string]bool{}
	for i := range r.books.Peers {
		p := &r.books.Peers[i]
		id := p.ID + " in " + p.Asset.String()
		if seen[id] || seen[p.SourceID] {
			return &FaultError{r.places[i].file, r.places[i].path, fmt.Sprintf("the peer %q in %v is given twice", p.ID, p.Asset)}
		}
		seen[id], seen[p.SourceID] = true, true
		r.books.addAsset(p.Asset)
	}
	return nil
}

// noteRafiki adds the notes that hold for each import of a Rafiki.
func (r *rafikiReader) noteRafiki() {
	b := &r.books
	if len(b.Peers)+len(b.Assets) == 0 {
		return
	}
	b.note(Assumption, nil, "Rafiki was stopped for peers, and no packet was in flight and no withdrawal pending, when the answers were taken: both are taken off liquidity at once.")
	for i := range b.Assets {
		if a := &b.Assets[i]; a.Liquidity == nil {
			b.noteAsset(Assumption, a.AssetName, "The answers have no liquidity of the asset, so none is booked.")
		} else if a.Liquidity.Sign() > 0 {
			b.noteAsset(Assumption, a.AssetName, "The liquidity of the asset is capital that the owner has put in.")
		}
	}
	for i := range b.Peers {
		if p := &b.Peers[i]; p.OnlySum && r.liquidity[p.SourceID] != nil {
			b.note(Assumption, p, "The whole liquidity is credit line, and nothing is owed. Write the agreed credit_line of the peer into the configuration, or give the peer's accountingTransfers, and the rest becomes the position.")
		}
	}
	b.note(LeftOut, nil, "Settlement settings: Rafiki has none, so no peer gets settle_at. Liquidity of incoming payments, outgoing payments and wallet addresses: withdraw it in Rafiki first. Exchange rates, fees, tenants, webhooks and quotes.")
}
