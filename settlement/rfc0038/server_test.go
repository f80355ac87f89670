package rfc0038_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

const alicePath = "/accounts/alice/settlements"

func TestServerBooksAReport(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil)
	first := f.post(alicePath, "k", `{"scale":1,"amount":"15"}`)
	require.Equal(t, http.StatusCreated, first.status)
	require.Equal(t, "application/json", first.header.Get("Content-Type"))
	require.Equal(t, `{"amount":"15","scale":1}`, first.body) //nolint:testifylint // the bytes matter
	require.Equal(t, first, f.post(alicePath, "k", `{"scale":1,"amount":"15"}`))
	require.Equal(t, `{"amount":"1500","scale":3}`, f.post(alicePath, "k", `{"scale":3,"amount":"01500"}`).body) //nolint:testifylint // as above
	require.Equal(t, []string{"booked"}, f.takeEvents())
	f.requireBooked("alice", 150, "0")
	require.Equal(t, rfc0038.ServerStats{Requests: 3, Booked: 1, Repeated: 2}, f.server.Stats())
}

func TestServerKeepsRemainders(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil)
	for _, r := range [][2]string{{"l0", `{"amount":"205","scale":4}`}, {"l1", `{"amount":"855","scale":5}`}, {"l2", `{"amount":"110","scale":4}`}} {
		require.Equal(t, http.StatusCreated, f.post(alicePath, r[0], r[1]).status)
		require.Equal(t, http.StatusCreated, f.post(alicePath, r[0], r[1]).status)
	}
	f.requireBooked("alice", 4, "1/200") // 0.0205 + 0.00855 + 0.011 = 0.04005
}

func TestServerRefusesAnotherValueUnderAKey(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil, "bob")
	require.Equal(t, http.StatusCreated, f.post(alicePath, "k", `{"amount":"25","scale":0}`).status)
	for _, body := range []string{`{"amount":"50","scale":0}`, `{"amount":"25001","scale":3}`} {
		require.Equal(t, http.StatusConflict, f.post(alicePath, "k", body).status)
	}
	require.Equal(t, []string{"booked", "conflict", "conflict"}, f.takeEvents())
	require.ErrorIs(t, f.errs[1], accounts.ErrKeyReused)
	require.Equal(t, http.StatusCreated, f.post("/accounts/bob/settlements", "k", `{"amount":"50","scale":0}`).status)
	f.requireBooked("alice", 2500, "0")
	f.requireBooked("bob", 5000, "0")
	require.Equal(t, uint64(2), f.server.Stats().Conflicts)
}

func TestServerParksWhatCannotBeBooked(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil)
	for key, body := range map[string]string{
		"large":  `{"amount":"340282366920938463463374607431768211456","scale":0}`,
		"huge":   `{"amount":"` + strings.Repeat("9", 4096) + `","scale":0}`,
		"finest": `{"amount":"1","scale":255}`,
	} {
		require.Equal(t, http.StatusUnprocessableEntity, f.post(alicePath, key, body).status, key)
	}
	require.Equal(t, []string{"parked", "parked", "parked"}, f.takeEvents())
	require.ErrorIs(t, f.errs[0], settlement.ErrUnbookable)
	require.Equal(t, http.StatusCreated, f.post(alicePath, "whole", `{"amount":"1`+strings.Repeat("0", 255)+`","scale":255}`).status)
	require.Equal(t, http.StatusCreated, f.post(alicePath, "2^64", `{"amount":"18446744073709551617","scale":2}`).status)
	b, err := f.book.Balance(t.Context(), f.byID["alice"])
	require.NoError(t, err)
	require.Equal(t, "18446744073709551717", b.SettledIn.String())
	require.Equal(t, uint64(3), f.server.Stats().Parked)
}

func TestServerTakesZeroAndBooksNothing(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil)
	answer := f.post(alicePath, "k", `{"amount":"000","scale":7}`)
	require.Equal(t, http.StatusCreated, answer.status)
	require.JSONEq(t, `{"amount":"0","scale":7}`, answer.body)
	require.Equal(t, http.StatusCreated, f.post(alicePath, "k", `{"amount":"1","scale":2}`).status)
	f.requireBooked("alice", 1, "0")
	require.Equal(t, uint64(1), f.server.Stats().Zero)
}

func TestServerPaths(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil, "a/b", "per cent %", "accounts", "settlements", "é")
	for path, id := range map[string]string{
		"/accounts/alice/settlements": "alice", "/accounts/alice/settlement": "alice", "//accounts/alice/settlements": "alice",
		"/accounts/alice/settlements/": "alice", "///accounts//alice///settlements//": "alice", "/accounts/%61lice/settlements": "alice",
		"/accounts/a/b/settlements": "a/b", "/accounts/a%2Fb/settlements": "a/b", "/accounts/per%20cent%20%25/settlements": "per cent %",
		"/accounts/accounts/settlements": "accounts", "/accounts/settlements/settlements": "settlements", "/accounts/%C3%A9/settlement/?x=1": "é",
	} {
		require.Equal(t, http.StatusCreated, f.post(path, path, `{"amount":"1","scale":2}`).status, path)
		_, err := f.engine.FindPayment(t.Context(), f.byID[id], path)
		require.NoError(t, err, path)
	}
	for _, path := range []string{
		"/", "/accounts", "/accounts/alice", "/alice/settlements", "/accounts/settlements", "/accounts/bob/settlements", "/x/accounts/alice/settlements",
		"/accounts/alice/settlement-s", "/accounts/../accounts/alice/settlements", "/accounts/alice/../settlements", "/ACCOUNTS/alice/settlements",
	} {
		require.Equal(t, http.StatusNotFound, f.post(path, "k", `{"amount":"1","scale":2}`).status, path)
	}
	deep := newServerFixture(t, func(c *rfc0038.ServerConfig) { c.Prefix = "/ilp//api/" })
	require.Equal(t, http.StatusCreated, deep.post("/ilp/api//accounts/alice/settlements", "k", `{"amount":"1","scale":2}`).status)
	require.Equal(t, http.StatusNotFound, deep.post(alicePath, "k", `{"amount":"1","scale":2}`).status)
	require.Equal(t, http.StatusNotFound, deep.post("/ilp"+alicePath, "k", `{"amount":"1","scale":2}`).status)
}

// An answer of the ledger is lost, and the server cannot reach the ledger within its time: it does not answer, and the
// next repeat finds the payment booked.
func TestServerDoesNotAnswerAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, body := range []string{`{"amount":"15","scale":1}`, `{"amount":"15","scale":3}`} {
			l := &lossyLedger{Ledger: embedded.New()}
			f := newServerFixtureOn(t, l, serverAsset, nil)
			l.lose = true
			require.Zero(t, f.post(alicePath, "k", body).status)
			require.Equal(t, []string{"unanswered"}, f.takeEvents())
			require.ErrorIs(t, f.errs[0], ledger.ErrOutcomeUnknown)
			l.lose = false
			require.Equal(t, http.StatusCreated, f.post(alicePath, "k", body).status)
			require.Equal(t, rfc0038.ServerStats{Requests: 2, Repeated: 1, Unanswered: 1}, f.server.Stats())
		}
	})
}

// lossyLedger loses all answers to requests for transfers while lose is true.
type lossyLedger struct {
	ledger.Ledger
	lose bool
}

func (l *lossyLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, rows)
	if l.lose {
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

// What an operator can mend is not answered: the engine keeps the payment under its key.
func TestServerDoesNotAnswerWhatCanBeMended(t *testing.T) {
	t.Parallel()
	var lookupErr error
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) {
		inner := c.Accounts
		c.Accounts = func(id string) (accounts.PeerAccount, error) {
			account, err := inner(id)
			return account, errors.Join(err, lookupErr)
		}
		c.Relay = func(context.Context, accounts.PeerAccount, []byte) ([]byte, error) { return nil, nil }
	})
	f.byID["nobody"] = accounts.PeerAccount{}
	require.Zero(t, f.post("/accounts/nobody/settlements", "k", `{"amount":"15","scale":3}`).status)
	lookupErr = errors.New("the directory is down")
	require.Zero(t, f.post(alicePath, "k", `{"amount":"15","scale":3}`).status)
	require.Zero(t, f.post("/accounts/alice/messages", "k", "x").status)
	require.ErrorIs(t, f.errs[len(f.errs)-1], lookupErr)
	lookupErr = nil
	require.Equal(t, http.StatusCreated, f.post(alicePath, "k", `{"amount":"15","scale":3}`).status)
	require.NoError(t, f.engine.Close(t.Context()))
	require.Zero(t, f.post(alicePath, "k", `{"amount":"15","scale":3}`).status)
	require.ErrorIs(t, f.errs[len(f.errs)-1], settlement.ErrEngineClosed)
}

// A peer that is not provisioned has nothing booked, so 404 is safe; messages are relayed.
func TestServerOfAnAccountThatIsNotProvisioned(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) {
		c.Relay = func(context.Context, accounts.PeerAccount, []byte) ([]byte, error) { return nil, nil }
	})
	late, err := f.book.PeerAccount("late", serverAsset)
	require.NoError(t, err)
	f.byID["late"] = late
	require.Equal(t, http.StatusNotFound, f.post("/accounts/late/settlements", "k", `{"amount":"15","scale":3}`).status)
	require.Equal(t, http.StatusCreated, f.post("/accounts/late/messages", "k", "x").status)
	require.Equal(t, []string{"parked"}, f.takeEvents())
	_, err = f.book.Provision(t.Context(), accounts.PeerConfig{ID: "late", Asset: serverAsset})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, f.post("/accounts/late/settlements", "k", `{"amount":"15","scale":3}`).status)
}

// 20 engines report one payment at once, and another value under its key.
func TestServerBooksParallelRepeatsOnce(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, nil)
	var calls sync.WaitGroup
	statuses := make([]int, 40)
	for i := range statuses {
		calls.Go(func() {
			body := []string{`{"amount":"1999","scale":3}`, `{"amount":"1998","scale":3}`}[i%2]
			statuses[i] = f.post(alicePath, "k", body).status
		})
	}
	calls.Wait()
	count := map[int]int{}
	for _, status := range statuses {
		count[status]++
	}
	require.Equal(t, map[int]int{http.StatusCreated: 20, http.StatusConflict: 20}, count)
	remainder := map[bool]string{true: "9/10", false: "4/5"}[statuses[0] == http.StatusCreated]
	f.requireBooked("alice", 199, remainder)
}

func TestServerRelaysMessages(t *testing.T) {
	t.Parallel()
	var got []string
	var relayErr error
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) {
		c.Relay = func(_ context.Context, a accounts.PeerAccount, message []byte) ([]byte, error) {
			got = append(got, a.Peer()+" "+string(message))
			return []byte("answer\x00\xff"), relayErr
		}
	})
	for _, key := range []string{"", "msg1", "msg1", strings.Repeat("k", 9000)} {
		answer := f.post("//accounts/alice//messages/", key, "hello\x00")
		require.Equal(t, http.StatusCreated, answer.status)
		require.Equal(t, "application/octet-stream", answer.header.Get("Content-Type"))
		require.Equal(t, "answer\x00\xff", answer.body)
	}
	require.Equal(t, []string{"alice hello\x00", "alice hello\x00", "alice hello\x00", "alice hello\x00"}, got)
	relayErr = &rfc0038.RejectError{Code: "F02"}
	require.Equal(t, http.StatusBadGateway, f.post("/accounts/alice/messages", "", "x").status)
	require.Equal(t, []string{"message failed"}, f.takeEvents())
	require.Equal(t, http.StatusNotFound, f.post("/accounts/bob/messages", "", "x").status)
	require.Equal(t, http.StatusRequestEntityTooLarge, f.post("/accounts/alice/messages", "", strings.Repeat("x", 32768)).status)
	require.Equal(t, rfc0038.ServerStats{Requests: 7, Relayed: 4, MessagesFailed: 1, Refused: 2}, f.server.Stats())
	without := newServerFixture(t, nil)
	require.Equal(t, http.StatusNotFound, without.post("/accounts/alice/messages", "", "x").status)
}

// Requests that wait for a place, and a relay that the peer does not answer, end within Timeout.
func TestServerBoundsItsAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		f := newServerFixture(t, func(c *rfc0038.ServerConfig) {
			c.MaxConcurrent = 1
			c.Events.Booked = func(r rfc0038.Report, _ settlement.PaymentBooking) {
				if r.Key == "hold" {
					<-release
				}
			}
			c.Relay = func(ctx context.Context, _ accounts.PeerAccount, message []byte) ([]byte, error) {
				if string(message) == "hold" {
					<-release
					return nil, nil
				}
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		const body = `{"amount":"15","scale":3}`
		var calls sync.WaitGroup
		calls.Go(func() { require.Equal(t, http.StatusCreated, f.post("/accounts/alice/messages", "", "hold").status) })
		calls.Go(func() { require.Equal(t, http.StatusCreated, f.post(alicePath, "hold", body).status) })
		synctest.Wait()
		start := time.Now()
		require.Zero(t, f.post(alicePath, "k", body).status)
		require.Equal(t, http.StatusGatewayTimeout, f.post("/accounts/alice/messages", "", "x").status)
		require.Equal(t, 16*time.Second, time.Since(start))
		close(release)
		calls.Wait()
		require.Equal(t, http.StatusGatewayTimeout, f.post("/accounts/alice/messages", "", "x").status)
		require.ErrorIs(t, errors.Join(f.errs...), context.DeadlineExceeded)
		require.Equal(t, http.StatusCreated, f.post(alicePath, "k", body).status)
	})
}

// Messages that wait for a peer's engine take no place of payments: a report is booked meanwhile.
func TestSlowPeersDoNotDelayReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newServerFixture(t, func(c *rfc0038.ServerConfig) {
			c.MaxConcurrent = 4
			c.Relay = func(ctx context.Context, _ accounts.PeerAccount, _ []byte) ([]byte, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		var messages sync.WaitGroup
		for range 8 {
			messages.Go(func() { f.post("/accounts/alice/messages", "", "x") })
		}
		synctest.Wait()
		began := time.Now()
		require.Equal(t, http.StatusCreated, f.post(alicePath, "k", goodBody).status)
		require.Zero(t, time.Since(began))
		messages.Wait()
	})
}

func TestServerConfigFaults(t *testing.T) {
	t.Parallel()
	_, err := rfc0038.NewServer(rfc0038.ServerConfig{
		Prefix: "api%2F", Tokens: []string{"short", "with a space in the middle"}, Timeout: -1, ReadTimeout: -1, MaxConcurrent: -1, MaxBody: -1, MaxMessage: -1,
	})
	require.ErrorIs(t, err, accounts.ErrInvalid)
	for _, field := range []string{
		"Engine is", "Accounts is", "Prefix must begin", "Prefix must be", "Tokens", "Timeout", "ReadTimeout", "MaxConcurrent", "MaxBody", "MaxMessage",
	} {
		require.ErrorContains(t, err, "rfc0038 server: "+field)
	}
}

// Events are optional.
func TestServerWithoutEvents(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) { c.Events = rfc0038.ServerEvents{} })
	f.byID["nobody"] = accounts.PeerAccount{}
	require.Equal(t, http.StatusCreated, f.post(alicePath, "k", `{"amount":"15","scale":3}`).status)
	require.Equal(t, http.StatusConflict, f.post(alicePath, "k", `{"amount":"16","scale":3}`).status)
	require.Equal(t, http.StatusUnprocessableEntity, f.post(alicePath, "l", `{"amount":"1","scale":99}`).status)
	require.Zero(t, f.post("/accounts/nobody/settlements", "k", `{"amount":"15","scale":3}`).status)
}

func TestServerTokens(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) { c.Tokens = []string{"old-token-0123456789", "new-token-0123456789"} })
	send := func(values ...string) serverAnswer {
		r := newReport(alicePath, "k", `{"amount":"15","scale":1}`)
		for _, value := range values {
			r.Header.Add("Authorization", value)
		}
		return answerOf(f.server, r)
	}
	for _, values := range [][]string{
		nil,
		{""},
		{"Bearer"},
		{"Bearer "},
		{"Bearer x"},
		{"old-token-0123456789"},
		{"Basic old-token-0123456789"},
		{"Bearer old-token-01234567890"},
		{"Bearer old-token-0123456789", "Bearer x"},
		{"Bearer old-token-0123456789", "Bearer old-token-0123456789"},
	} {
		answer := send(values...)
		require.Equal(t, http.StatusUnauthorized, answer.status, values)
		require.Equal(t, "Bearer", answer.header.Get("WWW-Authenticate"))
	}
	f.requireBooked("alice", 0, "0")
	require.Equal(t, http.StatusCreated, send("Bearer old-token-0123456789").status)
	require.Equal(t, http.StatusCreated, send("bearer new-token-0123456789").status)
	f.requireBooked("alice", 150, "0")
}

const goodBody = `{"amount":"15","scale":1}`

// badRequest is a request that books nothing.
type badRequest struct {
	method, path, key, body string
	change                  func(*http.Request)
	status                  int
}

func addHeaders(list ...string) func(*http.Request) {
	return func(r *http.Request) {
		for i := 0; i < len(list); i += 2 {
			r.Header.Add(list[i], list[i+1])
		}
	}
}

func listBadRequests() map[string]badRequest {
	none := func(*http.Request) {}
	return map[string]badRequest{
		"wrong JSON":              {"POST", alicePath, "k", `{"amount":"15","scale":1`, none, 400},
		"no body":                 {"POST", alicePath, "k", ``, none, 400},
		"number for a string":     {"POST", alicePath, "k", `{"amount":15,"scale":1}`, none, 400},
		"string for a number":     {"POST", alicePath, "k", `{"amount":"15","scale":"1"}`, none, 400},
		"scale 256":               {"POST", alicePath, "k", `{"amount":"15","scale":256}`, none, 400},
		"scale below 0":           {"POST", alicePath, "k", `{"amount":"15","scale":-1}`, none, 400},
		"amount below 0":          {"POST", alicePath, "k", `{"amount":"-15","scale":1}`, none, 400},
		"exponent":                {"POST", alicePath, "k", `{"amount":"1e3","scale":1}`, none, 400},
		"a name twice":            {"POST", alicePath, "k", `{"amount":"15","amount":"15","scale":1}`, none, 400},
		"no key":                  {"POST", alicePath, "", goodBody, none, 400},
		"an empty key":            {"POST", alicePath, "", goodBody, addHeaders("Idempotency-Key", ""), 400},
		"two keys":                {"POST", alicePath, "k", goodBody, addHeaders("Idempotency-Key", "k"), 400},
		"a key of 10,000":         {"POST", alicePath, strings.Repeat("k", 10000), goodBody, none, 400},
		"a key of invisibles":     {"POST", alicePath, "k\u200b", goodBody, none, 400},
		"a key with wide spaces":  {"POST", alicePath, "\u3000k", goodBody, none, 400},
		"a key of no text":        {"POST", alicePath, "\xff\xfe", goodBody, none, 400},
		"unknown account":         {"POST", "/accounts/bob/settlements", "k", goodBody, none, 404},
		"no account":              {"POST", "/accounts//settlements", "k", goodBody, none, 404},
		"an escape of no text":    {"POST", "/accounts/%ff/settlements", "k", goodBody, none, 404},
		"unknown path":            {"POST", "/accounts/alice/payments", "k", goodBody, none, 404},
		"GET":                     {"GET", alicePath, "k", ``, none, 405},
		"HEAD":                    {"HEAD", alicePath, "k", ``, none, 405},
		"PUT":                     {"PUT", alicePath, "k", goodBody, none, 405},
		"DELETE":                  {"DELETE", alicePath, "k", ``, none, 405},
		"OPTIONS":                 {"OPTIONS", alicePath, "k", ``, none, 405},
		"GET a message":           {"GET", "/accounts/alice/messages", "k", ``, none, 405},
		"text":                    {"POST", alicePath, "k", goodBody, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"a form":                  {"POST", alicePath, "k", goodBody, func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }, 415},
		"two types":               {"POST", alicePath, "k", goodBody, addHeaders("Content-Type", "application/json"), 415},
		"a body too large":        {"POST", alicePath, "k", `{"amount":"15","scale":1}` + strings.Repeat(" ", 16<<10), none, 413},
		"a body too large, lying": {"POST", alicePath, "k", goodBody + strings.Repeat(" ", 16<<10), func(r *http.Request) { r.ContentLength = -1 }, 413},
		"a gigabyte announced":    {"POST", alicePath, "k", goodBody, func(r *http.Request) { r.ContentLength = 1 << 30 }, 413},
	}
}

func TestServerBadInput(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) {
		c.Relay = func(context.Context, accounts.PeerAccount, []byte) ([]byte, error) { return nil, nil }
	})
	for name, c := range listBadRequests() {
		r := httptest.NewRequest(c.method, "http://connector"+c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		if c.key != "" {
			r.Header.Set("Idempotency-Key", c.key)
		}
		c.change(r)
		answer := answerOf(f.server, r)
		require.Equal(t, c.status, answer.status, name)
		require.Less(t, len(answer.body), 500, name)
		if c.status == http.StatusMethodNotAllowed {
			require.Equal(t, http.MethodPost, answer.header.Get("Allow"), name)
		}
	}
	f.requireBooked("alice", 0, "0")
	require.Empty(t, f.takeEvents())
	for _, mediaType := range []string{
		"", "application/json", "application/json;charset=utf-8", "Application/JSON; charset=latin1", "application/json; charset", "application/json;",
	} {
		r := newReport(alicePath, "type:"+mediaType, goodBody)
		r.Header.Set("Content-Type", mediaType)
		require.Equal(t, http.StatusCreated, answerOf(f.server, r).status, mediaType)
	}
	for scale := range 256 {
		require.Equal(t, http.StatusCreated, f.post(alicePath, fmt.Sprint("scale ", scale), fmt.Sprintf(`{"amount":"7%s","scale":%d}`, strings.Repeat("0", scale), scale)).status)
	}
	f.requireBooked("alice", 6*150+256*700, "0")
}

// Of an endless body the server reads no more than its limit.
func TestServerReadsABoundedBody(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, func(c *rfc0038.ServerConfig) { c.MaxBody = 100 })
	body := &zeroes{}
	r := httptest.NewRequest(http.MethodPost, "http://connector"+alicePath, body)
	r.Header.Set("Idempotency-Key", "k")
	require.Equal(t, http.StatusRequestEntityTooLarge, answerOf(f.server, r).status)
	require.Less(t, body.read, int64(64<<10))
}

// A prefix is matched as text, however an engine escapes it.
func TestServerPrefixIsEscapedOnTheWire(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/zürich", "/a b", "/a{b}/c"} {
		f := newServerFixture(t, func(c *rfc0038.ServerConfig) { c.Prefix = prefix })
		r := newReport("/", "k", goodBody)
		r.URL.Path = prefix + alicePath
		require.Equal(t, http.StatusCreated, answerOf(f.server, r).status, prefix)
	}
}
