package segment_test

import (
	"fmt"
	"log"
	"os"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// Three transfers in a segment, and a query for those of one code.
func Example() {
	path, err := os.MkdirTemp("", "segment")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(path) }()
	folder := sealed.OSFolder(path)

	w, err := segment.Create(folder, 1000, 3)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Discard()
	for i, code := range []uint16{7, 8, 7} {
		row := segment.Row{Hold: segment.NoPosition, Transfer: ledger.Transfer{
			ID: ledger.NewID(uint64(i)+1, 0), Amount: ledger.NewAmount(10), Code: code, Timestamp: uint64(100 + i),
		}}
		if err := w.AppendRow(&row); err != nil {
			log.Fatal(err)
		}
	}
	w.AddStart(segment.Start{Account: 4, DebitsPosted: ledger.NewAmount(30)})
	entry, err := w.Finish()
	if err != nil {
		log.Fatal(err)
	}

	s, err := segment.Open(folder, entry)
	if err != nil {
		log.Fatal(err)
	}
	list, err := s.FindRows(segment.FieldCode, uint128.From64(7))
	if err != nil {
		log.Fatal(err)
	}
	for position, err := range list.Positions(entry.First, entry.End, true) {
		if err != nil {
			log.Fatal(err)
		}
		var row segment.Row
		if err := s.ReadRow(position, &row); err != nil {
			log.Fatal(err)
		}
		if row.Code == 7 { // the list may have other rows
			fmt.Println(position, row.Timestamp)
		}
	}
	start, found, err := s.FindStart(4)
	fmt.Println(start.DebitsPosted, found, err)
	fmt.Println(s.Close())
	// Output:
	// 1002 102
	// 1000 100
	// 30 true <nil>
	// <nil>
}
