package settlement_test

import (
	"context"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// accountCalls are the calls with one account.
var accountCalls = map[string]func(*settlement.Engine, context.Context, accounts.PeerAccount) error{
	"Resolve": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.Resolve(ctx, a, ledger.NewID(1, 1), units(1))
		return err
	},
	"Cancel": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.Cancel(ctx, a, ledger.NewID(1, 1))
		return err
	},
	"Check": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.Settle(ctx, a)
		return err
	},
	"Settle": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.SettleNow(ctx, a)
		return err
	},
	"Receive": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.RecordIncoming(ctx, settlement.IncomingPayment{Account: a, Key: "k", Amount: units(1)})
		return err
	},
	"RecordOutgoing": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.RecordOutgoing(ctx, settlement.OutgoingPayment{Account: a, Key: "k", Amount: units(1)})
		return err
	},
	"RecordReturned": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.RecordReturned(ctx, settlement.ReturnedPayment{Account: a, Key: "k", Payment: "p", Amount: units(1)})
		return err
	},
	"RecordVoucher": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.RecordVoucher(ctx, settlement.Voucher{Account: a, Channel: "c", Cumulative: units(1)})
		return err
	},
	"Redeemed": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.RecordRedemption(ctx, settlement.Voucher{Account: a, Channel: "c", Cumulative: units(1)})
		return err
	},
	"Refund": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error { return e.Refund(ctx, a) },
	"Release": func(e *settlement.Engine, ctx context.Context, a accounts.PeerAccount) error {
		_, err := e.Release(ctx, a)
		return err
	},
}

func TestClosedEngine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), at100))
	require.NoError(t, e.Close(t.Context()))
	for name, ask := range accountCalls {
		require.ErrorIs(t, ask(e, t.Context(), w.alice), settlement.ErrEngineClosed, name)
	}
}

// No call accepts an account that is not a peer's of the book.
func TestAccountsThatAreNoPeers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), at100))
	eur := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 77}
	other, err := accounts.NewBook(w.ledger, accounts.Config{Assets: []accounts.Asset{eur}})
	require.NoError(t, err)
	foreign, err := other.PeerAccount("alice", eur)
	require.NoError(t, err)
	own, err := w.book.OwnAccount(usd)
	require.NoError(t, err)
	nobody, err := w.book.PeerAccount("nobody", usd)
	require.NoError(t, err)
	_, before := w.balance(w.alice), w.suspenseDebt()
	for name, ask := range accountCalls {
		require.Error(t, ask(e, t.Context(), foreign), name)
		require.Error(t, ask(e, t.Context(), own), name)
		require.Error(t, ask(e, t.Context(), nobody), name)
	}
	for _, name := range []string{"Refund", "Release", "Receive", "RecordOutgoing", "RecordVoucher", "Redeemed", "Resolve", "Cancel"} {
		require.ErrorIs(t, accountCalls[name](e, t.Context(), foreign), accounts.ErrUnknownAsset, name)
	}
	for _, name := range []string{"Refund", "Release"} {
		require.ErrorIs(t, accountCalls[name](e, t.Context(), own), accounts.ErrInvalid, name)
		require.ErrorIs(t, accountCalls[name](e, t.Context(), nobody), accounts.ErrNotProvisioned, name)
	}
	for _, a := range []accounts.PeerAccount{foreign, own} {
		_, err = e.Exposure(t.Context(), a)
		require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	}
	require.Equal(t, before, w.suspenseDebt())
}

func TestReturnsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), at100))
	w.recordIncoming(e, w.alice, "one", 100)
	back := settlement.ReturnedPayment{Account: w.alice, Key: "k", Amount: units(60)}
	var field *accounts.FieldError
	_, err := e.RecordReturned(t.Context(), back)
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Payment", field.Field)
	back.Payment = "two"
	_, err = e.RecordReturned(t.Context(), back)
	require.ErrorIs(t, err, settlement.ErrNoPayment)
	back.Payment = "one"
	_, err = e.RecordReturned(t.Context(), back)
	require.NoError(t, err)
	back.Key, back.Amount = "more", units(41)
	_, err = e.RecordReturned(t.Context(), back)
	var much *settlement.ReturnedError
	require.ErrorIs(t, err, settlement.ErrReturnedTooMuch)
	require.ErrorAs(t, err, &much)
	require.Equal(t, settlement.ReturnedError{
		Account: w.alice, Asset: usd, Payment: "one", Paid: units(100), Returned: units(60), Wanted: units(41),
	}, *much)
	require.ErrorContains(t, err, `the payment "one" of alice on ledger 1 was 1.00 USD, of which 0.60 USD came back before; 0.41 USD more is too much`)
	back.Amount = units(40)
	_, err = e.RecordReturned(t.Context(), back)
	require.NoError(t, err, "all of it")
	require.Zero(t, w.balance(w.alice).Position().Sign())
}

func TestRefundsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	nobodyPays := w.engine(settlement.Config{Manual: true})
	w.recordIncoming(nobodyPays, w.alice, "one", 100)
	require.ErrorIs(t, nobodyPays.Refund(t.Context(), w.alice), settlement.ErrNoRail)
	e := w.engine(manualConfig(newRail(), at100))
	require.ErrorIs(t, e.Refund(t.Context(), w.peers[1]), settlement.ErrNoPrepayment)
	reopen := w.closePeer(w.alice)
	require.ErrorIs(t, e.Refund(t.Context(), w.alice), accounts.ErrPeerClosed)
	reopen()
	require.NoError(t, e.Refund(t.Context(), w.alice))
}

func TestPrefundsThatAreImpossible(t *testing.T) {
	t.Parallel()
	most := accounts.Unlimited.Big()
	beyond := new(big.Int).Neg(new(big.Int).Add(most, big.NewInt(1)))
	for name, c := range map[string]struct {
		policy settlement.Prefund
		field  string
	}{
		"nothing":             {settlement.Prefund{}, "PrefundThreshold"},
		"no level to pay to":  {settlement.Prefund{PrefundThreshold: big.NewInt(5)}, "SettleTo"},
		"levels are one":      {settlement.Prefund{PrefundThreshold: big.NewInt(5), SettleTo: big.NewInt(5)}, "SettleTo"},
		"beyond every line":   {settlement.Prefund{PrefundThreshold: big.NewInt(5), SettleTo: beyond}, "SettleTo"},
		"as much as any line": {settlement.Prefund{PrefundThreshold: big.NewInt(5), SettleTo: new(big.Int).Neg(most)}, ""},
		"levels are next":     {settlement.Prefund{PrefundThreshold: big.NewInt(5), SettleTo: big.NewInt(4)}, ""},
	} {
		err := c.policy.Validate()
		if c.field == "" {
			require.NoError(t, err, name)
			continue
		}
		var field *accounts.FieldError
		require.ErrorAs(t, err, &field, name)
		require.Equal(t, c.field, field.Field, name)
	}
	w := newWorld(t)
	paysAhead := settlement.Prefund{PrefundThreshold: big.NewInt(5), SettleTo: big.NewInt(-5)}
	for minimum, fits := range map[uint64]bool{10: true, 11: false} {
		_, err := settlement.NewEngine(w.ledger, w.book, manualConfig(newRail(), settlement.AtLeast{Of: paysAhead, Amount: units(minimum)}))
		require.Equal(t, fits, err == nil, "%d: %v", minimum, err)
		if err != nil {
			require.ErrorContains(t, err, "AtLeast.Amount")
		}
	}
	err := &settlement.PrefundError{Account: w.alice, Asset: usd, Prefunding: units(5)}
	require.ErrorIs(t, err, settlement.ErrPrefundLine)
	require.ErrorContains(t, err, "the line of alice on ledger 1 is 0, and the policy pays 0.05 USD ahead")
}

func TestOwed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), at100))
	w.earn(w.alice, 30)
	w.writeRow(ledger.Transfer{
		DebitAccountID: w.book.PeerIDs(w.alice).Settlement, CreditAccountID: w.alice.ID(), Amount: units(12),
		Ledger: usd.Ledger, Code: chart.CodeIncoming,
	})
	require.Equal(t, units(30), e.Owed(w.balance(w.alice)), "what is prepaid is not owed")
}
