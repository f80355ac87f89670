package console

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
)

// fieldView is a field of a form as its page shows it.
type fieldView struct {
	Name, Label, Hint, Value string
	Box, Required            bool
}

// hiddenView is a field that a page only passes on.
type hiddenView struct{ Name, Value string }

// actPage is the page of a form, and the second page, which shows the change.
type actPage struct {
	header

	Path, Label, Help string
	Peer, Asset, Back string
	Order             string
	State, Figures    string // of the peer or the asset
	Seen              string
	Error             string
	Hidden            []hiddenView
	Fields            []fieldView
	Reason, Note      string
	Reasons           []string // names
	New               string   // the address of a new form

	Sentence, Now, Effect, Advice, KeyNote, Blocked string // of the second page
	Confirm                                         string // the name that must be typed
	Was, Is                                         string // of a form that is out of date
}

// newActPage returns the parts that all pages of an action have.
func (c *Console) newActPage(a *action, s *subject) actPage {
	now, _ := c.reader.current()
	v := actPage{
		header: newHeader(a.label, "peers", now), Path: a.path, Label: a.label, Help: a.help,
		Peer: s.peer(), Asset: s.assetName, Back: "./", Figures: s.describe(c), Reasons: slices.Sorted(maps.Keys(c.cfg.Reasons)), New: a.path + "?" + s.query(),
	}
	v.Refresh, v.Stale = false, ""
	if v.Peer != "" {
		v.Back = "peer?" + accountQuery(v.Peer, s.assetName)
		v.State = effects.DescribeState(s.balance)
	}
	if !s.place.order.IsZero() {
		v.Order = s.place.order.String()
	}
	if a.seenField != "" {
		v.Seen = a.see(s)
	}
	return v
}

// showForm shows a new form: it has a new key, and what it is based on.
func (c *Console) showForm(w http.ResponseWriter, r *http.Request, a *action) {
	p, err := c.findPlace(a, r.URL.Query())
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	s, err := c.readSubject(r.Context(), a, p)
	if err != nil {
		c.fail(w, statusOf(err), err)
		return
	}
	f := &actForm{place: p, action: a, key: newFormKey(time.Now()), values: map[string][]string{}}
	if a.seenField != "" {
		f.seen = a.see(s)
	}
	c.renderForm(w, http.StatusOK, f, s, nil)
}

// renderForm shows a form with its values. wrong is why they were refused; nil for a new form.
func (c *Console) renderForm(w http.ResponseWriter, status int, f *actForm, s *subject, wrong error) {
	v := c.newActPage(f.action, s)
	v.Hidden = f.hideIdentity()
	for _, field := range f.action.fields {
		v.Fields = append(v.Fields, fieldView{
			Name: field.name, Label: field.label, Hint: field.hint, Value: f.values.Get(field.name), Box: field.kind == boxField, Required: !field.optional && field.kind != boxField,
		})
	}
	v.Reason, v.Note = f.values.Get("reason"), f.values.Get("note")
	if wrong != nil {
		v.Error = wrong.Error()
	}
	c.render(w, status, "act", v)
}

// hideIdentity returns the fields that name the form and what it is based on.
func (f *actForm) hideIdentity() []hiddenView {
	hidden := []hiddenView{{"key", f.key}, {"asset", f.assetName}}
	if f.peer() != "" {
		hidden = append(hidden, hiddenView{"peer", f.peer()})
	}
	if !f.order.IsZero() {
		hidden = append(hidden, hiddenView{"order", f.order.String()})
	}
	if f.action.seenField != "" {
		hidden = append(hidden, hiddenView{f.action.seenField, f.seen})
	}
	return hidden
}

// takeForm answers a post of a form: with step "check" by the second page, and with "do" by the change.
func (c *Console) takeForm(w http.ResponseWriter, r *http.Request, a *action) {
	f, err := c.parsePlaceAndKey(a, r)
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	if f.step != "check" && f.step != "do" {
		c.fail(w, http.StatusBadRequest, errFormGone)
		return
	}
	wrong := c.parseFields(f)
	if f.step == "do" && wrong == nil {
		c.doAct(w, r, f)
		return
	}
	s, err := c.readSubject(r.Context(), a, f.place)
	if err != nil {
		c.fail(w, statusOf(err), err)
		return
	}
	c.checkAct(w, f, s, wrong)
}

// planAct returns the change that a form asks for. The second result is false if planAct has
// answered the request: the form is out of date, or a value is wrong.
func (c *Console) planAct(w http.ResponseWriter, f *actForm, s *subject) (*plan, bool) {
	if why := f.explainStale(s, time.Now()); why != "" {
		c.renderStale(w, f, s, why)
		return nil, false
	}
	p, err := f.action.plan(c, f, s)
	if err != nil {
		c.renderForm(w, http.StatusUnprocessableEntity, f, s, err)
		return nil, false
	}
	return &p, true
}

// renderStale refuses a form that is out of date, and leads to a new one.
func (c *Console) renderStale(w http.ResponseWriter, f *actForm, s *subject, why string) {
	v := c.newActPage(f.action, s)
	v.Was, v.Is, v.Error = f.seen, v.Seen, why
	c.render(w, http.StatusConflict, "act_stale", v)
}

// checkAct answers with the second page, or with the form if a value is wrong.
func (c *Console) checkAct(w http.ResponseWriter, f *actForm, s *subject, wrong error) {
	if wrong != nil {
		c.renderForm(w, http.StatusUnprocessableEntity, f, s, wrong)
		return
	}
	if p, ok := c.planAct(w, f, s); ok {
		c.renderPlan(w, http.StatusOK, f, s, p, "")
	}
}

// explainStale returns why a form is out of date; "" if it is not.
func (f *actForm) explainStale(s *subject, now time.Time) string {
	switch {
	case f.again.harmless, f.again.done != nil:
		return ""
	case f.again.refused != "":
		return f.again.refused
	case f.again.order.IsZero() && f.action.seenField != "" && f.action.see(s) != f.seen:
		return "The books have changed since the form was made."
	case now.Sub(f.made) > formLifetime:
		return fmt.Sprintf("The form was made at %s, more than %v ago.", formatTime(f.made), formLifetime)
	default:
		return ""
	}
}

// renderPlan shows the second page.
func (c *Console) renderPlan(w http.ResponseWriter, status int, f *actForm, s *subject, p *plan, wrong string) {
	v := c.newActPage(f.action, s)
	v.Hidden = f.hideIdentity()
	for _, field := range f.action.fields {
		if value := f.values.Get(field.name); value != "" {
			v.Hidden = append(v.Hidden, hiddenView{field.name, value})
		}
	}
	for _, name := range []string{"reason", "note"} {
		if value := f.values.Get(name); value != "" {
			v.Hidden = append(v.Hidden, hiddenView{name, value})
		}
	}
	if p.shown != "" {
		v.Hidden = append(v.Hidden, hiddenView{"shown", p.shown})
	}
	v.Sentence, v.Now, v.Effect, v.Advice, v.Blocked, v.Error, v.Note = p.sentence.String(), p.now, p.effect, p.note, p.blocked, wrong, f.note
	if f.action.keyed {
		v.KeyNote = effects.KeyNote
	}
	if f.needsConfirmation() {
		v.Confirm = f.peer()
	}
	c.render(w, status, "act_check", v)
}

var errOtherValues = errors.New("this form was sent before, with other values: what was sent stays as it is. Open a new form for another change")

// doAct makes the change, once for the form, and leads to the page of its result.
func (c *Console) doAct(w http.ResponseWriter, r *http.Request, f *actForm) {
	unlock, err := c.acts.lockForm(r.Context(), f.key)
	if err != nil {
		c.fail(w, http.StatusServiceUnavailable, err)
		return
	}
	defer unlock()
	earlier, err := c.findEarlier(r.Context(), f)
	switch {
	case err != nil:
		c.fail(w, http.StatusServiceUnavailable, fmt.Errorf("nothing was done: the operator's journal cannot be read: %w", err))
		return
	case earlier != nil && !earlier.isOf(f):
		c.fail(w, http.StatusConflict, errOtherValues)
		return
	case earlier != nil && earlier.isFinal():
		redirect(w, "done?again=1&id="+earlier.entry.ID)
		return
	}
	s, err := c.readSubject(r.Context(), f.action, f.place)
	if err != nil {
		c.fail(w, statusOf(err), fmt.Errorf("nothing was done: %w", err))
		return
	}
	if earlier != nil {
		if f.again, err = c.compareResent(r.Context(), f, s, &earlier.entry); err != nil {
			c.fail(w, http.StatusServiceUnavailable, fmt.Errorf("nothing was done: %w", err))
			return
		}
	}
	p, ok := c.planAct(w, f, s)
	switch {
	case !ok:
		return
	case f.again.done == nil && p.blocked != "":
		c.renderPlan(w, http.StatusConflict, f, s, p, "")
		return
	case f.again.done == nil && p.outdated != "" && earlier != nil: // the values of a form that was sent stay as they are
		c.renderStale(w, f, s, p.outdated)
		return
	case f.again.done == nil && p.outdated != "":
		c.renderPlan(w, http.StatusConflict, f, s, p, p.outdated)
		return
	case f.needsConfirmation() && f.confirm != f.peer():
		c.renderPlan(w, http.StatusUnprocessableEntity, f, s, p, "The name that you typed is not the peer's.")
		return
	}
	id, err := c.perform(r.Context(), operatorOf(w), f, s, p)
	if err != nil {
		c.fail(w, http.StatusServiceUnavailable, fmt.Errorf("nothing was done: %w", err))
		return
	}
	limitAnswer(w, answerTime) // anew: the change has taken a part
	redirect(w, "done?id="+id)
}

// actLink is a link to a form.
type actLink struct{ Label, Link string }

// listActs returns the links to the forms about a peer, or about an asset.
func (c *Console) listActs(p place, state string) (links []actLink) {
	var names []string
	switch {
	case p.peer() == "":
		names = []string{"fund", "withdraw"}
	case state == "closed":
		names = []string{"reopen", "close", "received", "returned", "debit", "write-off"}
	case state == "suspended":
		names = []string{"resume", "close", "pay", "received", "paid", "returned", "credit", "debit", "write-off"}
	default:
		names = []string{"line", "suspend", "close", "pay", "received", "paid", "returned", "credit", "debit", "write-off"}
	}
	for _, name := range names {
		if a := c.actions[name]; a != nil {
			links = append(links, actLink{a.label, a.path + "?" + p.query()})
		}
	}
	return links
}

// linkOrder returns the links to the forms about an open order.
func (c *Console) linkOrder(account accounts.PeerAccount, asset accounts.Asset, order string) (links []actLink) {
	for _, name := range []string{"resolve", "cancel"} {
		if a := c.actions[name]; a != nil {
			links = append(links, actLink{a.label, a.path + "?" + accountQuery(account.Peer(), c.nameAsset(asset)) + "&order=" + order})
		}
	}
	return links
}
