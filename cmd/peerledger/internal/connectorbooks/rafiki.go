package connectorbooks

import (
	"fmt"
	"math/big"
	"strings"
)

// PeerID tells which field of a peer in Rafiki becomes the id of the peer.
type PeerID string

// The fields.
const (
	PeerIDAddress PeerID = "address" // staticIlpAddress
	PeerIDName    PeerID = "name"
	PeerIDUUID    PeerID = "id"
)

// rafikiReader collects the answers of a Rafiki.
type rafikiReader struct {
	books     Books
	peerID    PeerID
	places    []place // of books.Peers
	assets    map[string]AssetName
	liquidity map[string]*big.Int // of peers, by their ids in Rafiki
	pages     map[string]*pages   // by the name of the query
	transfers []transferList
}

// place is where an entry was read.
type place struct{ file, path string }

// pages counts the pages of a list.
type pages struct {
	place
	more, complete bool // a page has a next one; a page has none
	firstMissing   bool // the first page read has a page before it
	seen           bool
}

// ParseRafiki reads answers of Rafiki's Backend Admin API. Each file is one answer, {"data": {...}}, to a query with any of
//
//	assets { pageInfo { hasNextPage hasPreviousPage } edges { node { id code scale liquidity ... } } }
//	peers  { pageInfo { hasNextPage hasPreviousPage } edges { node { id staticIlpAddress name liquidity asset { id code scale } ... } } }
//	NAME: accountingTransfers(id: "PEER", limit: 8189) { debits { ... } credits { ... } }
//
// Pages may be in files of their own, in their order. The transfers of a peer separate its deposits, which are its
// credit line, from its packets. Without them the whole liquidity is credit line.
//
// The error is a *[FaultError].
func ParseRafiki(peerID PeerID, files ...File) (Books, error) {
	r := &rafikiReader{
		books: Books{Source: Rafiki}, peerID: peerID,
		assets: map[string]AssetName{}, liquidity: map[string]*big.Int{}, pages: map[string]*pages{},
	}
	for _, f := range files {
		d := &document{file: f.Name}
		v := d.parse(f.Data)
		if d.fault == nil {
			r.readAnswer(d, v)
		}
		if err := d.err(); err != nil {
			return Books{}, err
		}
	}
	return r.makeBooks()
}

// readAnswer reads a whole answer. One with errors may lack fields, and is refused.
func (r *rafikiReader) readAnswer(d *document, v value) {
	answer := d.readObject(v)
	if errors, ok := answer.get("errors"); ok && len(errors.items) > 0 {
		d.fail("errors", "the answer has errors, so it may be incomplete")
		return
	}
	answer.get("extensions")
	data := d.readObject(answer.require("data"))
	for _, name := range answer.unknown() {
		d.fail(joinPath("", name), "is unknown: an answer has data alone")
	}
	for _, name := range data.v.names {
		field := data.v.fields[name]
		switch {
		case field.kind == 'n', name == "__typename":
		case name == "assets":
			r.readPage(d, name, field, r.readAsset)
		case name == "peers":
			r.readPage(d, name, field, r.readPeer)
		case name == "asset":
			r.readAsset(d, field)
		case name == "peer":
			r.readPeer(d, field)
		case field.fields["debits"].kind == '[' && field.fields["credits"].kind == '[':
			r.readTransfers(d, field)
		default:
			d.fail(field.path, "is none of assets, peers, asset, peer and accountingTransfers")
		}
	}
}

// readPage reads one page of a list.
func (r *rafikiReader) readPage(d *document, name string, v value, read func(*document, value)) {
	o := d.readObject(v)
	page := r.pages[name]
	if page == nil {
		page = &pages{place: place{d.file, v.path}}
		r.pages[name] = page
	}
	if info, ok := o.get("pageInfo"); ok {
		fields := d.readObject(info)
		_, hasNext := fields.get("hasNextPage")
		if !hasNext {
			d.fail(joinPath(info.path, "hasNextPage"), "is missing")
		}
		next, before := fields.isTrue("hasNextPage"), fields.isTrue("hasPreviousPage")
		page.firstMissing = page.firstMissing || !page.seen && before
		page.more, page.complete = next, true
	}
	page.seen = true
	edges := o.require("edges")
	if d.fault == nil && edges.kind != '[' {
		d.fail(edges.path, "must be a list, not %s", edges.describeKind())
	}
	for _, edge := range edges.items {
		read(d, d.readObject(edge).require("node"))
	}
}

// isTrue reads true or false; false if it is missing.
func (o *object) isTrue(name string) bool {
	v, ok := o.get(name)
	if ok && v.kind != 't' {
		o.doc.fail(v.path, "must be true or false, not %s", v.describeKind())
	}
	return v.text == "true"
}

// readAssetName reads id, code and scale of an asset.
func (r *rafikiReader) readAssetName(d *document, o *object) (id string, name AssetName) {
	id, name = o.text("id"), AssetName{Code: o.text("code"), Scale: o.scale("scale")}
	known, isKnown := r.assets[id]
	if d.fault == nil && isKnown && known != name {
		d.fail(o.v.path, "is %v, and another answer has the asset with this id as %v", name, known)
	}
	r.assets[id] = name
	return id, name
}

// readAsset reads an asset.
func (r *rafikiReader) readAsset(d *document, v value) {
	o := d.readObject(v)
	id, name := r.readAssetName(d, o)
	a := Asset{AssetName: name, SourceID: id, Liquidity: o.unsigned("liquidity")}
	for _, other := range r.books.Assets {
		if d.fault == nil && (other.SourceID == id || other.AssetName == name) {
			d.fail(v.path, "the asset %v is given twice; query the assets of one tenant", name)
		}
	}
	var leftOut []string
	for _, field := range []string{"withdrawalThreshold", "liquidityThreshold"} {
		if n := o.unsigned(field); n != nil {
			leftOut = append(leftOut, fmt.Sprintf("%s %v", field, n))
		}
	}
	for _, field := range []string{"receivingFee", "sendingFee", "fees"} {
		if _, ok := o.get(field); ok {
			leftOut = append(leftOut, field)
		}
	}
	o.get("createdAt")
	o.get("tenant")
	leftOut = append(leftOut, describeUnknown(o)...)
	if o.isRoundedByOthers("liquidity") {
		r.books.noteAsset(Assumption, name, roundedNote, "liquidity")
	}
	if len(leftOut) > 0 {
		r.books.noteAsset(LeftOut, name, "%s.", strings.Join(leftOut, "; "))
	}
	r.books.Assets = append(r.books.Assets, a)
}

const roundedNote = "No program has rounded the number beyond 2^53 on its way into the file (%s): Rafiki itself writes a text."

// describeUnknown returns the unknown fields of an object, for a note.
func describeUnknown(o *object) (list []string) {
	for _, name := range o.unknown() {
		list = append(list, fmt.Sprintf("the unknown field %s", joinPath("", name)))
	}
	return list
}
