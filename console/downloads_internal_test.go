package console

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

// More than maxDownloads downloads at once are refused, since each keeps a look. Pages are not downloads.
func TestDownloadsAreBounded(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		stopped := make([]net.Conn, maxDownloads)
		for i := range stopped {
			stopped[i] = s.get("/peers.csv", 1)
		}
		for _, path := range []string{"/totals.json", aliceStatement} {
			status, text := s.open(path)
			require.Equal(s, http.StatusServiceUnavailable, status)
			require.Contains(s, text, "8 downloads are running")
		}
		status, text := s.open("/peers")
		require.Equal(s, http.StatusOK, status, text)
		require.NoError(s, stopped[0].Close())
		synctest.Wait()
		status, text = s.open("/totals.json")
		require.Equal(s, http.StatusOK, status, text)
	})
}

// A download has new figures or fails: a file does not show that its figures are old. A page shows it.
func TestDownloadsAreNew(t *testing.T) {
	t.Parallel()
	pages, err := parsePages()
	require.NoError(t, err)
	c := &counted{}
	runReader(t, c, func(r readerTest) {
		console := &Console{cfg: Config{Timeout: r.timeout}, reader: r.reader, pages: pages, ctx: r.Context()}
		open := func(f format) (status int, at time.Time) {
			w := httptest.NewRecorder()
			s, ok := console.readState(w, httptest.NewRequest(http.MethodGet, "/peers", nil), "Peers", "peers", f)
			if !ok {
				return w.Code, time.Time{}
			}
			return http.StatusOK, s.look.at
		}
		status, _ := open(formatCSV)
		require.Equal(r, http.StatusOK, status)
		c.set(func() { c.hangs = true })
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time: an interval
		status, _ = open(formatJSON)
		require.Equal(r, http.StatusServiceUnavailable, status)
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time: an interval
		status, _ = open(formatHTML)
		require.Equal(r, http.StatusOK, status, "with the old figures")

		c.set(func() { c.hangs = false })
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		asked := time.Now()
		status, at := open(formatCSV)
		require.Equal(r, http.StatusOK, status)
		require.False(r, at.Before(asked))
	})
}

// A look that began long before a download does not count as new, even if it ends after it.
func TestDownloadWaitsForALookOfItsOwn(t *testing.T) {
	t.Parallel()
	took := 4 * time.Second
	synctest.Test(t, func(t *testing.T) {
		r := newReader(Config{Interval: 2 * time.Second, Timeout: 5 * time.Second}, func(context.Context) (*look, error) {
			k := &look{at: time.Now()}
			time.Sleep(took) //nolint:forbidigo // virtual time: a slow ledger
			return k, nil
		}, func(context.Context) []trial { return nil })
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		r.ask()
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time: the first look is under way
		asked := time.Now()
		s, err := r.readNew(t.Context())
		require.NoError(t, err)
		require.False(t, s.look.at.Before(asked))
		cancel()
		running.Wait()
	})
}

// A download of the trial balance has one of the last minute or so, or fails.
func TestTrialDownloadsAreNew(t *testing.T) {
	t.Parallel()
	pages, err := parsePages()
	require.NoError(t, err)
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	synctest.Test(t, func(t *testing.T) {
		var hangs bool
		r := newReader(Config{Interval: 2 * time.Second, Timeout: 5 * time.Second}, func(context.Context) (*look, error) {
			return &look{at: time.Now()}, nil
		}, func(context.Context) []trial {
			at := time.Now()
			time.Sleep(time.Second) //nolint:forbidigo // virtual time: trial balances are slow
			if hangs {
				time.Sleep(time.Minute) //nolint:forbidigo // virtual time: the ledger does not answer
			}
			return []trial{{asset: usd, at: at}}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		c := &Console{cfg: Config{Timeout: r.timeout}, reader: r, pages: pages, ctx: ctx}
		download := func() (int, string) {
			w := httptest.NewRecorder()
			c.showTrial(w, httptest.NewRequest(http.MethodGet, "/trial.csv", nil), formatCSV)
			return w.Code, w.Body.String()
		}
		status, text := download()
		require.Equal(t, http.StatusOK, status, text)
		time.Sleep(3 * time.Hour) //nolint:forbidigo // virtual time: no page is open
		asked := time.Now()
		status, text = download()
		require.Equal(t, http.StatusOK, status, text)
		s, _ := r.current()
		require.False(t, s.trials[0].at.Before(asked))
		hangs = true
		time.Sleep(3 * time.Hour) //nolint:forbidigo // virtual time
		status, text = download()
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Contains(t, text, errOld.Error())
		cancel()
		running.Wait()
	})
}

// After Close a download fails at once, and does not wait for a reader that has ended.
func TestDownloadsEndWithClose(t *testing.T) {
	t.Parallel()
	serveSlowly(t, Config{}, func(s *slowServer) {
		s.console.Close()
		began := time.Now()
		status, text := s.open("/peers.csv")
		require.Equal(s, http.StatusServiceUnavailable, status)
		require.Contains(s, text, ErrClosed.Error())
		require.Zero(s, time.Since(began))
	})
}
