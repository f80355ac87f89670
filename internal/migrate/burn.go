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

// The low 8 bits of the id of a packet's transfer: 4 of the leg, above 4 of the phase
// (package transfers, ids.go).
const (
	packetBits = 8
	phaseMask  = 1<<(packetBits/2) - 1
)

// replayPhases are the phases in which a recorder tries to book a packet that was fulfilled
// already, in its order: at once, and as corrections. It goes on to the next one only if the
// ledger has burnt an id of this one.
var replayPhases = []uint64{3, 4, 5, 14, 15}

// burnAgain burns ids of packets that the old ledger has burnt. A recorder that repeats an
// operation from before the move tries the phases in their order; without the burnt ids the
// new ledger would take the first one, although a later one is booked.
//
// Which ids were burnt no ledger tells, but a correction says that each phase before its own
// had one. Burning those of the correction's own leg ends each of these phases just as well,
// since the chains of all phases have the same legs. What is booked under other keys needs no
// burnt ids (package keyed).
//
// It comes after the last transfer: an id that is burnt can no longer be imported.
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

// listEarlierIDs are the ids of a correction's leg in the phases before its own; none if the row is
// no packet's.
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

// findUnusedAccount is an account that neither ledger has: a debit of it burns the transfer's id.
func (m *migration) findUnusedAccount() (ledger.ID, error) {
	sum := sha256.Sum256([]byte("peerledger migrate: no account"))
	id := ledger.IDFromBytes([16]byte(sum[:16]))
	found, err := m.to.LookupAccounts(m.ctx, []ledger.ID{id})
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%w: account %v, which is not to exist", ErrRefused, id)
	}
	return id, err
}

// burnIDs burns the ids of transfers whose debit account does not exist. An id that is in the
// ledger cannot be booked again anyway.
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
