package tbexists_test

import (
	"fmt"

	"github.com/peerledger/peerledger/internal/tbexists"
	"github.com/peerledger/peerledger/ledger"
)

// A full post may be sent again with the amount or with AmountMax, the whole hold.
func Example() {
	hold := ledger.Transfer{
		ID: ledger.NewID(1, 0), DebitAccountID: ledger.NewID(10, 0), CreditAccountID: ledger.NewID(11, 0),
		Amount: ledger.NewAmount(5), Ledger: 1, Code: 1, UserData64: 7, Flags: ledger.TransferPending,
	}
	stored := hold
	stored.ID, stored.PendingID, stored.Flags = ledger.NewID(2, 0), hold.ID, ledger.TransferPostPending
	find := func(ledger.ID) *ledger.Transfer { return &hold }

	again := ledger.Transfer{ID: stored.ID, PendingID: hold.ID, Flags: ledger.TransferPostPending, Amount: ledger.AmountMax}
	fmt.Println(tbexists.CompareTransfer(&again, &stored, find))
	again.Amount = ledger.NewAmount(4)
	fmt.Println(tbexists.CompareTransfer(&again, &stored, find))

	account := ledger.Account{ID: ledger.NewID(10, 0), Ledger: 1, Code: 1}
	other := account
	other.Code = 2
	fmt.Println(tbexists.CompareAccount(&other, &account))
	// Output:
	// exists
	// exists_with_different_amount
	// exists_with_different_code
}
