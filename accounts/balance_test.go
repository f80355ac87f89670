package accounts_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// books is a book with one peer in USD, with direct access to its ledger.
type books struct {
	t      *testing.T
	ledger *embedded.Ledger
	book   *accounts.Book
	peer   accounts.PeerAccount
	last   uint64
}

func newBooks(t *testing.T, line uint64) *books {
	t.Helper()
	b := &books{t: t, ledger: newLedger(t)}
	b.book = newBook(t, b.ledger)
	handles, err := b.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(line)})
	require.NoError(t, err)
	b.peer = handles[0]
	return b
}

// createTransfer writes one transfer and returns the ledger's answer and the transfer's id.
func (b *books) createTransfer(debit, credit ledger.ID, amount uint64, flags ledger.TransferFlags) (ledger.CreateTransferStatus, ledger.ID) {
	b.t.Helper()
	b.last++
	id, ids, code := ledger.NewID(b.last, 7), b.book.PeerIDs(b.peer), chart.CodePacket
	switch ids.Settlement {
	case debit:
		code = chart.CodeIncoming
	case credit:
		code = chart.CodeOrder
	}
	results, err := b.ledger.CreateTransfers(b.t.Context(), []ledger.Transfer{{
		ID: id, DebitAccountID: debit, CreditAccountID: credit, Amount: units(amount),
		Ledger: usd.Ledger, Code: code, Flags: flags,
	}})
	require.NoError(b.t, err)
	return results[0].Status, id
}

func (b *books) readBalance() accounts.Balance {
	b.t.Helper()
	balance, err := b.book.Balance(b.t.Context(), b.peer)
	require.NoError(b.t, err)
	return balance
}

func TestBalanceTellsPositionHoldsAndTotals(t *testing.T) {
	t.Parallel()
	b := newBooks(t, 100)
	ids := b.book.PeerIDs(b.peer)
	assetIDs, _ := b.book.AssetIDs(usd.Ledger)
	own := assetIDs.Liquidity
	created := func(debit, credit ledger.ID, amount uint64, flags ledger.TransferFlags) {
		t.Helper()
		status, _ := b.createTransfer(debit, credit, amount, flags)
		require.Equal(t, ledger.TransferCreated, status)
	}
	created(ids.Peer, own, 30, 0) // the peer sends 30
	got := b.readBalance()
	require.Equal(t, units(30), got.Receivable)
	require.Zero(t, got.Payable)
	require.Equal(t, units(70), got.Headroom)
	require.Equal(t, int64(-30), got.Position().Int64())

	created(own, ids.Peer, 50, 0)                                // and earns 50
	created(ids.Settlement, ids.Peer, 25, 0)                     // and pays us 25
	created(ids.Peer, own, 11, ledger.TransferPending)           // 11 are in flight from the peer
	created(own, ids.Peer, 7, ledger.TransferPending)            // 7 to the peer
	created(ids.Peer, ids.Settlement, 15, 0)                     // we paid the peer 15
	created(ids.Peer, ids.Settlement, 4, ledger.TransferPending) // and are paying 4
	got = b.readBalance()
	require.WithinDuration(t, time.Now(), got.Opened, time.Minute)
	want := accounts.Balance{
		Account: b.peer, Asset: usd,
		Payable: units(30), Prepaid: units(25),
		HeldIn: units(11), HeldOut: units(7), Settling: units(4),
		CreditLine: units(100), Headroom: units(115),
		Sent: units(30), Earned: units(50), SettledOut: units(15), SettledIn: units(25),
	}
	require.Equal(t, want.Decimal(), got.Decimal())
	require.Equal(t, b.peer, got.Account)
	require.False(t, got.PrepaidAtMost)
	require.Equal(t, units(1), got.Unpaid(), "of the 5 that packets earned 4 are being paid")
	whole := got.Decimal()
	require.Equal(t, "0.00000003", whole.Position.String())
	require.Equal(t, "0.0000001", whole.CreditLine.String())
	ledgertest.RequireConserved(t, b.ledger)
}

func TestPrepaymentIsNotEarned(t *testing.T) {
	t.Parallel()
	b := newBooks(t, 0)
	ids := b.book.PeerIDs(b.peer)
	assetIDs, _ := b.book.AssetIDs(usd.Ledger)
	b.createTransfer(ids.Settlement, ids.Peer, 80, 0)
	got := b.readBalance()
	require.Equal(t, units(80), got.Payable)
	require.Equal(t, units(80), got.Prepaid)
	require.Zero(t, got.Unpaid())

	b.createTransfer(assetIDs.Liquidity, ids.Peer, 30, 0)
	b.createTransfer(ids.Peer, ids.Settlement, 30, ledger.TransferPending)
	got = b.readBalance()
	require.Equal(t, units(110), got.Payable)
	require.Equal(t, units(80), got.Prepaid, "an order in flight pays what was earned")
	require.Zero(t, got.Unpaid())
	ledgertest.RequireConserved(t, b.ledger)
}

func TestTheLedgerKeepsTheLine(t *testing.T) {
	t.Parallel()
	b := newBooks(t, 10)
	assetIDs, _ := b.book.AssetIDs(usd.Ledger)
	status, _ := b.createTransfer(b.peer.ID(), assetIDs.Liquidity, 11, ledger.TransferPending)
	require.Equal(t, ledger.TransferExceedsCredits, status)
	status, _ = b.createTransfer(b.peer.ID(), assetIDs.Liquidity, 10, ledger.TransferPending)
	require.Equal(t, ledger.TransferCreated, status)
	require.Zero(t, b.readBalance().Headroom)
	ledgertest.RequireConserved(t, b.ledger)
}

// For any history of a peer: position is its earnings and payments, less the amounts it sent and
// was paid. Payable and receivable are never both above 0.
func TestBalanceAddsUp(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := newBooks(t, 1000)
	ids := b.book.PeerIDs(b.peer)
	assetIDs, _ := b.book.AssetIDs(usd.Ledger)
	ways := [][2]ledger.ID{
		{ids.Peer, assetIDs.Liquidity},
		{assetIDs.Liquidity, ids.Peer},
		{ids.Peer, ids.Settlement},
		{ids.Settlement, ids.Peer},
	}
	for range 500 {
		way := ways[random.IntN(len(ways))]
		flags := ledger.TransferFlags(random.IntN(2)) * ledger.TransferPending
		b.createTransfer(way[0], way[1], random.Uint64N(200), flags)
		got := b.readBalance()
		in, ok := got.Earned.Add(got.SettledIn)
		require.True(t, ok)
		out, ok := got.Sent.Add(got.SettledOut)
		require.True(t, ok)
		require.Equal(t, got.Position().String(), in.Big().Sub(in.Big(), out.Big()).String())
		require.True(t, got.Payable.IsZero() || got.Receivable.IsZero())
		require.False(t, got.CreditLine.Less(got.Receivable), "beyond the line")
	}
	ledgertest.RequireConserved(t, b.ledger)
}

func TestBalancesOfNobody(t *testing.T) {
	t.Parallel()
	b := newBooks(t, 0)
	bob, err := b.book.PeerAccount("bob", usd)
	require.NoError(t, err)
	_, err = b.book.Balances(t.Context(), b.peer, bob)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	require.ErrorContains(t, err, "bob on ledger 1")
	own, err := b.book.OwnAccount(usd)
	require.NoError(t, err)
	_, err = b.book.Balance(t.Context(), own)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = b.book.Balance(t.Context(), accounts.PeerAccount{})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	none, err := b.book.Balances(t.Context())
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestDecimalIsExact(t *testing.T) {
	t.Parallel()
	asset := accounts.Asset{Code: "X", Scale: 255, Ledger: 1}
	require.Equal(t, "0."+"0000000000000000000000000000000000000000", asset.WholeUnits(units(1)).StringFixed(40))
	require.Equal(t, int32(-255), asset.WholeUnits(units(1)).Exponent())
	large := ledger.Amount(uint128.Max)
	require.Equal(t, "340282366920938463463374607431.768211455", usd.WholeUnits(large).String())
}
