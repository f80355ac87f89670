package retryledger_test

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/retryledger"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// firstAnswerLost loses the first answer to a request for transfers.
type firstAnswerLost struct {
	ledger.Ledger
	lost bool
}

func (l *firstAnswerLost) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, t)
	if err == nil && !l.lost {
		l.lost = true
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

func Example() {
	ctx := context.Background()
	l := embedded.New()
	_, err := l.CreateAccounts(ctx, []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	if err != nil {
		panic(err)
	}
	again := retryledger.Ledger{Ledger: &firstAnswerLost{Ledger: l}}
	results, err := again.CreateTransfers(ctx, []ledger.Transfer{{
		ID: ledger.NewID(3, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
		Amount: ledger.NewAmount(5), Ledger: 1, Code: 1,
	}})
	fmt.Println(results[0].Status, err)
	// Output:
	// exists <nil>
}
