package rfc0038

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"
)

// Quantity is an amount of money on the wire: Amount / 10^Scale. Quantities of one value can be
// written at several scales, so compare them with [Quantity.Equal]. The zero Quantity is 0.
type Quantity struct {
	Amount *big.Int // at least 0; nil is 0
	Scale  uint8
}

// Bounds of what is read from the wire.
const (
	// MaxAmountDigits bounds the digits of a Quantity's amount, leading zeros included. An amount of
	// the ledger's 128 bits has at most 294 digits, at scale 255. Reading time grows with the square
	// of the digits.
	MaxAmountDigits = 4096
	// MaxKeyLength bounds the characters of a key.
	MaxKeyLength = 255
)

// QuantityError is returned when a body is no Quantity. The error matches [ErrInvalidQuantity].
type QuantityError struct {
	Field  string // "amount" or "scale"; "" for the body as a whole
	Reason string
}

func (e *QuantityError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%v: the body %s", ErrInvalidQuantity, e.Reason)
	}
	return fmt.Sprintf("%v: %s %s", ErrInvalidQuantity, e.Field, e.Reason)
}

// Is reports whether target is [ErrInvalidQuantity].
func (e *QuantityError) Is(target error) bool { return target == ErrInvalidQuantity }

// ParseQuantity reads a Quantity from a JSON object. The amount is a string of 1 to
// [MaxAmountDigits] ASCII digits, and leading zeros pass. The scale is a number from 0 to 255 in
// digits: neither "2.0" nor "2e0". Both names are case-sensitive and occur once: real programs
// disagree about which of two amounts counts. Further names are free. Nothing may follow the object.
// The error is a [QuantityError].
func ParseQuantity(body []byte) (Quantity, error) {
	fields, err := readFields(body)
	if err != nil {
		return Quantity{}, err
	}
	amount, err := parseAmount(fields["amount"])
	if err != nil {
		return Quantity{}, err
	}
	scale, err := parseScale(fields["scale"])
	if err != nil {
		return Quantity{}, err
	}
	return Quantity{Amount: amount, Scale: scale}, nil
}

// readFields returns the values of amount and scale as written.
func readFields(body []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return nil, &QuantityError{Reason: "must be a JSON object"}
	}
	fields := make(map[string]json.RawMessage, 2)
	for d.More() {
		if err := readField(d, fields); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, errBadJSON()
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &QuantityError{Reason: "must end after the object"}
	}
	return fields, nil
}

func readField(d *json.Decoder, fields map[string]json.RawMessage) error {
	token, err := d.Token()
	name, isName := token.(string)
	if err != nil || !isName {
		return errBadJSON()
	}
	var value json.RawMessage
	if err := d.Decode(&value); err != nil {
		return errBadJSON()
	}
	if name != "amount" && name != "scale" {
		return nil
	}
	if _, twice := fields[name]; twice {
		return &QuantityError{Field: name, Reason: "occurs twice"}
	}
	fields[name] = value
	return nil
}

func errBadJSON() error { return &QuantityError{Reason: "is no valid JSON"} }

func parseAmount(value json.RawMessage) (*big.Int, error) {
	fault := func(reason string) (*big.Int, error) { return nil, &QuantityError{Field: "amount", Reason: reason} }
	if value == nil {
		return fault("is missing")
	}
	var text string
	if value[0] != '"' || json.Unmarshal(value, &text) != nil {
		return fault("must be a string")
	}
	switch {
	case !isDigits(text):
		return fault("must be decimal digits: no sign, point, exponent or space")
	case len(text) > MaxAmountDigits:
		return fault(fmt.Sprintf("must have at most %d digits", MaxAmountDigits))
	}
	amount, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return fault("must be decimal digits")
	}
	return amount, nil
}

func parseScale(value json.RawMessage) (uint8, error) {
	if value == nil {
		return 0, &QuantityError{Field: "scale", Reason: "is missing"}
	}
	scale, err := strconv.ParseUint(string(value), 10, 8)
	if err != nil || !isDigits(string(value)) {
		return 0, &QuantityError{Field: "scale", Reason: "must be an integer from 0 to 255 in digits"}
	}
	return uint8(scale), nil
}

// isDigits reports whether the text has ASCII digits only, at least one.
func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

// MarshalJSON writes the form of the RFC, as in {"amount":"150","scale":2}. It fails for an amount
// below 0.
func (q Quantity) MarshalJSON() ([]byte, error) {
	if q.amount().Sign() < 0 {
		return nil, &QuantityError{Field: "amount", Reason: "is negative"}
	}
	text := q.amount().Append(append(make([]byte, 0, 64), `{"amount":"`...), 10)
	text = strconv.AppendUint(append(text, `","scale":`...), uint64(q.Scale), 10)
	return append(text, '}'), nil
}

// UnmarshalJSON is [ParseQuantity].
func (q *Quantity) UnmarshalJSON(body []byte) (err error) {
	*q, err = ParseQuantity(body)
	return err
}

// String returns the value as a decimal number with Scale places: 150 at scale 2 is "1.50".
func (q Quantity) String() string {
	return decimal.NewFromBigInt(q.amount(), -int32(q.Scale)).StringFixed(int32(q.Scale))
}

// IsZero reports whether the value is 0.
func (q Quantity) IsZero() bool { return q.amount().Sign() == 0 }

// Equal reports whether both have the same value: 150 at scale 2 equals 15 at scale 1.
func (q Quantity) Equal(o Quantity) bool { return q.Compare(o) == 0 }

// Compare returns -1, 0 or +1 for a value below, equal to or above that of o.
func (q Quantity) Compare(o Quantity) int {
	if q.Scale == o.Scale { // almost always
		return q.amount().Cmp(o.amount())
	}
	scale := max(q.Scale, o.Scale)
	return q.unitsAt(scale).Cmp(o.unitsAt(scale))
}

// unitsAt returns the value in units of 10^-scale. The scale is at least q.Scale.
func (q Quantity) unitsAt(scale uint8) *big.Int {
	if scale == q.Scale {
		return new(big.Int).Set(q.amount())
	}
	return new(big.Int).Mul(q.amount(), powerOfTen(scale-q.Scale))
}

// Split converts the value to another scale: units is the largest number of units of 10^-scale in
// it, and rest is what is left, exactly, at the scale of q. units at scale plus rest is q.
func (q Quantity) Split(scale uint8) (units *big.Int, rest Quantity) {
	if scale >= q.Scale {
		return q.unitsAt(scale), Quantity{Amount: new(big.Int), Scale: q.Scale}
	}
	units, left := new(big.Int).QuoRem(q.amount(), powerOfTen(q.Scale-scale), new(big.Int))
	return units, Quantity{Amount: left, Scale: q.Scale}
}

func (q Quantity) amount() *big.Int {
	if q.Amount == nil {
		return new(big.Int)
	}
	return q.Amount
}

func powerOfTen(n uint8) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

// ParseKey checks the value of an Idempotency-Key header: 1 to [MaxKeyLength] printable characters
// of UTF-8. The space is one of them: keys of settlement-xlm are "[object Object]". The error
// matches [ErrInvalidKey].
func ParseKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: it is missing or empty", ErrInvalidKey)
	case len(key) > utf8.UTFMax*MaxKeyLength || utf8.RuneCountInString(key) > MaxKeyLength:
		return fmt.Errorf("%w: it has more than %d characters", ErrInvalidKey, MaxKeyLength)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: it has a character that does not print", ErrInvalidKey)
	}
	return nil
}
