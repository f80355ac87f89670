package ledger_test

import (
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// The second member of this chain did not fail: an earlier request applied the whole chain. The
// result of a member alone is easily misread.
func ExampleChainOutcome() {
	results := []ledger.CreateTransferResult{
		{Status: ledger.TransferExists},
		{Status: ledger.TransferLinkedEventFailed},
	}
	fmt.Println(ledger.ChainOutcome(results).Outcome)

	results[0].Status = ledger.TransferExceedsCredits
	fmt.Println(ledger.ChainOutcome(results).Outcome)
	// Output:
	// already applied
	// refused, id burnt
}

func ExampleTransferError() {
	err := error(&ledger.TransferError{ID: ledger.NewID(7, 0), Status: ledger.TransferExceedsCredits})
	fmt.Println(err)
	fmt.Println("try again under a new id:", errors.Is(err, ledger.ErrIDBurnt))
	// Output:
	// transfer 00000000000000000000000000000007: exceeds_credits
	// try again under a new id: true
}

func ExampleParseAmount() {
	a, _ := ledger.ParseAmount("1000000")
	b, ok := a.Sub(ledger.NewAmount(1))
	fmt.Println(b, ok)
	_, err := ledger.ParseAmount("0.5")
	fmt.Println(err)
	// Output:
	// 999999 true
	// ledger: invalid number: amount "0.5" is not a whole number of units
}
