package console_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
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

// lose sends a form whose answer gets lost, and returns the page of the result and the form that it sends again.
func (a *actFixture) lose(lost int32, path string, second url.Values) (location string, again url.Values) {
	a.t.Helper()
	a.console.SetActTime(time.Second)
	a.ledger.lost.Store(lost)
	location, text := a.do(path, second)
	require.Contains(a.t, text, "The outcome is unknown.")
	a.ledger.lost.Store(answered)
	a.console.SetActTime(10 * time.Second)
	again = readHidden(a.t, text)
	if confirm := second.Get("confirm"); confirm != "" {
		again.Set("confirm", confirm)
	}
	return location, again
}

// refuse posts a form that must be refused, and returns the page.
func (a *actFixture) refuse(path string, form url.Values) string {
	a.t.Helper()
	before, acts := a.describeAll(), len(a.readActs())
	status, _, text := a.post(path, form)
	require.Equal(a.t, http.StatusConflict, status, text)
	require.Contains(a.t, text, `href="`+path+"?", "a new form")
	require.Equal(a.t, before, a.describeAll())
	require.Len(a.t, a.readActs(), acts)
	return text
}

// Another operator has changed the peer there and back: a form whose outcome was unknown does not undo that.
func TestResentFormsAfterAnotherOperator(t *testing.T) {
	t.Parallel()
	setLine := func(a *actFixture, units uint64) {
		_, err := a.client.Book.SetCreditLine(a.t.Context(), a.peers["alice"], ledger.NewAmount(units))
		require.NoError(a.t, err)
	}
	resume := func(a *actFixture) { require.NoError(a.t, a.client.Book.ResumePeer(a.t.Context(), a.peers["alice"])) }
	for path, c := range map[string]struct {
		before func(*actFixture)
		fields url.Values
		other  func(*actFixture) // back to what the form has seen
	}{
		"line":    {nil, with("line", "250"), func(a *actFixture) { setLine(a, 100_00) }},
		"resume":  {suspend("alice"), nil, suspend("alice")},
		"suspend": {nil, nil, resume},
		"close": {suspend("alice"), nil, func(a *actFixture) {
			closePeer("alice")(a)
			require.NoError(a.t, a.client.Book.ReopenPeer(a.t.Context(), a.peers["alice"]))
		}},
	} {
		a := newActFixture(t, nil)
		if c.before != nil {
			c.before(a)
		}
		_, again := a.lose(lostAfter, path, a.prepare(path, ofAlice, c.fields))
		c.other(a)
		require.Contains(t, a.refuse(path, again), "An operator has changed the peer", path)
	}
}

// A line that is lowered by what is free is done before, although it is not the wanted one.
func TestResentPartialRevocation(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	a.debitBeyond("alice", 60_00)
	_, again := a.lose(lostAfter, "line", a.prepare("line", ofAlice, with("line", "30", "what_is_free", "yes")))
	require.Contains(t, a.describe("alice"), "line 60.00")
	_, text := a.do("line", again)
	require.Contains(t, text, "<strong>Done before:</strong>")
	require.Equal(t, "60.00", a.readActs()[0].After)
}

// A form without force does not cancel an order that an engine has claimed since the form was sent.
func TestResentCancelOfAnActiveOrder(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	query := orderBob(a) // its engine was active a moment ago
	second := a.openForm("cancel", query, nil)
	second.Set("step", "do")
	second.Set("confirm", "bob")
	entry := operatorlog.Entry{Who: "console ann", Via: "console", Action: "give an order back", Peer: "bob", Asset: "USD/2", Note: console.TagOf(second)}
	a.writeAct(entry, operatorlog.Unknown)
	require.Contains(t, a.refuse("cancel", second), "its engine was active")
}

// writeAct writes an act of another console to the journal.
func (a *actFixture) writeAct(e operatorlog.Entry, outcome operatorlog.Outcome) {
	a.t.Helper()
	log, err := operatorlog.Open(a.journal)
	require.NoError(a.t, err)
	act, err := log.Begin(e)
	require.NoError(a.t, err)
	require.NoError(a.t, act.End(outcome, e.Transfer, nil))
	require.NoError(a.t, log.Close())
}

// Another console with the same journal has sent the form.
func TestFormsOfAnotherConsole(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	second := a.prepare("suspend", ofAlice, nil)
	a.writeAct(operatorlog.Entry{Who: "console bea", Via: "console", Action: "suspend", Peer: "alice", Asset: "USD/2", Note: console.TagOf(second)}, operatorlog.Written)
	_, text := a.do("suspend", second)
	require.Contains(t, text, "nothing was done twice")
	require.Contains(t, a.describe("alice"), "active")
}

// The order of a payment whose outcome was unknown is paid meanwhile, and more is due: the form is done before.
func TestResentPaymentThatTheEngineHasPaid(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	a.send("alice", "bob", 15_00)
	location, text := a.do("pay", a.prepare("pay", ofBob, nil))
	require.Contains(t, text, "The outcome is unknown.")
	again := readHidden(t, text)
	orders, err := a.client.Settlement.Orders(t.Context(), a.peers["bob"])
	require.NoError(t, err)
	_, err = a.client.Settlement.Resolve(t.Context(), a.peers["bob"], orders[0].ID, ledger.NewAmount(15_00))
	require.NoError(t, err)
	a.send("alice", "bob", 4_00)
	before := a.describeAll()
	require.Contains(t, a.show("/"+location+"&look=1"), "Booked: yes.")
	_, text = a.do("pay", again)
	require.Contains(t, text, "<strong>Done before:</strong>")
	require.Equal(t, before, a.describeAll())
	require.Equal(t, []string{orders[0].ID.String(), "15.00"}, []string{a.readActs()[0].Transfer, a.readActs()[0].Amount})
}

// A payment goes on with the order that the form has placed, and places no other one.
func TestResentPaymentPlacesNoOtherOrder(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	a.send("alice", "bob", 15_00)
	_, text := a.do("pay", a.prepare("pay", ofBob, nil))
	again := readHidden(t, text)
	a.send("alice", "bob", 4_00) // below settle_at
	rail := settlement.SettlerFunc(payAll)
	a.rail.Store(&rail)
	_, text = a.do("pay", again)
	require.Contains(t, text, "<strong>Done:</strong>")
	require.Contains(t, a.describe("bob"), "position 4.00")

	second := a.prepare("pay", ofBob, nil) // no order is known of this one: it is not paid twice
	_, again = a.lose(lostBefore, "pay", second)
	require.Contains(t, a.refuse("pay", again), "does not say which order")
}

// The second page is shown again if more is due, or another amount is written off, than it has shown.
func TestAmountsThatWereNotShown(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	sendAndPay(a)
	second := a.prepare("pay", ofBob, nil)
	a.send("alice", "bob", 1_00)
	require.Contains(t, a.refuse("pay", second), "15.00 was due when this page was made, and 16.00 is due now")
	fields := with("force", "yes", "reason", "4", "confirm", "bob")
	second = a.prepare("close", ofBob, fields)
	a.send("alice", "bob", 1_00)
	text := a.refuse("close", second)
	require.Contains(t, text, "The position was 16.00 when this page was made, and is 17.00 now")
	second = readHidden(t, text)
	second.Set("confirm", "bob")
	_, text = a.do("close", second)
	require.Contains(t, text, "<strong>Done:</strong>")
}

// Orders that the act did not close are not taken for its own, and a value that was the same before shows nothing.
func TestLookingAgainAtTheBooksOfOthers(t *testing.T) {
	t.Parallel()
	for path, fields := range map[string]url.Values{"resolve": with("amount", "12"), "cancel": with("force", "yes", "confirm", "bob")} {
		a := newActFixture(t, nil)
		location, again := a.lose(lostBefore, path, a.prepare(path, orderBob(a), fields))
		orders, err := a.client.Settlement.Orders(t.Context(), a.peers["bob"])
		require.NoError(t, err)
		_, err = a.client.Settlement.Resolve(t.Context(), a.peers["bob"], orders[0].ID, ledger.NewAmount(15_00))
		require.NoError(t, err)
		require.Contains(t, a.show("/"+location+"&look=1"), "Booked: no.", path)
		require.Contains(t, a.refuse(path, again), "The order was closed in another way")
	}
	a := newActFixture(t, nil)
	suspend("alice")(a)
	location, _ := a.lose(lostBefore, "suspend", a.prepare("suspend", ofAlice, with("revoke_free", "yes")))
	require.Contains(t, a.show("/"+location+"&look=1"), "Booked: unknown.")
}

// A payment whose second order fails is done in part, and not refused.
func TestPaymentInPart(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	a.send("alice", "bob", 15_00)
	second := a.prepare("pay", ofBob, nil)
	calls := atomic.Int32{}
	rail := settlement.SettlerFunc(func(_ context.Context, o settlement.Order) (ledger.Amount, error) {
		if calls.Add(1) > 1 {
			return ledger.Amount{}, settlement.ErrDeclined
		}
		a.send("alice", "bob", 14_00) // due after this order
		return o.Amount, nil
	})
	a.rail.Store(&rail)
	_, text := a.do("pay", second)
	require.Equal(t, int32(2), calls.Load())
	require.Contains(t, text, "<strong>Done:</strong>")
	require.Contains(t, text, "Only 15.00 was paid.")
	e := a.readActs()[0]
	require.Equal(t, []any{operatorlog.Written, "15.00"}, []any{e.Outcome, e.Amount})
	require.Contains(t, e.Error, "declined")
}

// A closing that has changed the books before it was refused is an error, with what it has changed.
func TestClosingInPart(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	second := a.prepare("close", ofAlice, nil)
	once := atomic.Bool{}
	credit := func() {
		if !once.Swap(true) {
			_, err := a.client.Book.Adjust(context.Background(), accounts.Adjustment{Account: a.peers["alice"], Key: "k", Credit: ledger.NewAmount(5_00), ReasonCode: 1})
			if err != nil {
				panic(errors.Join(errAway, err))
			}
		}
	}
	a.ledger.gate.Store(&credit)
	_, text := a.do("close", second)
	require.Contains(t, text, "An error ended the change.")
	require.Contains(t, text, "the peer was active, position 0.00, arrears 0.00, and is active, position 5.00, arrears 0.00")
	require.Equal(t, operatorlog.Failed, a.readActs()[0].Outcome)
}

// The page of acts does not pass a part of the journal for the whole.
func TestAuditOfALongJournal(t *testing.T) {
	t.Parallel()
	a := newActFixture(t, nil)
	for range 3 {
		a.writeAct(operatorlog.Entry{Who: "w", Via: "v", Action: "suspend", Peer: "alice"}, operatorlog.Written)
	}
	require.NotContains(t, a.show("/audit?peer=alice"), "older acts were not searched")
	a.console.SetJournalBytes(300)
	require.Contains(t, a.show("/audit?peer=alice"), "older acts were not searched")
}
