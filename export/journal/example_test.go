package journal_test

import (
	"fmt"
	"math/big"
	"os"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/export/journal"
	"github.com/peerledger/peerledger/ledger"
)

// Two peers and one packet between them as a journal of hledger. A program gets header, entries and summary from
// package export, which reads them from the ledger.
func Example() {
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	alice := &export.Account{Index: 0, Asset: usd, Kind: export.KindPeer, Peer: "alice", New: true}
	bob := &export.Account{Index: 1, Asset: usd, Kind: export.KindPeer, Peer: "g.us.bob", New: true}
	amount, at := ledger.NewAmount(250), time.Date(2026, 1, 30, 10, 20, 30, 0, time.UTC)
	alices, bobs := export.Balance{Units: amount}, export.Balance{Units: amount, Negative: true}

	w := journal.Hledger().NewWriter(os.Stdout)
	err := w.Begin(&export.Header{
		Part: 1, Assets: []export.Asset{{Asset: usd, Bound: big.NewInt(250)}}, Accounts: []*export.Account{alice, bob},
		Opening: make([]export.Balance, 2), Last: uint64(at.UnixNano()),
	})
	if err == nil {
		err = w.Write(&export.Entry{
			Time: uint64(at.UnixNano()), Transfer: ledger.NewID(42, 0), Count: 1, Kind: accounts.EntryPacket,
			Debit: alice, Credit: bob, Amount: amount, DebitBalance: alices, CreditBalance: bobs,
		})
	}
	if err == nil {
		err = w.End(&export.Summary{
			Closing: []export.Balance{alices, bobs}, Totals: []export.Total{{Entries: 1, Transfers: 1, Amounts: big.NewInt(250)}},
		})
	}
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// ; peerledger export, part 1, from the beginning to the end, of the moment 2026-01-30T10:20:30.000000000Z
	//
	// commodity "USD.2"
	//     format 0.00 "USD.2"
	//
	// tag transfers
	// tag time
	// tag packet
	// tag condition
	// tag order
	// tag key-hash
	// tag reason
	// tag journal
	// tag round
	// tag late
	// account Liabilities:Peer:alice
	// account Liabilities:Peer:g.us.bob
	// account Equity:Opening-Balances
	//
	// 2026-01-30 * (0000000000000000000000000000002a) packet
	//     ; time: 2026-01-30T10:20:30.000000000Z
	//     Liabilities:Peer:alice  2.50 "USD.2" = 2.50 "USD.2"
	//     Liabilities:Peer:g.us.bob  -2.50 "USD.2" = -2.50 "USD.2"
	//
	// 2026-01-30 * closing balances
	//     Liabilities:Peer:alice  0.00 "USD.2" = 2.50 "USD.2"
	//     Liabilities:Peer:g.us.bob  0.00 "USD.2" = -2.50 "USD.2"
	//
	// ; total of "USD" at scale 2: 1 entries of 1 transfers, amounts 2.50
}
