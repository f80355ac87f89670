package prepayment_test

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

func ExampleMemory_Read() {
	ctx, l := context.Background(), embedded.New()
	peer, settlement, own := ledger.NewID(1, 0), ledger.NewID(2, 0), ledger.NewID(3, 0)
	_, err := l.CreateAccounts(ctx, []ledger.Account{
		{ID: peer, Ledger: 1, Code: chart.CodePeer, Flags: chart.PeerFlags},
		{ID: settlement, Ledger: 1, Code: chart.CodeSettlement, Flags: chart.SettlementFlags},
		{ID: own, Ledger: 1, Code: chart.CodeLiquidity},
	})
	if err != nil {
		panic(err)
	}
	move := func(n uint64, debit, credit ledger.ID, amount uint64, code uint16) {
		_, err := l.CreateTransfers(ctx, []ledger.Transfer{{
			ID: ledger.NewID(n, 9), DebitAccountID: debit, CreditAccountID: credit, Amount: ledger.NewAmount(amount), Ledger: 1, Code: code,
		}})
		if err != nil {
			panic(err)
		}
	}
	move(1, settlement, peer, 100, chart.CodeIncoming) // the peer pays 100
	move(2, own, peer, 50, chart.CodePacket)           // earns 50
	move(3, peer, own, 30, chart.CodePacket)           // and sends 30

	lookUp := func(ctx context.Context) (prepayment.Sums, error) {
		rows, err := l.LookupAccounts(ctx, []ledger.ID{peer, settlement})
		if err != nil {
			return prepayment.Sums{}, err
		}
		return prepayment.Sums{Peer: prepayment.TotalsOf(&rows[0]), Settlement: prepayment.TotalsOf(&rows[1]), History: true}, nil
	}
	memory := prepayment.NewMemory(prepayment.NewReader(l, ledger.QueryMax))
	sums, err := lookUp(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println("at most", memory.Estimate(peer, &sums).Prepaid)
	exact, err := memory.Read(ctx, prepayment.Accounts{Peer: peer, Settlement: settlement}, sums, lookUp)
	fmt.Println("prepaid", exact.Prepaid, "earned and not paid", exact.NetAtMost, err)
	// Output:
	// at most 100
	// prepaid 70 earned and not paid 50 <nil>
}
