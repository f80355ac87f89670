package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// The ledger refuses a change: the result says why, and the books and their figures are as before.
func TestRefusedActs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path    string
		query   string
		before  func(*actFixture)
		fields  url.Values
		foresee string // on the second page
		reason  string
	}{
		"line in use":       {"line", ofAlice, func(a *actFixture) { a.debitBeyond("alice", 60_00) }, with("line", "30"), "at most 40.00 USD can be revoked", "at most 40.00 USD can be revoked"},
		"line of suspended": {"line", ofAlice, suspend("alice"), with("line", "130"), "It will be refused: the peer is suspended.", "suspended"},
		"owed":              {"close", ofAlice, receive, nil, "It will be refused: we owe the peer 40.00 USD", "40.00 USD"},
		"suspend closed":    {"suspend", ofAlice, closePeer("alice"), nil, "suspend alice", "closed"},
		"credit closed":     {"credit", ofAlice, closePeer("alice"), with("amount", "5", "reason", "3"), "Of the amount", "closed"},
		"debit uncovered":   {"debit", ofBob, nil, with("amount", "5", "reason", "3"), "It will be refused: the peer&#39;s account covers 0.00 USD", "With --beyond-headroom the rest is arrears"},
		"no arrears":        {"write-off", ofAlice, nil, with("amount", "5", "reason", "3"), "It will be refused: the peer has no arrears", "no arrears"},
		"withdraw":          {"withdraw", "asset=USD%2F2", fund, with("amount", "301", "reason", "3"), "It will be refused: of our liquidity, 300.00 USD is free.", "300.00"},
		"fund of another":   {"fund", "asset=USD%2F2", fund, with("amount", "301", "reason", "3", "name", "start"), "fund our liquidity", "key was used for another booking"},
		"key of another":    {"received", ofAlice, receive, with("amount", "41", "name", "wire-1"), "41.00", "40.00 USD was booked under it"},
		"paid uncovered":    {"paid", ofBob, nil, with("amount", "5"), "It will be refused", "With --beyond-headroom the rest is arrears"},
		"never received":    {"returned", ofAlice, nil, with("amount", "5", "payment", "wire-2"), "returned payment", "no such payment"},
		"returned twice":    {"returned", ofAlice, receive, with("amount", "50", "payment", "wire-1"), "returned payment", "more is returned than was paid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newActFixture(t, nil)
			if c.before != nil {
				c.before(a)
			}
			before := a.describeAll()
			text, second := a.check(c.path, a.openForm(c.path, c.query, c.fields), c.fields)
			require.Contains(t, text, c.foresee)
			location, text := a.do(c.path, second)
			require.Contains(t, text, "Refused: the books are unchanged.")
			require.Contains(t, text, c.reason)
			require.Contains(t, text, `href="`+c.path+"?", "a new form")
			require.Equal(t, before, a.describeAll())
			acts := a.readActs()
			require.Len(t, acts, 1)
			require.Equal(t, operatorlog.Refused, acts[0].Outcome)
			require.NotEmpty(t, acts[0].Error)
			again, _ := a.do(c.path, second)
			require.Contains(t, again, strings.TrimPrefix(location, "done?"))
			require.Len(t, a.readActs(), 1)
		})
	}
}

// A booking under a key that another form has booked is done before.
func TestKeysOfPaymentsAreBookedOnce(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	receive(a)
	before := a.describeAll()
	_, text := a.do("received", a.prepare("received", ofAlice, with("amount", "40", "name", "wire-1")))
	require.Contains(t, text, "<strong>Done before:</strong>")
	require.Equal(t, before, a.describeAll())
	require.Equal(t, operatorlog.Already, a.readActs()[0].Outcome)
}

// What cannot be undone needs the peer's name, typed.
func TestConfirmations(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	query := orderBob(a)
	before := a.describeAll()
	status, _, text := a.post("cancel", with("peer", "bob"))
	require.Equal(t, http.StatusBadRequest, status, text)
	second := a.prepare("cancel", query, with("force", "yes"))
	for _, name := range []string{"", "Bob", "bob ", "alice"} {
		second.Set("confirm", name)
		status, _, text := a.post("cancel", second)
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Contains(t, text, "The name that you typed is not the peer&#39;s.")
	}
	require.Empty(t, a.readActs())
	require.Equal(t, before, a.describeAll())

	form := a.openForm("cancel", query, nil) // without force: the engine placed the order a moment ago
	status, _, text = a.post("cancel", form)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "its engine was active")
	require.NotContains(t, text, `name="step"`, "there is no button")
	form.Set("step", "do")
	form.Set("confirm", "bob")
	status, _, _ = a.post("cancel", form)
	require.Equal(t, http.StatusConflict, status)
	form = a.openForm("resolve", query, with("amount", "15.01")) // above the order
	_, _, text = a.post("resolve", form)
	require.Contains(t, text, "tick --more if this amount was paid")
	require.Empty(t, a.readActs())
	require.Equal(t, before, a.describeAll())
}

// Fields are checked, bounded, and shown again with the reason. Nothing is begun.
func TestFormsAreChecked(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	old := "console-" + time.Now().Add(-61*time.Minute).UTC().Format("20060102T150405Z") + "-ABCDEFGHIJKLMNOPQRST"
	future := "console-" + time.Now().Add(time.Hour).UTC().Format("20060102T150405Z") + "-ABCDEFGHIJKLMNOPQRST"
	for name, c := range map[string]struct {
		changes url.Values
		status  int
		reason  string
	}{
		"amount 0":        {with("amount", "0"), 422, "must not be 0"},
		"amount below 0":  {with("amount", "-1"), 422, "Amount"},
		"too many places": {with("amount", "1.001"), 422, "Amount"},
		"no amount":       {with("amount", ""), 422, "Amount is needed"},
		"no reason":       {with("reason", ""), 422, "reason is needed"},
		"reason 0":        {with("reason", "0"), 422, "reason is needed"},
		"unknown reason":  {with("reason", "badwill"), 422, "nor the name of a reason"},
		"large reason":    {with("reason", "4294967296"), 422, "nor the name of a reason"},
		"long note":       {with("note", strings.Repeat("é", 201)), 422, "at most 200 printable"},
		"lines in a note": {with("note", "a\nb"), 422, "at most 200 printable"},
		"key with spaces": {with("name", "wire 7\u200b"), 422, "Key"},
		"long key":        {with("name", strings.Repeat("k", 201)), 422, "at most 200 bytes"},
		"huge field":      {with("name", strings.Repeat("k", 1101)), 400, "too long"},
		"huge body":       {with("name", strings.Repeat("k", 5000)), 400, "larger than 4096 bytes"},
		"twice":           {url.Values{"amount": {"1", "2"}}, 400, "given twice"},
		"foreign field":   {with("beyond_headroom", "yes"), 400, "no field of this form"},
		"no key":          {with("key", ""), 400, "key"},
		"foreign key":     {with("key", "wire-4711"), 400, "not the key of a form"},
		"key of tomorrow": {with("key", future), 400, "not the key of a form"},
		"old form":        {with("key", old), 409, "more than 1h0m0s ago"},
		"unknown asset":   {with("asset", "CHF/2"), 400, "asset"},
		"unknown peer":    {with("peer", "nobody"), 404, "not provisioned"},
		"unknown step":    {with("step", "now"), 400, "open it again"},
	} {
		for _, step := range []string{"check", "do"} {
			values := a.openForm("credit", ofAlice, with("amount", "5", "reason", "3"))
			values.Set("step", step)
			for field, value := range c.changes {
				values[field] = value
			}
			status, _, text := a.post("credit", values)
			require.Equal(t, c.status, status, "%s %s: %s", name, step, text)
			require.Contains(t, text, c.reason, name)
		}
	}
	require.Empty(t, a.readActs())
	require.Contains(t, a.describe("alice"), "position 0.00")
	status, _, text := a.post("close", a.openForm("close", ofAlice, with("force", "yes")))
	require.Equal(t, 422, status)
	require.Contains(t, text, "reason is needed to write off")
}

// Two requests with one form, at the same time, make one change.
func TestOneFormAtATime(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	second := a.prepare("credit", ofAlice, with("amount", "5", "reason", "3"))
	// The first request waits in the ledger for a second one, which must not come.
	arrived, calls := make(chan struct{}), atomic.Int32{}
	wait := func() {
		if calls.Add(1) == 2 {
			close(arrived)
		}
		select {
		case <-arrived:
		case <-time.After(200 * time.Millisecond):
		}
	}
	a.ledger.gate.Store(&wait)
	var group sync.WaitGroup
	places := make(chan string, 20)
	for range cap(places) {
		group.Go(func() {
			_, location, _ := a.post("credit", second)
			_, id, _ := strings.Cut(location, "id=")
			places <- id
		})
	}
	group.Wait()
	close(places)
	ids := map[string]bool{}
	for id := range places {
		ids[id] = true
	}
	require.Len(t, ids, 1)
	require.Len(t, a.readActs(), 1)
	require.Contains(t, a.describe("alice"), "position 5.00")
}

// Another process finds the acts of an earlier one in the journal: a form that was done is not done again.
func TestFormsAfterARestart(t *testing.T) {
	t.Parallel()
	for _, outcome := range []operatorlog.Outcome{operatorlog.Written, operatorlog.Unknown} {
		a := newActFixture(t, nil)
		second := a.prepare("line", ofAlice, with("line", "250"))
		if outcome == operatorlog.Unknown {
			a.console.SetActTime(time.Second)
			a.ledger.lost.Store(lostAfter)
		}
		location, _ := a.do("line", second)
		a.ledger.lost.Store(answered)
		a.console.Close()
		next, err := console.New(console.Config{
			Book: a.client.Book, Settlement: a.client.Settlement, Allow: console.Act, JournalFile: a.journal, Token: token, Operator: "bea",
			Peers: func(accounts.Asset) []string { return []string{"alice", "bob"} },
		})
		require.NoError(t, err)
		t.Cleanup(next.Close)
		a.serve(next)
		a.logIn()
		_, err = a.client.Book.SetCreditLine(t.Context(), a.peers["alice"], ledger.NewAmount(70_00)) // meanwhile
		require.NoError(t, err)
		if outcome == operatorlog.Written {
			again, text := a.do("line", second)
			require.Equal(t, "done?again=1&"+strings.TrimPrefix(location, "done?"), again)
			require.Contains(t, text, "nothing was done twice")
			require.Len(t, a.readActs(), 1)
		} else {
			text := a.show("/" + location + "&look=1")
			require.Contains(t, text, "The outcome is unknown.")
			require.Contains(t, text, "The line is 70.00: neither 100.00, as before, nor 250.00.")
			status, _, text := a.post("line", second)
			require.Equal(t, http.StatusConflict, status, text)
			require.Contains(t, text, "The books have changed since the form was made.")
		}
		require.Contains(t, a.describe("alice"), "line 70.00")
	}
}

// An order that the rail does not answer is open: the outcome is unknown, and the page finds the order.
func TestPaymentsThatStayOpen(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	a.send("alice", "bob", 15_00)
	location, text := a.do("pay", a.prepare("pay", ofBob, nil))
	require.Contains(t, text, "The outcome is unknown.")
	orders, err := a.client.Settlement.Orders(t.Context(), a.peers["bob"])
	require.NoError(t, err)
	require.Contains(t, a.show("/"+location+"&look=1"), "The order "+orders[0].ID.String()+" of 15.00 USD is open.")
	require.Equal(t, orders[0].ID.String(), a.readActs()[0].Transfer)
	for _, path := range []string{"/orders", "/peer?" + ofBob, "/"} {
		require.Contains(t, a.show(path), `href="cancel?asset=USD%2F2&amp;peer=bob&amp;order=`+orders[0].ID.String()+`"`)
	}
	rail := settlement.SettlerFunc(payAll)
	a.rail.Store(&rail)
	_, text = a.do("pay", readHidden(t, text))
	require.Contains(t, text, "<strong>Done:</strong>")
	require.Contains(t, a.describe("bob"), "position 0.00")

	text, _, _ = func() (string, int, error) {
		_, _, page := a.post("pay", a.openForm("pay", ofBob, nil))
		return page, 0, nil
	}()
	require.Contains(t, text, "Nothing is owed in either direction.")
}

// Looking again finds the booking of the act, and no other one under the same text: incoming and outgoing payments, and
// corrections and write-offs, have separate keys.
func TestLookingAgainTellsBookingsApart(t *testing.T) {
	t.Parallel()
	for path, fields := range map[string]url.Values{
		"paid": with("amount", "40", "name", "wire-1"), "write-off": with("amount", "1", "name", "before", "reason", "1"),
		"withdraw": with("amount", "300", "name", "start", "reason", "1"),
	} {
		a := newActFixture(t, nil)
		receive(a)
		fund(a)
		a.debitBeyond("bob", 7_00) // under the key "before"
		query := map[string]string{"paid": ofAlice, "write-off": ofBob, "withdraw": "asset=USD%2F2"}[path]
		second := a.prepare(path, query, fields)
		a.console.SetActTime(time.Second)
		a.ledger.lost.Store(lostBefore)
		location, _ := a.do(path, second)
		require.Contains(t, a.show("/"+location+"&look=1"), "Booked: no.", path)
	}
}
