package accounts

import (
	"context"
	"encoding/binary"
	"slices"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// findID finds the transfer with an id, and the rows that have the id as their packet or key.
func (f *finder) findID(ctx context.Context, id ledger.ID) error {
	rows, err := f.book.ledger.LookupTransfers(ctx, []ledger.ID{id})
	if err != nil {
		return err
	}
	f.addRows(rows)
	for i := range rows {
		if f.book.isPacketRow(&rows[i]) {
			packet, err := f.readPacket(ctx, rows[i].UserData128)
			f.addRows(packet)
			return err
		}
		if err := f.findRelated(ctx, rows[i]); err != nil {
			return err
		}
	}
	tagged, err := f.readPage(ctx, ledger.QueryFilter{UserData128: uint128.Uint128(id)})
	f.addRows(tagged)
	return err
}

// readPacket reads all rows of a packet, the oldest first: some dozen at most.
func (f *finder) readPacket(ctx context.Context, packet uint128.Uint128) ([]ledger.Transfer, error) {
	limit := maxPacketRows
	return batch.Page(&limit, func() ([]ledger.Transfer, error) {
		return f.book.ledger.QueryTransfers(ctx, ledger.QueryFilter{UserData128: packet, Limit: uint32(limit)})
	})
}

// maxPacketRows is more than a packet can have: an id of a packet's row has 8 bits for leg and phase.
const maxPacketRows = 256

// findRelated reads what else belongs to a row: the hold that it resolves, the post or void, and the
// excess that a rail paid beyond an order.
func (f *finder) findRelated(ctx context.Context, row ledger.Transfer) error {
	if !row.PendingID.IsZero() {
		held, err := f.book.ledger.LookupTransfers(ctx, []ledger.ID{row.PendingID})
		if err != nil {
			return err
		}
		f.addRows(held)
		if len(held) == 0 {
			return nil
		}
		row = held[0]
	}
	if !row.Flags.Has(ledger.TransferPending) {
		return nil
	}
	limit := f.limit
	rows, err := batch.Page(&limit, func() ([]ledger.Transfer, error) {
		return f.book.ledger.GetAccountTransfers(ctx, resolutionFilter(&row, limit))
	})
	resolved := false
	for i := range rows {
		resolved = resolved || rows[i].PendingID == row.ID
		if rows[i].PendingID == row.ID || rows[i].Code == chart.CodeOverpaid && ledger.ID(rows[i].UserData128) == row.ID {
			f.rows[rows[i].ID] = rows[i]
		}
	}
	if !resolved && len(rows) == limit {
		f.partial[row.ID] = struct{}{}
	}
	return err
}

// resolutionFilter selects the rows among which the post or void of a pending row is. A post or void inherits
// the code and the user data; the post of a reservation has the number of its own round in user_data_32, and
// the sum of the round's legs in user_data_128.
func resolutionFilter(row *ledger.Transfer, limit int) ledger.AccountFilter {
	filter := ledger.AccountFilter{
		AccountID: row.DebitAccountID, UserData64: row.UserData64, Code: row.Code,
		TimestampMin: row.Timestamp, Limit: uint32(limit), Flags: ledger.AccountFilterDebits,
	}
	switch row.Code {
	case chart.CodeReserve:
	case chart.CodeOrder: // the excess debits the arrears, and has a code of its own
		filter.AccountID, filter.Code, filter.Flags = row.CreditAccountID, 0, ledger.AccountFilterCredits
	default:
		filter.UserData128, filter.UserData32 = row.UserData128, row.UserData32
	}
	return filter
}

// findCondition reads a page of the rows with a condition, and completes their packets.
func (f *finder) findCondition(ctx context.Context, tag [8]byte) error {
	rows, err := f.readPage(ctx, ledger.QueryFilter{UserData64: binary.BigEndian.Uint64(tag[:])})
	if err != nil {
		return err
	}
	isPart := !f.next.IsZero() || !f.query.After.IsZero() // the page may lack rows of its packets
	packets := map[uint128.Uint128]struct{}{}
	for i := range rows {
		row := &rows[i]
		if _, found := packets[row.UserData128]; found || !row.PendingID.IsZero() {
			continue
		}
		switch {
		case f.book.isPacketRow(row):
			packets[row.UserData128] = struct{}{}
		case row.Code == chart.CodeAdjust:
			f.rows[row.ID] = *row
		}
	}
	if isPart {
		return f.completePackets(ctx, packets)
	}
	for i := range rows { // without rows of other kinds, whose number may equal the condition
		if _, found := packets[rows[i].UserData128]; found {
			f.rows[rows[i].ID] = rows[i]
		}
	}
	return nil
}

// completePackets reads all rows of packets. A packet that began on an earlier page was found there.
func (f *finder) completePackets(ctx context.Context, packets map[uint128.Uint128]struct{}) error {
	for packet := range packets {
		rows, err := f.readPacket(ctx, packet)
		if err != nil {
			return err
		}
		if len(rows) > 0 && timeOf(rows[0].Timestamp).After(f.query.After) {
			f.addRows(rows)
		}
	}
	return nil
}

// readPage reads the page of rows that a query asks for.
func (f *finder) readPage(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	if !f.query.After.IsZero() {
		filter.TimestampMin = timestampOf(f.query.After.Add(1))
	}
	rows, err := batch.Page(&f.limit, func() ([]ledger.Transfer, error) {
		filter.Limit = uint32(f.limit)
		return f.book.ledger.QueryTransfers(ctx, filter)
	})
	if err == nil && len(rows) == f.limit {
		f.next = timeOf(rows[len(rows)-1].Timestamp)
	}
	return rows, err
}

// findKey finds the bookings that a key names, and then all rows with the key.
func (f *finder) findKey(ctx context.Context, key string) error {
	var ids []ledger.ID
	for _, peer := range f.query.Peers {
		accounts := f.book.PeerIDs(peer)
		for kind, account := range map[string]ledger.ID{
			idempotent.KindIncoming: accounts.Settlement, idempotent.KindOutgoing: accounts.Settlement, idempotent.KindReturned: accounts.Settlement,
			idempotent.KindAdjustment: accounts.Peer, idempotent.KindWriteOff: accounts.Arrears,
		} {
			name := f.book.bookingName(kind, account, key)
			for attempt := range uint64(idempotent.MaxAttempts) {
				ids = append(ids, name.ID(attempt))
			}
		}
	}
	booked, err := batch.Each(ctx, ids, 1, f.book.ledger.LookupTransfers)
	if err != nil {
		return err
	}
	f.addRows(booked)
	var tags []uint128.Uint128
	for i := range booked {
		if tag := booked[i].UserData128; !slices.Contains(tags, tag) {
			tags = append(tags, tag)
			rows, err := f.readPage(ctx, ledger.QueryFilter{UserData128: tag})
			if err != nil {
				return err
			}
			f.addRows(rows)
		}
	}
	return nil
}

// isPacketRow reports whether a row is a leg of a packet, and no part of a round. The ids of a packet's own
// rows differ from the packet's id in the low 8 bits only. Rows of code 1 to 4 are of packets always.
func (b *Book) isPacketRow(row *ledger.Transfer) bool {
	const legAndPhase = 0xff
	own := row.ID
	own.Lo &^= legAndPhase
	switch {
	case row.UserData128.IsZero():
		return false
	case row.Code == chart.CodeCorrection || row.Code == chart.CodeCollection:
		return own == ledger.ID(row.UserData128)
	default:
		return row.Code >= chart.CodePacket && row.Code <= chart.CodeDustLeg
	}
}
