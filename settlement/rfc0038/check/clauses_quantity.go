package check

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

const sourceQuantity = "RFC 0038, Quantity object"

// quantityClauses are about the body of a settlement.
func quantityClauses() []Clause {
	list := []Clause{
		{ID: "quantity/leading-zeros", Roles: both, Severity: Needed, needs: "settle", Text: "An amount with leading zeros is taken by its value.", Source: "settlement-core and interledger-rs take it", run: checkLeadingZeros},
		{ID: "quantity/fields", Roles: both, Severity: Needed, needs: "settle", Text: "The order of the fields does not matter, and further fields are ignored.", Source: "settlement-core and the Java connector write the scale first", run: checkFields},
		{ID: "quantity/scale-255", Roles: both, Severity: Must, needs: "settle", Text: "Amount at the scale 255, with zeros behind it, is taken.", Source: sourceQuantity, run: checkScale255},
		{ID: "quantity/digits", Roles: both, Severity: Must, needs: "settle", Text: "An amount of 40 digits more, at a scale larger by 40, is taken.", Source: sourceQuantity + ": amounts are integers of any size", run: checkDigits},
		{ID: "quantity/zero", Roles: both, Severity: Needed, needs: "settle", Text: "The amount 0 is answered with a 2xx or a 4xx.", Source: "settlement-core refuses it, interledger-rs takes it", run: checkZero},
	}
	for _, bad := range []struct{ id, text, body string }{
		{"quantity/amount-number", "An amount that is a JSON number is refused with a 4xx.", `{"amount":1,"scale":SCALE}`},
		{"quantity/amount-negative", "A negative amount is refused with a 4xx.", `{"amount":"-1","scale":SCALE}`},
		{"quantity/amount-decimal", "An amount with a decimal point is refused with a 4xx.", `{"amount":"1.5","scale":SCALE}`},
		{"quantity/amount-exponent", "An amount with an exponent is refused with a 4xx.", `{"amount":"1e1","scale":SCALE}`},
		{"quantity/amount-empty", "An empty amount is refused with a 4xx.", `{"amount":"","scale":SCALE}`},
		{"quantity/amount-missing", "A Quantity without amount is refused with a 4xx.", `{"scale":SCALE}`},
		{"quantity/scale-missing", "A Quantity without scale is refused with a 4xx.", `{"amount":"1"}`},
		{"quantity/scale-string", "A scale that is a JSON string is refused with a 4xx.", `{"amount":"1","scale":"SCALE"}`},
		{"quantity/scale-negative", "A negative scale is refused with a 4xx.", `{"amount":"1","scale":-1}`},
		{"quantity/scale-256", "The scale 256 is refused with a 4xx.", `{"amount":"1","scale":256}`},
		{"quantity/scale-fraction", "A scale with a fraction is refused with a 4xx.", `{"amount":"1","scale":SCALE.5}`},
		{"quantity/list", "A list is refused with a 4xx.", `[{"amount":"1","scale":SCALE}]`},
		{"quantity/json", "Broken JSON is refused with a 4xx.", `{"amount":"1","scale":SCALE`},
		{"quantity/empty", "An empty body is refused with a 4xx.", ``},
	} {
		list = append(list, Clause{ID: bad.id, Roles: both, Severity: Must, needs: "settle", Text: bad.text, Source: sourceQuantity, run: checkBadBody(bad.body)})
	}
	return list
}

// checkBadBody requires that a body is refused. SCALE in the body is the scale of the run.
func checkBadBody(body string) func(*session) error {
	return func(s *session) error {
		return s.settle(s.settlementOf(strings.ReplaceAll(body, "SCALE", fmt.Sprint(s.cfg.Scale)))).requireRefused()
	}
}

func checkLeadingZeros(s *session) error {
	return s.settle(s.settlementOf(s.leadingZeros())).requireTaken()
}

// leadingZeros is the Quantity of the run with leading zeros.
func (s *session) leadingZeros() string {
	return fmt.Sprintf(`{"amount":"00%v","scale":%d}`, s.cfg.Amount, s.cfg.Scale)
}

func checkFields(s *session) error {
	return s.settle(s.settlementOf(fmt.Sprintf(`{"asset":{"code":"USD"},"scale":%d,"amount":"%v"}`, s.cfg.Scale, s.cfg.Amount))).requireTaken()
}

func checkScale255(s *session) error {
	return s.settle(s.settlement(rescale(s.quantity(), 255-s.cfg.Scale))).requireTaken()
}

func checkDigits(s *session) error {
	return s.settle(s.settlement(rescale(s.quantity(), 40))).requireTaken()
}

func checkZero(s *session) error {
	got := s.send(s.settlement(rfc0038.Quantity{Amount: new(big.Int), Scale: s.cfg.Scale}))
	if got.isTaken() {
		return nil
	}
	return got.requireRefused()
}
