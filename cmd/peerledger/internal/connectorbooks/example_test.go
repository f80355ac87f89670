package connectorbooks_test

import (
	"fmt"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/connectorbooks"
)

func ExampleParseInterledgerRS() {
	accounts := `[{"id":"d290f1ee","username":"alice","asset_code":"USD","asset_scale":2,"min_balance":-10000,"settle_threshold":5000,"settle_to":0}]`
	balances := `{"alice":{"balance":-25.5,"asset_code":"USD"}}`
	books, err := connectorbooks.ParseInterledgerRS(
		connectorbooks.File{Name: "accounts.json", Data: []byte(accounts)},
		connectorbooks.File{Name: "balances.json", Data: []byte(balances)},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range books.Peers {
		fmt.Printf("%s in %v: line %v, position %v, settles at %v\n", p.ID, p.Asset, p.CreditLine, p.Position, p.SettleAt)
	}
	// Output: alice in USD/2: line 10000, position -2550, settles at 5000
}

func ExampleParseRafiki() {
	peers := `{"data":{"peers":{"edges":[{"node":{"id":"b0c1","staticIlpAddress":"test.bank","liquidity":"7500","asset":{"id":"6a5d","code":"USD","scale":2}}}]}}}`
	books, err := connectorbooks.ParseRafiki(connectorbooks.PeerIDAddress, connectorbooks.File{Name: "peers.json", Data: []byte(peers)})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range books.Peers {
		fmt.Printf("%s in %v: line and position are %v together\n", p.ID, p.Asset, p.CreditLine)
	}
	// Output: test.bank in USD/2: line and position are 7500 together
}
