package console

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/lookup"
)

// maxFoundRows is the most rows of a condition that a page reads; a link leads to the next page.
const maxFoundRows = 200

// findQuery is the query of the page that finds things: all of the page's state is in its address.
type findQuery struct {
	text  string
	isKey bool
	after time.Time
}

func parseFindQuery(values url.Values) (q findQuery, err error) {
	q.text, q.isKey = strings.TrimSpace(values.Get("q")), values.Get("key") != ""
	if q.after, err = parseMoment(values.Get("after")); err != nil {
		return q, fmt.Errorf("after: %w", err)
	}
	return q, nil
}

// encode returns the query as text.
func (q findQuery) encode() string {
	values := url.Values{"q": {q.text}}
	if q.isKey {
		values.Set("key", "1")
	}
	if !q.after.IsZero() {
		values.Set("after", q.after.UTC().Format(time.RFC3339Nano))
	}
	return "?" + values.Encode()
}

// findPage is the page that finds things.
type findPage struct {
	header

	Text      string
	IsKey     bool
	Things    []thingView
	Next      string // link to more packets of a condition; "" without any
	Asked     bool
	CSV, JSON string
}

// thingView is a found thing with its links.
type thingView struct {
	lookup.Thing

	Meaning          string
	Bad, Good        bool
	FromLink, ToLink string // pages of peers; "" for other accounts
}

func (c *Console) showFind(w http.ResponseWriter, r *http.Request, f format) {
	q, err := parseFindQuery(r.URL.Query())
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	if f != formatHTML {
		streamRows(c, w, r, f, "find", foundFields, func(ctx context.Context) iter.Seq2[foundLine, error] { return c.findLines(ctx, q) })
		return
	}
	s, _ := c.reader.current()
	v := findPage{header: newHeader("Find", "find", s), Text: q.text, IsKey: q.isKey, Asked: q.text != "", CSV: "find.csv" + q.encode(), JSON: "find.json" + q.encode()}
	if v.Asked {
		var found accounts.FindResult
		err = c.readLedger(r.Context(), c.cfg.Timeout, func(ctx context.Context) error {
			found, err = c.find(ctx, q, maxFoundRows)
			return err
		})
		if err != nil {
			c.fail(w, statusOf(err), err)
			return
		}
		for i := range found.Found {
			v.Things = append(v.Things, c.viewThing(&found.Found[i]))
		}
		if q.after = found.Next; !found.Next.IsZero() {
			v.Next = "find" + q.encode()
		}
	}
	c.render(w, http.StatusOK, "find", v)
}

// find reads a page of things. limit bounds the rows of a condition; 0 is the library's default.
func (c *Console) find(ctx context.Context, q findQuery, limit int) (accounts.FindResult, error) {
	query, err := lookup.Parse(q.text, q.isKey)
	if err != nil {
		return accounts.FindResult{}, err
	}
	if query.After = q.after; query.ConditionTag != [8]byte{} {
		query.Limit = limit
	}
	known := c.names.get()
	found, err := lookup.Find(ctx, c.cfg.Book, q.text, query, known.list)
	for i := range found.Found {
		known.nameThing(&found.Found[i])
	}
	return found, err
}

// viewThing writes a thing as text, with the console's names of assets.
func (c *Console) viewThing(f *accounts.Found) thingView {
	v := thingView{Thing: lookup.NewThing(f), Meaning: explainThing(f.Kind, f.State)}
	v.FromAsset, v.ToAsset = c.nameFoundAsset(f.From.Asset), c.nameFoundAsset(f.To.Asset)
	v.FromLink, v.ToLink = c.linkAccount(f.From), c.linkAccount(f.To)
	for i := range v.Rows {
		v.Rows[i].Asset = c.nameFoundAsset(f.Rows[i].Asset)
	}
	v.Bad = f.State == accounts.StateExpired || f.State == accounts.StateCorrected || f.State == accounts.StateUnknown
	v.Good = f.State == accounts.StateFulfilled || f.State == accounts.StatePaid || f.State == accounts.StateBooked
	return v
}

// nameFoundAsset returns the name of an asset; "" of one that the books do not have.
func (c *Console) nameFoundAsset(asset accounts.Asset) string {
	if asset == (accounts.Asset{}) {
		return ""
	}
	return c.nameAsset(asset)
}

// linkAccount returns the address of the page of an account's peer; "" for other accounts.
func (c *Console) linkAccount(a accounts.FoundAccount) string {
	if a.Peer == "" {
		return ""
	}
	return "peer?" + accountQuery(a.Peer, c.nameAsset(a.Asset))
}

// explainThing says what became of a thing, in a sentence.
func explainThing(kind accounts.FoundKind, state accounts.FoundState) string {
	switch state {
	case accounts.StateHeld:
		return "In flight: the money is held until the packet is fulfilled or rejected, or the hold expires."
	case accounts.StateFulfilled:
		return "Fulfilled in time: the money was moved."
	case accounts.StateRejected:
		return "Rejected: the hold was released, and nothing was moved."
	case accounts.StateExpired:
		return "The hold expired before a fulfill: nothing was moved."
	case accounts.StateCorrected:
		return "Booked although the hold had expired, or beyond the sender's credit line."
	case accounts.StatePaid:
		return "Paid: the rail has paid the order, and the amount was booked."
	case accounts.StateCancelled:
		return "Closed without a payment: the held amount was released."
	case accounts.StateEnded:
		return "Has ended."
	case accounts.StateBooked:
		return "Booked at once."
	case accounts.StateUnknown:
		return "Unknown: the end is not among the rows that were read."
	case accounts.StateOpen:
		if kind == accounts.FoundOrder {
			return "Open: the amount is held until the rail has paid, or the order is cancelled. The id is the key at the rail."
		}
		return "Has not ended."
	default:
		return ""
	}
}

// foundLine is a transfer of a thing: a row of downloads.
type foundLine struct {
	thing *thingView
	row   *lookup.Row
}

// findLines yields the transfers of all things, of all pages.
func (c *Console) findLines(ctx context.Context, q findQuery) iter.Seq2[foundLine, error] {
	return func(yield func(foundLine, error) bool) {
		for {
			found, err := c.find(ctx, q, 0)
			if err != nil {
				yield(foundLine{}, err)
				return
			}
			for i := range found.Found {
				v := c.viewThing(&found.Found[i])
				for j := range v.Rows {
					if !yield(foundLine{&v, &v.Rows[j]}, nil) {
						return
					}
				}
			}
			if q.after = found.Next; found.Next.IsZero() {
				return
			}
		}
	}
}

// foundFields are the columns of downloads, named as in "peerledger find --json". A thing of several transfers has
// as many rows.
var foundFields = []field[foundLine]{
	{"what", func(l foundLine) any { return l.thing.What }},
	{"id", func(l foundLine) any { return l.thing.ID }},
	{"state", func(l foundLine) any { return l.thing.State }},
	{"from", func(l foundLine) any { return l.thing.From }},
	{"from_asset", func(l foundLine) any { return textOrNil(l.thing.FromAsset) }},
	{"in", func(l foundLine) any { return l.thing.In }},
	{"to", func(l foundLine) any { return l.thing.To }},
	{"to_asset", func(l foundLine) any { return textOrNil(l.thing.ToAsset) }},
	{"out", func(l foundLine) any { return l.thing.Out }},
	{"since", func(l foundLine) any { return l.thing.Since }},
	{"expiry", func(l foundLine) any { return textOrNil(l.thing.Expiry) }},
	{"ended", func(l foundLine) any { return textOrNil(l.thing.Ended) }},
	{"condition", func(l foundLine) any { return textOrNil(l.thing.Condition) }},
	{"key_hash", func(l foundLine) any { return textOrNil(l.thing.KeyHash) }},
	{"time", func(l foundLine) any { return l.row.Time }},
	{"step", func(l foundLine) any { return l.row.Step }},
	{"code", func(l foundLine) any { return int(l.row.Code) }},
	{"amount", func(l foundLine) any { return l.row.Amount }},
	{"asset", func(l foundLine) any { return textOrNil(l.row.Asset) }},
	{"debit", func(l foundLine) any { return l.row.Debit }},
	{"credit", func(l foundLine) any { return l.row.Credit }},
	{"transfer", func(l foundLine) any { return l.row.Transfer }},
}

// textOrNil returns a text, and nil for "": absent.
func textOrNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}
