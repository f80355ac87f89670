package parquet_test

import (
	"bytes"
	"fmt"
	"math/big"

	file "github.com/parquet-go/parquet-go"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/parquet"
	"github.com/peerledger/peerledger/ledger"
)

// A file of one packet. A program gets header, entries and summary from package export, which reads them from the
// ledger.
func Example() {
	asset := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	alice := &export.Account{Index: 0, Asset: asset, Kind: export.KindPeer, Peer: "alice"}
	bob := &export.Account{Index: 1, Asset: asset, Kind: export.KindPeer, Peer: "bob"}
	amount := ledger.NewAmount(250)
	closing := []export.Balance{{Units: amount}, {Units: amount, Negative: true}}

	var content bytes.Buffer
	w := parquet.Format().NewWriter(&content)
	err := w.Begin(&export.Header{
		Part: 1, Assets: []export.Asset{{Asset: asset, Bound: big.NewInt(250)}}, Accounts: []*export.Account{alice, bob}, Opening: make([]export.Balance, 2),
	})
	if err == nil {
		err = w.Write(&export.Entry{
			Time: 1, Transfer: ledger.NewID(42, 0), Count: 1, Kind: accounts.EntryPacket, Debit: alice, Credit: bob, Amount: amount,
			DebitBalance: closing[0], CreditBalance: closing[1],
		})
	}
	if err == nil {
		err = w.End(&export.Summary{Closing: closing, Totals: []export.Total{{Entries: 1, Transfers: 1, Amounts: big.NewInt(250)}}})
	}
	if err != nil {
		fmt.Println(err)
	}
	f, err := file.OpenFile(bytes.NewReader(content.Bytes()), int64(content.Len()))
	if err != nil {
		fmt.Println(err)
	}
	totals, _ := f.Lookup(parquet.TotalsKey)
	fmt.Println(f.NumRows(), totals)
	// Output: 1 [{"asset":"USD","scale":2,"ledger":1,"entries":1,"transfers":1,"amounts":"2.50"}]
}
