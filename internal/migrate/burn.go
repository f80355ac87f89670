package migrate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
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

// burnCredit is the credit account of transfers that only burn an id. It need not exist: a server looks
// for the debit account first.
var burnCredit = ledger.NewID(1, 0)

// burntLister is a ledger that lists its burnt ids: an embedded ledger.
type burntLister interface {
	BurntIDs(ctx context.Context) iter.Seq2[ledger.ID, error]
}

// burnAgain burns ids in the new ledger that the old ledger has burnt: all of them if the old ledger
// lists them, else those that protect packets.
//
// burnAgain must follow the last transfer: a burnt id can no longer be imported. After an interruption it
// burns all from the first id on: burning twice changes nothing.
func (m *migration) burnAgain() error {
	unused, err := m.findUnusedAccount()
	if err != nil {
		return err
	}
	burn := &burner{m, unused, nil}
	if from, ok := m.from.(burntLister); ok {
		err = burn.addAll(from.BurntIDs(m.ctx))
	} else {
		err = burn.addEarlierPhases()
	}
	if err != nil {
		return err
	}
	return burn.burnWaiting()
}

// burner collects ids, and burns those that fill a request at a time.
type burner struct {
	*migration

	unused  ledger.ID // an account that must not exist
	waiting []ledger.ID
}

func (b *burner) addAll(ids iter.Seq2[ledger.ID, error]) error {
	for id, err := range ids {
		if err == nil {
			err = b.addID(id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addEarlierPhases adds the burnt ids that protect packets, from a server, which does not list its burnt
// ids. A recorder that repeats an operation from before the migration tries the phases in order. Without
// the burnt ids the new ledger would book the first phase, although a later phase is already booked.
//
// A correction proves that each earlier phase had a burnt id. The ids of the correction's own leg in the
// earlier phases are enough to refuse each of these phases, since the chains of all phases have the same
// legs. Bookings under other keys need no burnt ids (package idempotent). Rounds of packets (package
// aggregate) need none either: a recorder sends only the last attempt in its journal, and looks for this
// attempt first.
func (b *burner) addEarlierPhases() error {
	corrections := func(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
		f.Code = chart.CodeCorrection
		return b.from.QueryTransfers(ctx, f)
	}
	return eachPage(b.ctx, corrections, transferTime, 0, b.pageSize, func(page []ledger.Transfer) error {
		for i := range page {
			for _, id := range listEarlierIDs(&page[i]) {
				if err := b.addID(id); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// addID adds an id, and burns those that wait if they fill a request.
func (b *burner) addID(id ledger.ID) error {
	b.waiting = append(b.waiting, id)
	if len(b.waiting) < b.requestMax {
		return nil
	}
	return b.burnWaiting()
}

// burnWaiting burns the ids that wait, with transfers whose debit account does not exist. An id that is
// already booked needs no burning.
func (b *burner) burnWaiting() error {
	if len(b.waiting) == 0 {
		return nil
	}
	events := make([]ledger.Transfer, len(b.waiting))
	for i, id := range b.waiting {
		events[i] = ledger.Transfer{ID: id, DebitAccountID: b.unused, CreditAccountID: burnCredit, Ledger: 1, Code: chart.CodeCorrection}
	}
	b.waiting = b.waiting[:0]
	results, err := b.to.CreateTransfers(b.ctx, events)
	if err != nil {
		return err
	}
	for i, r := range results {
		switch {
		case r.Status == ledger.TransferDebitAccountNotFound, r.Status == ledger.TransferIDAlreadyFailed:
			b.result.Burnt++
		case r.Status.Conflict():
		default:
			return fmt.Errorf("%w: burn the id %v: %v", ErrRefused, events[i].ID, r.Status)
		}
	}
	b.reportProgress("burnt ids", b.result.Burnt)
	return nil
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
