package enginetest_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// A connector settles through an engine whose first answer is lost: the repeat under the same key is
// taken, and the peer is paid once.
func Example() {
	engine, err := enginetest.NewEngine(enginetest.Config{Name: "ours", Scale: 6, Peers: map[string]enginetest.Address{"alice": {Engine: "alices", Account: "us"}}})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close() //nolint:errcheck // an example
	url, err := engine.Start("127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(postJSON(url+"/accounts", `{"id":"alice"}`, ""))
	if err := engine.Inject(enginetest.Fault{Kind: enginetest.DropAfter, Request: enginetest.Settle}); err != nil {
		log.Fatal(err)
	}
	for range 2 {
		fmt.Println(postJSON(url+"/accounts/alice/settlements", `{"amount":"150","scale":2}`, "order-1"))
	}
	payments, err := engine.Rail().WaitFrom(context.Background(), 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range payments {
		fmt.Println("paid", p.Amount, "to", p.To.Engine, "for", p.Key)
	}
	// Output:
	// 201 {"id":"alice"}
	// no answer
	// 201 {"amount":"150","scale":2}
	// paid 1.500000 to alices for order-1
}

// An engine reports incoming money to the connector until the connector takes it.
func ExampleEngine_Receive() {
	reports := make(chan string)
	connector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(body)
		reports <- r.URL.Path + " " + string(body)
	}))
	defer connector.Close()
	engine, err := enginetest.NewEngine(enginetest.Config{Scale: 2, Connector: connector.URL})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close() //nolint:errcheck // an example
	if err := engine.Receive("alice", "payment 1", rfc0038.Quantity{Amount: big.NewInt(250), Scale: 2}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-reports)
	// Output: /accounts/alice/settlements {"amount":"250","scale":2}
}

// postJSON posts a body under a key, and returns the status and the body of the answer.
func postJSON(url, body, key string) string {
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body)) //nolint:noctx // an example
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("Idempotency-Key", key)
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "no answer"
	}
	defer response.Body.Close() //nolint:errcheck // an example
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return "no answer"
	}
	return fmt.Sprint(response.StatusCode, " ", string(text))
}
