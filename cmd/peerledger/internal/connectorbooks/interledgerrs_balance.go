package connectorbooks

import (
	"fmt"
	"math/big"
	"regexp"

	"github.com/shopspring/decimal"
)

// rsBalance is the answer of GET /accounts/NAME/balance.
type rsBalance struct {
	file, path string
	text       string
	// code is the asset's code, in whole units of which the balance is; "" for an answer in units, of ilp-node 0.6 and
	// before.
	code string
}

// number matches a JSON number, and bounds its exponent.
var number = regexp.MustCompile(`^-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?$`)

// readBalance reads the balance of an account.
func (r *rsReader) readBalance(d *document, name string, v value) {
	o := d.readObject(v)
	balance := o.require("balance")
	b := rsBalance{file: d.file, path: v.path, text: balance.text, code: o.optionalText("asset_code")}
	if d.fault == nil && (balance.kind != '0' && balance.kind != '"' || !number.MatchString(balance.text)) {
		d.fail(balance.path, "must be a number, not %s", describeValue(balance))
	}
	for _, field := range o.unknown() {
		d.fail(joinPath(v.path, field), "is unknown: the answer has balance and asset_code alone")
	}
	r.balances[name] = b
}

// setPosition sets the position by the store's balance, or else by the balance's answer. Both must agree.
func (r *rsReader) setPosition(a *rsAccount) error {
	a.Position = a.stored
	answer, hasAnswer := r.balances[a.ID]
	switch {
	case !hasAnswer && a.stored == nil:
		a.Position = new(big.Int)
		r.books.note(Obstacle, &a.Peer, "No file has the account's balance.")
		return nil
	case !hasAnswer:
		return nil
	case answer.code != "" && answer.code != a.Asset.Code:
		return &FaultError{answer.file, answer.path, fmt.Sprintf("is in %s, and the account in %s", answer.code, a.Asset.Code)}
	}
	units, problem := answer.parseUnits(a.Asset.Scale)
	switch {
	case a.stored != nil && (problem != "" || units.Cmp(a.stored) == 0):
		return nil
	case a.stored != nil:
		return &FaultError{answer.file, answer.path, fmt.Sprintf("is a balance of %v units, and the account's balance and prepaid_amount are %v", units, a.stored)}
	case problem != "":
		a.Position = new(big.Int)
		r.books.note(Obstacle, &a.Peer, "The balance %s %s. Give the account with the fields balance and prepaid_amount of the connector's store.", answer.text, problem)
	default:
		a.Position = units
	}
	if answer.code == "" {
		r.books.note(Assumption, &a.Peer, "The balance is in units: its answer has no asset_code, as those of ilp-node 0.6 and before.")
	}
	return nil
}

// exactDigits is how many digits a floating point number of 64 bits keeps: the connector divides the balance, and any
// integer of so many digits survives it.
const exactDigits = 15

// maxDividedScale is the largest scale for which the connector's divisor, 10^scale, fits in its 64 bits.
const maxDividedScale = 19

// parseUnits returns the balance in units, or why it cannot be trusted. Without rounding: a balance of up to exactDigits digits comes
// out of the connector as the decimal number that it is.
func (b rsBalance) parseUnits(scale uint8) (units *big.Int, problem string) {
	value, err := decimal.NewFromString(b.text)
	if err != nil {
		return nil, "is no number"
	}
	if b.code != "" {
		if scale > maxDividedScale {
			return nil, fmt.Sprintf("is wrong by the connector's own arithmetic, which divides by 10^%d in 64 bits", scale)
		}
		value = value.Shift(int32(scale))
	}
	switch {
	case !value.IsInteger():
		return nil, fmt.Sprintf("is no whole number of units of scale %d", scale)
	case b.code != "" && len(value.Abs().BigInt().String()) > exactDigits:
		return nil, fmt.Sprintf("has more than %d digits, and the connector has rounded it to a floating point number", exactDigits)
	case value.BigInt().CmpAbs(maxUnits) > 0:
		return nil, "is beyond 2^127"
	default:
		return value.BigInt(), ""
	}
}
