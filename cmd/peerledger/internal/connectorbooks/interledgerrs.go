package connectorbooks

import (
	"fmt"
	"math/big"
	"strings"
)

// rsReader collects the answers of an interledger-rs.
type rsReader struct {
	books    Books
	accounts []rsAccount
	balances map[string]rsBalance // by username
	engines  map[string]string    // URLs by asset code
}

// rsAccount is an account with the file that has it.
type rsAccount struct {
	Peer
	file, path string
	stored     *big.Int // the balance that the store has, with what is prepaid; nil without one
	prepaid    *big.Int // nil without a stored balance
	relation   string
	threshold  *big.Int // settle_threshold and settle_to as they are set; nil for null
	settleTo   *big.Int
	leftOut    []string
	rounded    []string // fields with numbers beyond 2^53
}

// ParseInterledgerRS reads answers of the HTTP API of interledger-rs. Each file has one JSON value, which is one of:
//
//   - the answer of GET /accounts, or of GET /accounts/NAME;
//   - an object with the answers of GET /accounts/NAME/balance by name: {"alice": {"balance": 0.23, "asset_code": "ABC"}};
//   - an object with the URLs of settlement engines by asset code, as it was sent to PUT /settlement/engines.
//
// An account may have the fields balance and prepaid_amount as the connector's Redis store has them. They take the place of the balance's
// answer, which is a floating point number and is exact only up to 15 digits.
//
// The names of accounts are the ids of the peers. The error is a *[FaultError].
func ParseInterledgerRS(files ...File) (Books, error) {
	r := &rsReader{books: Books{Source: InterledgerRS}, balances: map[string]rsBalance{}, engines: map[string]string{}}
	for _, f := range files {
		d := &document{file: f.Name}
		v := d.parse(f.Data)
		if d.fault == nil {
			r.readFile(d, v)
		}
		if err := d.err(); err != nil {
			return Books{}, err
		}
	}
	return r.makeBooks()
}

// readFile reads one answer. Its form tells which one it is.
func (r *rsReader) readFile(d *document, v value) {
	switch {
	case v.kind == '[':
		for _, item := range v.items {
			r.readAccount(d, item)
		}
	case v.kind == '{' && v.fields["username"].kind == '"':
		r.readAccount(d, v)
	case v.kind == '{' && allOfKind(v, '{'):
		for _, name := range v.names {
			r.readBalance(d, name, v.fields[name])
		}
	case v.kind == '{' && allOfKind(v, '"'):
		for _, code := range v.names {
			r.engines[code] = v.fields[code].text
		}
	default:
		d.fail("", "is neither a list of accounts, nor an account, nor balances by name, nor URLs by asset code")
	}
}

func allOfKind(v value, kind byte) bool {
	for _, f := range v.fields {
		if f.kind != kind {
			return false
		}
	}
	return true
}

// notCarried are the fields of an account that the books have no place for. The values of tokens are not shown.
var notCarried = []struct {
	name     string
	isSecret bool
	usual    string // a value that says nothing
}{
	{name: "ilp_address"},
	{name: "max_packet_amount", usual: "18446744073709551615"},
	{name: "packets_per_minute_limit"},
	{name: "amount_per_minute_limit"},
	{name: "ilp_over_http_url"},
	{name: "ilp_over_btp_url"},
	{name: "round_trip_time"},
	{name: "ilp_over_http_incoming_token", isSecret: true},
	{name: "ilp_over_http_outgoing_token", isSecret: true},
	{name: "ilp_over_btp_incoming_token", isSecret: true},
	{name: "ilp_over_btp_outgoing_token", isSecret: true},
}

// readAccount reads an account.
func (r *rsReader) readAccount(d *document, v value) {
	o := d.readObject(v)
	a := rsAccount{file: d.file, path: v.path}
	a.ID, a.SourceID = o.text("username"), o.text("id")
	a.Asset = AssetName{Code: o.text("asset_code"), Scale: o.scale("asset_scale")}
	a.relation = o.optionalText("routing_relation")
	a.EngineURL = o.optionalText("settlement_engine_url")
	a.readLine(o.integer("min_balance"))
	a.threshold, a.settleTo = o.integer("settle_threshold"), o.integer("settle_to")
	a.stored, a.prepaid = o.integer("balance"), o.unsigned("prepaid_amount")
	switch {
	case (a.stored == nil) != (a.prepaid == nil):
		d.fail(v.path, "must have both balance and prepaid_amount, or neither")
	case a.stored != nil:
		a.stored = new(big.Int).Add(a.stored, a.prepaid)
	}
	for _, field := range notCarried {
		if text, isSet := o.get(field.name); isSet && text.text != field.usual {
			a.leftOut = append(a.leftOut, describeField(field.name, text, field.isSecret))
		}
	}
	for _, name := range o.unknown() {
		a.leftOut = append(a.leftOut, fmt.Sprintf("the unknown field %s", joinPath("", name)))
	}
	for _, name := range []string{"min_balance", "settle_threshold", "settle_to", "balance", "prepaid_amount"} {
		if o.isRoundedByOthers(name) {
			a.rounded = append(a.rounded, name)
		}
	}
	r.accounts = append(r.accounts, a)
}

// readLine sets the credit line by min_balance: a prepare is refused that takes the balance below it.
func (a *rsAccount) readLine(minBalance *big.Int) {
	switch {
	case minBalance == nil:
		a.Unlimited = true
	case minBalance.Sign() > 0:
		a.CreditLine = new(big.Int)
		a.leftOut = append(a.leftOut, fmt.Sprintf("min_balance %v, which is above 0: the credit line is 0, and a prepayment may be used up", minBalance))
	default:
		a.CreditLine = new(big.Int).Neg(minBalance)
	}
}

// describeField returns a field with its value, for a note.
func describeField(name string, v value, isSecret bool) string {
	if isSecret || v.text == "" {
		return name
	}
	return fmt.Sprintf("%s %s", name, strings.Trim(describeValue(v), `"`))
}

// makeBooks joins accounts, balances and engines.
func (r *rsReader) makeBooks() (Books, error) {
	b := &r.books
	seen := map[string]bool{}
	for i := range r.accounts {
		a := &r.accounts[i]
		if seen[a.ID] || seen["id "+a.SourceID] {
			return Books{}, &FaultError{a.file, a.path, fmt.Sprintf("the account %q is given twice", a.ID)}
		}
		seen[a.ID], seen["id "+a.SourceID] = true, true
		if err := r.setPosition(a); err != nil {
			return Books{}, err
		}
		r.setSettlement(a)
		r.noteAccount(a)
		b.addAsset(a.Asset)
		b.Peers = append(b.Peers, a.Peer)
	}
	for name, balance := range r.balances {
		if !seen[name] {
			return Books{}, &FaultError{balance.file, balance.path, fmt.Sprintf("is of %q, and no file has that account", name)}
		}
	}
	if len(b.Peers) > 0 {
		b.noteInterledgerRS()
	}
	return *b, nil
}

// addAsset adds an asset that is not listed yet.
func (b *Books) addAsset(name AssetName) {
	for _, a := range b.Assets {
		if a.AssetName == name {
			return
		}
	}
	b.Assets = append(b.Assets, Asset{AssetName: name})
}

// noteInterledgerRS adds the notes that hold for each import of an interledger-rs.
func (b *Books) noteInterledgerRS() {
	b.note(Assumption, nil, "The connector was stopped, and no packet was in flight, when the answers were taken: a prepared packet is taken off the sender's balance at once, and is credited to the receiver only when it is fulfilled.")
	b.note(Assumption, nil, "A balance above 0 is what we owe the peer: the books count it as prepaid, so that settlements do not pay it out. peerledger settle refund pays out what the peer has earned.")
	b.note(LeftOut, nil, "Exchange rates, routes, static routes and the address of the node; settle_every and settle_delay; remainders of incoming settlements (uncredited_settlement_amount); keys of settlements that were credited before: engines must not report them again.")
}

// setSettlement carries the threshold over where the connector would settle by it.
func (r *rsReader) setSettlement(a *rsAccount) {
	if url := r.engines[a.Asset.Code]; url != "" && a.EngineURL == "" {
		a.EngineURL = url
	}
	switch {
	case a.threshold == nil:
		if a.settleTo != nil {
			a.leftOut = append(a.leftOut, fmt.Sprintf("settle_to %v without settle_threshold: the connector never settles", a.settleTo))
		}
	case a.settleTo == nil:
		a.leftOut = append(a.leftOut, fmt.Sprintf("settle_threshold %v without settle_to: the connector never settles", a.threshold))
	case a.threshold.Cmp(a.settleTo) <= 0:
		a.leftOut = append(a.leftOut, fmt.Sprintf("settle_threshold %v, which is not above settle_to %v: the connector never settles", a.threshold, a.settleTo))
	default:
		a.SettleAt, a.SettleTo = a.threshold, a.settleTo
	}
}

// noteAccount adds the notes about one account.
func (r *rsReader) noteAccount(a *rsAccount) {
	b := &r.books
	if a.Unlimited {
		b.note(Assumption, &a.Peer, "The account has no min_balance, so the peer may owe any amount.")
	}
	if a.relation == "NonRoutingAccount" {
		b.note(Assumption, &a.Peer, "The account is of a user of the node (NonRoutingAccount), and becomes a peer like the others.")
	} else if a.relation != "" {
		a.leftOut = append(a.leftOut, "routing_relation "+a.relation)
	}
	if a.SettleAt != nil && a.EngineURL == "" {
		b.note(Assumption, &a.Peer, "The account has a settle_threshold and no settlement engine: ilp-node 1.0.0 then lowers the balance to settle_to without a payment. Compare the balance with the peer's figure.")
	}
	if a.prepaid != nil && a.prepaid.Sign() > 0 {
		b.note(Assumption, &a.Peer, "Of the balance, %v units are prepaid (prepaid_amount).", a.prepaid)
	}
	if len(a.rounded) > 0 {
		b.note(Assumption, &a.Peer, "No program has rounded the numbers beyond 2^53 on their way into the file (%s), as jq before 1.7 and JavaScript do.", strings.Join(a.rounded, ", "))
	}
	if len(a.leftOut) > 0 {
		b.note(LeftOut, &a.Peer, "%s.", strings.Join(a.leftOut, "; "))
	}
}
