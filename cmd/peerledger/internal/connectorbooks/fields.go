package connectorbooks

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
)

// object reads the fields of an object, and notes which ones were read.
type object struct {
	doc   *document
	v     value
	known map[string]bool
}

// readObject returns the reader of an object.
func (d *document) readObject(v value) *object {
	if v.kind != '{' && d.fault == nil {
		d.fail(v.path, "must be an object, not %s", v.describeKind())
	}
	return &object{doc: d, v: v, known: map[string]bool{}}
}

// get returns a field; false if it is missing or null.
func (o *object) get(name string) (value, bool) {
	o.known[name] = true
	v, ok := o.v.fields[name]
	return v, ok && v.kind != 'n'
}

// require returns a field, which must be there.
func (o *object) require(name string) value {
	v, ok := o.get(name)
	if !ok {
		o.doc.fail(joinPath(o.v.path, name), "is missing")
	}
	return v
}

// text reads a text, which must be there and not be empty.
func (o *object) text(name string) string {
	v := o.require(name)
	if o.doc.fault == nil && (v.kind != '"' || v.text == "") {
		o.doc.fail(v.path, "must be a text that is not empty, not %s", v.describeKind())
	}
	return v.text
}

// optionalText reads a text; "" if it is missing.
func (o *object) optionalText(name string) string {
	v, ok := o.get(name)
	if ok && v.kind != '"' {
		o.doc.fail(v.path, "must be a text, not %s", v.describeKind())
	}
	return v.text
}

// wholeNumber matches an integer without superfluous zeros.
var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,39})$`)

// maxUnits bounds amounts: no account of accounts.Book takes more in one booking.
var maxUnits = new(big.Int).Lsh(big.NewInt(1), 127)

// exactInJSON is the largest integer that every JSON program keeps exactly, 2^53.
var exactInJSON = new(big.Int).Lsh(big.NewInt(1), 53)

// integer reads a whole number of units, as a JSON number or as a text; nil if it is missing. Numbers keep all digits.
func (o *object) integer(name string) *big.Int {
	v, ok := o.get(name)
	if !ok {
		return nil
	}
	n, isInteger := parseInteger(v)
	switch {
	case !isInteger:
		o.doc.fail(v.path, "must be a whole number, as a number or a text of up to 40 digits, not %s", describeValue(v))
		return nil
	case n.CmpAbs(maxUnits) > 0:
		o.doc.fail(v.path, "must be at most 2^127, not %s", v.text)
		return nil
	}
	return n
}

// parseInteger returns the number of a value; false if it is none.
func parseInteger(v value) (*big.Int, bool) {
	if v.kind != '0' && v.kind != '"' || !wholeNumber.MatchString(v.text) {
		return nil, false
	}
	return new(big.Int).SetString(v.text, 10)
}

// describeValue returns a number or a short text as it is written, else the kind.
func describeValue(v value) string {
	if v.kind == '0' || v.kind == '"' {
		return strconv.Quote(v.text[:min(len(v.text), 60)])
	}
	return v.describeKind()
}

// unsigned reads a whole number that is 0 or more.
func (o *object) unsigned(name string) *big.Int {
	n := o.integer(name)
	if n != nil && n.Sign() < 0 {
		o.doc.fail(joinPath(o.v.path, name), "must be 0 or more, not %v", n)
	}
	return n
}

// scale reads the scale of an asset, 0 to 255.
func (o *object) scale(name string) uint8 {
	v := o.require(name)
	n, ok := parseInteger(v)
	if o.doc.fault == nil && (!ok || !n.IsUint64() || n.Uint64() > 255) {
		o.doc.fail(v.path, "must be a whole number from 0 to 255, not %s", describeValue(v))
	}
	if o.doc.fault != nil {
		return 0
	}
	return uint8(n.Uint64())
}

// isRoundedByOthers reports whether a field is a JSON number that programs with floating point would have rounded.
func (o *object) isRoundedByOthers(name string) bool {
	v := o.v.fields[name]
	n, ok := parseInteger(v)
	return ok && v.kind == '0' && n.CmpAbs(exactInJSON) > 0
}

// unknown returns the names of the fields that were not read, in the order of the file.
func (o *object) unknown() []string {
	return slices.DeleteFunc(slices.Clone(o.v.names), func(name string) bool { return o.known[name] || name == "__typename" })
}
