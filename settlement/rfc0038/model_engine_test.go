package rfc0038_test

import (
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// modelEngine is a settlement engine that keeps its keys for ever and loses, delays and repeats requests and
// answers at random. Its record is the truth that the books are compared with.
type modelEngine struct {
	*httptest.Server

	t         *testing.T
	conflicts bool             // answers 409 to a repeat, as engines on the Rust library do
	onKey     func(key string) // called with each key that arrives, under mu
	mu        sync.Mutex
	random    *rand.Rand
	faulty    bool
	accounts  map[string]bool
	keys      map[string]map[string]rfc0038.Quantity // by account
	late      []func()                               // requests that are carried out after the caller gave up
	exchanges int
	arrived   []string // keys, in order
}

func newModelEngine(t *testing.T, random *rand.Rand) *modelEngine {
	t.Helper()
	e := &modelEngine{t: t, random: random, accounts: map[string]bool{}, keys: map[string]map[string]rfc0038.Quantity{}, onKey: func(string) {}}
	e.Server = httptest.NewUnstartedServer(e)
	e.Config.ErrorLog = quietLog()
	e.Start()
	t.Cleanup(e.Close)
	return e
}

func (e *modelEngine) setFaulty(faulty bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faulty = faulty
}

func (e *modelEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	key := r.Header.Get("Idempotency-Key")
	path := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	e.mu.Lock()
	if key != "" {
		e.arrived = append(e.arrived, key)
		e.onKey(key)
	}
	status, drop := e.handle(func() int { return e.carryOut(path, key, body) })
	e.mu.Unlock()
	if drop == dropAll {
		panic(http.ErrAbortHandler)
	}
	if drop == dropBody {
		w.Header().Set("Content-Length", "100")
	}
	w.Header().Set("Location", "/accounts")
	w.WriteHeader(status)
	if status/100 == 2 && key != "" {
		_, _ = w.Write(body)
	}
}

type drop int

const (
	dropNothing drop = iota
	dropBody
	dropAll
)

// handle carries a request out, now, later, twice or never, and picks the answer.
func (e *modelEngine) handle(carryOut func() int) (int, drop) {
	e.exchanges++
	if len(e.late) > 0 && e.random.IntN(4) == 0 {
		e.carryOutLate()
	}
	if !e.faulty {
		return carryOut(), dropNothing
	}
	switch e.random.IntN(16) {
	case 0:
		return 0, dropAll
	case 1:
		carryOut()
		return 0, dropAll
	case 2:
		e.late = append(e.late, func() { carryOut() })
		return 0, dropAll
	case 3:
		carryOut()
		return []int{500, 502, 504, 302, 408}[e.random.IntN(5)], dropNothing
	case 4:
		return []int{503, 429, 401, 307}[e.random.IntN(4)], dropNothing
	case 5:
		return carryOut(), dropBody
	case 6:
		e.late = append(e.late, func() { carryOut() }, func() { carryOut() })
		return carryOut(), dropNothing
	case 7:
		clear(e.accounts) // and the keys stay
	}
	return carryOut(), dropNothing
}

// carryOutLate carries out a late request, in any order.
func (e *modelEngine) carryOutLate() {
	i := e.random.IntN(len(e.late))
	run := e.late[i]
	e.late[i] = e.late[len(e.late)-1]
	e.late = e.late[:len(e.late)-1]
	run()
}

func (e *modelEngine) carryOut(path []string, key string, body []byte) int {
	if len(path) == 1 {
		e.accounts[strings.Split(string(body), `"`)[3]] = true
		return 201
	}
	account := path[1]
	if !e.accounts[account] {
		return 404
	}
	q, err := rfc0038.ParseQuantity(body)
	if err != nil || q.IsZero() || key == "" {
		e.t.Errorf("settlement without sense: key %q, body %q", key, body)
		return 400
	}
	earlier, seen := e.keys[account][key]
	switch {
	case seen && !earlier.Equal(q):
		e.t.Errorf("key %s was sent with %v and with %v", key, earlier, q)
		return 400
	case seen && e.conflicts:
		return 409
	case !seen:
		if e.keys[account] == nil {
			e.keys[account] = map[string]rfc0038.Quantity{}
		}
		e.keys[account][key] = q
	}
	return 201
}

// countExchanges returns how many requests have come.
func (e *modelEngine) countExchanges() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.exchanges
}

// arrivedKeys lists the keys that have come.
func (e *modelEngine) arrivedKeys() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.arrived)
}

// finish carries out all late requests and ends the faults.
func (e *modelEngine) finish() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faulty = false
	for len(e.late) > 0 {
		e.carryOutLate()
	}
}

// paidFor returns the quantity of a key.
func (e *modelEngine) paidFor(account, key string) (q rfc0038.Quantity, paid bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q, paid = e.keys[account][key]
	return q, paid
}

// paidTo returns all that the engine pays to an account, in units of a scale.
func (e *modelEngine) paidTo(t *testing.T, account string, scale uint8) *big.Int {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := new(big.Int)
	for key, q := range e.keys[account] {
		units, rest := q.Split(scale)
		require.True(t, rest.IsZero(), fmt.Sprint(key, q))
		sum.Add(sum, units)
	}
	return sum
}

// lossyEngine carries every request out, and no settlement gets an answer.
type lossyEngine struct{ *modelEngine }

// start serves on an address of its own.
func (e *lossyEngine) start(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		e.ServeHTTP(httptest.NewRecorder(), r)
		if r.Header.Get("Idempotency-Key") != "" {
			panic(http.ErrAbortHandler)
		}
	}))
	server.Config.ErrorLog = quietLog()
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}
