package transfers_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// With a Journal a submitted fulfill is booked even if the process ends before the ledger has
// answered: the next recorder with the folder records it.
func ExampleConfig_journal() {
	ctx := context.Background()
	usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	if err != nil {
		panic(err)
	}
	peers, err := book.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	if err != nil {
		panic(err)
	}
	parent, err := os.MkdirTemp("", "peerledger")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(parent) }()
	cfg := transfers.Config{
		JournalFolder: filepath.Join(parent, "journal"),
		Events: transfers.Events{Replayed: func(results []transfers.Result) {
			for _, r := range results {
				fmt.Println("replayed:", r.Kind, r.Outcome, r.Packet.Out, "to", r.Packet.To.Peer(), r.Err)
			}
		}},
	}

	ledgerIsDown := &unreachableLedger{Ledger: l}
	recorder, err := transfers.NewRecorder(ledgerIsDown, book, cfg)
	if err != nil {
		panic(err)
	}
	held, err := recorder.Prepare(ctx, transfers.Packet{
		From: peers[0], To: peers[1], In: 100, Out: 99, Expiry: time.Now().Add(30 * time.Second),
	})
	if err != nil {
		panic(err)
	}
	// ... the packet's answer is a fulfill, but now the ledger cannot be reached:
	ledgerIsDown.now = true
	_, err = recorder.Submit(ctx, transfers.FulfillOp(held.Packet))
	fmt.Println("submitted:", err) // it is on disk: pass the fulfill on to alice
	soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	fmt.Println("all answered:", recorder.Close(soon) == nil)

	// The next process reaches the ledger.
	recorder, err = transfers.NewRecorder(l, book, cfg)
	if err != nil {
		panic(err)
	}
	fmt.Println("all answered:", recorder.Close(ctx) == nil)
	// Output:
	// submitted: <nil>
	// all answered: false
	// replayed: fulfill applied 99 to bob <nil>
	// all answered: true
}

// unreachableLedger is a ledger that is down.
type unreachableLedger struct {
	ledger.Ledger
	now bool
}

func (u *unreachableLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if u.now {
		<-ctx.Done()
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, ctx.Err())
	}
	return u.Ledger.CreateTransfers(ctx, batch)
}
