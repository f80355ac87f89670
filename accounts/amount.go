package accounts

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/ledger"
)

// Decimal is an amount in whole units of an asset as text: "1000.50" is 100050 units of USD/2.
// [Asset.Parse] reads it. The type keeps whole units apart from a [ledger.Amount], which counts
// units.
type Decimal string

// maxAmountText is the length of the longest amount: the 39 digits of 2^128-1, a point, and up to
// 255 decimals or leading zeros.
const maxAmountText = 39 + 1 + 255

// Parse reads an amount in whole units of the asset: "12.5" is 1250 units of USD/2. The text has
// digits and at most one point: no sign, no exponent, no separators. Parse never rounds. The
// error matches [ErrInvalid], names the Amount and gives the rule of the asset's scale.
func (a Asset) Parse(text string) (ledger.Amount, error) {
	whole, err := parsePlain(text, maxAmountText)
	if err != nil {
		return ledger.Amount{}, a.amountError(text, err.Error())
	}
	return a.Units(whole)
}

// parsePlain reads digits with at most one point, and a digit on either side of it.
func parsePlain(text string, maxLength int) (decimal.Decimal, error) {
	left, right, point := strings.Cut(text, ".")
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if len(text) > maxLength || !digits(left) || point && !digits(right) {
		return decimal.Decimal{}, fmt.Errorf("must be up to %d digits, with at most one point between them", maxLength)
	}
	return decimal.NewFromString(text)
}

// Units converts whole units of the asset to units of 10^-Scale, exactly. The errors are as for
// [Asset.Parse].
func (a Asset) Units(whole decimal.Decimal) (ledger.Amount, error) {
	// A decimal is an integer times a power of ten, and both may be huge. So the size is checked
	// before the value is computed.
	exponent := int64(whole.Exponent()) + int64(a.Scale)
	switch {
	case whole.IsNegative():
		return ledger.Amount{}, a.amountError(formatShort(whole), "must not be negative")
	case whole.IsZero():
		return ledger.Amount{}, nil
	case exponent > maxAmountText, whole.Coefficient().BitLen() > 4*maxAmountText:
		return ledger.Amount{}, a.amountError(formatShort(whole), tooLarge)
	case exponent < -maxAmountText:
		return ledger.Amount{}, a.amountError(formatShort(whole), a.decimalsRule())
	}
	units := whole.Shift(int32(a.Scale))
	if !units.IsInteger() {
		return ledger.Amount{}, a.amountError(formatShort(whole), a.decimalsRule())
	}
	amount, err := ledger.ParseAmount(units.BigInt().String())
	if err != nil {
		return ledger.Amount{}, a.amountError(formatShort(whole), tooLarge)
	}
	return amount, nil
}

const tooLarge = "must be at most 2^128-1 units"

func (a Asset) decimalsRule() string { return fmt.Sprintf("must have at most %d decimals", a.Scale) }

// formatShort writes a decimal, abbreviated if its exponent or coefficient is huge.
func formatShort(d decimal.Decimal) string {
	if e := d.Exponent(); e > maxAmountText || e < -maxAmountText || d.Coefficient().BitLen() > 4*maxAmountText {
		return fmt.Sprintf("…e%d", e)
	}
	return d.String()
}

func (a Asset) amountError(text, reason string) error {
	return &FieldError{Subject: a.String(), Field: "Amount", Reason: fmt.Sprintf("%.40q %s", text, reason)}
}

// Text writes an amount of units for messages, in whole units with the asset's code: 1250 units
// of USD/2 are "12.50 USD". The zero Asset writes units.
func (a Asset) Text(amount ledger.Amount) string {
	if a.Code == "" {
		return amount.String() + " units"
	}
	return a.Format(amount) + " " + a.Code
}

// Format writes an amount of units in whole units, with all decimals of the asset: 1250 units of
// USD/2 are "12.50". [Asset.Parse] reads the text.
func (a Asset) Format(amount ledger.Amount) string {
	return a.WholeUnits(amount).StringFixed(int32(a.Scale))
}
