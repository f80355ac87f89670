package settlement_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// findOne finds the only thing of a query, and names alice.
func (w *world) findOne(query accounts.FindQuery) accounts.Found {
	w.t.Helper()
	query.Peers = []accounts.PeerAccount{w.alice}
	got, err := w.book.Find(w.t.Context(), query)
	require.NoError(w.t, err)
	require.Len(w.t, got.Found, 1)
	return got.Found[0]
}

// An order is found by its id and by the ids of its other rows, with what was paid.
func TestFindOrders(t *testing.T) {
	t.Parallel()
	findOrders(t, newWorld(t, "bob"))
}

func findOrders(t *testing.T, w *world) {
	t.Helper()
	r := newRail()
	e := w.engine(manualConfig(r, at100))
	settle := func(peer accounts.PeerAccount, pays func(settlement.Order) ledger.Amount, before error) (id ledger.ID) {
		t.Helper()
		w.earn(peer, 200)
		r.pays = pays
		r.before = func(o settlement.Order) error { id = o.ID; return before }
		if _, err := e.Settle(t.Context(), peer); !errors.Is(before, settlement.ErrDeclined) {
			require.ErrorIs(t, err, before)
		}
		return id
	}
	in := func(n uint64) func(settlement.Order) ledger.Amount {
		return func(settlement.Order) ledger.Amount { return units(n) }
	}
	for _, test := range []struct {
		name          string
		pays          func(settlement.Order) ledger.Amount
		before        error
		state         accounts.FoundState
		ordered, paid uint64
		rows          int
	}{
		{"in full", in(180), nil, accounts.StatePaid, 180, 180, 2},
		{"in part", in(150), nil, accounts.StatePaid, 200, 150, 2},
		{"more than ordered", in(280), nil, accounts.StatePaid, 250, 280, 3},
		{"not at all", in(0), settlement.ErrDeclined, accounts.StateCancelled, 170, 0, 2},
	} {
		id := settle(w.alice, test.pays, test.before)
		got := w.findOne(accounts.FindQuery{ID: id})
		require.Equal(t, []any{accounts.FoundOrder, id, test.state}, []any{got.Kind, got.ID, got.State}, test.name)
		require.Equal(t, []ledger.Amount{units(test.ordered), units(test.paid)}, []ledger.Amount{got.In, got.Out}, test.name)
		require.Equal(t, []string{"peer alice", "settlement of alice"}, []string{got.From.String(), got.To.String()})
		require.Len(t, got.Rows, test.rows, test.name)
		require.True(t, got.Expiry.IsZero())
		require.Equal(t, got.Rows[len(got.Rows)-1].Time, got.Ended)
		for _, row := range got.Rows {
			if row.Code == chart.CodeOrder {
				require.Equal(t, got, w.findOne(accounts.FindQuery{ID: row.Transfer}), test.name)
			}
		}
	}
	id := settle(w.peers[1], in(0), settlement.ErrPending)
	got := w.findOne(accounts.FindQuery{ID: id})
	require.Equal(t, accounts.StateOpen, got.State)
	require.True(t, got.Ended.IsZero())
	require.Equal(t, []string{"hold"}, []string{got.Rows[0].Step})
	_, err := e.Cancel(t.Context(), w.peers[1], id)
	require.NoError(t, err)
	require.Equal(t, accounts.StateCancelled, w.findOne(accounts.FindQuery{ID: id}).State)
}

// Payments and adjustments are found by their keys, with all rows of the key.
func TestFindByKey(t *testing.T) {
	t.Parallel()
	findByKey(t, newWorld(t, "bob"))
}

func findByKey(t *testing.T, w *world) {
	t.Helper()
	e := w.engine(manualConfig(newRail(), at100))
	ctx := t.Context()
	_, err := e.Announce(ctx, settlement.IncomingPayment{Account: w.alice, Key: "wire 1", Amount: units(70)})
	require.NoError(t, err)
	announced := w.findOne(accounts.FindQuery{Key: "wire 1"})
	require.Equal(t, []any{accounts.FoundAnnouncement, accounts.StateOpen}, []any{announced.Kind, announced.State})
	w.recordIncoming(e, w.alice, "wire 1", 60)
	w.recordIncoming(e, w.peers[1], "wire 1", 9) // bob's key is another one
	got, err := w.book.Find(ctx, accounts.FindQuery{Key: "wire 1", Peers: []accounts.PeerAccount{w.alice}})
	require.NoError(t, err)
	require.Len(t, got.Found, 2)
	require.Equal(t, []any{accounts.FoundAnnouncement, accounts.StateEnded}, []any{got.Found[0].Kind, got.Found[0].State})
	require.Equal(t, []any{accounts.FoundPayment, accounts.StateBooked, units(60)}, []any{got.Found[1].Kind, got.Found[1].State, got.Found[1].Out})
	require.Equal(t, got.Found[0].KeyHash, got.Found[1].KeyHash)
	byHash, err := w.book.Find(ctx, accounts.FindQuery{ID: got.Found[1].KeyHash, Peers: []accounts.PeerAccount{w.alice}})
	require.NoError(t, err)
	require.Equal(t, got, byHash)

	for key, book := range map[string]func(key string) error{
		"cash": func(key string) error {
			_, err := e.RecordOutgoing(ctx, settlement.OutgoingPayment{Account: w.alice, Key: key, Amount: units(5)})
			return err
		},
		"bounced": func(key string) error {
			_, err := e.RecordReturned(ctx, settlement.ReturnedPayment{Account: w.alice, Key: key, Payment: "wire 1", Amount: units(5)})
			return err
		},
		"ticket": func(key string) error {
			_, err := w.book.Adjust(ctx, accounts.Adjustment{Account: w.alice, Key: key, Debit: units(5), ReasonCode: 3})
			return err
		},
	} {
		require.NoError(t, book(key), key)
		found, err := w.book.Find(ctx, accounts.FindQuery{Key: key, Peers: w.peers})
		require.NoError(t, err)
		require.NotEmpty(t, found.Found, key)
		i := slices.IndexFunc(found.Found, func(f accounts.Found) bool { return f.Out == units(5) }) // a returned payment comes with the payment
		require.GreaterOrEqual(t, i, 0, key)
		require.Equal(t, accounts.StateBooked, found.Found[i].State, key)
	}
	none, err := w.book.Find(ctx, accounts.FindQuery{Key: "nothing", Peers: w.peers})
	require.NoError(t, err)
	require.Empty(t, none.Found)
}

// Other things: a suspension, a reservation, an adjustment of a packet, and a transfer of a foreign program. The
// number of an order is no condition.
func TestFindOtherThings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	ctx := t.Context()
	ids, own := w.book.PeerIDs(w.alice), func() accounts.AssetIDs { own, _ := w.book.AssetIDs(usd.Ledger); return own }()
	require.NoError(t, w.book.SuspendPeer(ctx, w.alice))
	rows, err := w.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{AccountID: ids.Line, Code: chart.CodeSuspend, Limit: 1, Flags: ledger.AccountFilterDebits})
	require.NoError(t, err)
	got := w.findOne(accounts.FindQuery{ID: rows[0].ID})
	require.Equal(t, []any{accounts.FoundSuspension, accounts.StateOpen, "line of alice"}, []any{got.Kind, got.State, got.From.String()})
	require.NoError(t, w.book.ResumePeer(ctx, w.alice))
	got = w.findOne(accounts.FindQuery{ID: rows[0].ID})
	require.Equal(t, accounts.StateEnded, got.State)

	require.NoError(t, w.book.EnsureTransit(ctx))
	reserved := w.writeRow(ledger.Transfer{
		DebitAccountID: ids.Peer, CreditAccountID: own.Transit, Amount: units(50), Ledger: usd.Ledger, Timeout: 60,
		UserData64: 77, Code: chart.CodeReserve, Flags: ledger.TransferPending,
	})
	got = w.findOne(accounts.FindQuery{ID: reserved})
	require.Equal(t, []any{accounts.FoundReservation, accounts.StateOpen, "transit"}, []any{got.Kind, got.State, got.To.String()})
	require.Equal(t, accounts.StateExpired, w.findOne(accounts.FindQuery{ID: reserved, Now: time.Now().Add(time.Hour)}).State)
	w.writeRow(ledger.Transfer{PendingID: reserved, Amount: units(20), UserData32: 5, Flags: ledger.TransferPostPending})
	got = w.findOne(accounts.FindQuery{ID: reserved, Now: time.Now().Add(time.Hour)})
	require.Equal(t, accounts.StateEnded, got.State, "the post has the number of its own round")
	w.writeRow(ledger.Transfer{DebitAccountID: own.Transit, CreditAccountID: own.Liquidity, Amount: units(20), Ledger: usd.Ledger, Code: chart.CodeRound})

	_, err = w.book.Adjust(ctx, accounts.Adjustment{Account: w.alice, Key: "k", Credit: units(5), ReasonCode: 3, ConditionTag: [8]byte{7: 1}})
	require.NoError(t, err)
	w.earn(w.alice, 200)
	_, err = w.engine(manualConfig(newRail(), at100)).Settle(ctx, w.alice) // order number 1
	require.NoError(t, err)
	got = w.findOne(accounts.FindQuery{ConditionTag: [8]byte{7: 1}})
	require.Equal(t, accounts.FoundAdjustment, got.Kind)

	foreign := w.writeRow(ledger.Transfer{DebitAccountID: w.peers[1].ID(), CreditAccountID: own.Liquidity, Amount: units(1), Ledger: usd.Ledger, Code: 4711})
	got = w.findOne(accounts.FindQuery{ID: foreign})
	require.Equal(t, []any{accounts.FoundTransfer, "peer account " + w.peers[1].ID().String()}, []any{got.Kind, got.From.String()}, "bob is not named")
	nothing, err := w.book.Find(ctx, accounts.FindQuery{ID: ledger.NewID(1, 4711)})
	require.NoError(t, err)
	require.Empty(t, nothing.Found)
}

func TestFindRefusesAQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := ledger.NewID(1, 1)
	for field, list := range map[string][]accounts.FindQuery{
		"ID":    {{}, {ID: id, Key: "k"}, {ID: id, ConditionTag: [8]byte{1}}},
		"Limit": {{ID: id, Limit: -1}, {ID: id, Limit: accounts.MaxFindLimit + 1}},
		"Peers": {{Key: "k"}},
	} {
		for _, query := range list {
			_, err := w.book.Find(t.Context(), query)
			var fault *accounts.FieldError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, field, fault.Field)
		}
	}
}
