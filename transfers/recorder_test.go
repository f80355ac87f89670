package transfers_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

var (
	usd  = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	loss = accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2, AllowLoss: true}
)

func units(n uint64) ledger.Amount { return ledger.NewAmount(n) }

// fixture is a recorder between alice, who may owe 1000, and bob, in USD and EUR.
type fixture struct {
	embedded *embedded.Ledger
	book     *accounts.Book
	recorder *transfers.Recorder
	alice    accounts.PeerAccount
	bob      accounts.PeerAccount
	aliceEUR accounts.PeerAccount
	bobEUR   accounts.PeerAccount
}

// newFixture returns a recorder on an embedded ledger, wrapped by wrap if given.
func newFixture(t *testing.T, cfg transfers.Config, wrap func(ledger.Ledger) ledger.Ledger, opts ...embedded.Option) *fixture {
	t.Helper()
	f := &fixture{embedded: embedded.New(opts...)}
	var seen ledger.Ledger = f.embedded
	if wrap != nil {
		seen = wrap(seen)
	}
	var err error
	f.book, err = accounts.NewBook(f.embedded, accounts.Config{Assets: []accounts.Asset{usd, loss}})
	require.NoError(t, err)
	handles, err := f.book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd},
		accounts.PeerConfig{ID: "alice", Asset: loss, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: loss})
	require.NoError(t, err)
	f.alice, f.bob, f.aliceEUR, f.bobEUR = handles[0], handles[1], handles[2], handles[3]
	f.recorder, err = transfers.NewRecorder(seen, f.book, cfg)
	require.NoError(t, err)
	return f
}

// packet returns a packet from alice to bob within USD.
func (f *fixture) packet(in, out uint64) transfers.Packet {
	return transfers.Packet{From: f.alice, To: f.bob, In: in, Out: out, Hold: time.Minute}
}

func (f *fixture) position(t *testing.T, a accounts.PeerAccount) int64 {
	t.Helper()
	b, err := f.book.Balance(t.Context(), a)
	require.NoError(t, err)
	return b.Position().Int64()
}

// closeAndCheck closes the recorder and checks that nothing is held and the books balance.
func (f *fixture) closeAndCheck(t *testing.T) {
	t.Helper()
	require.NoError(t, f.recorder.Close(t.Context()))
	ledgertest.RequireNothingHeld(t, f.embedded)
	require.NoError(t, f.embedded.Close())
}

func TestLifeOfAPacket(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	f := newFixture(t, transfers.Config{}, nil)

	held, err := f.recorder.Prepare(ctx, f.packet(100, 90))
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeApplied, held.Outcome)
	require.NotZero(t, held.BookedAt)
	require.NotZero(t, held.Packet.ID)
	b, err := f.book.Balance(ctx, f.alice)
	require.NoError(t, err)
	require.Equal(t, units(100), b.HeldIn)
	require.Zero(t, b.Position().Sign(), "a hold is no debt")

	posted, err := f.recorder.Fulfill(ctx, held.Packet)
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeApplied, posted.Outcome)
	require.Equal(t, int64(-100), f.position(t, f.alice))
	require.Equal(t, int64(90), f.position(t, f.bob))

	refused, err := f.recorder.Prepare(ctx, f.packet(901, 900))
	require.ErrorIs(t, err, transfers.ErrCreditLine)
	require.Equal(t, "T04", transfers.ILPCode(err))
	require.Equal(t, ledger.OutcomeIDBurnt, refused.Outcome)
	var why *transfers.RefusedError
	require.ErrorAs(t, err, &why)
	require.Equal(t, ledger.TransferExceedsCredits, why.TransferErr.Status)
	require.ErrorContains(t, err, "prepare of packet "+refused.Packet.ID.String()+" from alice on ledger 1 to bob on ledger 1")

	held, err = f.recorder.Prepare(ctx, f.packet(900, 900))
	require.NoError(t, err)
	_, err = f.recorder.Reject(ctx, held.Packet)
	require.NoError(t, err)
	require.Equal(t, int64(-100), f.position(t, f.alice))

	_, err = f.recorder.Forward(ctx, f.packet(7, 7))
	require.NoError(t, err)
	require.Equal(t, int64(-107), f.position(t, f.alice))
	require.Equal(t, int64(97), f.position(t, f.bob))
	f.closeAndCheck(t)
}

// An operation recorded twice is in the books once, and the second result says already applied.
func TestEverythingTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	record := func(op transfers.Op) (transfers.Result, error) { return f.recorder.Record(t.Context(), op) }
	held, err := record(transfers.PrepareOp(f.packet(100, 90)))
	require.NoError(t, err)
	other, err := record(transfers.PrepareOp(f.packet(10, 10)))
	require.NoError(t, err)
	once, err := record(transfers.ForwardOp(f.packet(10, 9)))
	require.NoError(t, err)
	for i, step := range []struct {
		op   transfers.Op
		want ledger.Outcome
	}{
		{transfers.PrepareOp(held.Packet), ledger.OutcomeAlreadyApplied},
		{transfers.FulfillOp(held.Packet), ledger.OutcomeApplied},
		{transfers.FulfillOp(held.Packet), ledger.OutcomeAlreadyApplied},
		{transfers.PrepareOp(held.Packet), ledger.OutcomeAlreadyApplied},
		{transfers.RejectOp(other.Packet), ledger.OutcomeApplied},
		{transfers.RejectOp(other.Packet), ledger.OutcomeAlreadyApplied},
		{transfers.ForwardOp(once.Packet), ledger.OutcomeAlreadyApplied},
	} {
		got, err := record(step.op)
		require.NoError(t, err, i)
		require.Equal(t, step.want, got.Outcome, i)
	}
	require.Equal(t, int64(-110), f.position(t, f.alice))

	_, err = record(transfers.RejectOp(held.Packet))
	require.ErrorIs(t, err, transfers.ErrPacketConflict)
	_, err = record(transfers.FulfillOp(other.Packet))
	require.ErrorIs(t, err, transfers.ErrPacketConflict)
	changed := held.Packet
	changed.In++ // another fee under the same id: only a later leg differs
	_, err = record(transfers.PrepareOp(changed))
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	require.Equal(t, "T00", transfers.ILPCode(err))
	f.closeAndCheck(t)
}

// The receiver's part fits the sender's line, the fee does not fit.
func TestPacketIsHeldWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	_, err := f.recorder.Prepare(t.Context(), f.packet(1001, 1000))
	require.ErrorIs(t, err, transfers.ErrCreditLine)
	for _, a := range []accounts.PeerAccount{f.alice, f.bob} {
		b, err := f.book.Balance(t.Context(), a)
		require.NoError(t, err)
		require.Zero(t, b.HeldIn)
		require.Zero(t, b.HeldOut)
	}
	f.closeAndCheck(t)
}

// The rows of a packet are found by its id, and by its condition.
func TestRowsOfAPacket(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	p := f.packet(100, 90)
	p.Condition = [32]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}
	held, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	_, err = f.recorder.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	rows, err := f.embedded.QueryTransfers(t.Context(), ledger.QueryFilter{
		UserData128: uint128.Uint128(held.Packet.ID), Limit: 10,
	})
	require.NoError(t, err)
	require.Len(t, rows, 4)
	for i, row := range rows {
		require.Equal(t, uint64(0x0102030405060708), row.UserData64)
		require.Equal(t, units([]uint64{90, 10}[i%2]), row.Amount)
		require.Equal(t, i < 2, row.Flags.Has(ledger.TransferPending))
		require.Equal(t, uint64(i/2), row.ID.Lo&15, "phase")
		require.Equal(t, uint64(i%2), row.ID.Lo>>4&15, "leg")
		require.Equal(t, held.Packet.ID.Lo, row.ID.Lo&^0xff)
	}
	require.Equal(t, uint64(held.BookedAt.UnixNano()), rows[0].Timestamp)
	f.closeAndCheck(t)
}

func TestFulfillOfAPacketThatIsNotHeld(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	p := f.packet(100, 90)
	p.ID = ledger.NewID(1<<8, 5)
	_, err := f.recorder.Fulfill(t.Context(), p)
	require.ErrorIs(t, err, transfers.ErrUnknownPacket)
	_, err = f.recorder.Reject(t.Context(), p)
	require.ErrorIs(t, err, transfers.ErrUnknownPacket)
	// The refusals have burnt the ids of the first post and void. When the
	// prepare comes after all, the fulfill goes on under the next ids, and a
	// retry of the fulfill finds it applied.
	_, err = f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	got, err := f.recorder.Fulfill(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeApplied, got.Outcome)
	got, err = f.recorder.Fulfill(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
	_, err = f.recorder.Reject(t.Context(), p)
	require.ErrorIs(t, err, transfers.ErrPacketConflict)
	f.closeAndCheck(t)
}

func TestHoldFollowsThePacketsExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); now = now.Add(d); mu.Unlock() }
	f := newFixture(t, transfers.Config{Clock: clock}, nil, embedded.WithClock(clock))

	p := f.packet(100, 100)
	p.Hold, p.Expiry = 0, now.Add(1500*time.Millisecond)
	held, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, 4*time.Second, held.Packet.Hold, "1.5 s and the margin of 2 s, rounded up")

	p.Expiry = now.Add(time.Second) // MinHold
	shortest, err := f.recorder.Prepare(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, shortest.Packet.Hold)

	p.Expiry = now.Add(time.Second - 1)
	_, err = f.recorder.Prepare(t.Context(), p)
	require.ErrorIs(t, err, transfers.ErrHoldTooShort)
	require.Equal(t, "R02", transfers.ILPCode(err))

	pass(5 * time.Second)
	got, err := f.recorder.Reject(t.Context(), held.Packet)
	require.NoError(t, err, "the expiry has released the hold, as the reject would")
	require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
	f.closeAndCheck(t)
}

func TestInvalidOperations(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	tests := map[string]struct {
		op    transfers.Op
		field string
		err   error
	}{
		"no kind":         {transfers.Op{Packet: f.packet(1, 1)}, "Kind", transfers.ErrPacket},
		"no id":           {transfers.FulfillOp(f.packet(1, 1)), "ID", transfers.ErrPacket},
		"low bits set":    {transfers.PrepareOp(transfers.Packet{ID: ledger.NewID(1, 0), From: f.alice, To: f.bob}), "ID", transfers.ErrPacket},
		"no sender":       {transfers.PrepareOp(transfers.Packet{To: f.bob}), "From", transfers.ErrPacket},
		"no receiver":     {transfers.PrepareOp(transfers.Packet{From: f.alice}), "To", transfers.ErrPacket},
		"too much dust":   {transfers.PrepareOp(transfers.Packet{From: f.alice, To: f.bobEUR, In: 1, Dust: 2}), "Dust", transfers.ErrPacket},
		"dust, one asset": {transfers.PrepareOp(transfers.Packet{From: f.alice, To: f.bob, In: 2, Dust: 1}), "Dust", transfers.ErrPacket},
		"negative hold":   {transfers.PrepareOp(transfers.Packet{From: f.alice, To: f.bob, In: 2, Out: 1, Hold: -1}), "Hold", transfers.ErrPacket},
		"endless hold":    {transfers.PrepareOp(transfers.Packet{From: f.alice, To: f.bob, In: 2, Out: 1, Hold: 1<<63 - 1}), "Hold", transfers.ErrPacket},
		"pays more":       {transfers.PrepareOp(transfers.Packet{From: f.alice, To: f.bob, In: 1, Out: 2, Hold: 1}), "", transfers.ErrAmounts},
		"no expiry":       {transfers.PrepareOp(transfers.Packet{From: f.alice, To: f.bob, In: 1, Out: 1}), "Expiry", transfers.ErrPacket},
	}
	for name, test := range tests {
		_, err := f.recorder.Record(t.Context(), test.op)
		require.ErrorIs(t, err, test.err, name)
		_, err = f.recorder.TrySubmit(test.op)
		require.ErrorIs(t, err, test.err, name)
		var field *transfers.PacketError
		if errors.As(err, &field) {
			require.Equal(t, test.field, field.Field, name)
		}
	}
	f.closeAndCheck(t)
}

func TestRecordAllKeepsTheOrderOfAPacket(t *testing.T) {
	t.Parallel()
	touched := map[accounts.PeerAccount]bool{}
	var mu sync.Mutex
	f := newFixture(t, transfers.Config{Lanes: 4, MaxBacklog: 10, Events: transfers.Events{BalancesChanged: func(all []accounts.PeerAccount) {
		mu.Lock()
		defer mu.Unlock()
		for _, a := range all {
			touched[a] = true
		}
	}}}, nil)
	var ops []transfers.Op
	for i := range uint64(100) {
		p := f.packet(10, 9)
		p.ID = ledger.NewID((i+1)<<8, 1)
		ops = append(ops, transfers.PrepareOp(p), transfers.FulfillOp(p))
	}
	results, err := f.recorder.RecordAll(t.Context(), ops...)
	require.NoError(t, err)
	for i, r := range results {
		require.Equal(t, ledger.OutcomeApplied, r.Outcome, i)
		require.Equal(t, ops[i].Packet.ID, r.Packet.ID)
	}
	require.Equal(t, int64(-1000), f.position(t, f.alice))
	require.Equal(t, map[accounts.PeerAccount]bool{f.alice: true, f.bob: true}, touched)

	results, err = f.recorder.RecordAll(t.Context(), transfers.PrepareOp(f.packet(1, 1)), transfers.Op{})
	require.ErrorIs(t, err, transfers.ErrCreditLine)
	require.ErrorIs(t, err, transfers.ErrPacket)
	require.Len(t, results, 2)
	f.closeAndCheck(t)
}

// A packet without amounts is recorded without a request.
func TestPacketWithoutAmounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return readOnlyLedger{l} })
	for _, kind := range []func(transfers.Packet) transfers.Op{
		transfers.PrepareOp, transfers.FulfillOp, transfers.RejectOp, transfers.ForwardOp,
	} {
		p := transfers.Packet{ID: ledger.NewID(256, 1), From: f.alice, To: f.bob}
		got, err := f.recorder.Record(t.Context(), kind(p))
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeApplied, got.Outcome)
		require.Zero(t, got.BookedAt)
	}
	f.closeAndCheck(t)
}

// The Packet of the prepare's Result is resolved without reading the ledger.
func TestPacketWithoutAmountsAsksNobody(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, func(ledger.Ledger) ledger.Ledger { return nil })
	held, err := f.recorder.Prepare(t.Context(), f.packet(0, 0))
	require.NoError(t, err)
	for _, op := range []transfers.Op{transfers.FulfillOp(held.Packet), transfers.RejectOp(held.Packet), transfers.ForwardOp(held.Packet)} {
		got, err := f.recorder.Record(t.Context(), op)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeApplied, got.Outcome)
	}
	f.closeAndCheck(t)
}

// readOnlyLedger refuses every write.
type readOnlyLedger struct{ ledger.Ledger }

func (readOnlyLedger) CreateTransfers(context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return nil, ledger.ErrClosed
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	err := transfers.Config{Lanes: -1, MaxBacklog: -2, HoldMargin: -3, MinHold: -4}.Validate()
	for _, field := range []string{"Lanes", "MaxBacklog", "HoldMargin", "MinHold"} {
		require.ErrorContains(t, err, ": "+field+" must not be negative")
	}
	require.ErrorIs(t, err, accounts.ErrInvalid)
	_, err = transfers.NewRecorder(nil, nil, transfers.Config{Lanes: -1})
	require.ErrorIs(t, err, accounts.ErrInvalid)
}
