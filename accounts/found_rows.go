package accounts

import (
	"cmp"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// nameAccounts finds out what the accounts of the rows are. Accounts of peers that the query does not name are
// looked up.
func (f *finder) nameAccounts(ctx context.Context) error {
	for _, peer := range f.query.Peers {
		ids := f.book.PeerIDs(peer)
		for kind, id := range map[string]ledger.ID{peerKind: ids.Peer, lineKind: ids.Line, settlementKind: ids.Settlement, arrearsKind: ids.Arrears} {
			f.accounts[id] = FoundAccount{ID: id, Asset: f.book.assets[peer.ledger].asset, AccountKind: kind, Peer: peer.peer}
		}
	}
	missing := map[ledger.ID]struct{}{}
	for _, row := range f.rows {
		for _, id := range []ledger.ID{row.DebitAccountID, row.CreditAccountID} {
			if _, known := f.accounts[id]; !known {
				missing[id] = struct{}{}
			}
		}
	}
	records, err := batch.Each(ctx, slices.SortedFunc(maps.Keys(missing), ledger.ID.Compare), 1, f.book.ledger.LookupAccounts)
	for i := range records {
		r := &records[i]
		f.accounts[r.ID] = FoundAccount{ID: r.ID, Asset: f.book.assets[r.Ledger].asset, AccountKind: accountKind(r.Code)}
	}
	return err
}

// accountKind returns the kind of the accounts with a code.
func accountKind(code uint16) string {
	for _, k := range trialKinds {
		if k.code == code {
			return k.kind
		}
	}
	return otherKind
}

// makeResult groups the rows into things.
func (f *finder) makeResult() FindResult {
	rows := slices.SortedFunc(maps.Values(f.rows), func(a, b ledger.Transfer) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	packets := map[ledger.ID]struct{}{}
	for i := range rows {
		if f.book.isPacketRow(&rows[i]) {
			packets[ledger.ID(rows[i].UserData128)] = struct{}{}
		}
	}
	thingOf := func(row *ledger.Transfer) ledger.ID {
		tag := ledger.ID(row.UserData128)
		_, ofPacket := packets[tag]
		_, ofOrder := f.rows[tag]
		switch {
		case ofPacket && (row.Code <= chart.CodeCorrection || row.Code == chart.CodeCollection):
			return tag
		case ofOrder && row.Code == chart.CodeOverpaid:
			return tag
		case !row.PendingID.IsZero():
			return row.PendingID
		default:
			return row.ID
		}
	}
	var order []ledger.ID
	things := map[ledger.ID][]ledger.Transfer{}
	for i := range rows {
		id := thingOf(&rows[i])
		if things[id] == nil {
			order = append(order, id)
		}
		things[id] = append(things[id], rows[i])
	}
	result := FindResult{Next: f.next}
	for _, id := range order {
		_, isPacket := packets[id]
		result.Found = append(result.Found, f.makeFound(id, isPacket, things[id]))
	}
	return result
}

// makeFound makes the thing of its rows, the oldest first.
func (f *finder) makeFound(id ledger.ID, isPacket bool, rows []ledger.Transfer) Found {
	first := &rows[0]
	t := Found{Kind: cmp.Or(foundKinds[first.Code], FoundTransfer), ID: id, Since: timeOf(first.Timestamp)}
	if isPacket {
		t.Kind = FoundPacket
	}
	if ends := expiryOf(first); ends != 0 {
		t.Expiry = timeOf(ends)
	}
	for i := range rows {
		t.Rows = append(t.Rows, f.makeRow(&rows[i]))
	}
	if isPacket || first.Code == chart.CodeAdjust {
		binary.BigEndian.PutUint64(t.ConditionTag[:], first.UserData64)
	}
	switch first.Code {
	case chart.CodeIncoming, chart.CodeOutgoing, chart.CodeReturned, chart.CodeAnnounced, chart.CodeAdjust:
		t.KeyHash = ledger.ID(first.UserData128)
	}
	if isPacket {
		f.setPacketSides(&t, rows)
	} else {
		f.setSides(&t, rows)
	}
	f.setState(&t, rows)
	return t
}

func (f *finder) makeRow(row *ledger.Transfer) FoundRow {
	r := FoundRow{
		Transfer: row.ID, Time: timeOf(row.Timestamp), Code: row.Code, Step: stepBook, Amount: row.Amount,
		Asset: f.book.assets[row.Ledger].asset, Debit: f.accounts[row.DebitAccountID], Credit: f.accounts[row.CreditAccountID],
	}
	switch {
	case row.Flags.Has(ledger.TransferPending):
		r.Step = stepHold
	case row.Flags.Has(ledger.TransferPostPending):
		r.Step = stepPost
	case row.Flags.Has(ledger.TransferVoidPending):
		r.Step = stepVoid
	}
	return r
}

// The values of [FoundRow.Step].
const (
	stepHold = "hold"
	stepPost = "post"
	stepVoid = "void"
	stepBook = "book"
)

// setSides sets both sides of a thing that is no packet. Of an order, Out is what was paid.
func (f *finder) setSides(t *Found, rows []ledger.Transfer) {
	first := &t.Rows[0]
	t.From, t.To, t.In, t.Out = first.Debit, first.Credit, first.Amount, first.Amount
	if t.Kind != FoundOrder {
		return
	}
	t.Out = ledger.Amount{}
	for i := range rows {
		if rows[i].Code == chart.CodeOverpaid || rows[i].Flags.Has(ledger.TransferPostPending) {
			t.Out, _ = t.Out.Add(rows[i].Amount) // parts of the credits of the settlement account
		}
	}
}

// setPacketSides sets the sender and the receiver of a packet. The first leg comes from the sender. The receiver
// is credited by the last of the legs to a peer, and a packet to ourselves has one leg only. A correction has
// the sender's arrears in the sender's place.
func (f *finder) setPacketSides(t *Found, rows []ledger.Transfer) {
	legs := beginningLegs(rows)
	sender, receiver := legs[0].DebitAccountID, legs[0].CreditAccountID
	for i := range legs {
		if a := f.accounts[legs[i].CreditAccountID]; a.AccountKind == peerKind {
			receiver = a.ID
		}
	}
	t.From, t.To = f.accounts[sender], f.accounts[receiver]
	for i := range legs {
		if legs[i].DebitAccountID == sender {
			t.In, _ = t.In.Add(legs[i].Amount) // amounts of packets have 64 bits
		}
		if legs[i].CreditAccountID == receiver {
			t.Out, _ = t.Out.Add(legs[i].Amount)
		}
	}
}

// beginningLegs returns the legs of the chain that began a packet: its holds, or the legs of a forward. A packet
// without either, which a recorder in rounds decided, has those of its correction.
func beginningLegs(rows []ledger.Transfer) (legs []ledger.Transfer) {
	for i := range rows {
		isCorrection := rows[i].Code == chart.CodeCorrection
		if rows[i].PendingID.IsZero() && isCorrection == (rows[0].Code == chart.CodeCorrection) && rows[i].Code != chart.CodeCollection {
			legs = append(legs, rows[i])
		}
	}
	return legs
}

// setState sets the state of a thing, and when it was reached.
func (f *finder) setState(t *Found, rows []ledger.Transfer) {
	isPacket := t.Kind == FoundPacket
	var posted, voided, corrected time.Time
	for i := range rows {
		at := timeOf(rows[i].Timestamp)
		switch {
		case isPacket && rows[i].Code == chart.CodeCorrection && corrected.IsZero():
			corrected = at
		case rows[i].Flags.Has(ledger.TransferPostPending):
			posted = at
		case rows[i].Flags.Has(ledger.TransferVoidPending):
			voided = at
		}
	}
	_, partial := f.partial[t.ID]
	switch {
	case !corrected.IsZero():
		t.State, t.Ended = StateCorrected, corrected
	case !posted.IsZero():
		t.State, t.Ended = stateOf(t.Kind, StateFulfilled, StatePaid, StateEnded), posted
	case !voided.IsZero():
		t.State, t.Ended = stateOf(t.Kind, StateRejected, StateCancelled, StateEnded), voided
	case !rows[0].Flags.Has(ledger.TransferPending):
		t.State, t.Ended = stateOf(t.Kind, StateFulfilled, StateBooked, StateBooked), t.Since
	case partial:
		t.State = StateUnknown
	case !t.Expiry.IsZero() && !f.query.Now.Before(t.Expiry):
		t.State, t.Ended = StateExpired, t.Expiry
	default:
		t.State = stateOf(t.Kind, StateHeld, StateOpen, StateOpen)
	}
}

// stateOf picks the state of a packet, of an order, or of another thing.
func stateOf(kind FoundKind, packet, order, other FoundState) FoundState {
	if kind == FoundPacket {
		return packet
	}
	if kind == FoundOrder {
		return order
	}
	return other
}
