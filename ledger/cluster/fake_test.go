//go:build cgo

package cluster

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/tbclient"
)

// servers stands in for a cluster: its native clients are tbclient's, of one embedded
// ledger, and can be told to lose their session.
type servers struct {
	ledger *embedded.Ledger

	mu        sync.Mutex
	clients   map[*fakeClient]bool // those that are open
	dialed    int
	addresses []netip.AddrPort // of the last one
	dialErr   error
	data      unsafe.Pointer // of the last transfers
	// next decides what becomes of a create or look-up request; nil lets it through.
	next func(c *fakeClient) fate
}

// fate is what becomes of a request.
type fate struct {
	lost   error           // what the session ends with, if it does
	apply  bool            // whether the request is executed all the same
	before <-chan struct{} // what the native client waits for before it looks at the request
}

func newServers(opts ...embedded.Option) *servers {
	return &servers{ledger: embedded.New(opts...), clients: map[*fakeClient]bool{}}
}

func (s *servers) dial(_ uint128.Uint128, replicas []netip.AddrPort) (tb.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialed++
	if s.dialErr != nil {
		return nil, s.dialErr
	}
	c := &fakeClient{Client: tbclient.New(s.ledger), servers: s, closed: make(chan struct{})}
	s.clients[c] = true
	s.addresses = replicas
	return c, nil
}

// on sets what becomes of the following requests.
func (s *servers) on(next func(c *fakeClient) fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
}

// once is a fate for the next request only.
func (s *servers) once(f fate) {
	s.on(func(*fakeClient) fate {
		s.next = nil
		return f
	})
}

func (s *servers) dials() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dialed
}

// handed is where the transfers of the last request lie.
func (s *servers) handed() unsafe.Pointer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

func (s *servers) open() []*fakeClient {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.clients))
}

// fakeClient is a native client.
type fakeClient struct {
	tb.Client
	servers *servers
	once    sync.Once
	closed  chan struct{}
}

func (c *fakeClient) Close() {
	c.once.Do(func() {
		close(c.closed)
		c.Client.Close()
		c.servers.mu.Lock()
		delete(c.servers.clients, c)
		c.servers.mu.Unlock()
	})
}

// drop is what the cluster does to a session: the native client does not answer any
// more, and still has to be closed.
func (c *fakeClient) drop() { c.Client.Close() }

func ofFate[R any](c *fakeClient, request func() ([]R, error)) ([]R, error) {
	c.servers.mu.Lock()
	var f fate
	if c.servers.next != nil {
		f = c.servers.next(c)
	}
	c.servers.mu.Unlock()
	if f.before != nil {
		select {
		case <-f.before:
		case <-c.closed:
			return nil, tb.ErrClientClosed
		}
	}
	if f.lost == nil {
		return request()
	}
	if f.apply {
		if _, err := request(); err != nil {
			return nil, err
		}
	}
	c.drop()
	return nil, f.lost
}

func (c *fakeClient) CreateAccounts(accounts []tb.Account) ([]tb.CreateAccountResult, error) {
	return ofFate(c, func() ([]tb.CreateAccountResult, error) { return c.Client.CreateAccounts(accounts) })
}

func (c *fakeClient) CreateTransfers(transfers []tb.Transfer) ([]tb.CreateTransferResult, error) {
	c.servers.mu.Lock()
	c.servers.data = unsafe.Pointer(unsafe.SliceData(transfers))
	c.servers.mu.Unlock()
	return ofFate(c, func() ([]tb.CreateTransferResult, error) { return c.Client.CreateTransfers(transfers) })
}

func (c *fakeClient) LookupAccounts(ids []tb.Uint128) ([]tb.Account, error) {
	return ofFate(c, func() ([]tb.Account, error) { return c.Client.LookupAccounts(ids) })
}

func (c *fakeClient) GetChangeEvents(filter tb.ChangeEventsFilter) ([]tb.ChangeEvent, error) {
	return ofFate(c, func() ([]tb.ChangeEvent, error) { return c.Client.GetChangeEvents(filter) })
}

var here = []string{"127.0.0.1:3001"}

// openFake opens a ledger on the servers and closes it in the end; then every session
// must be closed.
func openFake(t *testing.T, s *servers, cfg Config) *Ledger {
	t.Helper()
	cfg.Sessions = cmp.Or(cfg.Sessions, 2)
	if cfg.Addresses == nil {
		cfg.Addresses = here
	}
	l, err := openWith(t.Context(), cfg, s.dial)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		require.Empty(t, s.open(), "sessions are left")
	})
	return l
}

var (
	alice = ledger.Account{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}
	bob   = ledger.Account{ID: ledger.NewID(2, 0), Ledger: 1, Code: 1}
)

// openAccounts creates alice and bob.
func openAccounts(t *testing.T, l ledger.Ledger) {
	t.Helper()
	results, err := l.CreateAccounts(t.Context(), []ledger.Account{alice, bob})
	require.NoError(t, err)
	require.Equal(t, ledger.AccountCreated, results[0].Status)
	require.Equal(t, ledger.AccountCreated, results[1].Status)
}

func payment(id uint64, flags ledger.TransferFlags) ledger.Transfer {
	return ledger.Transfer{
		ID: ledger.NewID(id, 0), DebitAccountID: alice.ID, CreditAccountID: bob.ID,
		Amount: ledger.NewAmount(1), Ledger: 1, Code: 1, Flags: flags,
	}
}

func statuses(results []ledger.CreateTransferResult) (all []ledger.CreateTransferStatus) {
	for _, r := range results {
		all = append(all, r.Status)
	}
	return all
}

// endable is a context that has an end, which comes when the test ends it.
func endable(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx, cancel
}
