package accounts

import (
	"cmp"
	"context"
	"math/big"
	"slices"

	"github.com/peerledger/peerledger/internal/packetlog"
)

// roundReader reads a peer's packets by round, from one journal. A statement asks for rounds in ascending
// order. So the reader reads the packets of many rounds at once, and keeps those.
type roundReader struct {
	reader *packetlog.Reader
	party  packetlog.Party

	first, end uint64 // the rounds read: first <= number < end
	rounds     []roundPackets
}

// roundPackets are a peer's packets in a round.
type roundPackets struct {
	number         uint64
	after, through uint64 // the numbers of the round's fulfills: after < number <= through
	packets        []packetlog.Packet
}

const (
	roundsPerRead  = 4096
	packetsPerRead = 500_000 // of all peers; a bound of the memory for those of one
)

// readRound returns a round with the peer's packets, nil if the journal does not have the round.
func (r *roundReader) readRound(ctx context.Context, number uint64) (*roundPackets, error) {
	if number < r.first || number >= r.end {
		if err := r.readFrom(ctx, number); err != nil {
			return nil, err
		}
	}
	i, found := slices.BinarySearchFunc(r.rounds, number, func(a roundPackets, n uint64) int { return cmp.Compare(a.number, n) })
	if !found {
		return nil, nil
	}
	return &r.rounds[i], nil
}

// readFrom reads the rounds from a number on.
func (r *roundReader) readFrom(ctx context.Context, number uint64) error {
	r.first, r.end, r.rounds = number, number+roundsPerRead, nil
	before := number - min(number, 1)
	records, err := r.reader.Rounds(ctx, before, r.end-1)
	if err != nil {
		return err
	}
	if number <= 1 {
		records = append([]packetlog.Round{{}}, slices.DeleteFunc(records, func(a packetlog.Round) bool { return a.Number == 0 })...)
	}
	packets := uint64(0)
	for i := 1; i < len(records); i++ {
		if a, b := &records[i-1], &records[i]; a.Number+1 == b.Number {
			r.rounds = append(r.rounds, roundPackets{number: b.Number, after: a.Through, through: b.Through})
			packets += b.Packets
		}
		if packets >= packetsPerRead && i+1 < len(records) {
			r.end = records[i].Number + 1
			break
		}
	}
	return r.readPackets(ctx)
}

// readPackets reads the peer's packets in the rounds.
func (r *roundReader) readPackets(ctx context.Context) error {
	if len(r.rounds) == 0 {
		return nil
	}
	q := packetlog.Query{Peer: r.party.Peer, Ledger: r.party.Ledger, After: r.rounds[0].after, Through: r.rounds[len(r.rounds)-1].through}
	return r.reader.Search(ctx, q, func(p *packetlog.Packet) error {
		i, _ := slices.BinarySearchFunc(r.rounds, p.Number, func(a roundPackets, n uint64) int { return cmp.Compare(a.through, n) })
		isEmpty := p.In == 0 && p.Out == 0 // in no round
		if i < len(r.rounds) && p.Number > r.rounds[i].after && !isEmpty {
			r.rounds[i].packets = append(r.rounds[i].packets, *p)
		}
		return nil
	})
}

// sumPackets returns what packets charge the peer and give to it.
func (r *roundReader) sumPackets(packets []packetlog.Packet) (sent, received *big.Int) {
	sent, received = new(big.Int), new(big.Int)
	var amount big.Int
	for i := range packets {
		p := &packets[i]
		if p.From == r.party {
			sent.Add(sent, amount.SetUint64(p.In))
		}
		if p.To == r.party {
			received.Add(received, amount.SetUint64(p.Out))
		}
	}
	return sent, received
}

// isWhole reports whether the journal has all fulfills of a round: their numbers have no gap.
func (r *roundReader) isWhole(ctx context.Context, round *roundPackets) (bool, error) {
	if round.through == round.after {
		return true, nil
	}
	found := uint64(0)
	err := r.reader.Search(ctx, packetlog.Query{After: round.after, Through: round.through}, func(*packetlog.Packet) error {
		found++
		return nil
	})
	return found >= round.through-round.after, err
}
