//go:build cgo

package tbclient_test

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"
)

// The cases of this file use TigerBeetle's interface and hold for the real client too:
// native_test.go runs them on it. Ids are random, so the cluster may have other rows.

// testClient runs all cases that need a ledger. Each opens its own session of the same ledger.
func testClient(t *testing.T, open func(t *testing.T) tb.Client) {
	t.Helper()
	for name, run := range map[string]func(*testing.T, tb.Client){
		"accounts":         testAccounts,
		"transfers":        testTransfers,
		"refusals":         testRefusals,
		"account history":  testAccountHistory,
		"queries":          testQueries,
		"change events":    testChangeEvents,
		"empty answers":    testEmptyAnswers,
		"too much data":    testTooMuchData,
		"closed":           testClosed,
		"closed meanwhile": testClosedMeanwhile,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := open(t)
			t.Cleanup(client.Close)
			run(t, client)
		})
	}
	t.Run("sessions", func(t *testing.T) {
		t.Parallel()
		testSessions(t, open(t), open(t))
	})
}

// call is one operation with n events or a limit of n. It returns the number of rows and the error.
type call struct {
	name string
	do   func(c tb.Client, n int) (rows any, err error)
}

// calls are all operations that reach the ledger.
var calls = []call{
	{"CreateAccounts", func(c tb.Client, n int) (any, error) { return c.CreateAccounts(make([]tb.Account, n)) }},
	{"CreateTransfers", func(c tb.Client, n int) (any, error) { return c.CreateTransfers(make([]tb.Transfer, n)) }},
	{"LookupAccounts", func(c tb.Client, n int) (any, error) { return c.LookupAccounts(make([]tb.Uint128, n)) }},
	{"LookupTransfers", func(c tb.Client, n int) (any, error) { return c.LookupTransfers(make([]tb.Uint128, n)) }},
	{"GetAccountTransfers", func(c tb.Client, n int) (any, error) {
		return c.GetAccountTransfers(tb.AccountFilter{Limit: uint32(n)})
	}},
	{"GetAccountBalances", func(c tb.Client, n int) (any, error) {
		return c.GetAccountBalances(tb.AccountFilter{Limit: uint32(n)})
	}},
	{"QueryAccounts", func(c tb.Client, n int) (any, error) {
		return c.QueryAccounts(tb.QueryFilter{Limit: uint32(n)})
	}},
	{"QueryTransfers", func(c tb.Client, n int) (any, error) {
		return c.QueryTransfers(tb.QueryFilter{Limit: uint32(n)})
	}},
	{"GetChangeEvents", func(c tb.Client, n int) (any, error) {
		return c.GetChangeEvents(tb.ChangeEventsFilter{Limit: uint32(n)})
	}},
}

func testEmptyAnswers(t *testing.T, c tb.Client) {
	t.Helper()
	for _, call := range append(slices.Clone(calls),
		call{"CreateAccounts(nil)", func(c tb.Client, _ int) (any, error) { return c.CreateAccounts(nil) }},
		call{"CreateTransfers(nil)", func(c tb.Client, _ int) (any, error) { return c.CreateTransfers(nil) }},
		call{"LookupAccounts(nil)", func(c tb.Client, _ int) (any, error) { return c.LookupAccounts(nil) }},
		call{"LookupTransfers(nil)", func(c tb.Client, _ int) (any, error) { return c.LookupTransfers(nil) }},
		call{"unknown account", func(c tb.Client, _ int) (any, error) { return c.LookupAccounts([]tb.Uint128{tb.ID()}) }},
		call{"unknown transfer", func(c tb.Client, _ int) (any, error) { return c.LookupTransfers([]tb.Uint128{tb.ID()}) }},
	) {
		rows, err := call.do(c, 0)
		require.NoError(t, err, call.name)
		require.NotNil(t, rows, call.name)
		require.Empty(t, rows, call.name)
	}
}

// Requests above the limit of the largest server: 8189 events or rows.
func testTooMuchData(t *testing.T, c tb.Client) {
	t.Helper()
	for _, call := range calls {
		rows, err := call.do(c, 8190)
		require.Equal(t, tb.ErrTooMuchData, err, call.name)
		require.Nil(t, rows, call.name)
	}
	require.NoError(t, c.Nop())
}

func testClosed(t *testing.T, c tb.Client) {
	t.Helper()
	require.NoError(t, c.Nop())
	c.Close()
	c.Close()
	for _, n := range []int{0, 1, 8190} {
		for _, call := range calls {
			rows, err := call.do(c, n)
			require.Equal(t, tb.ErrClientClosed, err, "%s of %d", call.name, n)
			require.Nil(t, rows, "%s of %d", call.name, n)
		}
	}
	require.Equal(t, tb.ErrClientClosed, c.Nop())
}

// Close comes during calls of all kinds: each is answered or returns ErrClientClosed, and no call
// is left behind.
func testClosedMeanwhile(t *testing.T, c tb.Client) {
	t.Helper()
	var callers, closers sync.WaitGroup
	begun := make(chan struct{}, len(calls))
	for _, call := range calls {
		callers.Go(func() {
			for first := true; ; first = false {
				rows, err := call.do(c, 1)
				if first {
					begun <- struct{}{}
				}
				if err != nil {
					assert.Equal(t, tb.ErrClientClosed, err, call.name)
					assert.Nil(t, rows, call.name)
					return
				}
				assert.NotNil(t, rows, call.name)
			}
		})
	}
	for range calls {
		<-begun
	}
	closers.Go(c.Close)
	closers.Go(c.Close)
	closers.Wait()
	callers.Wait()
	require.Equal(t, tb.ErrClientClosed, c.Nop())
}

// testAway needs a client that cannot reach TigerBeetle. settle returns when every call that ends
// by itself has ended.
func testAway(t *testing.T, c tb.Client, settle func()) {
	t.Helper()
	var callers sync.WaitGroup
	ended := make(chan error, len(calls))
	for _, call := range calls {
		callers.Go(func() {
			rows, err := call.do(c, 1)
			assert.Nil(t, rows, call.name)
			ended <- err
		})
	}
	settle()
	require.Empty(t, ended, "a call that returned while TigerBeetle is away")
	c.Close()
	callers.Wait()
	for range calls {
		require.Equal(t, tb.ErrClientClosed, <-ended)
	}
	require.Equal(t, tb.ErrClientClosed, c.Nop())
}
