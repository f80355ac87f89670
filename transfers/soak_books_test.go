package transfers_test

import (
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// compareBooks compares the books with the model after all holds have ended.
func (s *soak) compareBooks() {
	s.t.Helper()
	require.NoError(s.t, s.retryRecorder.Load().Close(s.ctx))
	found := s.awaitHolds()
	for i, peer := range s.peers { // the lines were granted before the storm
		s.total.totalsOf(peer.ID()).credits += s.lines[i]
	}
	for _, a := range found {
		want := s.total.totalsOf(a.ID)
		if a.DebitsPosted != units(want.debits) || a.CreditsPosted != units(want.credits) {
			s.failf("account %v of code %d on ledger %d: debits %v, credits %v; acknowledged: %d and %d",
				a.ID, a.Code, a.Ledger, a.DebitsPosted, a.CreditsPosted, want.debits, want.credits)
		}
	}
	for _, a := range found {
		if a.Code == chart.CodeArrears && a.DebitsPosted.Less(a.CreditsPosted) {
			s.failf("arrears account %v: %v collected of %v", a.ID, a.CreditsPosted, a.DebitsPosted)
		}
	}
	ledgertest.RequireNothingHeld(s.t, s.direct)
	for i := range s.sampledResults {
		s.checkRows(&s.sampledResults[i])
	}
	s.faults.logCounts(s.t, "faults")
	if s.slowestStart > 0 {
		s.t.Logf("the slowest start of the ledger took %v", s.slowestStart)
	}
	s.t.Logf("%d packets checked row by row", len(s.sampledResults))
	s.meter.checkFigures(s.t, s.isLong())
	s.t.Logf("seed %d", s.seed)
}

// awaitHolds waits until nothing is held, and returns all accounts. It fails 5 seconds after
// the longest hold.
func (s *soak) awaitHolds() []ledger.Account {
	s.t.Helper()
	var ids []ledger.ID
	for _, peer := range s.peers {
		ids = append(ids, peer.ID(), s.book.PeerIDs(peer).Arrears)
	}
	for _, own := range s.assetIDs {
		ids = append(ids, own.Liquidity, own.Revenue, own.Dust, own.Suspense)
	}
	for deadline := time.Now().Add(soakHold + 5*time.Second); ; {
		found, err := s.direct.LookupAccounts(s.ctx, ids)
		require.NoError(s.t, err)
		require.Len(s.t, found, len(ids))
		held := 0
		for _, a := range found {
			if !a.DebitsPending.IsZero() || !a.CreditsPending.IsZero() {
				held++
			}
		}
		if held == 0 {
			return found
		}
		require.True(s.t, time.Now().Before(deadline), "%d accounts hold something after the longest hold", held)
		waitFor(s.ctx, 50*time.Millisecond)
	}
}

// The phases of a packet's transfers, in the low four bits of their ids.
const (
	phaseHeld   = 0
	phasePosted = 1
	phaseSingle = 3
	phaseAgain  = 6 // to 9
)

// checkRows checks that a packet is in the books once, and as its result states.
func (s *soak) checkRows(r *transfers.Result) {
	s.t.Helper()
	rows, err := s.direct.QueryTransfers(s.ctx, ledger.QueryFilter{UserData128: uint128.Uint128(r.Packet.ID), Limit: 100})
	require.NoError(s.t, err)
	legs := make(map[uint64]int) // rows by phase
	stamped := r.BookedAt.IsZero()
	for _, row := range rows {
		legs[row.ID.Lo&15]++
		stamped = stamped || int64(row.Timestamp) == r.BookedAt.UnixNano()
	}
	all, _ := s.total.movements(&r.Packet)
	held := 0
	if r.Kind == transfers.KindFulfill {
		held = len(all)
	}
	collecting := 0
	if !r.Packet.From.IsOwn() {
		collecting = 1
	}
	again := legs[phaseAgain] + legs[phaseAgain+1] + legs[phaseAgain+2] + legs[phaseAgain+3]
	inTime := legs[phasePosted] + legs[phaseSingle] + again
	corrected := legs[phaseLate] == len(all)+collecting && legs[phaseNoSender] == 0 ||
		legs[phaseLate] == 0 && legs[phaseNoSender] == len(all)
	ok := inTime == len(all) && legs[phaseLate]+legs[phaseNoSender] == 0
	if r.Late {
		ok = inTime == 0 && corrected
	}
	if !ok || !stamped || legs[phaseHeld] != held || len(rows) != held+inTime+legs[phaseLate]+legs[phaseNoSender] {
		s.failf("packet %v, %v, late %v, of %d legs, at %v: rows by phase %v", r.Packet.ID, r.Kind, r.Late, len(all), r.BookedAt, legs)
	}
}
