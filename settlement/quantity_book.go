package settlement

import (
	"context"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// valueBooking books a value: one chain of the payment's own row, the end of its announcement if there is one, and the
// next row of the remainder if the value has a fraction.
//
// The own row has the payment's key as id, and the number of the remainder in user_data_64: 0 for a value of whole
// units, whose row is the one of RecordIncoming. It credits the control account with 0 units if the payment makes no
// whole unit. The units follow from the remainder at that moment, so two calls under a key may send different rows. The
// ledger takes one chain, and each call finds the booked value by the two remainders (readStoredValue).
type valueBooking struct {
	account    accounts.PeerAccount
	name       idempotent.Name
	value      unitValue
	ids        accounts.PeerIDs
	assetIDs   accounts.AssetIDs
	attempt    uint64           // of the key; all lower ones are burnt, or taken by the announcement
	announced  *ledger.Transfer // the announcement of the payment; nil: none
	endsBefore bool             // the announcement has ended before: the chain does without its end
	suspense   bool             // the peer account is closed
}

// bookValue books a value under a key, or finds it booked.
func (e *Engine) bookValue(ctx context.Context, a accounts.PeerAccount, key string, value unitValue, closed bool) (PaymentBooking, error) {
	v := valueBooking{account: a, value: value, ids: e.book.PeerIDs(a), suspense: closed}
	v.name = idempotent.Name{Namespace: e.ns, Kind: idempotent.KindIncoming, Account: v.ids.Settlement, Key: key}
	v.assetIDs, _ = e.book.AssetIDs(a.Ledger())
	booked, found, err := e.findValue(ctx, &v)
	if found || err != nil {
		return booked, err
	}
	turn := new(remainderTurn) // a value without a fraction needs no turn
	if v.hasFraction() {
		if turn, err = e.remainders.take(ctx, v.ids.Settlement); err != nil {
			return PaymentBooking{}, err
		}
		defer turn.release()
	}
	for v.attempt < idempotent.MaxAttempts {
		booked, done, err := e.tryValue(ctx, &v, turn)
		if done || err != nil {
			return booked, err
		}
	}
	return PaymentBooking{}, accounts.ErrKeyBurnt
}

func (v *valueBooking) hasFraction() bool { return !v.value.fraction.IsZero() }

// findValue looks the key up. found is true if the value is booked; the error is [accounts.ErrKeyReused] if another is.
// An announcement under the key is noted in v.
func (e *Engine) findValue(ctx context.Context, v *valueBooking) (booked PaymentBooking, found bool, err error) {
	rows, err := idempotent.LookUpRows(ctx, e.ledger, v.name.ID)
	if err != nil {
		return PaymentBooking{}, false, wrap("look the payment up", err)
	}
	if len(rows) > 0 && rows[0].Code == chart.CodeAnnounced {
		announced := rows[0] // the first attempt in the ledger; the payment comes behind it
		v.announced, v.attempt = &announced, v.attemptAfter(announced.ID)
		rows = rows[1:]
	}
	if len(rows) == 0 {
		return PaymentBooking{}, false, nil
	}
	stored, err := e.readStoredValue(ctx, v.account, &rows[0])
	switch {
	case err != nil:
		return PaymentBooking{}, false, err
	case stored != v.value:
		return PaymentBooking{}, false, e.keyReusedError(rows[0])
	}
	booked = v.newBooking(&rows[0])
	booked.AlreadyBooked = true
	return booked, true, nil
}

// attemptAfter returns the number of the attempt behind the one with an id.
func (v *valueBooking) attemptAfter(id ledger.ID) (attempt uint64) {
	for attempt = 0; attempt < idempotent.MaxAttempts && v.name.ID(attempt) != id; {
		attempt++
	}
	return max(attempt+1, v.attempt)
}

func (v *valueBooking) newBooking(row *ledger.Transfer) PaymentBooking {
	booked := PaymentBooking{
		Booking:    accounts.Booking{Transfer: row.ID, Amount: row.Amount, BookedAt: timeOf(row.Timestamp)},
		InSuspense: row.CreditAccountID == v.assetIDs.Suspense,
	}
	if v.announced != nil {
		booked.Announced = v.announced.Amount
	}
	return booked
}

// tryValue sends the chain once, in the account's turn. done is false if the next try has to differ; v and turn are
// changed for it then.
func (e *Engine) tryValue(ctx context.Context, v *valueBooking, turn *remainderTurn) (booked PaymentBooking, done bool, err error) {
	if turn.newest == nil && v.hasFraction() {
		newest, err := e.readRemainder(ctx, v.account, 0)
		if err != nil {
			return PaymentBooking{}, false, err
		}
		turn.newest = &newest
	}
	var rows []ledger.Transfer
	var before, after remainder
	if v.hasFraction() {
		before = *turn.newest
		turn.newest = nil // unknown, unless the answer tells
		rows, after = e.buildFraction(v, before)
	} else {
		rows = e.buildChain(v, v.value.whole, 0)
	}
	probe := v.buildProbe(&rows[0])
	results, err := e.ledger.CreateTransfers(ctx, append(probe, rows...))
	if err != nil {
		return PaymentBooking{}, false, err
	}
	chain := ledger.ChainOutcome(results)
	chain.Breaker = max(chain.Breaker-len(probe), 0) // a refused probe is a refusal of the own row, which stays free
	switch {
	case chain.Outcome == ledger.OutcomeApplied:
		turn.newest = &after
		rows[0].Timestamp = results[len(probe)].Timestamp
		return v.newBooking(&rows[0]), true, nil
	case rows[chain.Breaker].Code != chart.CodeRemainder:
		return e.answerOwnRows(ctx, v, rows, chain)
	case chain.Status == ledger.TransferIDAlreadyFailed:
		turn.newest = &remainder{after.number, before.fractions} // the number is burnt: no payment has it or ever will
		return PaymentBooking{}, false, nil
	case chain.Status == ledger.TransferExists || chain.Conflict(): // another payment took the number
		return PaymentBooking{}, false, nil
	default:
		return PaymentBooking{}, false, refusalError(&ledger.TransferError{ID: rows[chain.Breaker].ID, Status: chain.Status})
	}
}

// buildProbe returns the probe that a later attempt has in front of its own row, so that refusals never use up the
// key ([idempotent.Probe]). The own row is the only one of the chain that is refused again and again.
func (v *valueBooking) buildProbe(own *ledger.Transfer) []ledger.Transfer {
	probe := idempotent.Probe(v.attempt, own)
	for i := range probe {
		probe[i].Flags |= ledger.TransferLinked
	}
	return probe
}

// buildFraction returns the chain that counts on a remainder, and the remainder after it.
func (e *Engine) buildFraction(v *valueBooking, before remainder) ([]ledger.Transfer, remainder) {
	after, units := before.add(v.value)
	rows := e.buildChain(v, units, after.number)
	rows[len(rows)-1].Flags |= ledger.TransferLinked
	return append(rows, ledger.Transfer{
		ID: e.remainderID(v.ids.Settlement, after.number), DebitAccountID: v.ids.Settlement, CreditAccountID: v.assetIDs.Control,
		UserData128: after.fractions, UserData64: after.number, Ledger: v.account.Ledger(), Code: chart.CodeRemainder,
	}), after
}

// buildChain returns the payment's own row, and the end of its announcement.
func (e *Engine) buildChain(v *valueBooking, units ledger.Amount, number uint64) []ledger.Transfer {
	own := ledger.Transfer{
		ID: v.name.ID(v.attempt), DebitAccountID: v.ids.Settlement, CreditAccountID: v.ids.Peer, Amount: units,
		UserData128: uint128.Uint128(e.paymentTagOf(v.ids.Settlement, v.name.Key)), UserData64: number,
		Ledger: v.account.Ledger(), Code: chart.CodeIncoming,
	}
	switch {
	case units.IsZero():
		own.CreditAccountID = v.assetIDs.Control
	case v.suspense:
		own.CreditAccountID = v.assetIDs.Suspense
	}
	rows := append(make([]ledger.Transfer, 0, 3), own)
	if v.announced != nil && !v.endsBefore {
		rows[0].Flags |= ledger.TransferLinked
		rows = append(rows, e.receivedVoidRow(v.announced, own.ID))
	}
	return rows
}

// answerOwnRows decides by a refusal of the payment's own row or of the end of its announcement.
func (e *Engine) answerOwnRows(ctx context.Context, v *valueBooking, rows []ledger.Transfer, chain ledger.Chain) (booked PaymentBooking, done bool, err error) {
	refusal := &ledger.TransferError{ID: rows[chain.Breaker].ID, Status: chain.Status}
	switch isOwn := chain.Breaker == 0; {
	case isOwn && (chain.Status == ledger.TransferExists || chain.Conflict()): // by an equal call, or by another value
		return e.findValue(ctx, v)
	case isOwn && chain.Status == ledger.TransferIDAlreadyFailed:
		v.attempt++
	case isOwn && isCreditClosed(refusal) && !v.suspense: // closed since the look-up
		v.suspense = true // under the same number, which may be burnt: then the next answer tells
	case !isOwn && announcementEnded(refusal):
		v.endsBefore = true
	default:
		return PaymentBooking{}, false, refusalError(refusal)
	}
	return PaymentBooking{}, false, nil
}
