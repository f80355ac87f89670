package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// The bounds of a comparison.
const (
	maxUpload       = 16 << 20           // bytes of a statement
	uploadTime      = 2 * time.Minute    // to send it
	maxUploadBody   = maxUpload + 64<<10 // with the form around the file
	maxUploads      = 2                  // at once; each is in memory
	maxCompared     = 100_000            // entries of each statement
	maxCompareRows  = 300                // of each table on the page; downloads have all
	uploadFieldName = "statement"        // of the form's file
)

// The faults of an upload.
const (
	errNoUpload    = uploadError("choose the file with the peer's statement")
	errBusyUploads = uploadError("other statements are being compared: try again when they are done")
	errLargeUpload = uploadError("the statement has more than 16 MiB: compare a shorter range, or use peerledger compare")
	errManyEntries = uploadError("a statement has more than 100,000 entries: compare a shorter range, or use peerledger compare")
)

// uploadError is a fault of an upload.
type uploadError string

func (e uploadError) Error() string { return string(e) }

// comparePage is the page that compares a statement with the peer's.
type comparePage struct {
	header

	Peer, Asset, PeerLink, StatementLink string
	From, To                             string // as given, for the form
	FromText, ToText                     string // as read
	Action                               string // query of the form that uploads
	Classes                              []classView
	Done                                 bool
	Result                               comparisonView
}

// classView is a class of rows with its meaning.
type classView struct{ Name, Meaning string }

// comparisonView is a comparison as text.
type comparisonView struct {
	Matched, Found       int
	Ours, Theirs, Drift  string // sums of all compared amounts
	Agree                bool
	Differences, Equal   []compareRow // at most maxCompareRows each
	MoreFound, MoreEqual bool
}

// compareRow is a packet or payment in one statement or in both, as text.
type compareRow struct {
	Class, Kind, Time, Condition string
	Ours, Theirs, Drift          string
	OurPacket, TheirPacket       string
	at                           time.Time
}

func newCompareRow(a accounts.Asset, d *accounts.Difference) compareRow {
	row := compareRow{
		Class: string(d.Class), Kind: string(d.Kind), Time: formatTime(d.Time), Condition: formatTag(d.ConditionTag), at: d.Time,
		Ours: formatSigned(a, d.Ours), Theirs: formatSigned(a, d.Theirs), Drift: formatSigned(a, new(big.Int).Add(d.Ours, d.Theirs)),
	}
	if !d.OurPacket.IsZero() {
		row.OurPacket = d.OurPacket.String()
	}
	if !d.TheirPacket.IsZero() {
		row.TheirPacket = d.TheirPacket.String()
	}
	return row
}

// compareFields are the columns of downloads, named as in "peerledger compare --json".
var compareFields = []field[compareRow]{
	{"difference", func(r compareRow) any { return r.Class }},
	{"kind", func(r compareRow) any { return r.Kind }},
	{"time", func(r compareRow) any { return stampTime(r.at) }},
	{"ours", func(r compareRow) any { return r.Ours }},
	{"theirs", func(r compareRow) any { return r.Theirs }},
	{"drift", func(r compareRow) any { return r.Drift }},
	{"condition", func(r compareRow) any { return textOrNil(r.Condition) }},
	{"our_packet", func(r compareRow) any { return textOrNil(r.OurPacket) }},
	{"their_packet", func(r compareRow) any { return textOrNil(r.TheirPacket) }},
}

// newComparePage describes a comparison that has not begun.
func (c *Console) newComparePage(q statementQuery) comparePage {
	s, _ := c.reader.current()
	query := accountQuery(q.account.Peer(), c.nameAsset(q.asset))
	same := "?" + query + "&" + url.Values{"from": {formInput(q.from)}, "to": {formInput(q.to)}}.Encode()
	v := comparePage{
		header: newHeader("Compare the statement of "+q.account.Peer(), "peers", s), Peer: q.account.Peer(), Asset: c.nameAsset(q.asset),
		PeerLink: "peer?" + query, StatementLink: "statement" + same, From: formInput(q.from), To: formInput(q.to),
		FromText: formatTime(q.from), ToText: formatTime(q.to), Action: same,
	}
	for _, class := range append(accounts.DifferenceClasses(), accounts.Equal) {
		v.Classes = append(v.Classes, classView{string(class), class.Explain()})
	}
	return v
}

// showCompare shows the form of a comparison.
func (c *Console) showCompare(w http.ResponseWriter, r *http.Request) {
	q, err := c.parseStatementQuery(r.URL.Query(), time.Now())
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	c.render(w, http.StatusOK, "compare", c.newComparePage(q))
}

// compare compares a posted statement with ours. It reads the ledger, and changes nothing.
func (c *Console) compare(w http.ResponseWriter, r *http.Request, f format) {
	q, err := c.parseStatementQuery(r.URL.Query(), time.Now())
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	select {
	case c.uploads <- struct{}{}:
		defer func() { <-c.uploads }()
	default:
		c.fail(w, http.StatusServiceUnavailable, errBusyUploads)
		return
	}
	content, err := readUpload(w, r)
	var comparison accounts.Comparison
	var equal []accounts.Difference
	if err == nil {
		comparison, equal, err = c.compareStatements(r.Context(), q, content)
	}
	switch {
	case err != nil:
		c.fail(w, statusOfUpload(err), err)
	case f == formatHTML:
		v := c.newComparePage(q)
		v.Done, v.Result = true, viewComparison(q.asset, &comparison, equal)
		c.render(w, http.StatusOK, "compare", v)
	default:
		rows := slices.Concat(comparison.Differences, equal)
		slices.SortStableFunc(rows, func(a, b accounts.Difference) int { return a.Time.Compare(b.Time) })
		writeRows(w, f, "comparison", mapRows(rows, func(d *accounts.Difference) compareRow { return newCompareRow(q.asset, d) }), compareFields)
	}
}

// mapRows yields rows made of the elements of a list, one at a time.
func mapRows[T, R any](list []T, makeRow func(*T) R) iter.Seq[R] {
	return func(yield func(R) bool) {
		for i := range list {
			if !yield(makeRow(&list[i])) {
				return
			}
		}
	}
}

// readUpload returns the file of the form.
func readUpload(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime)) // see slow.go
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, errNoUpload
	}
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, errNoUpload
		case err != nil:
			return nil, fmt.Errorf("read the form: %w", err)
		case part.FormName() == uploadFieldName:
			return readPart(part)
		}
	}
}

func readPart(part *multipart.Part) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(part, maxUpload+1))
	var large *http.MaxBytesError
	switch {
	case len(content) > maxUpload, errors.As(err, &large):
		return nil, errLargeUpload
	case err != nil:
		return nil, fmt.Errorf("read the statement: %w", err)
	case len(content) == 0:
		return nil, errNoUpload
	default:
		return content, nil
	}
}

// statusOfUpload returns the status of an error of an upload or of its comparison.
func statusOfUpload(err error) int {
	var fault uploadError
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errLargeUpload), errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &fault), errors.Is(err, multipart.ErrMessageTooLarge), errors.Is(err, io.ErrUnexpectedEOF):
		return http.StatusBadRequest
	default:
		return statusOf(err)
	}
}

// compareStatements compares our statement of a range with the peer's.
func (c *Console) compareStatements(ctx context.Context, q statementQuery, theirs []byte) (result accounts.Comparison, equal []accounts.Difference, err error) {
	err = c.readLedger(ctx, c.cfg.ExportTimeout, func(ctx context.Context) error {
		ours, err := c.cfg.Book.Statement(ctx, q.account, q.from, q.to, accounts.WithHolds())
		if err != nil {
			return err
		}
		result, err = accounts.Compare(
			limitEntries(ours.Entries(ctx)), limitEntries(accounts.ReadStatement(bytes.NewReader(theirs), q.asset)),
			accounts.WithEqual(func(d accounts.Difference) { equal = append(equal, d) }),
		)
		return err
	})
	slices.SortStableFunc(equal, func(a, b accounts.Difference) int { return a.Time.Compare(b.Time) })
	return result, equal, err
}

// limitEntries ends entries beyond maxCompared with an error.
func limitEntries(entries iter.Seq2[accounts.Entry, error]) iter.Seq2[accounts.Entry, error] {
	return func(yield func(accounts.Entry, error) bool) {
		count := 0
		for e, err := range entries {
			if count++; err == nil && count > maxCompared {
				err = errManyEntries
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

func viewComparison(a accounts.Asset, found *accounts.Comparison, equal []accounts.Difference) comparisonView {
	v := comparisonView{
		Matched: found.Matched, Found: len(found.Differences), Agree: len(found.Differences) == 0,
		Ours: formatSigned(a, found.Ours), Theirs: formatSigned(a, found.Theirs), Drift: formatSigned(a, new(big.Int).Add(found.Ours, found.Theirs)),
		MoreFound: len(found.Differences) > maxCompareRows, MoreEqual: len(equal) > maxCompareRows,
	}
	v.Differences = slices.Collect(mapRows(found.Differences[:min(len(found.Differences), maxCompareRows)], func(d *accounts.Difference) compareRow { return newCompareRow(a, d) }))
	v.Equal = slices.Collect(mapRows(equal[:min(len(equal), maxCompareRows)], func(d *accounts.Difference) compareRow { return newCompareRow(a, d) }))
	return v
}
