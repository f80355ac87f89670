package effects

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Wording names a kind of change.
type Wording struct {
	Action string // as in "book a payment received"
	Prefix string // precedes the peer, as in " from "; "" is " of "
}

// The kinds of changes that both the command and the console make.
var (
	SetLine  = Wording{"set the credit line", " of "}
	Suspend  = Wording{"suspend", " "}
	Resume   = Wording{"resume", " "}
	Close    = Wording{"close", " "}
	Reopen   = Wording{"reopen", " "}
	Credit   = Wording{"book a credit by hand", " for "}
	Debit    = Wording{"book a debit by hand", " for "}
	WriteOff = Wording{"write off the arrears", " of "}
	Fund     = Wording{"fund our liquidity", ""}
	Withdraw = Wording{"withdraw from our liquidity", ""}
	Received = Wording{"book a payment received", " from "}
	Paid     = Wording{"book a payment made", " to "}
	Returned = Wording{"book a returned payment", " of "}
	PayNow   = Wording{"order and pay", " to "}
	Resolve  = Wording{"close an order as paid", " for "}
	Cancel   = Wording{"give an order back", " for "}
)

// Sentence has the parts of a change. Amounts are in whole units; empty parts are left out.
type Sentence struct {
	Wording

	Peer, Asset, Amount        string
	Rail                       *string // the name of a rail, which may be ""; nil if the change concerns no rail
	Before, AfterPrefix, After string  // AfterPrefix is " to " by default
	Key                        string
	Reason                     uint32
	ReasonName                 string
	Payment, Order, Transfer   string
}

// String returns the change as text that begins with the verb, and has no full stop.
func (s Sentence) String() string {
	rail := ""
	if s.Rail != nil {
		rail = strconv.Quote(*s.Rail)
	}
	var text strings.Builder
	text.WriteString(s.Action)
	for _, part := range []struct{ name, value string }{
		{cmp.Or(s.Prefix, " of "), s.Peer},
		{" by rail ", rail},
		{" in ", s.Asset},
		{", ", s.Amount},
		{", from ", s.Before},
		{cmp.Or(s.AfterPrefix, " to "), s.After},
		{", key ", s.Key},
		{", reason ", DescribeReason(s.Reason, s.ReasonName)},
		{", payment ", s.Payment},
		{", order ", s.Order},
		{", transfer ", s.Transfer},
	} {
		if part.value != "" {
			text.WriteString(part.name + part.value)
		}
	}
	return text.String()
}

// DescribeReason returns a reason's number with its name; "" for no reason.
func DescribeReason(number uint32, name string) string {
	switch {
	case number == 0:
		return ""
	case name == "":
		return strconv.FormatUint(uint64(number), 10)
	default:
		return fmt.Sprintf("%d (%s)", number, name)
	}
}

// KeyNote is the note on a change under a key, before the change is written.
const KeyNote = "If this key was already booked, nothing is booked again."

// The beginning of the text on a change with unknown outcome, and the next step if the change is
// written at most once however often the command is repeated.
const (
	UnknownOutcome = "The change may be written or not. "
	RepeatHint     = UnknownOutcome + "Repeat the same command: a change is never written twice."
)

// ParseReason reads a reason as a number, or as one of these names; "" is 0, no reason.
func ParseReason(text string, names map[string]uint32) (number uint32, known bool) {
	if text == "" {
		return 0, true
	}
	if number, err := strconv.ParseUint(text, 0, 32); err == nil {
		return uint32(number), true
	}
	number, known = names[text]
	return number, known
}

// NameReason returns the name of a reason; "" if it has none.
func NameReason(number uint32, names map[string]uint32) string {
	for name, of := range names {
		if of == number {
			return name
		}
	}
	return ""
}
