package transfers

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/requestlimit"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// The transfer limit after requests that were too large, one after the other.
func TestLowerLimit(t *testing.T) {
	t.Parallel()
	ln := &batchBuilder{transferLimit: ledger.BatchMax}
	for _, c := range []struct{ refused, limit int }{
		{ledger.BatchMax, requestlimit.Development},
		{requestlimit.Development + 1, requestlimit.Development},
		{requestlimit.Development, requestlimit.Development / 2},
		{ledger.BatchMax, requestlimit.Development / 2}, // a request that was under way
		{3, 1},
		{2, 1},
		{1, 1},
	} {
		ln.lowerTransferLimit(c.refused)
		require.Equal(t, c.limit, ln.transferLimit, "a request of %d", c.refused)
	}
	small := &batchBuilder{transferLimit: 2}
	small.lowerTransferLimit(2)
	require.Equal(t, 1, small.transferLimit)
}

// The error of each kind of operation after the ledger refused its chain.
func TestRefusal(t *testing.T) {
	t.Parallel()
	kinds := []Kind{KindPrepare, KindFulfill, KindReject, KindForward}
	for status, want := range map[ledger.CreateTransferStatus]error{
		ledger.TransferPendingTransferNotFound:           ErrUnknownPacket,
		ledger.TransferPendingTransferAlreadyPosted:      ErrPacketConflict,
		ledger.TransferPendingTransferAlreadyVoided:      ErrPacketConflict,
		ledger.TransferPendingTransferExpired:            nil,
		ledger.TransferExceedsCredits:                    ErrCreditLine,
		ledger.TransferExceedsDebits:                     ErrCreditLine,
		ledger.TransferDebitAccountAlreadyClosed:         accounts.ErrPeerClosed,
		ledger.TransferCreditAccountAlreadyClosed:        accounts.ErrPeerClosed,
		ledger.TransferDebitAccountNotFound:              accounts.ErrNotProvisioned,
		ledger.TransferCreditAccountNotFound:             accounts.ErrNotProvisioned,
		ledger.TransferIDAlreadyFailed:                   ledger.ErrIDBurnt,
		ledger.TransferExistsWithDifferentAmount:         ledger.ErrIDConflict,
		ledger.TransferExistsWithDifferentDebitAccountID: ledger.ErrIDConflict,
		ledger.TransferOverflowsDebits:                   ledger.ErrRefused,
	} {
		for _, kind := range kinds {
			expected := want
			switch {
			case status == ledger.TransferPendingTransferAlreadyPosted && kind == KindFulfill,
				status == ledger.TransferPendingTransferAlreadyVoided && kind == KindReject:
				expected = nil
			}
			got := refusalError(kind, ledger.Chain{Outcome: status.Outcome(), Status: status, Breaker: 0})
			require.Equal(t, expected, got, "%v: %v", kind, status)
		}
	}
}

// The result of an operation without an answer.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	cause := errors.New("no connection")
	for name, c := range map[string]struct {
		handed, closed, journaled bool
		outcome                   ledger.Outcome
		is, isNot                 []error
	}{
		"never sent":                     {false, false, false, ledger.OutcomeRefused, nil, []error{ledger.ErrOutcomeUnknown, ErrRecorderClosed}},
		"never sent, and closed":         {false, true, false, ledger.OutcomeRefused, []error{ErrRecorderClosed}, []error{ledger.ErrOutcomeUnknown}},
		"sent":                           {true, false, false, ledger.OutcomeUnknown, []error{ledger.ErrOutcomeUnknown}, []error{ErrRecorderClosed}},
		"sent, and closed":               {true, true, false, ledger.OutcomeUnknown, []error{ledger.ErrOutcomeUnknown}, []error{ErrRecorderClosed}},
		"never sent, and in the journal": {false, true, true, ledger.OutcomeUnknown, []error{ledger.ErrOutcomeUnknown}, []error{ErrRecorderClosed}},
	} {
		o := &operation{kind: KindFulfill, packet: Packet{ID: ledger.NewID(1, 2)}, slot: new(resultSlot), sent: c.handed}
		if c.journaled {
			o.journalPos = wal.Position(1)
		}
		o.endUnanswered(cause, c.closed)
		require.True(t, o.unanswered, name)
		require.Equal(t, claimAnswered, o.slot.claim.Load(), name)
		require.Equal(t, c.outcome, o.slot.outcome, name)
		require.ErrorIs(t, o.slot.err, cause, name)
		if c.handed {
			require.Equal(t, c.closed, strings.Contains(o.slot.err.Error(), "the recorder was closed"), name)
		}
		for _, err := range c.is {
			require.ErrorIs(t, o.slot.err, err, name)
		}
		for _, err := range c.isNot {
			require.NotErrorIs(t, o.slot.err, err, name)
		}
	}
	back := &operation{kind: KindReject, slot: new(resultSlot), voiding: true}
	back.endUnanswered(cause, true)
	require.True(t, back.unanswered)
	require.Equal(t, claimOpen, back.slot.claim.Load(), "the caller has an answer, and does not wait for this one")
}

// Only a prepare whose packet expired while it waited is not sent.
func TestExpireToTheMoment(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	op := func(kind Kind, expiry time.Time, giveBack bool) *operation {
		return &operation{kind: kind, packet: Packet{Expiry: expiry}, voiding: giveBack, slot: new(resultSlot)}
	}
	all := []*operation{
		op(KindPrepare, now, false), op(KindPrepare, now.Add(1), false), op(KindPrepare, time.Time{}, false),
		op(KindPrepare, now, true), op(KindFulfill, now, false), op(KindForward, now.Add(-1), false),
		op(KindPrepare, now.Add(-1), false),
	}
	b := &batch{remaining: append([]*operation(nil), all...), earliestExpiry: now.Add(1), fullyEncoded: true}
	b.dropExpired(now)
	require.Len(t, b.remaining, len(all), "none can have expired before the first expiry")
	require.True(t, b.fullyEncoded)
	b.earliestExpiry = now
	b.dropExpired(now)
	require.Equal(t, []*operation{all[1], all[2], all[3], all[4], all[5]}, b.remaining)
	require.Equal(t, []*operation{all[0], all[6]}, b.answered)
	require.False(t, b.fullyEncoded, "the request is another one")
	require.ErrorIs(t, all[0].slot.err, ErrHoldTooShort)
	require.Equal(t, ledger.OutcomeRefused, all[0].slot.outcome)
	none := &batch{remaining: append([]*operation(nil), all...)}
	none.dropExpired(now)
	require.Len(t, none.remaining, len(all))
}

// Records that a journal must not have.
func TestForeignRecords(t *testing.T) {
	t.Parallel()
	p := Packet{ID: ledger.NewID(1<<8, 1), In: 1, Out: 1}
	id := p.ID.Bytes()
	owner := wal.Record{Kind: recordOwner, Data: ownerRecord("us")}
	fulfill := wal.Record{Kind: recordFulfill, Data: appendRecord(nil, &p)}
	refused := wal.Record{Kind: recordRefused, Data: id[:]}
	for name, records := range map[string][]wal.Record{
		"without an owner":           {fulfill},
		"a refusal without an owner": {refused},
		"of another namespace":       {{Kind: recordOwner, Data: ownerRecord("them")}},
		"of an unknown kind":         {owner, {Kind: 99, Data: id[:]}},
		"a refusal that is cut":      {owner, {Kind: recordRefused, Data: id[:15]}},
		"a refusal that is long":     {owner, {Kind: recordRefused, Data: append(id[:], 0)}},
	} {
		found := &recoveredJournal{namespace: "us", indexByPacket: make(map[ledger.ID][]int)}
		var err error
		for _, r := range records {
			err = found.restoreRecord(r)
		}
		require.ErrorIs(t, err, ErrJournalForeign, name)
		require.Empty(t, found.fulfills, name)
	}
	found := &recoveredJournal{namespace: "us", indexByPacket: make(map[ledger.ID][]int)}
	for _, r := range []wal.Record{owner, fulfill, fulfill, refused, fulfill, refused, refused, owner} {
		require.NoError(t, found.restoreRecord(r))
	}
	require.Len(t, found.fulfills, 2, "a promise that was refused may be given again")
	require.True(t, found.fulfills[0].refused)
	require.True(t, found.fulfills[1].refused)
	require.ErrorIs(t, found.restoreRecord(wal.Record{Kind: recordFulfill, Data: fulfill.Data[:5]}), ErrJournalForeign)
}

// A refusal ends the first pending fulfill of a packet.
func TestRestoredFulfillsOfOnePacket(t *testing.T) {
	t.Parallel()
	id := ledger.NewID(7<<8, 1)
	fulfill := func(out uint64) wal.Record {
		return wal.Record{Kind: recordFulfill, Data: appendRecord(nil, &Packet{ID: id, In: 2, Out: out})}
	}
	bytes := id.Bytes()
	owner, refused := wal.Record{Kind: recordOwner, Data: ownerRecord("us")}, wal.Record{Kind: recordRefused, Data: bytes[:]}
	for _, c := range []struct {
		records []wal.Record
		left    []uint64
	}{
		{[]wal.Record{fulfill(1), fulfill(2), fulfill(1), fulfill(2)}, []uint64{1, 2}},
		{[]wal.Record{fulfill(1), fulfill(2), refused}, []uint64{2}},
		{[]wal.Record{fulfill(1), refused, fulfill(2)}, []uint64{2}},
		{[]wal.Record{fulfill(1), fulfill(2), refused, fulfill(1), refused}, []uint64{1}},
		{[]wal.Record{fulfill(1), fulfill(2), refused, refused, refused}, nil},
	} {
		found := &recoveredJournal{namespace: "us", indexByPacket: make(map[ledger.ID][]int)}
		for _, r := range append([]wal.Record{owner}, c.records...) {
			require.NoError(t, found.restoreRecord(r))
		}
		var left []uint64
		for _, r := range found.fulfills {
			if !r.refused {
				left = append(left, r.packet.Out)
			}
		}
		require.Equal(t, c.left, left)
	}
}

// A sum beyond the largest amount is the largest amount.
func TestSumsThatDoNotFit(t *testing.T) {
	t.Parallel()
	require.Equal(t, ledger.AmountMax, sumAmounts(ledger.AmountMax, ledger.NewAmount(1)))
	require.Equal(t, ledger.AmountMax, sumAmounts(ledger.NewAmount(1), ledger.AmountMax, ledger.NewAmount(5)))
	require.Equal(t, ledger.AmountMax, sumAmounts(ledger.AmountMax))
	require.Equal(t, ledger.NewAmount(6), sumAmounts(ledger.NewAmount(1), ledger.Amount{}, ledger.NewAmount(5)))
}
