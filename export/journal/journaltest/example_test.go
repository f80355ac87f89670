package journaltest_test

import (
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal/journaltest"
)

// A test opens a file with p.Balances(t, path), and finds a balance by account and commodity.
func Example() {
	alice := &export.Account{Asset: accounts.Asset{Code: "USD", Scale: 9}, Kind: export.KindPeer, Peer: "g.alice"}
	for _, p := range journaltest.Programs() {
		fmt.Println(p.Name, p.AccountName(alice), p.Commodity(alice.Asset.Code, alice.Asset.Scale))
	}
	// Output:
	// hledger Liabilities:Peer:g.alice USD.9
	// ledger Liabilities:Peer:g.alice USD.9
	// beancount2 Liabilities:Peer:G-2Ealice USD-9
	// beancount3 Liabilities:Peer:G-2Ealice USD-9
}
