package rfc0038_test

import (
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement/rfc0038/enginetest"
)

// A peer with the habits of interledger-rs 1.0.0 settles through an engine that loses answers, so the
// peer pays some settlements twice. We book each unit that came over the rail, and no other.
func TestPeerLikeInterledgerRS(t *testing.T) {
	t.Parallel()
	f := newServerFixture(t, relayEcho)
	server := httptest.NewServer(f.server)
	defer server.Close()
	rail := enginetest.NewRail()
	ours := newTestEngine(t, enginetest.Config{Name: "ours", Scale: 4, Rail: rail, Connector: server.URL})
	theirs := newTestEngine(t, enginetest.Config{Name: "theirs", Scale: 4, Rail: rail, Peers: map[string]enginetest.Address{"us": {Engine: "ours", Account: "alice"}}})
	url, err := theirs.Start("127.0.0.1:0")
	require.NoError(t, err)
	peer, err := enginetest.NewRustConnector(enginetest.RustConfig{Engine: url, Scale: 2, SettleThreshold: 10, ErrorPause: time.Millisecond, LostPause: time.Millisecond})
	require.NoError(t, err)
	defer func() { require.NoError(t, peer.Close()) }()
	require.NoError(t, peer.AddAccount(t.Context(), "us"))
	for _, kind := range []enginetest.FaultKind{enginetest.DropAfter, enginetest.StatusBefore, enginetest.DropBefore, enginetest.DropAfter} {
		require.NoError(t, theirs.Inject(enginetest.Fault{Kind: kind, Request: enginetest.Settle}))
	}
	for range 10 {
		peer.Fulfill("us", 15)
		require.NoError(t, peer.RecreateAccounts(t.Context()))
		require.NoError(t, ours.Restart(false))
	}
	require.Eventually(t, func() bool {
		taken := int64(0)
		for _, one := range peer.Attempts() {
			if one.Status == 201 {
				taken += one.Amount
			}
		}
		unpaid, _, errTheirs := theirs.CountOpen()
		_, unreported, errOurs := ours.CountOpen()
		return taken == 150 && errTheirs == nil && errOurs == nil && unpaid+unreported == 0
	}, 20*time.Second, time.Millisecond)

	payments, err := rail.Payments()
	require.NoError(t, err)
	paid, byKey := new(big.Int), map[string]*big.Int{}
	for _, p := range payments {
		units, _ := p.Amount.Split(2)
		paid.Add(paid, units)
		byKey[p.Key] = units
	}
	require.Equal(t, paid, prepaidOf(t, f), "we book all that was paid")
	twice := new(big.Int)
	for _, one := range peer.Attempts() {
		if one.Status == 0 && byKey[one.Key] != nil {
			twice.Add(twice, byKey[one.Key])
		}
	}
	require.Positive(t, twice.Sign())
	require.Equal(t, twice, paid.Sub(paid, big.NewInt(150)), "the peer paid twice what it sent again under another key")
}

// newTestEngine makes an engine that repeats quickly.
func newTestEngine(t *testing.T, cfg enginetest.Config) *enginetest.Engine {
	t.Helper()
	cfg.RetryMin, cfg.RetryMax = time.Millisecond, 10*time.Millisecond
	e, err := enginetest.NewEngine(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// prepaidOf returns the units that alice has prepaid.
func prepaidOf(t *testing.T, f *serverFixture) *big.Int {
	t.Helper()
	b, err := f.book.Balance(t.Context(), f.byID["alice"])
	require.NoError(t, err)
	units, ok := new(big.Int).SetString(b.Prepaid.String(), 10)
	require.True(t, ok)
	return units
}
