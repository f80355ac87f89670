package console

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// counted is a ledger of a test: it counts the looks.
type counted struct {
	mu     sync.Mutex
	looks  int
	trials int
	peers  int
	err    error // of the next looks
	hangs  bool  // the next looks do not return before their deadline
}

func (c *counted) takeLook(ctx context.Context) (*look, error) {
	c.mu.Lock()
	c.looks++
	err, hangs, k := c.err, c.hangs, &look{at: time.Now(), peers: make([]*peer, c.peers)}
	c.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return k, nil
}

func (c *counted) addUpBooks(context.Context) []trial {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trials++
	return nil
}

func (c *counted) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *counted) count() (looks, trials int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.looks, c.trials
}

// readerTest is a test of a reader in virtual time.
type readerTest struct {
	*testing.T
	*reader
}

// runReader runs a reader in a bubble of virtual time.
func runReader(t *testing.T, c *counted, test func(readerTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newReader(Config{Interval: 2 * time.Second, Timeout: 5 * time.Second}, c.takeLook, c.addUpBooks)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		test(readerTest{t, r})
		cancel()
		running.Wait()
	})
}

// Ten browsers cost one look in an interval, and none while no browser asks.
func TestOneLookForAllBrowsers(t *testing.T) {
	t.Parallel()
	c := &counted{}
	runReader(t, c, func(r readerTest) {
		time.Sleep(time.Hour) //nolint:forbidigo // virtual time: no page asks
		looks, _ := c.count()
		require.Zero(r, looks)
		for round := 1; round <= 3; round++ {
			var browsers sync.WaitGroup
			for range 10 {
				browsers.Go(func() {
					for range 5 {
						if r.read(r.Context(), patience).look == nil {
							r.Error("no figures")
						}
					}
				})
			}
			browsers.Wait()
			looks, _ := c.count()
			require.Equal(r, round, looks)
			time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time: an interval
		}
	})
}

// A full look of many peers is taken at most once in 10 s. A trial balance is made once a minute.
func TestManyPeersAreReadSlowly(t *testing.T) {
	t.Parallel()
	for _, peers := range []int{manyPeers, manyPeers + 1} {
		c := &counted{peers: peers}
		runReader(t, c, func(r readerTest) {
			for range 595 { // 59.5 s
				r.read(r.Context(), patience)
				time.Sleep(100 * time.Millisecond) //nolint:forbidigo // virtual time: a busy browser
			}
			looks, trials := c.count()
			require.Equal(r, 1, trials)
			if peers > manyPeers {
				require.Equal(r, 6, looks)
			} else {
				require.InDelta(r, 30, looks, 1)
			}
			time.Sleep(11 * time.Second) //nolint:forbidigo // virtual time
			r.read(r.Context(), patience)
			synctest.Wait()
			_, trials = c.count()
			require.Equal(r, 2, trials)
		})
	}
}

// When the ledger goes away, the last figures stay, with the time of the first failure. When it comes
// back, the figures are new.
func TestLastFiguresStay(t *testing.T) {
	t.Parallel()
	c := &counted{}
	runReader(t, c, func(r readerTest) {
		first := r.read(r.Context(), patience)
		require.NotNil(r, first.look)
		away := errors.New("away")
		c.set(func() { c.err = away })
		var failed time.Time
		for i := range 3 {
			time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time
			s := r.read(r.Context(), patience)
			require.Same(r, first.look, s.look)
			require.ErrorIs(r, s.err, away)
			if i == 0 {
				failed = s.failed
			}
			require.Equal(r, failed, s.failed)
			require.WithinDuration(r, first.look.at.Add(3*time.Second), s.failed, time.Second)
		}
		c.set(func() { c.err = nil })
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time
		s := r.read(r.Context(), patience)
		require.NoError(r, s.err)
		require.True(r, s.look.at.After(failed))
		require.Zero(r, s.failed)
	})
}

// A look that hangs ends at its deadline, and a page does not wait for it longer than its patience.
func TestLookHasADeadline(t *testing.T) {
	t.Parallel()
	c := &counted{hangs: true}
	runReader(t, c, func(r readerTest) {
		began := time.Now()
		s := r.read(r.Context(), patience)
		require.Nil(r, s.look)
		require.NoError(r, s.err)
		require.Equal(r, patience, time.Since(began))
		time.Sleep(4*time.Second + time.Millisecond) //nolint:forbidigo // virtual time: to the deadline
		synctest.Wait()
		s, _ = r.current()
		require.ErrorIs(r, s.err, context.DeadlineExceeded)
	})
}

// The end of a session, and the largest number of unused links.
func TestSecretsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSecrets("")
		first := s.addLogin()
		session, ok := s.beginSession(s.addLogin())
		require.True(t, ok)
		time.Sleep(sessionLifetime - time.Second) //nolint:forbidigo // virtual time
		require.True(t, s.hasSession(session))
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		require.False(t, s.hasSession(session))
		for range maxLogins {
			s.addLogin()
		}
		require.Len(t, s.logins, maxLogins)
		_, ok = s.beginSession(first)
		require.False(t, ok, "the oldest link is useless")
	})
}
