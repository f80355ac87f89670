package console_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/console"
	"github.com/peerledger/peerledger/ledger"
)

// A connector mounts the pages in its own server, under a path. A browser logs in with a link of
// NewLogin, and a program with a token. Any table can be read as CSV.
func ExampleConsole() {
	ctx, usd := context.Background(), accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	client, err := peerledger.OpenEmbedded(peerledger.Config{Accounts: accounts.Config{Assets: []accounts.Asset{usd}}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = client.Close(ctx) }()
	if _, err := client.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(100_00)}); err != nil {
		panic(err)
	}

	pages, err := console.New(console.Config{
		Book: client.Book, Settlement: client.Settlement, Token: "keep this secret in a file",
		Peers: func(accounts.Asset) []string { return []string{"alice"} }, // the ledger keeps only hashes of the ids
	})
	if err != nil {
		panic(err)
	}
	defer pages.Close() // before the client
	mux := http.NewServeMux()
	mux.Handle("/console/", http.StripPrefix("/console", pages))
	server := httptest.NewServer(mux)
	defer server.Close()

	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err)
	}
	browser := &http.Client{Jar: jar}
	login, err := http.NewRequest(http.MethodPost, server.URL+"/console/login", strings.NewReader(url.Values{"token": {"keep this secret in a file"}}.Encode()))
	if err != nil {
		panic(err)
	}
	login.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	login.Header.Set("Origin", server.URL) // a post without an Origin is refused
	answer, err := browser.Do(login)
	if err != nil {
		panic(err)
	}
	_ = answer.Body.Close()
	if answer, err = browser.Get(server.URL + "/console/totals.csv"); err != nil {
		panic(err)
	}
	defer func() { _ = answer.Body.Close() }()
	table, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(err)
	}
	header, row, _ := strings.Cut(string(table), "\n")
	fmt.Println(strings.Join(strings.Split(header, ",")[:4], " "))
	fmt.Println(strings.Join(strings.Split(row, ",")[:4], " "))
	// Output:
	// asset peers payable receivable
	// USD/2 1 0.00 0.00
}
