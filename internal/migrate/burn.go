package migrate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// The low 8 bits of the id of a packet's transfer: 4 bits of the leg above 4 bits of the phase
// (package transfers, ids.go).
const (
	packetBits = 8
	phaseMask  = 1<<(packetBits/2) - 1
)

// replayPhases are the phases in which a recorder tries to book an already fulfilled packet, in
// order: at once, then as corrections. The recorder takes the next phase only if the ledger has
// burnt an id of the current one.
var replayPhases = []uint64{3, 4, 5, 14, 15}

// burnAgain burns ids of packets that the old ledger has burnt. A recorder that repeats an
// operation from before the migration tries the phases in order. Without the burnt ids the new
// ledger would book the first phase, although a later phase is already booked.
//
// A ledger does not list its burnt ids. But a correction proves that each earlier phase had a burnt
// id. burnAgain burns the ids of the correction's own leg in the earlier phases. This is enough to
// refuse each of these phases, since the chains of all phases have the same legs. Bookings under
// other keys need no burnt ids (package idempotent). Rounds of packets (package aggregate) need none
// either: a recorder sends only the last attempt in its journal, and looks for this attempt first.
//
// burnAgain must follow the last transfer: a burnt id can no longer be imported.
func (m *migration) burnAgain() error {
	unused, err := m.findUnusedAccount()
	if err != nil {
		return err
	}
	corrections := func(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
		f.Code = chart.CodeCorrection
		return m.from.QueryTransfers(ctx, f)
	}
	return eachPage(m.ctx, corrections, transferTime, 0, m.pageSize, func(page []ledger.Transfer) error {
		var events []ledger.Transfer
		for i := range page {
			for _, id := range listEarlierIDs(&page[i]) {
				events = append(events, ledger.Transfer{
					ID: id, DebitAccountID: unused, CreditAccountID: page[i].CreditAccountID, Ledger: page[i].Ledger, Code: page[i].Code,
				})
			}
		}
		for events := range slices.Chunk(events, m.pageSize) {
			if err := m.burnIDs(events); err != nil {
				return err
			}
		}
		return nil
	})
}

// listEarlierIDs returns the ids of a correction's leg in the earlier phases; none if the row does
// not belong to a packet.
func listEarlierIDs(t *ledger.Transfer) []ledger.ID {
	packet := t.ID
	packet.Lo &^= 1<<packetBits - 1
	if uint128.Uint128(packet) != t.UserData128 {
		return nil
	}
	ownPhase := slices.Index(replayPhases, t.ID.Lo&phaseMask)
	var ids []ledger.ID
	for _, phase := range replayPhases[:max(ownPhase, 0)] {
		id := t.ID
		id.Lo = id.Lo&^phaseMask | phase
		ids = append(ids, id)
	}
	return ids
}

// findUnusedAccount returns the id of an account that must not exist: a debit of this account burns
// the transfer's id.
func (m *migration) findUnusedAccount() (ledger.ID, error) {
	sum := sha256.Sum256([]byte("peerledger migrate: no account"))
	id := ledger.IDFromBytes([16]byte(sum[:16]))
	found, err := m.to.LookupAccounts(m.ctx, []ledger.ID{id})
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%w: account %v, which must not exist", ErrRefused, id)
	}
	return id, err
}

// burnIDs burns the ids of transfers whose debit account does not exist. An id that is already
// booked needs no burning.
func (m *migration) burnIDs(events []ledger.Transfer) error {
	results, err := m.to.CreateTransfers(m.ctx, events)
	if err != nil {
		return err
	}
	for i, r := range results {
		switch {
		case r.Status == ledger.TransferDebitAccountNotFound, r.Status == ledger.TransferIDAlreadyFailed:
			m.result.Burnt++
		case r.Status.Conflict():
		default:
			return fmt.Errorf("%w: burn the id %v: %v", ErrRefused, events[i].ID, r.Status)
		}
	}
	m.reportProgress("burnt ids", m.result.Burnt)
	return nil
}
