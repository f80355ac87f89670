package rfc0038_test

import (
	"context"
	"fmt"
	"io"
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
	must(err)
	peers, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd})
	must(err)
	engine, err := settlement.NewEngine(l, book, settlement.Config{})
	must(err)
	ids, err := rfc0038.NewAccountIDs(book, nil)
	must(err)
	server, err := rfc0038.NewServer(rfc0038.ServerConfig{Engine: engine, Accounts: ids.Account, Tokens: []string{"a-token-of-the-engine"}})
	must(err)
	listener, err := server.Listen(ctx, rfc0038.ListenConfig{Address: "127.0.0.1:0"})
	must(err)
	served := make(chan error)
	go func() { served <- server.Serve(ctx, listener) }()

	url := "http://" + listener.Addr().String() + "/accounts/1-alice/settlements"
	for _, report := range [][2]string{
		{"tx-1", `{"amount":"15","scale":2}`}, {"tx-2", `{"amount":"5","scale":3}`}, {"tx-2", `{"amount":"5","scale":3}`}, {"tx-3", `{"amount":"6","scale":3}`},
	} {
		fmt.Print(post(url, report[0], report[1]))
		b, err := book.Balance(ctx, peers[0])
		must(err)
		remainder, err := engine.Remainder(ctx, peers[0])
		must(err)
		fmt.Println(" booked", usd.WholeUnits(b.SettledIn), "and", remainder.RatString(), "cents remain")
	}
	stop()
	must(<-served)
	must(engine.Close(context.Background()))
	// Output:
	// 201 {"amount":"15","scale":2} booked 0.15 and 0 cents remain
	// 201 {"amount":"5","scale":3} booked 0.15 and 1/2 cents remain
	// 201 {"amount":"5","scale":3} booked 0.15 and 1/2 cents remain
	// 201 {"amount":"6","scale":3} booked 0.16 and 1/10 cents remain
}

// post reports a payment as an engine does.
func post(url, key, body string) string {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	must(err)
	r.Header.Set("Authorization", "Bearer a-token-of-the-engine")
	r.Header.Set("Idempotency-Key", key)
	answer, err := http.DefaultClient.Do(r)
	must(err)
	defer func() { must(answer.Body.Close()) }()
	text, err := io.ReadAll(answer.Body)
	must(err)
	return fmt.Sprint(answer.StatusCode, " ", string(text))
}
