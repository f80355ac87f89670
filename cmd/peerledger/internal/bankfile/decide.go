package bankfile

import (
	"fmt"
	"slices"
	"strings"
)

// decider decides about one file. It reads the book, and collects the additions to the book in the report.
type decider struct {
	account Account
	kind    Kind
	file    string // the file's fingerprint
	start   string // nothing before this date is booked
	book    *Book
	report  Report
	booked  map[string]Booking // by this file
	parts   map[string]bool    // by this file
	spans   []Span             // of the book and of this file
}

// Decide compares a file with the book, and changes neither. It returns a [RefusedError] for a file whose balances do not add up:
// nothing of the file may be booked then. Another error tells of a fault in the account's configuration.
func Decide(file File, account Account, book *Book) (Report, error) {
	if err := account.Validate(); err != nil {
		return Report{}, err
	}
	if len(file.Statements) == 0 {
		return Report{}, refuse(RefusedUnknown, "", "the file has no statement")
	}
	start, err := book.findStart(account)
	if err != nil {
		return Report{}, err
	}
	d := &decider{
		account: account, kind: file.Kind, file: file.Fingerprint, start: start, book: book, booked: map[string]Booking{}, parts: map[string]bool{},
		spans: slices.Clone(book.Spans), report: Report{Skipped: map[string]int{}, kind: account.Books, start: start},
	}
	proven := make([]bool, len(file.Statements))
	for i := range file.Statements {
		if d.kind != account.Books {
			break
		}
		var err error
		if proven[i], err = file.Statements[i].checkProof(fmt.Sprintf("statement %d", i+1)); err != nil {
			return Report{}, err
		}
	}
	for i, s := range file.Statements {
		d.decideStatement(s, proven[i])
	}
	d.linkOriginals()
	d.findAlike()
	return d.report, nil
}

// hasStatement tells whether a statement is about the account. One number may hold accounts in several currencies.
func (a Account) hasStatement(kind Kind, s Statement) bool {
	id := removeSpaces(a.ID)
	if kind == CSV { // each row may have its own account
		return true
	}
	if kind == MT940 && a.MT940 != "" {
		id = removeSpaces(a.MT940)
	}
	currency := s.Currency
	for _, b := range []*Balance{s.Opening, s.Closing} {
		if currency == "" && b != nil {
			currency = b.Currency
		}
	}
	return s.Account == id && (currency == "" || currency == a.Currency)
}

// hasRow tells whether a row of a CSV file is about the account.
func (a Account) hasRow(e Entry) bool { return e.Account == "" || e.Account == removeSpaces(a.ID) }

func (d *decider) decideStatement(s Statement, proven bool) {
	if !d.account.hasStatement(d.kind, s) {
		d.skipOther(s.Account, len(s.Entries))
		return
	}
	if d.kind != d.account.Books {
		d.skip("other source", len(s.Entries))
		return
	}
	k := newKeys(d.account, d.kind, s)
	if proven {
		k.chain = d.placeStatement(s)
	}
	for i := range s.Entries {
		d.decideEntry(k, s.Entries[i])
	}
}

func (d *decider) skip(reason string, entries int) {
	if entries > 0 {
		d.report.Skipped[reason] += entries
	}
}

func (d *decider) skipOther(account string, entries int) {
	d.skip("other account", entries)
	if !slices.Contains(d.report.Others, account) && len(d.report.Others) < 1000 {
		d.report.Others = append(d.report.Others, account)
	}
}

// placeStatement returns the pieces of chain keys for a proven statement, nil where the statement leaves a gap or overlaps.
func (d *decider) placeStatement(s Statement) []string {
	opening, whole := formatUnits(s.Opening.Amount, d.account.Scale)
	closing, fits := formatUnits(s.Closing.Amount, d.account.Scale)
	if !whole || !fits || s.Opening.Currency != d.account.Currency || s.Opening.intermediate || s.Closing.intermediate {
		return nil
	}
	span := Span{Date: s.Closing.Date, Opening: opening, Closing: closing, Sequence: s.Sequence}
	switch findPlace(d.spans, span) {
	case unproven:
		return nil
	case continues:
		d.spans = append(d.spans, span)
		d.report.spans = append(d.report.spans, span)
	case repeated:
	}
	return []string{span.Date, opening, closing}
}

// decideEntry books, lists or skips an entry. An incoming, booked entry without a mark of reversal or return is money received.
func (d *decider) decideEntry(k *keys, e Entry) {
	if e.Currency == "" && d.kind == CSV { // the mapping has no column of currencies
		e.Currency = d.account.Currency
	}
	switch {
	case d.kind == CSV && !d.account.hasRow(e):
		d.skipOther(e.Account, 1)
	case e.Date < d.start:
		d.skip("before start", 1)
	case e.Status == Pending:
		d.skip("pending", 1)
	case e.Status == Information:
		d.skip("information", 1)
	case e.Status == NoStatus:
		d.skip("no status", 1)
	case e.Amount.IsZero():
		d.skip("zero", 1)
	case !e.Credit && (e.Reversal || e.Return):
		d.list(e, TakenBack, "")
	case !e.Credit:
		d.skip("outgoing", 1)
	case e.Reversal || e.Return:
		d.list(e, CameBack, "")
	default:
		d.decideCredit(k, e)
	}
}

func (d *decider) decideCredit(k *keys, e Entry) {
	units, fits := formatUnits(e.Amount, d.account.Scale)
	switch {
	case e.Currency != d.account.Currency:
		d.list(e, WrongCurrency, "")
		return
	case !fits:
		d.list(e, WrongScale, "")
		return
	}
	key, byReference := k.ofEntry(e)
	if len(e.Details) < 2 && e.Payments > 1 {
		d.listPayment(e, BatchWithoutParts, "", ownKey(key, byReference))
		return
	}
	if len(e.Details) > 1 {
		d.decideParts(k, e, key, byReference)
		return
	}
	switch {
	case key == "":
		d.listPayment(e, NoKey, "", "")
	case d.hasParts(key):
		d.listPayment(e, Conflict, key, "")
	default:
		d.decidePayment(e, newPayment(e, key, units))
	}
}

// decideParts books the parts of a batch. They must add up to the entry. An entry is booked whole or in parts, for ever.
func (d *decider) decideParts(k *keys, e Entry, key string, byReference bool) {
	units, ok := d.checkParts(e)
	if !ok {
		d.listPayment(e, PartsDiffer, "", ownKey(key, byReference))
		return
	}
	if _, whole := d.find(key); key != "" && whole {
		d.listPayment(e, Conflict, key, "")
		return
	}
	for i, partKey := range k.ofParts(e, ownKey(key, byReference), units) {
		part := e
		part.At = fmt.Sprintf("%s part %d", e.At, i+1)
		part.Details = e.Details[i : i+1]
		part.Amount, part.Written = e.Details[i].Amount, e.Details[i].Amount.String()
		if partKey == "" {
			d.listPayment(part, NoKey, "", "")
			continue
		}
		p := newPayment(part, partKey, units[i])
		p.entryKey = key
		d.decidePayment(part, p)
	}
}

// checkParts returns the amounts of a batch's parts, if they are received in the account's currency and add up to the entry.
func (d *decider) checkParts(e Entry) (units []string, ok bool) {
	if e.Payments != 0 && e.Payments != len(e.Details) {
		return nil, false
	}
	rest := e.Amount
	for _, part := range e.Details {
		text, fits := formatUnits(part.Amount, d.account.Scale)
		if !fits || !part.HasAmount || part.Debit || part.Currency != d.account.Currency || part.Amount.IsZero() {
			return nil, false
		}
		rest = rest.Sub(part.Amount)
		units = append(units, text)
	}
	return units, rest.IsZero()
}

// decidePayment books a payment whose key is new. The same key with other content is for the operator.
func (d *decider) decidePayment(e Entry, p Payment) {
	before, found := d.find(p.Key)
	switch {
	case !found:
		d.booked[p.Key] = p.booking()
		if p.entryKey != "" {
			d.parts[p.entryKey] = true
		}
		d.report.Booked = append(d.report.Booked, p)
	case before.isFor(p):
		p.Peer = before.Peer
		d.report.Known = append(d.report.Known, p)
	default:
		d.listPayment(e, Conflict, p.Key, "")
	}
}

func (d *decider) find(key string) (Booking, bool) {
	if b, ok := d.booked[key]; ok {
		return b, true
	}
	b, ok := d.book.Booked[key]
	return b, ok
}

func (d *decider) hasParts(key string) bool { return d.parts[key] || d.book.Parts[key] }

func newPayment(e Entry, key, units string) Payment {
	p := Payment{At: e.At, Key: key, Amount: units, Currency: e.Currency, Date: e.Date, ValueDate: e.ValueDate}
	if len(e.Details) == 1 {
		detail := e.Details[0]
		p.Payer, p.PayerAccount, p.EndToEnd, p.Text, p.Charge = detail.Payer, detail.PayerAccount, detail.EndToEnd, detail.Text, detail.Charge
	}
	return p
}

func (d *decider) list(e Entry, reason Reason, key string) {
	units, ok := formatUnits(e.Amount, d.account.Scale)
	if !ok || e.Currency != d.account.Currency {
		units = e.Written
	}
	l := Listed{At: e.At, Reason: reason, Amount: units, Currency: e.Currency, Date: e.Date, Key: key}
	if len(e.Details) > 0 {
		detail := e.Details[0]
		l.Payer, l.PayerAccount, l.EndToEnd, l.Text = detail.Payer, detail.PayerAccount, detail.EndToEnd, detail.Text
	}
	if len(e.Details) > 1 { // the first part's payer is not the payer of the batch
		l.Payer, l.PayerAccount, l.EndToEnd, l.Text = "", "", "", ""
	}
	d.report.Listed = append(d.report.Listed, l)
}

// linkOriginals finds the payment that was taken back: the only one with the same amount and the payer's own reference. It runs
// after the whole file was decided, for some files have the newest entry first.
func (d *decider) linkOriginals() {
	originals := map[string][]string{}
	name := func(amount, currency, endToEnd string) string {
		return strings.Join([]string{amount, currency, endToEnd}, "/")
	}
	if !slices.ContainsFunc(d.report.Listed, func(l Listed) bool { return l.Reason == TakenBack && l.EndToEnd != "" }) {
		return
	}
	for _, bookings := range []map[string]Booking{d.book.Booked, d.booked} {
		for key, b := range bookings {
			if b.EndToEnd != "" {
				n := name(b.Amount, b.Currency, b.EndToEnd)
				originals[n] = append(originals[n], key)
			}
		}
	}
	for i := range d.report.Listed {
		l := &d.report.Listed[i]
		if found := originals[name(l.Amount, l.Currency, l.EndToEnd)]; l.Reason == TakenBack && len(found) == 1 {
			l.Original = found[0]
		}
	}
}
