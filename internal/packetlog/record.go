package packetlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// The kinds of the records of a journal. Integers are big endian; "uvarint" is of encoding/binary.
const (
	KindOwner    uint8 = iota + 1 // of package aggregate: the first record
	KindFulfill                   // a packet: see AppendPacket
	KindReject                    // a packet
	KindAttempt                   // of package aggregate: an attempt of a round
	KindApplied                   // a round: see AppendRound
	KindState                     // of package aggregate, in checkpoints
	KindParty                     // a party: see AppendParty
	KindTally                     // of package aggregate, in checkpoints
	KindArchives                  // of package aggregate, in checkpoints
)

// ErrRecord is returned for a record that this package did not write.
var ErrRecord = errors.New("packetlog: invalid record")

// AppendParty appends the record that gives a party its index: index uvarint, ledger uvarint, and the
// peer's id. It comes before the first record with the index, in each checkpoint again.
func AppendParty(b []byte, index uint32, p Party) []byte {
	b = binary.AppendUvarint(b, uint64(index))
	b = binary.AppendUvarint(b, uint64(p.Ledger))
	return append(b, p.Peer...)
}

// AppendPacket appends the record of a packet, whose parties have these indexes: number, resolved at
// and expiry (8 bytes each), id (16), condition (32), then uvarints: from, to, in, out, dust.
func AppendPacket(b []byte, p *Packet, from, to uint32) []byte {
	b = binary.BigEndian.AppendUint64(b, p.Number)
	b = binary.BigEndian.AppendUint64(b, uint64(p.ResolvedAt))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Expiry))
	b = binary.BigEndian.AppendUint64(b, p.ID.Hi)
	b = binary.BigEndian.AppendUint64(b, p.ID.Lo)
	b = append(b, p.Condition[:]...)
	for _, n := range [...]uint64{uint64(from), uint64(to), p.In, p.Out, p.Dust} {
		b = binary.AppendUvarint(b, n)
	}
	return b
}

// MaxPacketSize is the largest size of the record of a packet.
const MaxPacketSize = 3*8 + 16 + 32 + 5*binary.MaxVarintLen64

// AppendRound appends the record of an applied round: number, through, packets and time (8 bytes
// each), attempt (4).
func AppendRound(b []byte, r *Round) []byte {
	for _, n := range [...]uint64{r.Number, r.Through, r.Packets, r.At} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return binary.BigEndian.AppendUint32(b, r.Attempt)
}

// Decoder decodes the records of one journal, in order. The zero Decoder is ready.
type Decoder struct{ parties []Party }

// Parties returns the parties by index; those without a record are zero.
func (d *Decoder) Parties() []Party { return d.parties }

const maxParties = 1 << 24

// AddParty takes a record of kind [KindParty].
func (d *Decoder) AddParty(data []byte) error {
	index, data := readUvarint(data)
	number, data := readUvarint(data)
	if data == nil || index >= maxParties || number > 1<<32-1 {
		return fmt.Errorf("%w: of a party", ErrRecord)
	}
	for uint64(len(d.parties)) <= index {
		d.parties = append(d.parties, Party{})
	}
	d.parties[index] = Party{Ledger: uint32(number), Peer: string(data)}
	return nil
}

const fixedSize = 3*8 + 16 + 32

// ReadPacket reads a record of kind [KindFulfill] or [KindReject], and returns the indexes of the
// packet's parties.
func (d *Decoder) ReadPacket(data []byte) (p Packet, from, to uint32, err error) {
	if len(data) < fixedSize {
		return p, 0, 0, fmt.Errorf("%w: a packet of %d bytes", ErrRecord, len(data))
	}
	p.Number = binary.BigEndian.Uint64(data)
	p.ResolvedAt = int64(binary.BigEndian.Uint64(data[8:]))
	p.Expiry = int64(binary.BigEndian.Uint64(data[16:]))
	p.ID = ledger.ID{Hi: binary.BigEndian.Uint64(data[24:]), Lo: binary.BigEndian.Uint64(data[32:])}
	copy(p.Condition[:], data[40:])
	var fields [5]uint64
	data = data[fixedSize:]
	for i := range fields {
		fields[i], data = readUvarint(data)
	}
	if data == nil || len(data) > 0 {
		return p, 0, 0, fmt.Errorf("%w: of packet %v", ErrRecord, p.ID)
	}
	for _, index := range fields[:2] {
		if index >= uint64(len(d.parties)) || d.parties[index].Ledger == 0 {
			return p, 0, 0, fmt.Errorf("%w: packet %v has party %d, which is unknown", ErrRecord, p.ID, index)
		}
	}
	p.From, p.To = d.parties[fields[0]], d.parties[fields[1]]
	p.In, p.Out, p.Dust = fields[2], fields[3], fields[4]
	return p, uint32(fields[0]), uint32(fields[1]), nil
}

const roundSize = 4*8 + 4

// ReadRound reads a record of kind [KindApplied].
func ReadRound(data []byte) (r Round, err error) {
	if len(data) != roundSize {
		return r, fmt.Errorf("%w: a round of %d bytes", ErrRecord, len(data))
	}
	return Round{
		Number: binary.BigEndian.Uint64(data), Through: binary.BigEndian.Uint64(data[8:]), Packets: binary.BigEndian.Uint64(data[16:]),
		At: binary.BigEndian.Uint64(data[24:]), Attempt: binary.BigEndian.Uint32(data[32:]),
	}, nil
}

// readUvarint returns the rest, nil if there is no uvarint.
func readUvarint(b []byte) (uint64, []byte) {
	n, size := binary.Uvarint(b)
	if size <= 0 {
		return 0, nil
	}
	return n, b[size:len(b):len(b)]
}
