package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
)

// auditQuery is the query of the page of acts: all of the page's state is in its address.
type auditQuery struct {
	peer, who string
	before    time.Time // the acts older than the one of this time and id; zero is the newest ones
	id        string
}

func parseAuditQuery(values url.Values) (q auditQuery, err error) {
	q = auditQuery{peer: values.Get("peer"), who: strings.TrimSpace(values.Get("who")), id: values.Get("id")}
	if text := values.Get("before"); text != "" {
		if q.before, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return q, fmt.Errorf("before=%.60q is not a time as in RFC 3339", text)
		}
	}
	return q, nil
}

// encode returns the query as text, without defaults.
func (q auditQuery) encode() string {
	values := url.Values{}
	for name, value := range map[string]string{"peer": q.peer, "who": q.who, "id": q.id} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if !q.before.IsZero() {
		values.Set("before", q.before.UTC().Format(time.RFC3339Nano))
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

const (
	// maxOverlap is the number of acts that may have been at work at once, or have the same time: the journal is read in
	// the order of the ends, and pages are in the order of the begins.
	maxOverlap = 100
	// auditBatch is the number of acts that a download reads at once.
	auditBatch = 5000
	// journalBytes is the most that one page reads of the journal: some 100,000 acts.
	journalBytes = 64 << 20
)

// readActs reads the next acts of a query, the newest first. A damage of the journal comes beside them, and so does
// [operatorlog.ErrCut] after maxBytes; 0 is no bound.
func (c *Console) readActs(ctx context.Context, q auditQuery, most int, maxBytes int64) (entries []operatorlog.Entry, more bool, damage, err error) {
	filter := operatorlog.Filter{Peer: q.peer, Who: q.who, Limit: most + maxOverlap, MaxBytes: maxBytes}
	if !q.before.IsZero() {
		filter.To = q.before.Add(1) // acts of the same time follow by their order
	}
	entries, err = operatorlog.Read(ctx, c.cfg.JournalFile, filter)
	if errors.Is(err, operatorlog.ErrDamaged) || errors.Is(err, operatorlog.ErrCut) {
		damage, err = err, nil
	}
	if err != nil {
		return nil, false, nil, err
	}
	if last := slices.IndexFunc(entries, func(e operatorlog.Entry) bool { return e.ID == q.id }); last >= 0 {
		entries = entries[last+1:]
	}
	if len(entries) > most {
		return entries[:most], true, damage, nil
	}
	return entries, false, damage, nil
}

// follow returns the query of the acts that are older than the last one of a page.
func (q auditQuery) follow(last *operatorlog.Entry) auditQuery {
	q.before, q.id = last.Time, last.ID
	return q
}

// auditRow is an act as text.
type auditRow struct {
	Time, Who, Via, Action, Peer, PeerLink, Asset, Amount string
	Before, After, Reason, Note, Outcome, Error, Link     string
	IDs                                                   []string
	Bad                                                   bool
}

func viewAct(e *operatorlog.Entry) auditRow {
	v := auditRow{
		Time: formatTime(e.Time), Who: e.Who, Via: e.Via, Action: e.Action, Peer: e.Peer, Asset: e.Asset, Amount: e.Amount, Before: e.Before, After: e.After,
		Reason: effects.DescribeReason(e.Reason, e.ReasonName), Note: cutTag(e.Note), Outcome: string(e.Outcome), Error: cutText(e.Error, maxAuditError), Link: "done?id=" + e.ID,
		Bad: e.Outcome == operatorlog.Unknown || e.Outcome == operatorlog.Failed,
	}
	if e.Peer != "" && e.Asset != "" {
		v.PeerLink = "peer?" + accountQuery(e.Peer, e.Asset)
	}
	for _, id := range []string{e.Key, e.Order, e.Transfer} {
		if id != "" && !slices.Contains(v.IDs, id) {
			v.IDs = append(v.IDs, id)
		}
	}
	return v
}

// maxAuditError is the number of characters of an error in a row; the page of the act and downloads have all.
const maxAuditError = 160

// cutText cuts a text to a number of characters.
func cutText(text string, most int) string {
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most]) + " …"
	}
	return text
}

// auditPage is the page of acts.
type auditPage struct {
	header

	Peer, Who   string
	Older       bool // the page does not begin with the newest act
	Rows        []auditRow
	Damaged     string
	First, Next string // links; "" without such a page
	CSV, JSON   string
}

// auditFields are the columns of downloads, named as in the journal.
var auditFields = []field[operatorlog.Entry]{
	{"id", func(e operatorlog.Entry) any { return e.ID }},
	{"time", func(e operatorlog.Entry) any { return stampTime(e.Time) }},
	{"who", func(e operatorlog.Entry) any { return e.Who }},
	{"via", func(e operatorlog.Entry) any { return e.Via }},
	{"action", func(e operatorlog.Entry) any { return e.Action }},
	{"peer", func(e operatorlog.Entry) any { return orAbsent(e.Peer) }},
	{"asset", func(e operatorlog.Entry) any { return orAbsent(e.Asset) }},
	{"amount", func(e operatorlog.Entry) any { return orAbsent(e.Amount) }},
	{"before", func(e operatorlog.Entry) any { return orAbsent(e.Before) }},
	{"after", func(e operatorlog.Entry) any { return orAbsent(e.After) }},
	{"reason", func(e operatorlog.Entry) any { return int(e.Reason) }},
	{"reason_name", func(e operatorlog.Entry) any { return orAbsent(e.ReasonName) }},
	{"key", func(e operatorlog.Entry) any { return orAbsent(e.Key) }},
	{"order", func(e operatorlog.Entry) any { return orAbsent(e.Order) }},
	{"note", func(e operatorlog.Entry) any { return orAbsent(e.Note) }},
	{"outcome", func(e operatorlog.Entry) any { return string(e.Outcome) }},
	{"transfer", func(e operatorlog.Entry) any { return orAbsent(e.Transfer) }},
	{"error", func(e operatorlog.Entry) any { return orAbsent(e.Error) }},
	{"ended_at", func(e operatorlog.Entry) any { return stampTime(e.EndedAt) }},
}

// orAbsent returns a text, or nil for one that an act does not have.
func orAbsent(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (c *Console) showAudit(w http.ResponseWriter, r *http.Request, f format) {
	q, err := parseAuditQuery(r.URL.Query())
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	ctx, most, maxBytes := r.Context(), pageSize, c.journalBytes
	if f != formatHTML {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.ExportTimeout)
		defer cancel()
		most, maxBytes = auditBatch, 0 // a part must not pass for the whole
	}
	entries, more, damage, err := c.readActs(ctx, q, most, maxBytes)
	isMissing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && (f != formatHTML || !isMissing):
		c.fail(w, http.StatusServiceUnavailable, err)
		return
	case f != formatHTML:
		writeRows(w, f, "audit", c.listActsFrom(ctx, q, entries, more), auditFields)
		return
	}
	now, _ := c.reader.current()
	newest := q
	newest.before, newest.id = time.Time{}, ""
	v := auditPage{header: newHeader("Audit", "audit", now), Peer: q.peer, Who: q.who, Older: !q.before.IsZero(), CSV: "audit.csv" + newest.encode(), JSON: "audit.json" + newest.encode()}
	switch {
	case isMissing:
		v.Damaged = "There is no journal " + c.cfg.JournalFile + " yet: nothing was changed through it."
	case damage != nil:
		v.Damaged = damage.Error()
	}
	for i := range entries {
		v.Rows = append(v.Rows, viewAct(&entries[i]))
	}
	if v.Older {
		v.First = "audit" + newest.encode()
	}
	if more {
		v.Next = "audit" + q.follow(&entries[len(entries)-1]).encode()
	}
	c.render(w, http.StatusOK, "audit", v)
}

// listActsFrom yields all acts of a query, of which the first ones are read. If the journal cannot be read to its begin, the
// connection is broken off: a part must not pass for the whole.
func (c *Console) listActsFrom(ctx context.Context, q auditQuery, entries []operatorlog.Entry, more bool) iter.Seq[operatorlog.Entry] {
	return func(yield func(operatorlog.Entry) bool) {
		for {
			for i := range entries {
				if !yield(entries[i]) {
					return
				}
			}
			if !more {
				return
			}
			q = q.follow(&entries[len(entries)-1])
			var err error
			if entries, more, _, err = c.readActs(ctx, q, auditBatch, 0); err != nil || ctx.Err() != nil {
				panic(http.ErrAbortHandler)
			}
		}
	}
}
