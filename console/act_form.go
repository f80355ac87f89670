package console

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
)

// fieldKind is the kind of a form's field.
type fieldKind int

const (
	amountField fieldKind = iota // whole units of the asset, above 0
	lineField                    // an amount, 0 included, or "unlimited"
	textField                    // a name of a payment
	boxField                     // yes or no
)

// formField is a field of a form.
type formField struct {
	name, label, hint string
	kind              fieldKind
	optional          bool
}

// The bounds of fields.
const (
	maxField = 1100 // bytes of a field: a peer's id and a key have at most 1023
	maxNote  = 200  // characters
	maxName  = 200  // bytes of a typed key
)

// actForm is a form as it was sent.
type actForm struct {
	place

	action     *action
	key        string    // made with the form
	made       time.Time // when the form was made, by the key
	seen       string    // the text of action.see when the form was made
	shown      string    // plan.shown of the second page
	again      resend    // set for a form that was sent before
	step       string    // "check" or "do"
	confirm    string    // the typed name of the peer
	amount     ledger.Amount
	texts      map[string]string // by name of the field
	boxes      map[string]bool
	reason     uint32
	reasonName string
	note       string
	values     url.Values // all fields but step and confirm
}

// bookingKey is the key in the ledger: the typed name of the payment, or else the form's key.
func (f *actForm) bookingKey() string {
	if name := f.texts["name"]; name != "" {
		return name
	}
	return f.key
}

const (
	keyPrefix    = "console-"
	keyTime      = "20060102T150405Z"
	formLifetime = time.Hour
)

// newFormKey returns a key that no other form has. It begins with the time of the form.
func newFormKey(now time.Time) string {
	return keyPrefix + now.UTC().Format(keyTime) + "-" + rand.Text()[:20]
}

// parseFormKey returns when the form of a key was made.
func parseFormKey(key string, now time.Time) (time.Time, error) {
	rest, isOurs := strings.CutPrefix(key, keyPrefix)
	text, random, _ := strings.Cut(rest, "-")
	made, err := time.Parse(keyTime, text)
	isOdd := func(r rune) bool { return (r < 'A' || r > 'Z') && (r < '2' || r > '7') }
	if !isOurs || err != nil || len(random) != 20 || strings.ContainsFunc(random, isOdd) || made.After(now.Add(time.Minute)) {
		return time.Time{}, &accounts.FieldError{Subject: "form", Field: "key", Reason: "is not the key of a form of this console"}
	}
	return made, nil
}

// fieldNames are the fields that a form of an action may have, besides step and confirm.
func (a *action) fieldNames() []string {
	names := []string{"peer", "asset", "order", "key", "reason", "note"}
	if a.compare != nil {
		names = append(names, "shown")
	}
	if a.seenField != "" {
		names = append(names, a.seenField)
	}
	for _, field := range a.fields {
		names = append(names, field.name)
	}
	return names
}

// parsePlaceAndKey reads the parts of a form that do not depend on the user. An error means that the form is none of ours.
func (c *Console) parsePlaceAndKey(a *action, r *http.Request) (*actForm, error) {
	if err := r.ParseForm(); err != nil {
		if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
			return nil, fmt.Errorf("the form is larger than %d bytes: use the peerledger command", tooLarge.Limit)
		}
		return nil, errFormGone
	}
	f := &actForm{action: a, step: r.PostForm.Get("step"), confirm: r.PostForm.Get("confirm"), values: url.Values{}, texts: map[string]string{}, boxes: map[string]bool{}}
	for name, values := range r.PostForm {
		if name == "step" || name == "confirm" {
			continue
		}
		if len(values) != 1 || len(values[0]) > maxField || !slices.Contains(a.fieldNames(), name) {
			return nil, &accounts.FieldError{Subject: "form", Field: fmt.Sprintf("%.40q", name), Reason: "is given twice, is too long, or is no field of this form"}
		}
		f.values[name] = values
	}
	var err error
	if f.made, err = parseFormKey(f.values.Get("key"), time.Now()); err != nil {
		return nil, err
	}
	if f.place, err = c.findPlace(a, f.values); err != nil {
		return nil, err
	}
	f.key, f.seen, f.shown = f.values.Get("key"), f.values.Get(a.seenField), f.values.Get("shown")
	return f, nil
}

// parseFields reads what the user has typed.
func (c *Console) parseFields(f *actForm) error {
	for _, field := range f.action.fields {
		if err := f.parseField(field, strings.TrimSpace(f.values.Get(field.name))); err != nil {
			return err
		}
	}
	number, known := effects.ParseReason(strings.TrimSpace(f.values.Get("reason")), c.cfg.Reasons)
	if !known {
		return &accounts.FieldError{Subject: "form", Field: "reason", Reason: "is neither a number from 0 to 4294967295 nor the name of a reason"}
	}
	f.reason, f.reasonName = number, effects.NameReason(number, c.cfg.Reasons)
	isOdd := func(r rune) bool { return !unicode.IsPrint(r) }
	if f.note = strings.TrimSpace(f.values.Get("note")); len([]rune(f.note)) > maxNote || strings.ContainsFunc(f.note, isOdd) {
		return &accounts.FieldError{Subject: "form", Field: "note", Reason: "must have at most " + strconv.Itoa(maxNote) + " printable characters"}
	}
	return nil
}

// parseField reads the value of a field.
func (f *actForm) parseField(field formField, text string) error {
	if text == "" && field.kind != boxField {
		if field.optional {
			return nil
		}
		return &accounts.FieldError{Subject: "form", Field: field.label, Reason: "is needed"}
	}
	var err error
	switch field.kind {
	case amountField:
		if f.amount, err = f.asset.Parse(text); err == nil && f.amount.IsZero() {
			err = errors.New("must not be 0")
		}
	case lineField:
		f.amount, err = effects.ParseLine(f.asset, text)
	case textField:
		if err = accounts.CheckKey("form", field.label, text); err == nil && len(text) > maxName {
			err = fmt.Errorf("must have at most %d bytes", maxName)
		}
		f.texts[field.name] = text
	case boxField:
		f.boxes[field.name] = text != ""
	}
	if err != nil {
		return &accounts.FieldError{Subject: "form", Field: field.label, Reason: err.Error()}
	}
	return nil
}

// needReason refuses a form without a reason.
func (f *actForm) needReason(why string) error {
	if f.reason != 0 {
		return nil
	}
	return &accounts.FieldError{Subject: "form", Field: "reason", Reason: "is needed " + why + ", and must not be 0"}
}
