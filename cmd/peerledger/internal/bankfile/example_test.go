package bankfile_test

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/cmd/peerledger/internal/bankfile"
)

// A file is imported twice: its payment is booked once.
func ExampleDecide() {
	text := "day;sum;number;from\n02.11.2026;12,50;4711;NL47TEST0000000009\n"
	mapping := &bankfile.Mapping{
		Delimiter: ";", Decimal: ",", Date: "DD.MM.YYYY",
		Columns: map[string]string{"date": "day", "amount": "sum", "reference": "number", "payer_account": "from"},
	}
	account := bankfile.Account{ID: "NL69TEST0000000001", Currency: "EUR", Scale: 2, Books: bankfile.CSV}
	payers := []bankfile.Payer{{Peer: "alice", Account: "NL47TEST0000000009"}}
	var book bankfile.Book
	for range 2 {
		file, err := bankfile.Parse(context.Background(), []byte(text), mapping)
		if err != nil {
			panic(err)
		}
		report, err := bankfile.Decide(file, account, &book)
		if err != nil {
			panic(err)
		}
		report.AssignPeers(payers)
		for _, p := range report.Booked {
			fmt.Println("book", p.Amount, "from", p.Peer, "under", p.Key)
		}
		fmt.Println(len(report.Known), "known")
		book.Add(report)
	}
	// Output:
	// book 1250 from alice under NL69TEST0000000001/EUR/csv/4711
	// 0 known
	// 1 known
}
