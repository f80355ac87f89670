package rfc0038_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// A settlement engine reports payments of 0.15 and 0.005 USD. The asset has cents: the second payment is a remainder,
// until a third one completes a cent.
func ExampleServer() {
	ctx, stop := context.WithCancel(context.Background())
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	check(err)
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd})
	check(err)
	engine, err := settlement.NewEngine(l, book, settlement.Config{})
	check(err)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	check(err)
	server, err := rfc0038.NewServer(rfc0038.ServerConfig{Engine: engine, Accounts: ids.Account, Tokens: []string{"a-token-of-the-engine"}})
	check(err)
	listener, err := server.Listen(ctx, rfc0038.ListenConfig{Address: "127.0.0.1:0"})
	check(err)
	served := make(chan error)
	go func() { served <- server.Serve(ctx, listener) }()

	url := "http://" + listener.Addr().String() + "/accounts/1-alice/settlements"
	for _, report := range [][2]string{
		{"tx-1", `{"amount":"15","scale":2}`}, {"tx-2", `{"amount":"5","scale":3}`}, {"tx-2", `{"amount":"5","scale":3}`}, {"tx-3", `{"amount":"6","scale":3}`},
	} {
		fmt.Print(post(url, report[0], report[1]))
		b, err := book.Balance(ctx, peers[0])
		check(err)
		remainder, err := engine.Remainder(ctx, peers[0])
		check(err)
		fmt.Println(" booked", usd.WholeUnits(b.SettledIn), "and", remainder.RatString(), "cents remain")
	}
	stop()
	check(<-served)
	check(engine.Close(context.Background()))
	// Output:
	// 201 {"amount":"15","scale":2} booked 0.15 and 0 cents remain
	// 201 {"amount":"5","scale":3} booked 0.15 and 1/2 cents remain
	// 201 {"amount":"5","scale":3} booked 0.15 and 1/2 cents remain
	// 201 {"amount":"6","scale":3} booked 0.16 and 1/10 cents remain
}

// post reports a payment as an engine does.
func post(url, key, body string) string {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	check(err)
	r.Header.Set("Authorization", "Bearer a-token-of-the-engine")
	r.Header.Set("Idempotency-Key", key)
	answer, err := http.DefaultClient.Do(r)
	check(err)
	defer func() { check(answer.Body.Close()) }()
	text, err := io.ReadAll(answer.Body)
	check(err)
	return fmt.Sprint(answer.StatusCode, " ", string(text))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
