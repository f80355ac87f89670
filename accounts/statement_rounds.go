package accounts

import (
	"context"
	"fmt"
	"iter"
	"math/big"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
)

// WithJournals shows the packets of a peer's rounds, in place of the rounds' rows. Each folder is the
// journal of a recorder of package transfers/aggregate, which may have it open. A packet has time and
// transfer of its round's row; the arrears are those after the row. Packets to the peer and from it add up
// to the rows exactly, or Entries ends with [ErrStatement], which names the round.
//
// A round whose packets no journal has stays a row, with [Entry].PacketsGone: retention removed them, or
// the recorder has not yet written that the ledger has the round. Packets of a round that a closed peer
// received went to suspense, and are not shown. Our own account shows rounds as rows. Default none.
func WithJournals(folders ...string) StatementOption {
	return func(s *Statement) { s.journals = append(s.journals, folders...) }
}

// crossesTransit reports whether a transfer is part of a round.
func (s *Statement) crossesTransit(row *ledger.Transfer) bool {
	transit := s.book.assets[s.Account.ledger].ids.Transit
	return row.DebitAccountID == transit || row.CreditAccountID == transit
}

// isReservation reports whether a row reserves headroom for packets of later rounds, or gives an unused
// reservation back: a post of amount 0. Both move nothing.
func (s *Statement) isReservation(row *statementRow) bool {
	return s.crossesTransit(row.Transfer) && (row.Flags.Has(ledger.TransferPending) || row.Code == chart.CodeReserve && row.Amount.IsZero())
}

// expandRounds returns the entries with packets in place of rounds. The rows of a round are one chain, so
// they follow each other.
func (s *Statement) expandRounds(ctx context.Context, entries iter.Seq2[Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		x := &expander{ctx: ctx, statement: s, yield: yield}
		defer x.close()
		if err := x.openJournals(); err != nil {
			yield(Entry{}, fmt.Errorf("statement of %v: %w", s.Account, err))
			return
		}
		for e, err := range entries {
			if !x.addEntry(e, err) {
				return
			}
		}
		x.endRound()
	}
}

// expander is the expansion of a statement under way.
type expander struct {
	ctx       context.Context //nolint:containedctx // of one iteration
	statement *Statement
	yield     func(Entry, error) bool
	journals  map[uint64]*roundReader // by number
	rows      []Entry                 // of the round under way
}

func (x *expander) openJournals() error {
	x.journals = make(map[uint64]*roundReader)
	for _, folder := range x.statement.journals {
		reader, err := packetlog.NewReader(folder)
		if err != nil {
			return err
		}
		number, err := reader.Journal(x.ctx)
		if err == nil && x.journals[number] != nil {
			err = &FieldError{Subject: "statement of " + x.statement.Account.String(), Field: "WithJournals", Reason: "has two folders of journal " + fmt.Sprintf("%016x", number)}
		}
		if err != nil {
			reader.Close()
			return fmt.Errorf("journal in %s: %w", folder, err)
		}
		x.journals[number] = &roundReader{
			reader: reader, party: packetlog.Party{Ledger: x.statement.Account.ledger, Peer: x.statement.Account.peer},
		}
	}
	return nil
}

func (x *expander) close() {
	for _, r := range x.journals {
		r.reader.Close()
	}
}

// addEntry takes the next entry, and returns false at the end.
func (x *expander) addEntry(e Entry, err error) bool {
	isRound := err == nil && e.Kind == EntryRound
	goesOn := isRound && len(x.rows) > 0 && e.Journal == x.rows[0].Journal && e.Round == x.rows[0].Round
	if !goesOn && !x.endRound() {
		return false
	}
	if !isRound {
		return x.yield(e, err) && err == nil
	}
	x.rows = append(x.rows, e)
	return true
}

// endRound yields the packets of the round, or its rows.
func (x *expander) endRound() bool {
	rows := x.rows
	x.rows = nil
	if len(rows) == 0 {
		return true
	}
	packets, known, err := x.readRound(rows)
	switch {
	case err != nil:
		x.yield(Entry{}, fmt.Errorf("statement of %v: %w", x.statement.Account, err))
		return false
	case !known:
		for _, e := range rows {
			e.PacketsGone = true
			if !x.yield(e, nil) {
				return false
			}
		}
		return true
	default:
		return x.yieldPackets(rows, packets)
	}
}

// readRound returns the packets of a round of which these are the rows. known is false if the journals
// do not have all of them.
func (x *expander) readRound(rows []Entry) (packets []packetlog.Packet, known bool, err error) {
	journal := x.journals[rows[0].Journal]
	if journal == nil {
		return nil, false, nil
	}
	round, err := journal.readRound(x.ctx, rows[0].Round)
	if err != nil || round == nil {
		return nil, false, err
	}
	debits, credits, isCredited := sumRows(rows)
	sent, received := journal.sumPackets(round.packets)
	if sent.Cmp(debits) == 0 && (!isCredited || received.Cmp(credits) == 0) {
		return round.packets, true, nil
	}
	// Either some packets are gone, or the books are wrong.
	if whole, err := journal.isWhole(x.ctx, round); err != nil || !whole {
		return nil, false, err
	}
	a := x.statement.Asset
	return nil, false, fmt.Errorf("%w: the packets of round %d of journal %016x have %s in and %s out, and its rows %s and %s",
		ErrStatement, rows[0].Round, rows[0].Journal, a.formatSigned(sent), a.formatSigned(received), a.formatSigned(debits), a.formatSigned(credits))
}

// sumRows returns what the rows of a round debit and credit.
func sumRows(rows []Entry) (debits, credits *big.Int, isCredited bool) {
	debits, credits = new(big.Int), new(big.Int)
	for i := range rows {
		if amount := rows[i].Amount; amount.Sign() < 0 {
			debits.Sub(debits, amount)
		} else {
			credits.Add(credits, amount)
			isCredited = true
		}
	}
	return debits, credits, isCredited
}

// yieldPackets yields the packets from the peer in place of the rows that debit it, then the packets to
// the peer in place of the row that credits it: the order of the rows in the round.
func (x *expander) yieldPackets(rows []Entry, packets []packetlog.Packet) bool {
	position := new(big.Int).Sub(rows[0].Position, rows[0].Amount)
	party := packetlog.Party{Ledger: x.statement.Account.ledger, Peer: x.statement.Account.peer}
	for i := range rows {
		row := &rows[i]
		isDebit := row.Amount.Sign() < 0
		if i+1 < len(rows) && isDebit && rows[i+1].Amount.Sign() < 0 {
			continue // the last of the debits stands for all
		}
		for n := range packets {
			p := &packets[n]
			if isDebit && p.From == party && !x.yieldPacket(row, p, position, new(big.Int).Neg(new(big.Int).SetUint64(p.In)), p.To) ||
				!isDebit && p.To == party && !x.yieldPacket(row, p, position, new(big.Int).SetUint64(p.Out), p.From) {
				return false
			}
		}
	}
	return true
}

// yieldPacket yields a packet and moves the position by its amount.
func (x *expander) yieldPacket(row *Entry, p *packetlog.Packet, position, amount *big.Int, other packetlog.Party) bool {
	position.Add(position, amount)
	e := *row
	e.Kind, e.Packet, e.ConditionTag, e.Late = EntryPacket, p.ID, [8]byte(p.Condition[:8]), false
	e.Amount, e.Position = amount, new(big.Int).Set(position)
	e.Direction = directionOf(row.Amount.Sign() < 0)
	e.Counterparty = x.statement.partyOf(other)
	return x.yield(e, nil)
}

// partyOf returns the other side of a packet. Our own side is our liquidity in its asset.
func (s *Statement) partyOf(p packetlog.Party) Counterparty {
	if p.Peer == "" {
		return Counterparty{ID: s.book.namespace.AssetAccount(chart.CodeLiquidity, p.Ledger), AccountKind: "liquidity"}
	}
	return Counterparty{ID: s.book.namespace.PeerAccount(chart.CodePeer, p.Peer, p.Ledger), AccountKind: peerKind, Peer: p.Peer}
}
