package effects_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/effects"
)

// A sentence has the parts that are given, in one order, and no others.
func TestSentence(t *testing.T) {
	t.Parallel()
	rail := ""
	for want, sentence := range map[string]effects.Sentence{
		"book a debit by hand for alice in USD/2, 5.00, key k, reason 3 (fee), transfer 0a": {
			Wording: effects.Debit, Peer: "alice", Asset: "USD/2", Amount: "5.00", Key: "k", Reason: 3, ReasonName: "fee", Transfer: "0a",
		},
		"set the credit line of alice in USD/2, from 1.00 to 2.00, reason 7": {
			Wording: effects.SetLine, Peer: "alice", Asset: "USD/2", Before: "1.00", After: "2.00", Reason: 7,
		},
		"provision bob in USD/2, with a credit line of 0.00": {
			Wording: effects.Wording{Action: "provision", Prefix: " "}, Peer: "bob", Asset: "USD/2", AfterPrefix: ", with a credit line of ", After: "0.00",
		},
		`pause payments by rail ""`:            {Wording: effects.Wording{Action: "pause payments"}, Rail: &rail},
		"give an order back for b, order 0abc": {Wording: effects.Cancel, Peer: "b", Order: "0abc"},
		"book a returned payment of b, 1, key k, payment p": {
			Wording: effects.Returned, Peer: "b", Amount: "1", Key: "k", Payment: "p",
		},
	} {
		require.Equal(t, want, sentence.String())
	}
}
