package accounts_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// cents is the asset of the examples.
var cents = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

// examplePacket is the condition of the packet in the examples.
var examplePacket = [8]byte{0xc0, 0xff, 0xee}

// exampleBooks makes the books of a connector with one peer, with a correction of a packet. A
// recorder would write packets. The clock stands still, so that the times are the same in every
// run.
func exampleBooks(ctx context.Context, peer string, correction accounts.Adjustment) (*accounts.Book, accounts.PeerAccount) {
	midnight := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l := embedded.New(embedded.WithClock(func() time.Time { return midnight }))
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{cents}})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: peer, Asset: cents, CreditLine: ledger.NewAmount(10_000)})
	if err != nil {
		panic(err)
	}
	correction.Account, correction.Key, correction.ReasonCode, correction.ConditionTag = peers[0], "ticket 7", 3, examplePacket
	if _, err := book.Adjust(ctx, correction); err != nil {
		panic(err)
	}
	return book, peers[0]
}

// A statement of everything; give it times to have a month, for example.
func ExampleBook_Statement() {
	ctx := context.Background()
	book, alice := exampleBooks(ctx, "alice", accounts.Adjustment{Credit: ledger.NewAmount(1250)})
	s, err := book.Statement(ctx, alice, time.Time{}, time.Time{})
	if err != nil {
		panic(err)
	}
	fmt.Println("opening:", s.Opening.Position)
	for e, err := range s.Entries(ctx) {
		if err != nil {
			panic(err) // the output is not the whole statement
		}
		fmt.Println(e.Kind, e.Amount, "with", e.Counterparty, "makes", e.Position, "on a line of", e.CreditLine)
	}
	fmt.Println("closing:", s.Closing.Position)
	// Output:
	// opening: 0
	// credit line 0 with line makes 0 on a line of 10000
	// correction 1250 with suspense makes 1250 on a line of 10000
	// closing: 1250
}

func ExampleWriteCSV() {
	ctx := context.Background()
	book, alice := exampleBooks(ctx, "alice", accounts.Adjustment{Credit: ledger.NewAmount(1250)})
	s, err := book.Statement(ctx, alice, time.Time{}, time.Time{}, accounts.WithKnownKeys("ticket 7"))
	if err != nil {
		panic(err)
	}
	if err := accounts.WriteCSV(ctx, os.Stdout, s); err != nil {
		panic(err)
	}
	// Output:
	// time,kind,asset,amount,held,position,credit_line,counterparty,packet,condition,order,late,reason,transfer,code,direction,key_hash,key,arrears,journal,round,packets
	// ,opening,USD/2,,,0.00,0.00,,,,,,,,,,,,,,,
	// 2026-01-01T00:00:00.000000013Z,credit line,USD/2,0.00,,0.00,100.00,line,,,,,,0ed57408d2307f95a6c541e800356bb6,40,,,,,,,
	// 2026-01-01T00:00:00.000000017Z,correction,USD/2,12.50,,12.50,100.00,suspense,,c0ffee0000000000,,,3,c6de9afe13f0c73d7c82be70f59138b5,31,,9447aabed9c6a792730027e1c4e7edc2,key ticket 7,,,,
	// ,closing,USD/2,,,12.50,100.00,,,,,,,,,,,,,,,
}

func ExampleWriteJSON() {
	ctx := context.Background()
	book, alice := exampleBooks(ctx, "alice", accounts.Adjustment{Credit: ledger.NewAmount(1250)})
	s, err := book.Statement(ctx, alice, time.Time{}, time.Time{}, accounts.WithKnownKeys("ticket 7"))
	if err != nil {
		panic(err)
	}
	if err := accounts.WriteJSON(ctx, os.Stdout, s); err != nil {
		panic(err)
	}
	// Output:
	// {"format":1,"peer":"alice","asset":"USD","scale":2,"ledger":1,"opening":{"kind":"opening","position":"0.00","credit_line":"0.00"},
	// "entries":[
	// {"time":"2026-01-01T00:00:00.000000013Z","kind":"credit line","amount":"0.00","position":"0.00","credit_line":"100.00","counterparty":"line","transfer":"0ed57408d2307f95a6c541e800356bb6","code":40},
	// {"time":"2026-01-01T00:00:00.000000017Z","kind":"correction","amount":"12.50","position":"12.50","credit_line":"100.00","counterparty":"suspense","condition":"c0ffee0000000000","reason":3,"transfer":"c6de9afe13f0c73d7c82be70f59138b5","code":31,"key_hash":"9447aabed9c6a792730027e1c4e7edc2","key":"ticket 7"}],
	// "closing":{"kind":"closing","position":"12.50","credit_line":"100.00"}}
}

// A peer sends its statement as CSV, with a different amount for a packet.
func ExampleCompare() {
	ctx := context.Background()
	here, alice := exampleBooks(ctx, "alice", accounts.Adjustment{Credit: ledger.NewAmount(1250)})
	there, us := exampleBooks(ctx, "us", accounts.Adjustment{Debit: ledger.NewAmount(1200)})
	ours, err := here.Statement(ctx, alice, time.Time{}, time.Time{}, accounts.WithHolds())
	if err != nil {
		panic(err)
	}
	theirs, err := there.Statement(ctx, us, time.Time{}, time.Time{}, accounts.WithHolds())
	if err != nil {
		panic(err)
	}
	var received bytes.Buffer
	if err := accounts.WriteCSV(ctx, &received, theirs); err != nil {
		panic(err)
	}
	got, err := accounts.Compare(ours.Entries(ctx), accounts.ReadCSV(&received, cents))
	if err != nil {
		panic(err)
	}
	fmt.Println(got.Matched, "agree")
	for _, d := range got.Differences {
		fmt.Printf("%s %x: %s, we have %v, they have %v\n", d.Kind, d.ConditionTag, d.Class, d.Ours, d.Theirs)
	}
	// Output:
	// 0 agree
	// correction c0ffee0000000000: other amount, we have 1250, they have -1200
}

// A written statement can be read, with exact amounts.
func ExampleReadCSV() {
	ctx := context.Background()
	book, alice := exampleBooks(ctx, "alice", accounts.Adjustment{Credit: ledger.NewAmount(1250)})
	s, err := book.Statement(ctx, alice, time.Time{}, time.Time{})
	if err != nil {
		panic(err)
	}
	var file bytes.Buffer
	if err := accounts.WriteCSV(ctx, &file, s); err != nil {
		panic(err)
	}
	for e, err := range accounts.ReadCSV(&file, cents) {
		if err != nil {
			panic(err)
		}
		fmt.Println(e.Kind, e.Amount)
	}
	// Output:
	// credit line 0
	// correction 1250
}
