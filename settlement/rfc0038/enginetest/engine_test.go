package enginetest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/settlement/rfc0038"
	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// toBob has the peer of alice on the rail.
var toBob = map[string]enginetest.Address{"alice": {Engine: "b", Account: "bob"}}

func TestAnswersOfModes(t *testing.T) {
	t.Parallel()
	const body, finer = `{"amount":"250","scale":2}`, `{"amount":"2500","scale":3}`
	for mode, want := range map[enginetest.Mode][]reply{
		enginetest.Draft3: {
			{201, "application/json", `{"id":"alice"}`},
			{201, "application/json", body},
			{201, "application/json", finer},
			{400, "text/plain; charset=utf-8", "the Idempotency-Key was used with another value"},
		},
		enginetest.Draft2: {
			{201, "application/json", `{"id":"alice"}`},
			{201, "application/json", `{"amount":"25","scale":1}`},
			{201, "application/json", `{"amount":"25","scale":1}`},
			{400, "text/plain; charset=utf-8", "the Idempotency-Key was used with another value"},
		},
		enginetest.Text: {
			{201, "application/json", "CREATED"},
			{201, "application/json", "EXECUTED"},
			{201, "application/json", "EXECUTED"},
			{400, "text/plain; charset=utf-8", "the Idempotency-Key was used with another value"},
		},
		enginetest.Conflict: {
			{201, "application/json", `{"id":"alice"}`},
			{201, "application/json", body},
			{409, "application/problem+json", `{"type":"about:blank","title":"Store idempotency error","status":409}`},
			{409, "application/problem+json", `{"type":"about:blank","title":"Store idempotency error","status":409}`},
		},
	} {
		_, url := newEngine(t, enginetest.Config{Mode: mode, Scale: 1, Peers: toBob})
		require.Equal(t, want[0], post(t, url+"/accounts", `{"id":"alice"}`), mode)
		require.Equal(t, want[1], post(t, url+"/accounts/alice/settlements", body, "k"), mode)
		require.Equal(t, want[2], post(t, url+"//accounts/alice/settlements", finer, "k"), mode)
		require.Equal(t, want[3], post(t, url+"/accounts/alice/settlements", `{"amount":"251","scale":2}`, "k"), mode)
	}
	_, url := newEngine(t, enginetest.Config{Mode: enginetest.Early, Scale: 1, Peers: toBob})
	post(t, url+"/accounts", `{"id":"alice"}`)
	require.Equal(t, 404, post(t, url+"/accounts/alice/settlements", body, "k").status)
	require.Equal(t, reply{200, "application/json", `{"amount":"25","scale":1}`}, post(t, url+"/accounts/alice/settlement", body))
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	_, url := newEngine(t, enginetest.Config{})
	post(t, url+"/accounts", `{"id":"alice"}`)
	settle := url + "/accounts/alice/settlements"
	const good = `{"amount":"1","scale":2}`
	for _, c := range []struct {
		method, target, body string
		keys                 []string
		status               int
	}{
		{"POST", url + "/accounts", `{`, nil, 400},
		{"POST", url + "/accounts", `{"id":7}`, nil, 400},
		{"POST", url + "/accounts", `{"id":"a:b"}`, nil, 400},
		{"POST", url + "/accounts", `{"id":"a/b"}`, nil, 400},
		{"PUT", url + "/accounts", `{}`, nil, 405},
		{"GET", settle, "", nil, 405},
		{"POST", url + "/", good, nil, 404},
		{"POST", url + "/accounts/alice/settlement", good, []string{"k"}, 404},
		{"POST", url + "/accounts/bob/settlements", good, []string{"k"}, 404},
		{"POST", url + "/accounts/bob/messages", good, nil, 404},
		{"DELETE", url + "/accounts/bob", "", nil, 404},
		{"POST", settle, good, nil, 400},
		{"POST", settle, good, []string{""}, 400},
		{"POST", settle, good, []string{"a", "b"}, 400},
		{"POST", settle, `{"amount":1,"scale":2}`, []string{"k"}, 400},
		{"POST", settle, string(make([]byte, 1<<20+1)), []string{"k"}, 413},
	} {
		got, err := send(t, c.method, c.target, c.body, c.keys...)
		require.NoError(t, err)
		require.Equal(t, c.status, got.status, "%s %s %.40s: %s", c.method, c.target, c.body, got.body)
	}
	_, url = newEngine(t, enginetest.Config{Mode: enginetest.Text})
	require.Equal(t, 405, post(t, url+"/accounts", `{"id":null}`).status)
}

func TestAccountsWithoutAnID(t *testing.T) {
	t.Parallel()
	_, url := newEngine(t, enginetest.Config{})
	for _, body := range []string{`{}`, `{"id":null}`, `{"id":""}`} {
		got := post(t, url+"/accounts", body)
		require.Equal(t, 201, got.status)
		require.Regexp(t, `^{"id":"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"}$`, got.body)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	_, url := newEngine(t, enginetest.Config{Token: "secret"})
	require.Equal(t, 401, post(t, url+"/accounts", `{"id":"alice"}`).status)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/accounts", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer secret")
	response, err := newClient(t).Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, 400, response.StatusCode, "the token passes, the empty body does not")
}

// One key is paid once, whatever is repeated in parallel.
func TestAKeyIsPaidOnce(t *testing.T) {
	t.Parallel()
	e, url := newEngine(t, enginetest.Config{Name: "a", Scale: 6, Peers: toBob, Folder: filepath.Join(t.TempDir(), "store")})
	post(t, url+"/accounts", `{"id":"alice"}`)
	var work sync.WaitGroup
	for n := range 20 {
		work.Go(func() {
			for range 3 {
				if _, err := send(t, http.MethodPost, url+"/accounts/alice/settlements", `{"amount":"5","scale":6}`, fmt.Sprint("key ", n%5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	seen := map[string]bool{}
	for _, p := range waitForPayments(t, e.Rail(), 5) {
		require.True(t, p.Amount.Equal(quantity(5, 6)))
		require.Equal(t, enginetest.Address{Engine: "b", Account: "bob"}, p.To)
		seen[p.Key] = true
	}
	require.Len(t, seen, 5)
}

// What is below the rail's unit is paid when a later settlement makes a unit of it, also after a
// restart.
func TestRemainder(t *testing.T) {
	t.Parallel()
	e, url := newEngine(t, enginetest.Config{Scale: 1, Peers: toBob, Folder: filepath.Join(t.TempDir(), "store")})
	post(t, url+"/accounts", `{"id":"alice"}`)
	for n, amount := range []string{`{"amount":"199","scale":2}`, `{"amount":"9","scale":3}`, `{"amount":"1","scale":3}`} {
		require.Equal(t, amount, post(t, url+"/accounts/alice/settlements", amount, fmt.Sprint(n)).body)
		require.NoError(t, e.Restart(false))
	}
	list := waitForPayments(t, e.Rail(), 2)
	require.Equal(t, "1.9", list[0].Amount.String())
	require.Equal(t, "0.1", list[1].Amount.String())
	require.Equal(t, "2", list[1].Key, "1.99 + 0.009 + 0.001 is 2")
}

// A deleted account keeps its keys.
func TestDelete(t *testing.T) {
	t.Parallel()
	_, url := newEngine(t, enginetest.Config{Peers: toBob})
	post(t, url+"/accounts", `{"id":"alice"}`)
	post(t, url+"/accounts/alice/settlements", `{"amount":"1","scale":0}`, "k")
	got, err := send(t, http.MethodDelete, url+"/accounts/alice", "")
	require.NoError(t, err)
	require.Equal(t, reply{status: 204}, got)
	require.Equal(t, 404, post(t, url+"/accounts/alice/settlements", `{"amount":"1","scale":0}`, "k").status)
	post(t, url+"/accounts", `{"id":"alice"}`)
	require.Equal(t, 400, post(t, url+"/accounts/alice/settlements", `{"amount":"2","scale":0}`, "k").status)
}

// A creation and a deletion are answered when they are on disk, also to those who ask at the same time.
func TestAnswersFollowTheDisk(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "store")
	e, err := enginetest.NewEngine(enginetest.Config{Folder: folder})
	require.NoError(t, err)
	for i := range 20 {
		id := fmt.Sprint("account", i)
		for _, c := range []struct{ method, path, body, last string }{
			{http.MethodPost, "/accounts", fmt.Sprintf(`{"id":%q}`, id), "created"}, {http.MethodDelete, "/accounts/" + id, "", "deleted"},
		} {
			var calls sync.WaitGroup
			for range 8 {
				calls.Go(func() {
					w := httptest.NewRecorder()
					e.ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
					if last := lastOnDisk(folder, id); last != c.last {
						t.Errorf("%s %s: answered %d, and on disk it is %q", c.method, c.path, w.Code, last)
					}
				})
			}
			calls.Wait()
		}
	}
	require.NoError(t, e.Close())
}

// lastOnDisk returns what happened to an account last, as the log of an open store has it on disk.
func lastOnDisk(folder, id string) (last string) {
	names := map[uint8]string{2: "created", 3: "deleted"}
	_, err := wal.ReadLive(folder, wal.Format{Name: "engine", Newest: 1}, func(r wal.Record) error {
		var e struct{ Account string }
		err := json.Unmarshal(r.Data, &e)
		if e.Account == id && names[r.Kind] != "" {
			last = names[r.Kind]
		}
		return err
	})
	if err != nil {
		return err.Error()
	}
	return last
}

// With its store an engine pays a key once over restarts; with an empty store it pays the key again.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, folder := range map[string]string{"memory": "", "folder": filepath.Join(t.TempDir(), "store")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, url := newEngine(t, enginetest.Config{Peers: toBob, Folder: folder})
			settle := func() int {
				return post(t, url+"/accounts/alice/settlements", `{"amount":"7","scale":0}`, "k").status
			}
			post(t, url+"/accounts", `{"id":"alice"}`)
			require.Equal(t, 201, settle())
			require.NoError(t, e.Restart(false))
			require.Equal(t, 201, settle())
			waitForPayments(t, e.Rail(), 1)

			require.NoError(t, e.Restart(true))
			require.Equal(t, 404, settle(), "the account is forgotten")
			post(t, url+"/accounts", `{"id":"alice"}`)
			require.Equal(t, 201, settle())
			list := waitForPayments(t, e.Rail(), 2)
			require.Equal(t, []string{"k", "k"}, []string{list[0].Key, list[1].Key}, "the rail shows the double payment")
		})
	}
}

func TestClosedEngine(t *testing.T) {
	t.Parallel()
	e, err := enginetest.NewEngine(enginetest.Config{})
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())
	require.ErrorIs(t, e.Restart(false), enginetest.ErrClosed)
	_, err = e.Start("127.0.0.1:0")
	require.ErrorIs(t, err, enginetest.ErrClosed)
}

func TestInvalidConfigs(t *testing.T) {
	t.Parallel()
	for _, cfg := range []enginetest.Config{{Mode: "draft-4"}, {Reports: "never"}, {RetryMin: -1}, {RetryMin: 2, RetryMax: 1}} {
		_, err := enginetest.NewEngine(cfg)
		require.ErrorIs(t, err, enginetest.ErrInvalidConfig)
	}
	_, err := enginetest.NewRustConnector(enginetest.RustConfig{SettleTo: 1})
	require.ErrorIs(t, err, enginetest.ErrInvalidConfig)
	e, _ := newEngine(t, enginetest.Config{})
	require.ErrorIs(t, e.Inject(enginetest.Fault{Kind: "boredom"}), enginetest.ErrInvalidConfig)
	require.ErrorIs(t, e.Inject(enginetest.Fault{Kind: enginetest.StatusAfter, Status: 99}), enginetest.ErrInvalidConfig)
	require.ErrorIs(t, e.Receive("alice", "", quantity(1, 0)), enginetest.ErrInvalidPayment)
	require.ErrorIs(t, e.Receive("alice", "p", rfc0038.Quantity{}), enginetest.ErrInvalidPayment)
}
