package bankfile

import (
	"fmt"
	"slices"
)

// isFor tells whether a booking is of this payment.
func (b Booking) isFor(p Payment) bool {
	return b.Amount == p.Amount && b.Currency == p.Currency && b.Date == p.Date
}

// ownKey returns an entry's key if the entry's own reference made it.
func ownKey(key string, byReference bool) string {
	if byReference {
		return key
	}
	return ""
}

// listPayment lists a payment received, for the operator to book or not. entryKey is the key of the whole entry, "" if the entry
// has none of its own: under a free one the entry's parts cannot be booked later. The other key is the place in this very file.
// A payment that the operator has booked is known.
func (d *decider) listPayment(e Entry, reason Reason, conflict, entryKey string) {
	placeKey := joinKey(removeSpaces(d.account.ID), d.account.Currency, "operator", d.file, e.At)
	units, _ := formatUnits(e.Amount, d.account.Scale)
	for _, key := range []string{entryKey, placeKey} {
		p := newPayment(e, key, units)
		if before, found := d.find(key); key != "" && found && before.ByHand && before.isFor(p) {
			p.Peer, p.ByHand = before.Peer, true
			d.report.Known = append(d.report.Known, p)
			return
		}
	}
	d.list(e, reason, conflict)
	last := &d.report.Listed[len(d.report.Listed)-1]
	last.OwnKey = placeKey
	if _, found := d.find(entryKey); entryKey != "" && !found && !d.hasParts(entryKey) {
		last.OwnKey = entryKey
	}
}

// findAlike marks the listed payments that the operator may have booked out of another file.
func (d *decider) findAlike() {
	type content struct{ amount, currency, date string }
	byHand := map[content]string{}
	for key, b := range d.book.Booked {
		at := content{b.Amount, b.Currency, b.Date}
		if b.ByHand && (byHand[at] == "" || key < byHand[at]) {
			byHand[at] = key
		}
	}
	for i := range d.report.Listed {
		l := &d.report.Listed[i]
		if l.OwnKey != "" {
			l.Alike = byHand[content{l.Amount, l.Currency, l.Date}]
		}
	}
}

// BookListed moves the listed payment at a place, such as "statement 1 entry 2", to the booked ones, for a peer that the operator
// names. A payment that is booked for this peer already stays as it is. It returns an error for a place where the report has no
// payment, and for a payment of another peer.
func (r *Report) BookListed(place, peer string) error {
	for _, p := range slices.Concat(r.Booked, r.Known) {
		switch {
		case p.At != place:
		case p.Peer != peer:
			return fmt.Errorf("%s: the payment is of peer %q, not of %q", place, p.Peer, peer)
		default:
			return nil
		}
	}
	i := slices.IndexFunc(r.Listed, func(l Listed) bool { return l.At == place })
	if i < 0 {
		return fmt.Errorf("%s: the file has no listed entry there", place)
	}
	l := r.Listed[i]
	if l.OwnKey == "" {
		return fmt.Errorf("%s: listed as %q: this is no payment to book", place, l.Reason)
	}
	r.Listed = slices.Delete(r.Listed, i, i+1)
	r.Booked = append(r.Booked, Payment{
		At: l.At, Key: l.OwnKey, Amount: l.Amount, Currency: l.Currency, Date: l.Date, Payer: l.Payer, PayerAccount: l.PayerAccount,
		EndToEnd: l.EndToEnd, Text: l.Text, Peer: peer, ByHand: l.Reason != NoPeer,
	})
	return nil
}
