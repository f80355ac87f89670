package console

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
)

// donePage is the page of an act's result.
type donePage struct {
	header

	ID, Path, Label, Peer, Asset, Back, New    string
	Outcome, Sentence, Error, Advice           string
	Who, Began, Ended, Before, After, Transfer string
	Note, JournalError, Confirm, Safe          string
	Again                                      bool
	Hidden                                     []hiddenView // of the form, to send it again
	Found                                      *finding
}

// The advice on outcomes that are not certain.
const (
	adviceFailed  = "The console knows no more than the error below: look again whether the change is booked."
	adviceUnknown = effects.UnknownOutcome + "Look again, or send the same form again: a change is never written twice."
	adviceAtWork  = "The change is still at work, or the program was stopped meanwhile: look again."
)

// safeAgain returns why it is safe to send a form again.
func (a *action) safeAgain() string {
	switch {
	case a.keyed:
		return "the form has the same key, and a key is booked once, for ever"
	case a.seenField == "if_line":
		return "a line that is as wanted is not changed again, and if an operator has changed the peer since, the form is refused"
	case a.path == "pay":
		return "the order of this form is paid under the same key, and no other one is placed for it"
	case a.seenField == orderField:
		return "an order is closed once, and the form is checked as for the first time"
	default:
		return "a state that the peer has is not set again, and if an operator has changed the peer since, the form is refused"
	}
}

// showDone shows the result of an act: done, done before, refused, or unknown with the way to find out.
func (c *Console) showDone(w http.ResponseWriter, r *http.Request) {
	record, err := c.findAct(r.Context(), r.URL.Query().Get("id"))
	switch {
	case err != nil:
		c.fail(w, http.StatusServiceUnavailable, err)
		return
	case record == nil:
		c.fail(w, http.StatusNotFound, errors.New("the act is not among the newest ones of the operator's journal"))
		return
	}
	v, a, p := c.newDonePage(record)
	v.Again = r.URL.Query().Has("again")
	if record.isFinal() {
		c.render(w, http.StatusOK, "act_done", v)
		return
	}
	v.Advice = map[operatorlog.Outcome]string{operatorlog.Failed: adviceFailed, operatorlog.Unknown: adviceUnknown, "": adviceAtWork}[record.entry.Outcome]
	if a != nil && r.URL.Query().Has("look") {
		found := c.lookAgain(r, a, p, &record.entry)
		v.Found = &found
	}
	c.render(w, http.StatusOK, "act_unknown", v)
}

// newDonePage returns the page of an act, with its action, which is nil if the console has none of this name, and its place.
func (c *Console) newDonePage(record *actRecord) (v donePage, a *action, p place) {
	e := &record.entry
	now, _ := c.reader.current()
	v = donePage{
		header: newHeader("Result", "peers", now), ID: e.ID, Label: e.Action, Peer: e.Peer, Asset: e.Asset, Back: "./", Outcome: string(e.Outcome),
		Error: e.Error, Advice: record.note, Who: e.Who, Began: formatTime(e.Time), Ended: formatTime(e.EndedAt), Before: e.Before, After: e.After,
		Transfer: e.Transfer, Note: cutTag(e.Note), JournalError: record.journalErr,
	}
	v.Stale = ""
	if e.Peer != "" && e.Asset != "" {
		v.Back = "peer?" + accountQuery(e.Peer, e.Asset)
	}
	sentence := effects.Sentence{
		Wording: effects.Wording{Action: e.Action}, Peer: e.Peer, Asset: e.Asset, Amount: e.Amount, Key: e.Key, Reason: e.Reason, ReasonName: e.ReasonName, Order: e.Order,
	}
	for _, known := range c.actions {
		if known.wording.Action != e.Action {
			continue
		}
		found, err := c.findPlace(known, url.Values{"peer": {e.Peer}, "asset": {e.Asset}, "order": {e.Order}})
		if sentence.Wording = known.wording; err == nil {
			a, p = known, found
			v.Label, v.Path, v.New, v.Safe = a.label, a.path, a.path+"?"+p.query(), a.safeAgain()
		}
	}
	v.Sentence = sentence.String()
	if a != nil && record.values != nil {
		for _, name := range slices.Sorted(maps.Keys(record.values)) {
			v.Hidden = append(v.Hidden, hiddenView{name, record.values.Get(name)})
		}
		if again := (&actForm{place: p, action: a, boxes: map[string]bool{"force": record.values.Get("force") != ""}}); again.needsConfirmation() {
			v.Confirm = e.Peer
		}
	}
	return v, a, p
}
