package rfc0038_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/transfers"
)

// A connector pays a peer through a settlement engine that counts in millionths. The engine loses its first
// answer and does not know the account. At the end the peer is closed, and its account deleted.
func ExampleSettler() {
	ctx := context.Background()
	engine := httptest.NewServer(forgetfulEngine())
	defer engine.Close()

	usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	must(err)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	must(err)
	client, err := rfc0038.NewClient(rfc0038.ClientConfig{URL: engine.URL, BearerToken: "secret"})
	must(err)
	defer client.Close()
	settler, err := rfc0038.NewSettler(rfc0038.SettlerConfig{
		Client: client, IDs: ids, EngineScales: accounts.Rules[*uint8]{Default: new(uint8(6))},
		Events: rfc0038.SettlerEvents{Stuck: func(e *rfc0038.StuckError) { log.Print(e) }},
	})
	must(err)
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd})
	must(err)
	alice := peers[0]
	must(settler.CreateAccount(ctx, alice))

	policy := settlement.Threshold{SettleThreshold: ledger.NewAmount(1_000_000_000)}
	payer, err := settlement.NewEngine(l, book, settlement.Config{
		Rails:    settlement.Rails{Default: settler.Rail("")},
		Policies: settlement.Policies{Default: settlement.AtLeast{Amount: settler.UnitOf("alice", usd), Of: policy}},
		Events:   settler.Watch(settlement.Events{}),
		Manual:   true,
	})
	must(err)
	deliverPacket(ctx, l, book, alice, 1_999_999_999)

	_, err = payer.Settle(ctx, alice)
	fmt.Println("the outcome is unknown:", err != nil)
	payments, err := payer.Settle(ctx, alice)
	must(err)
	fmt.Println("paid", usd.Text(payments[0].Paid))
	b, err := book.Balance(ctx, alice)
	must(err)
	fmt.Println("still owed", usd.Text(b.Payable))
	must(payer.Close(ctx))

	must(book.ClosePeer(ctx, alice, accounts.WithForce(), accounts.WithReasonCode(1)))
	must(settler.DeleteAccount(ctx, alice))
	// Output:
	// POST /accounts
	// POST /accounts/1-alice/settlements {"amount":"1999999","scale":6}
	// the outcome is unknown: true
	// POST /accounts/1-alice/settlements {"amount":"1999999","scale":6}
	// paid 1.999999000 USD
	// still owed 0.000000999 USD
	// DELETE /accounts/1-alice
}

// forgetfulEngine prints the requests and closes the connection instead of the first answer to a settlement.
func forgetfulEngine() http.Handler {
	lost := false
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/settlements") {
			fmt.Println(r.Method, r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		body, err := io.ReadAll(r.Body)
		must(err)
		fmt.Println(r.Method, r.URL.Path, string(body))
		if !lost {
			lost = true
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
	})
}

func deliverPacket(ctx context.Context, l ledger.Ledger, book *accounts.Book, peer accounts.PeerAccount, units uint64) {
	asset, _ := book.Asset(peer.Ledger())
	own, err := book.OwnAccount(asset)
	must(err)
	recorder, err := transfers.NewRecorder(l, book, transfers.Config{})
	must(err)
	_, err = recorder.Forward(ctx, transfers.Packet{From: own, To: peer, In: units, Out: units})
	must(err)
	must(recorder.Close(ctx))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// Amounts are compared by value and converted without loss.
func ExampleQuantity_Split() {
	q, err := rfc0038.ParseQuantity([]byte(`{"amount":"1999999999","scale":9}`))
	must(err)
	units, rest := q.Split(6)
	fmt.Println(units, "millionths, and", rest)
	// Output: 1999999 millionths, and 0.000000999
}

// An account has the same id on the wire in every process.
func ExampleAccountIDs() {
	usd := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	must(err)
	eve, err := book.PeerAccount("g.eve", usd)
	must(err)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	must(err)
	id, err := ids.WireID(eve)
	must(err)
	account, err := ids.Account(id)
	must(err)
	fmt.Println(id, "is", account)
	// Output: 1-g-2eeve is g.eve on ledger 1
}
