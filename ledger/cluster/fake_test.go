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

// servers stands in for a cluster: its native clients are tbclient's, on one embedded ledger, and
// can lose their sessions.
type servers struct {
	ledger *embedded.Ledger

	mu        sync.Mutex
	clients   map[*fakeClient]bool // the open ones
	dialed    int
	addresses []netip.AddrPort // of the last client
	dialErr   error
	data      unsafe.Pointer // memory of the last request of transfers
	// next decides the fate of a create or look-up request; nil executes it.
	next func(c *fakeClient) fate
}

// fate is the fate of a request.
type fate struct {
	lost   error           // the error that ends the session, if not nil
	apply  bool            // whether the request is executed before the session ends
	before <-chan struct{} // the native client reads the request when before is closed
}

func newServers(opts ...embedded.Option) *servers {
	return &servers{ledger: embedded.New(opts...), clients: map[*fakeClient]bool{}}
}

func (s *servers) dialFake(_ uint128.Uint128, replicas []netip.AddrPort) (tb.Client, error) {
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

// setFate decides the fate of the following requests.
func (s *servers) setFate(next func(c *fakeClient) fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = next
}

// setNextFate decides the fate of the next request only.
func (s *servers) setNextFate(f fate) {
	s.setFate(func(*fakeClient) fate {
		s.next = nil
		return f
	})
}

func (s *servers) dialCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dialed
}

// lastTransfers returns the memory of the last request of transfers.
func (s *servers) lastTransfers() unsafe.Pointer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

func (s *servers) openClients() []*fakeClient {
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

// dropSession ends the session as an eviction does: the native client answers no more, and still
// has to be closed.
func (c *fakeClient) dropSession() { c.Client.Close() }

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
	c.dropSession()
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

var localAddresses = []string{"127.0.0.1:3001"}

// openFake opens a ledger on the servers and closes it at the end of the test. Then every session
// must be closed.
func openFake(t *testing.T, s *servers, cfg Config) *Ledger {
	t.Helper()
	cfg.Sessions = cmp.Or(cfg.Sessions, 2)
	if cfg.Addresses == nil {
		cfg.Addresses = localAddresses
	}
	l, err := openWith(t.Context(), cfg, s.dialFake)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		require.Empty(t, s.openClients(), "sessions are left")
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

func newPayment(id uint64, flags ledger.TransferFlags) ledger.Transfer {
	return ledger.Transfer{
		ID: ledger.NewID(id, 0), DebitAccountID: alice.ID, CreditAccountID: bob.ID,
		Amount: ledger.NewAmount(1), Ledger: 1, Code: 1, Flags: flags,
	}
}

func statusesOf(results []ledger.CreateTransferResult) (all []ledger.CreateTransferStatus) {
	for _, r := range results {
		all = append(all, r.Status)
	}
	return all
}

// cancellableContext returns a context that ends when the test cancels it.
func cancellableContext(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx, cancel
}
