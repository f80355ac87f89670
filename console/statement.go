package console

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

const (
	// maxStatementRows is the number of rows on the page; downloads have all rows of the range.
	maxStatementRows = 300
	// defaultRange is the range of a statement without one.
	defaultRange = 24 * time.Hour
)

// entryView is a row of a statement as text.
type entryView struct {
	Time, Kind, Counterparty, Packet, Order string
	Transfer                                string // its id
	Amount, Position, Arrears, Line         string
	IsBalance                               bool // the opening or the closing balance
}

// statementPage is the page of a statement.
type statementPage struct {
	header

	Peer, Asset, PeerLink string
	From, To              string // as given, for the form
	FromText, ToText      string // as read
	Rows                  []entryView
	More                  bool // rows of the range are left out
	CSV, JSON             string
	Compare               string // link
}

// statementQuery is the query of a statement.
type statementQuery struct {
	account  accounts.PeerAccount
	asset    accounts.Asset
	from, to time.Time // zero is open
}

// parseStatementQuery reads the query. Without any range it is the last day; with an empty "from",
// the range begins with the account.
func (c *Console) parseStatementQuery(values url.Values, now time.Time) (q statementQuery, err error) {
	if q.account, q.asset, err = c.findAccount(values); err != nil {
		return q, err
	}
	if q.from, err = parseMoment(values.Get("from")); err != nil {
		return q, fmt.Errorf("from: %w", err)
	}
	if q.to, err = parseMoment(values.Get("to")); err != nil {
		return q, fmt.Errorf("to: %w", err)
	}
	if !values.Has("from") && !values.Has("to") {
		q.from = now.Add(-defaultRange).Truncate(time.Second)
	}
	if !q.from.IsZero() && !q.to.IsZero() && !q.from.Before(q.to) {
		return q, errFromAfterTo
	}
	return q, nil
}

// parseMoment reads a time as browsers and people write it; without a zone it is UTC. "" is the zero
// time.
func parseMoment(text string) (time.Time, error) {
	text = strings.TrimSuffix(strings.TrimSpace(text), " UTC")
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly, time.DateTime, time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.40q is neither a date (2026-11-26) nor a time (2026-11-26T10:00:00Z)", text)
}

// formInput writes a time for a form's field.
func formInput(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}

func (c *Console) showStatement(w http.ResponseWriter, r *http.Request, f format) {
	q, err := c.parseStatementQuery(r.URL.Query(), time.Now())
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	if f != formatHTML {
		c.sendStatement(w, r, q, f)
		return
	}
	from, to := formInput(q.from), formInput(q.to)
	query := accountQuery(q.account.Peer(), c.nameAsset(q.asset))
	same := "?" + query + "&" + url.Values{"from": {from}, "to": {to}}.Encode()
	s, _ := c.reader.current()
	v := statementPage{
		header: newHeader("Statement of "+q.account.Peer(), "peers", s), Peer: q.account.Peer(), Asset: c.nameAsset(q.asset), PeerLink: "peer?" + query,
		From: from, To: to, FromText: formatTime(q.from), ToText: formatTime(q.to), CSV: "statement.csv" + same, JSON: "statement.json" + same, Compare: "compare" + same,
	}
	err = c.readLedger(r.Context(), c.cfg.Timeout, func(ctx context.Context) error {
		v.Rows, v.More, err = c.readEntries(ctx, q)
		return err
	})
	if err != nil {
		c.fail(w, statusOf(err), err)
		return
	}
	c.render(w, http.StatusOK, "statement", v)
}

// openStatement opens the statement of a query, with the names of all known peers.
func (c *Console) openStatement(ctx context.Context, q statementQuery, options ...accounts.StatementOption) (*accounts.Statement, error) {
	return c.cfg.Book.Statement(ctx, q.account, q.from, q.to, append(options, accounts.WithKnownAccounts(knownAccounts(c.cfg.Book, q.asset, c.cfg.Peers(q.asset))...))...)
}

// readEntries reads the first rows of a statement for the page.
func (c *Console) readEntries(ctx context.Context, q statementQuery) (rows []entryView, more bool, err error) {
	s, err := c.openStatement(ctx, q, accounts.WithPageSize(maxStatementRows+1))
	if err != nil {
		return nil, false, err
	}
	rows = append(rows, viewBalance("opening", q.asset, s.Opening))
	for e, err := range s.Entries(ctx) {
		if err != nil {
			return nil, false, err
		}
		if len(rows) > maxStatementRows {
			return rows, true, nil
		}
		rows = append(rows, viewEntry(q.asset, &e))
	}
	return append(rows, viewBalance("closing", q.asset, s.Closing)), false, nil
}

func viewBalance(kind string, a accounts.Asset, b accounts.StatementBalance) entryView {
	return entryView{Kind: kind, Position: formatSigned(a, b.Position), Arrears: a.Format(b.Arrears), Line: formatLine(a, b.CreditLine), IsBalance: true}
}

func viewEntry(a accounts.Asset, e *accounts.Entry) entryView {
	v := entryView{
		Time: formatTime(e.Time), Kind: string(e.Kind), Counterparty: e.Counterparty.String(),
		Transfer: e.Transfer.String(), Amount: formatSigned(a, e.Amount), Position: formatSigned(a, e.Position), Arrears: a.Format(e.Arrears), Line: formatLine(a, e.CreditLine),
	}
	if e.Kind == accounts.EntryRound {
		v.Kind = fmt.Sprintf("%s %d", e.Kind, e.Round)
	}
	if e.Late {
		v.Kind += ", late"
	}
	if !e.Packet.IsZero() {
		v.Packet = e.Packet.String()
	}
	if !e.Order.IsZero() {
		v.Order = e.Order.String()
	}
	return v
}

// sendStatement streams all rows of a range in the formats of accounts.WriteCSV and WriteJSON. If
// the ledger fails in the middle, or a client stops reading until ExportTimeout or Close, the
// connection is broken off: half a statement must not pass for a whole one.
func (c *Console) sendStatement(w http.ResponseWriter, r *http.Request, q statementQuery, f format) {
	name, kind, write := "statement.csv", "text/csv; charset=utf-8", accounts.WriteCSV
	if f == formatJSON {
		name, kind, write = "statement.json", "application/json", accounts.WriteJSON
	}
	out := &downloadWriter{start: func() { nameDownload(w, kind, name) }, to: w}
	err := c.readLedger(r.Context(), c.cfg.ExportTimeout, func(ctx context.Context) error {
		limitAnswer(w, downloadTime) // before wakeWrite, which must have the last word
		defer wakeWrite(ctx, w)()
		s, err := c.openStatement(ctx, q)
		if err != nil {
			return err
		}
		return write(ctx, out, s)
	})
	switch {
	case err == nil:
	case !out.started:
		c.fail(w, statusOf(err), err)
	default:
		panic(http.ErrAbortHandler)
	}
}

// downloadWriter sets the headers of a download with its first byte: before, an error still gets a page.
type downloadWriter struct {
	start   func()
	started bool
	to      io.Writer
}

func (d *downloadWriter) Write(p []byte) (int, error) {
	if !d.started {
		d.started = true
		d.start()
	}
	return d.to.Write(p)
}
