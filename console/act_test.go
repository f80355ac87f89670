package console_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// actCase is an action with its exact effect.
type actCase struct {
	path    string
	before  func(*actFixture) (query string) // prepares the books; nil is the query of alice
	fields  url.Values
	preview string // part of the second page
	disturb func(*actFixture)
	seen    [2]string // before and after disturb
	entry   operatorlog.Entry
	changes map[string]string // of the lines of describeAll, from, to
}

const (
	ofAlice = "peer=alice&asset=USD%2F2"
	ofBob   = "peer=bob&asset=USD%2F2"
)

func always(query string, prepare func(*actFixture)) func(*actFixture) string {
	return func(a *actFixture) string {
		if prepare != nil {
			prepare(a)
		}
		return query
	}
}

func suspend(peer string) func(*actFixture) {
	return func(a *actFixture) { require.NoError(a.t, a.client.Book.SuspendPeer(a.t.Context(), a.peers[peer])) }
}

func closePeer(peer string) func(*actFixture) {
	return func(a *actFixture) { require.NoError(a.t, a.client.Book.ClosePeer(a.t.Context(), a.peers[peer])) }
}

func fund(a *actFixture) {
	_, err := a.client.Book.Fund(a.t.Context(), accounts.Capital{Asset: usd, Key: "start", Amount: ledger.NewAmount(300_00), ReasonCode: 1})
	require.NoError(a.t, err)
}

func receive(a *actFixture) {
	_, err := a.client.Settlement.RecordIncoming(a.t.Context(), settlement.IncomingPayment{Account: a.peers["alice"], Key: "wire-1", Amount: ledger.NewAmount(40_00)})
	require.NoError(a.t, err)
}

func orderBob(a *actFixture) string {
	a.send("alice", "bob", 15_00)
	return ofBob + "&order=" + a.placeOrder("bob").ID.String()
}

func payAll(_ context.Context, o settlement.Order) (ledger.Amount, error) { return o.Amount, nil }

func sendAndPay(a *actFixture) {
	a.send("alice", "bob", 15_00)
	rail := settlement.SettlerFunc(payAll)
	a.rail.Store(&rail)
}

func closeOrder(a *actFixture) {
	orders, err := a.client.Settlement.Orders(a.t.Context(), a.peers["bob"])
	require.NoError(a.t, err)
	_, err = a.client.Settlement.Cancel(a.t.Context(), a.peers["bob"], orders[0].ID)
	require.NoError(a.t, err)
}

// with returns the values of pairs of names and values.
func with(pairs ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

var actCases = []actCase{
	{
		path: "line", fields: with("line", "250", "reason", "goodwill", "note", "asked by phone"),
		preview: "set the credit line of alice in USD/2, from 100.00 to 250.00, reason 3 (goodwill)",
		disturb: func(a *actFixture) {
			_, err := a.client.Book.SetCreditLine(a.t.Context(), a.peers["alice"], ledger.NewAmount(70_00))
			require.NoError(a.t, err)
		},
		seen: [2]string{"100.00", "70.00"}, changes: map[string]string{"line 100.00": "line 250.00"},
		entry: operatorlog.Entry{Action: "set the credit line", Before: "100.00", After: "250.00", Reason: 3, ReasonName: "goodwill", Note: "asked by phone "},
	},
	{
		path: "suspend", fields: with("reason", "7"), preview: "suspend alice in USD/2, from active to suspended", disturb: suspend("alice"), seen: [2]string{"active", "suspended"},
		changes: map[string]string{"100.00, active": "100.00, suspended"}, entry: operatorlog.Entry{Action: "suspend", Before: "active", After: "suspended", Reason: 7},
	},
	{
		path: "resume", before: always(ofAlice, suspend("alice")), preview: "resume alice in USD/2, from suspended to active",
		disturb: func(a *actFixture) { require.NoError(a.t, a.client.Book.ResumePeer(a.t.Context(), a.peers["alice"])) }, seen: [2]string{"suspended", "active"},
		changes: map[string]string{"100.00, suspended": "100.00, active"}, entry: operatorlog.Entry{Action: "resume", Before: "suspended", After: "active"},
	},
	{
		path: "close", before: always(ofAlice, func(a *actFixture) { a.debitBeyond("alice", 5_00) }), fields: with("force", "yes", "reason", "4", "confirm", "alice"),
		preview: "The amount is written off: the peer owes us 5.00 USD.", disturb: suspend("alice"), seen: [2]string{"active", "suspended"},
		changes: map[string]string{"alice: position -5.00": "alice: position 0.00", "100.00, active": "100.00, closed", "suspense 5.00": "suspense 0.00"},
		entry:   operatorlog.Entry{Action: "close", Before: "active", After: "closed", Reason: 4},
	},
	{
		path: "reopen", before: always(ofAlice, closePeer("alice")), preview: "reopen alice in USD/2, from closed to suspended",
		disturb: func(a *actFixture) { require.NoError(a.t, a.client.Book.ReopenPeer(a.t.Context(), a.peers["alice"])) }, seen: [2]string{"closed", "suspended"},
		changes: map[string]string{"100.00, closed": "100.00, suspended"}, entry: operatorlog.Entry{Action: "reopen", Before: "closed", After: "suspended"},
	},
	{
		path: "credit", fields: with("amount", "5", "reason", "goodwill"), preview: "Of the amount, 0.00 pays the peer&#39;s debt, and 5.00 is prepaid.",
		disturb: suspend("alice"), seen: [2]string{"active", "suspended"},
		changes: map[string]string{"alice: position 0.00, prepaid 0.00": "alice: position 5.00, prepaid 5.00", "suspense 0.00": "suspense -5.00"},
		entry:   operatorlog.Entry{Action: "book a credit by hand", Amount: "5.00", Reason: 3, ReasonName: "goodwill", Key: "form", Transfer: "id"},
	},
	{
		path: "debit", fields: with("amount", "5", "reason", "9", "name", "ticket-7"), preview: "book a debit by hand for alice in USD/2, 5.00, key ticket-7, reason 9",
		disturb: suspend("alice"), seen: [2]string{"active", "suspended"},
		changes: map[string]string{"alice: position 0.00": "alice: position -5.00", "suspense 0.00": "suspense 5.00"},
		entry:   operatorlog.Entry{Action: "book a debit by hand", Amount: "5.00", Reason: 9, Key: "ticket-7", Transfer: "id"},
	},
	{
		path: "write-off", before: always(ofBob, func(a *actFixture) { a.debitBeyond("bob", 7_00) }), fields: with("amount", "9", "reason", "9"),
		preview: "Of its arrears, 0.00 is collected first, and 7.00 is given up.", disturb: suspend("bob"), seen: [2]string{"active", "suspended"},
		changes: map[string]string{"bob: position -7.00, prepaid 0.00, arrears 7.00": "bob: position 0.00, prepaid 0.00, arrears 0.00", "suspense 7.00": "suspense 0.00"},
		entry:   operatorlog.Entry{Action: "write off the arrears", Amount: "7.00", Reason: 9, Key: "form", Transfer: "id", Peer: "bob"},
	},
	{
		path: "fund", before: always("asset=USD%2F2", nil), fields: with("amount", "1000", "reason", "5"), preview: "fund our liquidity in USD/2, 1000.00, from 0.00 to 1000.00",
		changes: map[string]string{"liquidity 0.00": "liquidity 1000.00"},
		entry:   operatorlog.Entry{Action: "fund our liquidity", Amount: "1000.00", Before: "0.00", After: "1000.00", Reason: 5, Key: "form", Transfer: "id", Peer: "none"},
	},
	{
		path: "withdraw", before: always("asset=USD%2F2", fund), fields: with("amount", "250", "reason", "5"), preview: "from 300.00 to 50.00",
		changes: map[string]string{"liquidity 300.00": "liquidity 50.00"},
		entry:   operatorlog.Entry{Action: "withdraw from our liquidity", Amount: "250.00", Before: "300.00", After: "50.00", Reason: 5, Key: "form", Transfer: "id", Peer: "none"},
	},
	{
		path: "received", fields: with("amount", "40", "name", "wire-9"), preview: "book a payment received from alice in USD/2, 40.00, key wire-9",
		disturb: suspend("alice"), seen: [2]string{"active", "suspended"}, changes: map[string]string{"alice: position 0.00, prepaid 0.00": "alice: position 40.00, prepaid 40.00"},
		entry: operatorlog.Entry{Action: "book a payment received", Amount: "40.00", Key: "wire-9", Transfer: "id"},
	},
	{
		path: "paid", before: always(ofBob, func(a *actFixture) { a.send("alice", "bob", 5_00) }), fields: with("amount", "5"), preview: "The peer&#39;s account covers the amount.",
		disturb: suspend("bob"), seen: [2]string{"active", "suspended"}, changes: map[string]string{"bob: position 5.00": "bob: position 0.00"},
		entry: operatorlog.Entry{Action: "book a payment made", Amount: "5.00", Key: "form", Transfer: "id", Peer: "bob"},
	},
	{
		path: "returned", before: always(ofAlice, receive), fields: with("amount", "40", "payment", "wire-1"), preview: "book a returned payment of alice in USD/2, 40.00",
		disturb: suspend("alice"), seen: [2]string{"active", "suspended"}, changes: map[string]string{"alice: position 40.00, prepaid 40.00": "alice: position 0.00, prepaid 0.00"},
		entry: operatorlog.Entry{Action: "book a returned payment", Amount: "40.00", Key: "form", Transfer: "id", Note: "payment wire-1 "},
	},
	{
		path: "pay", before: always(ofBob, sendAndPay), preview: "order and pay to bob in USD/2, 15.00", seen: [2]string{"no open order", "of 15.00 USD"},
		disturb: func(a *actFixture) { a.rail.Store(nil); a.placeOrder("bob") },
		changes: map[string]string{"bob: position 15.00": "bob: position 0.00"}, entry: operatorlog.Entry{Action: "order and pay", Amount: "15.00", Transfer: "id", Peer: "bob"},
	},
	{
		path: "resolve", before: orderBob, fields: with("amount", "12"), preview: "close an order as paid for bob in USD/2, 12.00", disturb: closeOrder, seen: [2]string{"of 15.00 USD", "no open order"},
		changes: map[string]string{"bob: position 15.00": "bob: position 3.00", ", settling 15.00": ""},
		entry:   operatorlog.Entry{Action: "close an order as paid", Amount: "12.00", Transfer: "id", Peer: "bob", Order: "id"},
	},
	{
		path: "cancel", before: orderBob, fields: with("force", "yes", "confirm", "bob"), preview: "If the rail can still pay under this key, the peer is paid twice.",
		disturb: closeOrder, seen: [2]string{"of 15.00 USD", "no open order"}, changes: map[string]string{", settling 15.00": ""},
		entry: operatorlog.Entry{Action: "give an order back", Amount: "15.00", Transfer: "id", Peer: "bob", Order: "id"},
	},
}

// open prepares the books, and opens the form.
func (c *actCase) open(a *actFixture) url.Values {
	query := ofAlice
	if c.before != nil {
		query = c.before(a)
	}
	return a.openForm(c.path, query, c.fields)
}

// expect returns the books after the change.
func (c *actCase) expect(t *testing.T, before string) string {
	t.Helper()
	for from, to := range c.changes {
		require.Equal(t, 1, strings.Count(before, from), "%q in %s", from, before)
		before = strings.Replace(before, from, to, 1)
	}
	return before
}

// checkEntry compares an act of the journal with the case.
func (c *actCase) checkEntry(t *testing.T, e operatorlog.Entry, form url.Values, outcome operatorlog.Outcome) {
	t.Helper()
	want := c.entry
	want.ID, want.Time, want.EndedAt, want.Who, want.Via, want.Asset, want.Outcome, want.Error = e.ID, e.Time, e.EndedAt, "console ann", "console", "USD/2", outcome, e.Error
	require.NotZero(t, e.EndedAt)
	switch want.Peer {
	case "":
		want.Peer = "alice"
	case "none":
		want.Peer = ""
	}
	if want.Key == "form" {
		want.Key = form.Get("key")
	}
	if want.Transfer == "id" {
		require.Len(t, e.Transfer, 32)
		want.Transfer = e.Transfer
	}
	if want.Order == "id" {
		want.Order = form.Get("order")
	}
	require.Regexp(t, `\[form `+form.Get("key")+` [0-9a-f]{16}\]$`, e.Note)
	want.Note += e.Note[strings.LastIndex(e.Note, "[form"):]
	require.Equal(t, want, e)
}

// Each action changes the books exactly as its second page says, once, and is in the journal.
func TestActs(t *testing.T) {
	t.Parallel()
	for _, c := range actCases {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			a := newActFixture(t, nil)
			form := c.open(a)
			before := a.describeAll()
			preview, second := a.check(c.path, form, c.fields)
			require.Contains(t, preview, c.preview)
			require.Equal(t, before, a.describeAll(), "the second page writes nothing")
			require.Empty(t, a.readActs())
			location, text := a.do(c.path, second)
			require.Contains(t, text, "<strong>Done:</strong>")
			after := a.describeAll()
			require.Equal(t, c.expect(t, before), after)
			acts := a.readActs()
			require.Len(t, acts, 1)
			c.checkEntry(t, acts[0], second, operatorlog.Written)

			again, text := a.do(c.path, second) // the same post: nothing is done twice
			require.Equal(t, "done?again=1&"+strings.TrimPrefix(location, "done?"), again)
			require.Contains(t, text, "nothing was done twice")
			require.Equal(t, after, a.describeAll())
			require.Len(t, a.readActs(), 1)

			for _, name := range []string{"amount", "line", "note"} { // the same form with another value
				if second.Has(name) {
					second.Set(name, "1")
					status, _, text := a.post(c.path, second)
					require.Equal(t, http.StatusConflict, status)
					require.Contains(t, text, "with other values")
				}
			}
			require.Equal(t, after, a.describeAll())
			_, err := a.client.Book.TrialBalance(t.Context(), usd)
			require.NoError(t, err)
		})
	}
}

// The books have changed since the form was made: the form is refused, with both values, at both of its steps.
func TestStaleForms(t *testing.T) {
	t.Parallel()
	for _, c := range actCases {
		if c.disturb == nil {
			continue // depends on no state
		}
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			a := newActFixture(t, nil)
			form := c.open(a)
			_, second := a.check(c.path, form, c.fields)
			c.disturb(a)
			changed := a.describeAll()
			for _, values := range []url.Values{form, second} {
				status, _, text := a.post(c.path, values)
				require.Equal(t, http.StatusConflict, status, text)
				require.Contains(t, text, "Refused: nothing was done.")
				require.Regexp(t, "When the form was made</dt><dd>[^<]*"+c.seen[0]+"<", text)
				require.Regexp(t, "Now</dt><dd>[^<]*"+c.seen[1]+"<", text)
				require.Contains(t, text, `href="`+c.path+"?", "a new form")
			}
			require.Equal(t, changed, a.describeAll())
			require.Empty(t, a.readActs(), "nothing was begun")
		})
	}
}

// The answer to a change gets lost, before or after the ledger has applied it. The page says so, and finds out; the same form
// sent again makes the change once in all.
func TestUnknownOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range actCases {
		for name, lost := range map[string]int32{"before": lostBefore, "after": lostAfter} {
			t.Run(c.path+" "+name, func(t *testing.T) {
				t.Parallel()
				a := newActFixture(t, nil)
				a.console.SetActTime(time.Second) // requests without an answer are repeated until then
				form := c.open(a)
				before := a.describeAll()
				_, second := a.check(c.path, form, c.fields)
				a.ledger.lost.Store(lost)
				location, text := a.do(c.path, second)
				require.Contains(t, text, "The outcome is unknown.")
				require.NotContains(t, text, "<strong>Done")
				acts := a.readActs()
				require.Len(t, acts, 1)
				require.Equal(t, operatorlog.Unknown, acts[0].Outcome)
				require.NotEmpty(t, acts[0].Error)

				looked := a.show("/" + location + "&look=1")
				if lost == lostBefore {
					require.Equal(t, before, a.describeAll())
					require.Contains(t, looked, map[bool]string{true: "Booked: unknown.", false: "Booked: no."}[c.path == "pay"])
				} else if !slices.Contains([]string{"close", "reopen", "pay"}, c.path) { // of several requests, the first was applied
					require.Equal(t, c.expect(t, before), a.describeAll())
					require.Contains(t, looked, "Booked: yes.")
				}
				a.ledger.lost.Store(answered)
				a.console.SetActTime(10 * time.Second)
				again := readHidden(t, text)
				require.Equal(t, second.Get("key"), again.Get("key"))
				if confirm := c.fields.Get("confirm"); confirm != "" {
					again.Set("confirm", confirm)
				}
				// A part may be written, or an order placed that the form does not know: only a new form goes on.
				if c.path == "pay" || lost == lostAfter && slices.Contains([]string{"close", "reopen"}, c.path) {
					status, _, text := a.post(c.path, again)
					require.Equal(t, http.StatusConflict, status, text)
					require.Contains(t, text, `href="`+c.path+"?", "a new form")
					require.Len(t, a.readActs(), 1)
					return
				}
				_, text = a.do(c.path, again)
				require.Regexp(t, "<strong>Done(:| before:)</strong>", text)
				require.Equal(t, c.expect(t, before), a.describeAll())
				acts = a.readActs()
				require.Len(t, acts, 2)
				require.Contains(t, []operatorlog.Outcome{operatorlog.Written, operatorlog.Already}, acts[0].Outcome)
				_, err := a.client.Book.TrialBalance(t.Context(), usd)
				require.NoError(t, err)
			})
		}
	}
}

// Without a line in the journal nothing is done.
func TestNoActWithoutTheJournal(t *testing.T) {
	t.Parallel()
	for i, c := range actCases {
		t.Run(c.path, func(t *testing.T) {
			t.Parallel()
			a := newActFixture(t, nil)
			reason := "nothing was done: the operator&#39;s journal cannot be read: "
			if i%2 == 0 { // the journal can be read, and no line can be written
				reason = "nothing was done: operatorlog: the act is not in the journal"
			}
			form := c.open(a)
			_, second := a.check(c.path, form, c.fields)
			before := a.describeAll()
			require.NoError(t, os.Remove(a.journal))
			if i%2 == 0 {
				require.NoError(t, os.Symlink(filepath.Join(t.TempDir(), "none", "journal"), a.journal))
			} else {
				require.NoError(t, os.Mkdir(a.journal, 0o700))
			}
			status, _, text := a.post(c.path, second)
			require.Equal(t, http.StatusServiceUnavailable, status, text)
			require.Contains(t, text, reason)
			require.Equal(t, before, a.describeAll())

			require.NoError(t, os.Remove(a.journal)) // there is room again
			_, text = a.do(c.path, second)
			require.Contains(t, text, "<strong>Done:</strong>")
			require.Equal(t, c.expect(t, before), a.describeAll())
		})
	}
}

// A console that only shows has no route that writes, and the acts of one that acts need the role, a session and our own page.
func TestWhoMayAct(t *testing.T) {
	t.Parallel()
	var routes []string
	acting := newActFixture(t, nil)
	for _, path := range acting.console.Routes() {
		if !slices.Contains(newFixture(t, nil).console.Routes(), path) && !strings.HasPrefix(path, "/audit") {
			routes = append(routes, strings.TrimPrefix(path, "/"))
		}
	}
	require.Len(t, routes, len(actCases)+1, "each action has a case, and there is the page of results")
	viewing := &actFixture{fixture: newFixture(t, func(c *console.Config) { c.JournalFile = acting.journal }, line("alice", usd, 100_00))}
	roles := newActFixture(t, func(c *console.Config) {
		c.RoleHeader, c.TrustedProxies = "X-Role", trusted("127.0.0.0/8")
	})
	stranger := newBrowser(t)
	form := with("peer", "alice", "asset", "USD/2", "step", "do", "key", "console-20261201T000000Z-AAAAAAAAAAAAAAAAAAAA")
	for _, path := range routes {
		status, _, _ := viewing.post(path, form)
		require.Contains(t, []int{http.StatusNotFound, http.StatusMethodNotAllowed}, status, path)
		status, _ = viewing.open("/" + path + "?" + ofAlice)
		require.Equal(t, http.StatusNotFound, status, path)

		for role, want := range map[string]int{"view": http.StatusForbidden, "ACT": http.StatusForbidden, "": http.StatusForbidden} {
			status, _, text := roles.postFrom(roles.browser, path, form, map[string]string{"Origin": roles.server.URL, "X-Role": role})
			if path == "done" {
				want = http.StatusMethodNotAllowed
			}
			require.Equal(t, want, status, "%s %s: %s", path, role, text)
			status, _ = roles.open("/" + path + "?" + ofAlice)
			require.Equal(t, http.StatusForbidden, status, path)
		}

		status, _, _ = acting.postFrom(acting.browser, path, form, map[string]string{"Origin": "https://evil.example"})
		require.Equal(t, http.StatusForbidden, status, path)
		status, location, _ := acting.postFrom(stranger, path, form, map[string]string{"Origin": acting.server.URL})
		if path == "done" {
			require.Equal(t, http.StatusMethodNotAllowed, status)
			continue
		}
		require.Equal(t, http.StatusSeeOther, status, path)
		require.Equal(t, "login", location)
	}
	require.Empty(t, acting.readActs())
	require.Empty(t, roles.readActs())
}
