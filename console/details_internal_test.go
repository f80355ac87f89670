package console

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// Any number of browsers cost one reading of a peer in an interval, also while the reading takes long.
// The number of kept readings is bounded.
func TestDetailsAreShared(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		d := &details{interval: 2 * time.Second, entries: make(map[accounts.PeerAccount]*detailEntry)}
		kept := func() int {
			d.mu.Lock()
			defer d.mu.Unlock()
			return len(d.entries)
		}
		var reads atomic.Int64
		read := func() *detail {
			reads.Add(1)
			time.Sleep(time.Second) //nolint:forbidigo // virtual time: a slow ledger
			return &detail{at: time.Now()}
		}
		alice, err := book.PeerAccount("alice", usd)
		require.NoError(t, err)
		for round := int64(1); round <= 3; round++ {
			var browsers sync.WaitGroup
			for range 10 {
				browsers.Go(func() {
					if found, err := d.get(t.Context(), alice, read); err != nil || time.Since(found.at) > 0 {
						t.Error("no new details", err)
					}
				})
			}
			browsers.Wait()
			require.Equal(t, round, reads.Load())
			_, err := d.get(t.Context(), alice, read)
			require.NoError(t, err)
			require.Equal(t, round, reads.Load(), "within the interval")
			time.Sleep(time.Second) //nolint:forbidigo // virtual time: the rest of the interval
		}
		for i := range 3 * maxDetails {
			account, err := book.PeerAccount(fmt.Sprint(i), usd)
			require.NoError(t, err)
			_, err = d.get(t.Context(), account, read)
			require.NoError(t, err)
			require.LessOrEqual(t, kept(), maxDetails)
		}
		require.Positive(t, kept())
		time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time: nobody asks any more
		synctest.Wait()
		require.Zero(t, kept(), "nothing is kept for longer than an interval")
	})
}

// Of a peer with many holds the details keep those of the page.
func TestDetailsKeepFewHolds(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
	client := newManualClient(t, embedded.New(), usd)
	peers, err := client.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	for range maxHolds + 1 {
		_, err := client.Recorder.Prepare(t.Context(), transfers.Packet{From: peers[0], To: peers[1], In: 1, Out: 1, Expiry: time.Now().Add(time.Minute)})
		require.NoError(t, err)
	}
	c, err := New(Config{Book: client.Book})
	require.NoError(t, err)
	defer c.Close()
	d, err := c.readDetail(t.Context(), peers[0], usd)
	require.NoError(t, err)
	require.NoError(t, d.holdsErr)
	require.Equal(t, maxHolds+1, d.holdsCount)
	require.Len(t, d.holds, maxHolds)
	require.Less(t, cap(d.holds), maxHolds+32)
}

// Config.Peers is called by one goroutine at a time, while looks and statements ask for names together.
func TestPeersAreAskedOneAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inside, calls atomic.Int64
		usd := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}
		book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
		require.NoError(t, err)
		_, err = book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd})
		require.NoError(t, err)
		c, err := New(Config{Book: book, Peers: func(accounts.Asset) []string {
			if inside.Add(1) > 1 {
				t.Error("called by two goroutines at once")
			}
			defer inside.Add(-1)
			calls.Add(1)
			time.Sleep(time.Second) //nolint:forbidigo // virtual time: a slow look-up of names
			return []string{"alice"}
		}})
		require.NoError(t, err)
		defer c.Close()
		alice, err := book.PeerAccount("alice", usd)
		require.NoError(t, err)
		c.reader.ask()
		var requests sync.WaitGroup
		for range 3 {
			requests.Go(func() {
				_, err := c.openStatement(t.Context(), statementQuery{account: alice, asset: usd})
				if err != nil {
					t.Error(err)
				}
			})
		}
		requests.Wait()
		time.Sleep(4 * time.Second) //nolint:forbidigo // virtual time: the look
		require.EqualValues(t, 4, calls.Load())
	})
}

// Times are read as browsers, people and the pages themselves write them; without a zone they are UTC.
func TestParseMoment(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-26": "2026-11-26T00:00:00Z", "2026-11-26T10:20": "2026-11-26T10:20:00Z", "2026-11-26T10:20:30": "2026-11-26T10:20:30Z",
		" 2026-11-26 10:20:30 UTC ": "2026-11-26T10:20:30Z", "2026-11-26T10:20:30+02:00": "2026-11-26T08:20:30Z",
	} {
		got, err := parseMoment(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339), text)
	}
	for _, text := range []string{"soon", "26.11.2026", "2026-13-01"} {
		_, err := parseMoment(text)
		require.Error(t, err, text)
	}
}

// An order says why no rail has it, in the words of the command.
func TestDescribeWait(t *testing.T) {
	t.Parallel()
	require.Empty(t, describeWait(nil))
	require.Equal(t, "approval", describeWait(fmt.Errorf("order 1: %w", settlement.ErrAwaitsApproval)))
	require.Equal(t, "end of the pause", describeWait(fmt.Errorf("order 1: %w", settlement.ErrPaused)))
	require.Equal(t, "another reason", describeWait(errors.New("another reason")))
}
