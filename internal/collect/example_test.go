package collect_test

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/collect"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// A peer owes 100 in arrears, has 30, and earns 20 more. Two collections at once, or one after
// another, take all the headroom and nothing twice.
func Example() {
	ctx, l := context.Background(), embedded.New()
	peer, arrears, own := ledger.NewID(1, 0), ledger.NewID(2, 0), ledger.NewID(3, 0)
	if _, err := l.CreateAccounts(ctx, []ledger.Account{
		{ID: peer, Ledger: 1, Code: chart.CodePeer, Flags: chart.PeerFlags},
		{ID: arrears, Ledger: 1, Code: chart.CodeArrears, Flags: chart.ArrearsFlags},
		{ID: own, Ledger: 1, Code: chart.CodeLiquidity},
	}); err != nil {
		panic(err)
	}
	number := uint64(0)
	move := func(debit, credit ledger.ID, amount uint64) {
		number++
		if _, err := l.CreateTransfers(ctx, []ledger.Transfer{{
			ID: ledger.NewID(number, 9), DebitAccountID: debit, CreditAccountID: credit,
			Amount: ledger.NewAmount(amount), Ledger: 1, Code: chart.CodePacket,
		}}); err != nil {
			panic(err)
		}
	}
	charge := func() {
		err := collect.Book(ctx, l, time.Now(), collect.Peer{Peer: peer, Arrears: arrears, Ledger: 1})
		if err != nil {
			panic(err)
		}
	}
	show := func() {
		rows, err := l.LookupAccounts(ctx, []ledger.ID{peer, arrears})
		if err != nil {
			panic(err)
		}
		has := rows[0].CreditsPosted.SubFloor(rows[0].DebitsPosted)
		fmt.Println("has", has, "in arrears", rows[1].DebitsPosted.SubFloor(rows[1].CreditsPosted))
	}
	move(arrears, own, 100)
	move(own, peer, 30)
	charge()
	show()
	move(own, peer, 20)
	charge()
	charge()
	show()
	// Output:
	// has 0 in arrears 70
	// has 0 in arrears 50
}
