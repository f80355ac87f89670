package console

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// newHealthConsole has an examination of the ledger, and a browser that asks for a page.
func newHealthConsole(t *testing.T, examine func(context.Context) ([]Finding, error)) (c *Console, open func(path string) *httptest.ResponseRecorder) {
	t.Helper()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	c, err = New(Config{Book: book, Health: examine})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = "localhost"
		session, _ := c.secrets.beginSession(c.secrets.addLogin())
		r.AddCookie(c.newCookie(r, session))
		c.ServeHTTP(w, r)
		return w
	}
}

var someFindings = []Finding{
	{Level: LevelOK, Code: "books_right", Subject: "books", Found: "7 peers"},
	{Level: LevelWarning, Code: "clock", Subject: "clock", Found: "late", Cause: "a <b>cause</b>", Remedy: "mend it"},
	{Level: LevelProblem, Code: "silent", Subject: "replica 1", Found: `"no" answer`, Cause: "down", Remedy: "start it"},
}

// The page has the gravest finding first, and the downloads have the same rows.
func TestHealthPage(t *testing.T) {
	t.Parallel()
	_, open := newHealthConsole(t, func(context.Context) ([]Finding, error) { return someFindings, nil })
	page := open("/health").Body.String()
	require.Regexp(t, `1 problems</strong>, <strong class="warn-text">1 warnings`, page)
	require.Regexp(t, `(?s)replica 1.*&#34;no&#34; answer.*start it.*clock.*a &lt;b&gt;cause&lt;/b&gt;.*books.*7 peers`, page)
	require.Equal(t, "code,level,subject,found,cause,remedy\nsilent,problem,replica 1,\"\"\"no\"\" answer\",down,start it\nclock,warning,clock,late,a <b>cause</b>,mend it\nbooks_right,ok,books,7 peers,,\n", open("/health.csv").Body.String())
	require.Contains(t, open("/health.json").Body.String(), `{"code":"books_right","level":"ok","subject":"books","found":"7 peers","cause":null,"remedy":null}`)
}

// Without Config.Health nothing is known, which is not shown as health.
func TestHealthIsNotSet(t *testing.T) {
	t.Parallel()
	_, open := newHealthConsole(t, nil)
	page := open("/health")
	require.Equal(t, http.StatusOK, page.Code)
	require.Contains(t, page.Body.String(), "Unknown: the connector has not set Config.Health")
	require.NotContains(t, page.Body.String(), "No problem")
	require.Equal(t, http.StatusServiceUnavailable, open("/health.json").Code)
}

// Any number of browsers cost one examination a minute, and pages do not wait for a long one.
func TestHealthIsShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls, running atomic.Int64
		_, open := newHealthConsole(t, func(ctx context.Context) ([]Finding, error) {
			calls.Add(1)
			if running.Add(1) > 1 {
				t.Error("two examinations at once")
			}
			defer running.Add(-1)
			select {
			case <-time.After(10 * time.Second):
			case <-ctx.Done():
			}
			return someFindings, nil
		})
		began := time.Now()
		page := open("/health")
		require.Equal(t, patience, time.Since(began))
		require.Equal(t, "2", page.Header().Get("Refresh"))
		require.Contains(t, page.Body.String(), "The console is examining the ledger")
		var browsers sync.WaitGroup
		for range 5 {
			browsers.Go(func() {
				if code := open("/health.csv").Code; code != http.StatusOK { // a download waits
					t.Error(code)
				}
			})
		}
		browsers.Wait()
		require.Equal(t, 10*time.Second, time.Since(began))
		require.EqualValues(t, 1, calls.Load())
		require.Contains(t, open("/health").Body.String(), "start it")
		time.Sleep(healthInterval - time.Second) //nolint:forbidigo // virtual time
		open("/health")
		require.EqualValues(t, 1, calls.Load())
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		require.Contains(t, open("/health").Body.String(), "is examining")
		synctest.Wait()
		require.EqualValues(t, 2, calls.Load())
	})
}

// An examination that fails, or is cut at its deadline, is not shown as whole.
func TestHealthFails(t *testing.T) {
	t.Parallel()
	for name, examine := range map[string]func(context.Context) ([]Finding, error){
		"no route": func(context.Context) ([]Finding, error) { return someFindings[:1], errors.New("no route") },
		context.DeadlineExceeded.Error(): func(ctx context.Context) ([]Finding, error) {
			<-ctx.Done()
			return someFindings[:1], nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, open := newHealthConsole(t, examine)
				began := time.Now()
				download := open("/health.csv")
				require.Equal(t, http.StatusServiceUnavailable, download.Code)
				require.Contains(t, download.Body.String(), name)
				require.LessOrEqual(t, time.Since(began), healthTimeout)
				page := open("/health").Body.String()
				require.Contains(t, page, "The examination did not end: "+name)
				require.Contains(t, page, "No problem, no warning so far.")
			})
		})
	}
}

// Close ends a running examination and waits for it.
func TestHealthEndsWithClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		c, open := newHealthConsole(t, func(ctx context.Context) ([]Finding, error) {
			<-ctx.Done()
			ended.Store(true)
			return nil, ctx.Err()
		})
		open("/health")
		began := time.Now()
		c.Close()
		require.True(t, ended.Load())
		require.Zero(t, time.Since(began))
		require.Equal(t, http.StatusServiceUnavailable, open("/health.csv").Code)
	})
}
