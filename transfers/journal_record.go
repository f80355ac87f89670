package transfers

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/fulfilllog"
	"github.com/peerledger/peerledger/ledger"
)

// A fulfill in the journal, version 1, all integers big endian:
//
//	 0  id of the packet         16 bytes
//	16  In, Out, Dust            u64 each
//	40  Expiry                   seconds i64 and nanoseconds u32 since the Unix epoch
//	52  Hold                     nanoseconds i64
//	60  Condition                32 bytes
//	92  ledger of From, of To    u32 each
//	100 peer of From, of To      length u16 and bytes each; empty for ourselves
//
// Accounts are stored by peer id, from which the book derives the PeerAccount again. A
// refusal is stored as the id of the packet: it ends the packet's oldest remaining fulfill.
const (
	recordVersion = fulfilllog.Version
	recordFixed   = 100
)

// journalFormat is the format written by this package.
var journalFormat = fulfilllog.Format

// journalRecord is a fulfill read from a journal, with its accounts by name.
type journalRecord struct {
	packet               Packet // without From and To
	from, to             string
	fromLedger, toLedger uint32
	refused              bool // by a later record
}

// sameFulfill reports whether two records of one packet are the same fulfill. The
// compared fields are the fields of the packet's seal.
func (r *journalRecord) sameFulfill(other *journalRecord) bool {
	p, q := &r.packet, &other.packet
	return p.In == q.In && p.Out == q.Out && p.Dust == q.Dust && r.from == other.from && r.to == other.to &&
		r.fromLedger == other.fromLedger && r.toLedger == other.toLedger
}

func recordSize(p *Packet) int { return recordFixed + 4 + len(p.From.Peer()) + len(p.To.Peer()) }

func appendRecord(b []byte, p *Packet) []byte {
	id := p.ID.Bytes()
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, p.In)
	b = binary.BigEndian.AppendUint64(b, p.Out)
	b = binary.BigEndian.AppendUint64(b, p.Dust)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Expiry.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(p.Expiry.Nanosecond()))
	b = binary.BigEndian.AppendUint64(b, uint64(p.Hold))
	b = append(b, p.Condition[:]...)
	b = binary.BigEndian.AppendUint32(b, p.From.Ledger())
	b = binary.BigEndian.AppendUint32(b, p.To.Ledger())
	b = appendPeer(b, p.From.Peer())
	return appendPeer(b, p.To.Peer())
}

func appendPeer(b []byte, peer string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(peer)))
	return append(b, peer...)
}

// readRecord is the inverse of appendRecord. The error matches [ErrJournalForeign]: the log's
// checksums are verified already, so a malformed record is of another format.
func readRecord(b []byte) (r journalRecord, err error) {
	if len(b) < recordFixed {
		return r, fmt.Errorf("%w: a fulfill of %d bytes", ErrJournalForeign, len(b))
	}
	p := &r.packet
	p.ID = ledger.IDFromBytes([16]byte(b[:16]))
	p.In, p.Out, p.Dust = binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint64(b[24:]), binary.BigEndian.Uint64(b[32:])
	nanoseconds := binary.BigEndian.Uint32(b[48:])
	if nanoseconds >= uint32(time.Second) {
		return r, fmt.Errorf("%w: a fulfill with %d nanoseconds in a second", ErrJournalForeign, nanoseconds)
	}
	p.Expiry = time.Unix(int64(binary.BigEndian.Uint64(b[40:])), int64(nanoseconds)).UTC()
	p.Hold = time.Duration(binary.BigEndian.Uint64(b[52:]))
	p.Condition = [32]byte(b[60:])
	r.fromLedger, r.toLedger = binary.BigEndian.Uint32(b[92:]), binary.BigEndian.Uint32(b[96:])
	rest := b[recordFixed:]
	var ok bool
	if r.from, rest, ok = cutPeer(rest); ok {
		r.to, rest, ok = cutPeer(rest)
	}
	if !ok || len(rest) != 0 {
		return r, fmt.Errorf("%w: peer names of a fulfill of %d bytes", ErrJournalForeign, len(b))
	}
	return r, nil
}

func cutPeer(b []byte) (peer string, rest []byte, ok bool) {
	if len(b) < 2 {
		return "", nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n {
		return "", nil, false
	}
	return string(b[:n]), b[n:], true
}

// ownerRecord returns the first record of a journal: its format version and its owner.
func ownerRecord(namespace string) []byte { return append([]byte{recordVersion}, namespace...) }

// checkOwner checks an owner record. The error matches [ErrJournalForeign] if the journal
// has another format or another owner.
func checkOwner(b []byte, namespace string) error {
	switch {
	case len(b) == 0 || b[0] == 0:
		return fmt.Errorf("%w: the owner record has no format version", ErrJournalForeign)
	case b[0] > recordVersion:
		return fmt.Errorf("%w: journal of format %d, this program reads up to %d", ErrJournalForeign, b[0], recordVersion)
	case string(b[1:]) != namespace:
		return fmt.Errorf("%w: journal of namespace %q, want %q", ErrJournalForeign, b[1:], namespace)
	default:
		return nil
	}
}
