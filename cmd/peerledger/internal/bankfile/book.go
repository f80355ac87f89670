package bankfile

import "slices"

// Booking is a payment of the book, under its key.
type Booking struct {
	Amount   string `json:"amount"` // units of the account's scale
	Currency string `json:"currency"`
	Date     string `json:"date"`
	EndToEnd string `json:"end_to_end,omitempty"`
	Peer     string `json:"peer,omitempty"`
	ByHand   bool   `json:"by_hand,omitempty"` // the entry was listed, and the operator booked it
}

// Span is a whole proven statement that continued the one before.
type Span struct {
	Date     string `json:"date"`    // of the closing balance
	Opening  string `json:"opening"` // units
	Closing  string `json:"closing"`
	Sequence string `json:"sequence,omitempty"`
}

// Book is the state of one account between imports. The zero Book belongs to an account before its first import. The values are
// plain: the caller stores them. A Book must not be used by several goroutines at once.
type Book struct {
	Booked map[string]Booking `json:"booked,omitempty"` // by key
	Parts  map[string]bool    `json:"parts,omitempty"`  // keys of entries that were booked in parts
	Spans  []Span             `json:"spans,omitempty"`  // in the order of their imports; the last is the one to continue
	Kind   Kind               `json:"kind,omitempty"`   // the kind of file that books
	From   string             `json:"from,omitempty"`   // the first booking date of this kind; "" without a bound
}

// Payment is money received, with the key under which it is booked once.
type Payment struct {
	At           string `json:"at"`
	Key          string `json:"key"`
	Amount       string `json:"amount"` // units of the account's scale, above zero
	Currency     string `json:"currency"`
	Date         string `json:"date"` // booking date
	ValueDate    string `json:"value_date,omitempty"`
	Payer        string `json:"payer,omitempty"`
	PayerAccount string `json:"payer_account,omitempty"`
	EndToEnd     string `json:"end_to_end,omitempty"`
	Text         string `json:"text,omitempty"`
	Charge       string `json:"charge,omitempty"`
	// Peer is the peer that paid. The caller sets it for a booked payment, with [FindPeer] for example. A known payment has
	// the peer for which the payment was booked, whatever the configuration is now.
	Peer string `json:"peer,omitempty"`
	// ByHand tells that the entry was listed, and that the operator books it all the same.
	ByHand bool `json:"by_hand,omitempty"`

	entryKey string // of a part: the key of its whole entry
}

// Reason tells why an entry is for the operator.
type Reason string

// The reasons for which an entry is listed.
const (
	TakenBack         Reason = "taken back"          // a payment received was reversed or returned
	CameBack          Reason = "came back"           // a payment or charge of our own was reversed or returned
	NoKey             Reason = "no key"              // nothing tells the payment from another one
	Conflict          Reason = "conflict"            // the key is booked with another amount, currency or date, or in other parts
	PartsDiffer       Reason = "parts differ"        // the parts of a batch do not add up to its entry
	NoPeer            Reason = "no peer"             // no peer, or more than one, is configured for the payer
	BatchWithoutParts Reason = "batch without parts" // several payments, of which the file has no details
	WrongScale        Reason = "scale"               // the amount has more decimal places than the asset
	WrongCurrency     Reason = "currency"
)

// Listed is an entry, or a part of one, for the operator to judge.
type Listed struct {
	At           string `json:"at"`
	Reason       Reason `json:"reason"`
	Amount       string `json:"amount"` // units; as the file has it where the reason is scale or currency
	Currency     string `json:"currency"`
	Date         string `json:"date"`
	Key          string `json:"key,omitempty"`      // of a conflict
	Original     string `json:"original,omitempty"` // taken back: the key of the payment taken back, if there is exactly one
	OwnKey       string `json:"own_key,omitempty"`  // the key for [Report.BookListed]; "" if the entry is no payment received
	Alike        string `json:"alike,omitempty"`    // a key booked by hand with the same amount, currency and date
	Payer        string `json:"payer,omitempty"`
	PayerAccount string `json:"payer_account,omitempty"`
	EndToEnd     string `json:"end_to_end,omitempty"`
	Text         string `json:"text,omitempty"`
}

// Report tells about each entry of a file. Booked, Known and Listed are in the order of the file.
type Report struct {
	Booked  []Payment      `json:"booked,omitempty"`
	Known   []Payment      `json:"known,omitempty"` // in the book already, with the same amount, currency and date
	Listed  []Listed       `json:"listed,omitempty"`
	Skipped map[string]int `json:"skipped,omitempty"` // entries by reason, such as outgoing, pending, other account, other source
	Others  []string       `json:"others,omitempty"`  // accounts of the file that are not the configured one

	spans []Span
	kind  Kind
	start string
}

// Add adds the payments and the statements of a report that [Decide] made from this book. Adding a report twice changes nothing.
func (b *Book) Add(r Report) {
	if b.Booked == nil {
		b.Booked, b.Parts = map[string]Booking{}, map[string]bool{}
	}
	if b.Parts == nil {
		b.Parts = map[string]bool{}
	}
	for _, p := range r.Booked {
		b.Booked[p.Key] = p.booking()
		if p.entryKey != "" {
			b.Parts[p.entryKey] = true
		}
	}
	if len(r.Booked) > 0 {
		b.Kind, b.From = r.kind, r.start
	}
	for _, s := range r.spans {
		if !slices.Contains(b.Spans, s) {
			b.Spans = append(b.Spans, s)
		}
	}
}

func (p Payment) booking() Booking {
	return Booking{Amount: p.Amount, Currency: p.Currency, Date: p.Date, EndToEnd: p.EndToEnd, Peer: p.Peer, ByHand: p.ByHand}
}
