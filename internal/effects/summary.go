package effects

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
)

// Summary is a peer's balance as a preview shows it. Amounts are in whole units.
type Summary struct {
	Position string `json:"position"` // positive: we owe the peer
	Prepaid  string `json:"prepaid"`
	// PrepaidAtMost marks Prepaid as an upper bound.
	PrepaidAtMost bool   `json:"prepaid_at_most,omitempty"`
	Arrears       string `json:"arrears"`
	// Due is the amount of the next order by the peer's policy; "" without a policy.
	Due string `json:"due,omitempty"`
}

// Summarize returns the summary of a balance. due is the next order; "" without a policy.
func Summarize(b accounts.Balance, due string) *Summary {
	return &Summary{
		Position: FormatSigned(b.Asset, b.Position()), Prepaid: b.Asset.Format(b.Prepaid), PrepaidAtMost: b.PrepaidAtMost,
		Arrears: b.Asset.Format(b.Arrears), Due: due,
	}
}

func (s *Summary) String() string {
	text := fmt.Sprintf("position %s, prepaid %s, arrears %s", s.Position, MarkUpperBound(s.Prepaid, s.PrepaidAtMost), s.Arrears)
	if s.Due != "" {
		text += ", due " + s.Due
	}
	return text
}
