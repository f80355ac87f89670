package aggregate

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// The kinds of records in a journal. All integers are big endian. A party's peer and a packet's
// accounts are stored by ledger number and peer id; the peer id of ourselves is empty.
const (
	recordOwner   uint8 = iota + 1 // number of the journal u64, namespace: the first record
	recordFulfill                  // number of the fulfill u64, clock i64, packet
	recordReject                   // 0 u64, clock i64, packet
	recordAttempt                  // an attempt of a round; the ledger gets it when this record is on disk
	recordApplied                  // number of a round u64: the ledger has it
	recordState                    // clock i64, last round u64, its through u64, last fulfill u64: of a checkpoint
)

const recordVersion = 1

// journalFormat is the format written by this package.
var journalFormat = wal.Format{Name: "rounds", Newest: recordVersion}

// encodeOwner returns the first record of a journal.
func encodeOwner(number uint64, namespace string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, number), namespace...)
}

// appendResolved appends a fulfill or a reject.
func appendResolved(b []byte, number uint64, clock int64, p *transfers.Packet) []byte {
	b = binary.BigEndian.AppendUint64(b, number)
	b = binary.BigEndian.AppendUint64(b, uint64(clock))
	id := p.ID.Bytes()
	b = append(b, id[:]...)
	b = binary.BigEndian.AppendUint64(b, p.In)
	b = binary.BigEndian.AppendUint64(b, p.Out)
	b = binary.BigEndian.AppendUint64(b, p.Dust)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Expiry.UnixNano()))
	b = append(b, p.Condition[:]...)
	b = appendAccount(b, p.From)
	return appendAccount(b, p.To)
}

func appendAccount(b []byte, a accounts.PeerAccount) []byte {
	return appendName(b, a.Ledger(), a.Peer())
}

// appendName appends an account by its ledger number and its peer's id, "" for our own.
func appendName(b []byte, number uint32, peer string) []byte {
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(peer)))
	return append(b, peer...)
}

func appendState(b []byte, clock int64, round, through, fulfills uint64) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(clock))
	b = binary.BigEndian.AppendUint64(b, round)
	b = binary.BigEndian.AppendUint64(b, through)
	return binary.BigEndian.AppendUint64(b, fulfills)
}

// appendRound appends an attempt of a round.
func appendRound(b []byte, r *round) []byte {
	for _, n := range []uint64{r.number, r.through, r.packets, r.digest} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, r.attempt)
	b = binary.BigEndian.AppendUint32(b, r.timeout)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.senders)))
	for i := range r.senders {
		s := &r.senders[i]
		b = appendAccount(b, s.account)
		b = appendAmount(b, s.amount)
		b = binary.BigEndian.AppendUint64(b, s.covered)
		b = binary.BigEndian.AppendUint64(b, s.renewed)
		b = appendBool(b, s.closed)
		b = append(b, byte(len(s.holds)))
		for _, h := range s.holds {
			id := h.id.Bytes()
			b = append(b, id[:]...)
			b = binary.BigEndian.AppendUint64(b, h.amount)
		}
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.takes)))
	for i := range r.takes {
		b = appendFlow(b, &r.takes[i])
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.gives)))
	for i := range r.gives {
		b = appendBool(appendFlow(b, &r.gives[i].flow), r.gives[i].toSuspense)
	}
	return b
}

func appendFlow(b []byte, f *flow) []byte {
	b = appendName(append(b, byte(f.party.kind)), f.party.ledger, f.party.peer.Peer())
	return appendAmount(b, f.amount)
}

func appendAmount(b []byte, a ledger.Amount) []byte {
	bytes := ledger.ID(a).Bytes()
	return append(b, bytes[:]...)
}

func appendBool(b []byte, set bool) []byte {
	if set {
		return append(b, 1)
	}
	return append(b, 0)
}

// recordReader reads the fields of a record. After an error it returns zero values.
type recordReader struct {
	rest    []byte
	account func(ledgerNumber uint32, peer string) (accounts.PeerAccount, error)
	err     error
}

// readBytes returns the next n bytes.
func (r *recordReader) readBytes(n int) []byte {
	if r.err == nil && len(r.rest) < n {
		r.err = fmt.Errorf("%w: a record ends too early", transfers.ErrJournalForeign)
	}
	if r.err != nil {
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *recordReader) readU64() uint64 { return binary.BigEndian.Uint64(r.readBytes(8)) }
func (r *recordReader) readU32() uint32 { return binary.BigEndian.Uint32(r.readBytes(4)) }
func (r *recordReader) readBool() bool  { return r.readBytes(1)[0] != 0 }
func (r *recordReader) readID() ledger.ID {
	return ledger.IDFromBytes([16]byte(r.readBytes(16)))
}
func (r *recordReader) readAmount() ledger.Amount { return ledger.Amount(r.readID()) }

// readCount returns the length of a list whose elements have at least size bytes.
func (r *recordReader) readCount(size int) int {
	n := int(r.readU32())
	if r.err == nil && n > len(r.rest)/size {
		r.err = fmt.Errorf("%w: a list of %d is longer than its record", transfers.ErrJournalForeign, n)
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (r *recordReader) readAccount() accounts.PeerAccount {
	return r.resolveAccount(r.readU32(), r.readPeer())
}

func (r *recordReader) readPeer() string {
	return string(r.readBytes(int(binary.BigEndian.Uint16(r.readBytes(2)))))
}

func (r *recordReader) resolveAccount(number uint32, peer string) accounts.PeerAccount {
	if r.err != nil {
		return accounts.PeerAccount{}
	}
	var a accounts.PeerAccount
	a, r.err = r.account(number, peer)
	return a
}

// finish returns the reader's error, or an error if bytes are left.
func (r *recordReader) finish() error {
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%w: %d bytes behind a record", transfers.ErrJournalForeign, len(r.rest))
	}
	return r.err
}

// resolved is a fulfill or reject read from a journal.
type resolved struct {
	number uint64
	clock  int64
	packet transfers.Packet
}

func (r *recordReader) readResolved() (f resolved) {
	f.number, f.clock = r.readU64(), int64(r.readU64())
	p := &f.packet
	p.ID, p.In, p.Out, p.Dust = r.readID(), r.readU64(), r.readU64(), r.readU64()
	p.Expiry = time.Unix(0, int64(r.readU64())).UTC()
	p.Condition = [32]byte(r.readBytes(32))
	p.From, p.To = r.readAccount(), r.readAccount()
	return f
}

func (r *recordReader) readRound(journal uint64) *round {
	d := &round{journal: journal, number: r.readU64(), through: r.readU64(), packets: r.readU64(), digest: r.readU64()}
	d.attempt, d.timeout = r.readU32(), r.readU32()
	const leastSender, leastFlow = 40, 23
	d.senders = make([]roundSender, r.readCount(leastSender))
	for i := range d.senders {
		s := &d.senders[i]
		s.account, s.amount, s.covered, s.renewed, s.closed = r.readAccount(), r.readAmount(), r.readU64(), r.readU64(), r.readBool()
		s.holds = make([]hold, r.readBytes(1)[0])
		for n := range s.holds {
			s.holds[n].id, s.holds[n].amount = r.readID(), r.readU64()
		}
	}
	d.takes = make([]flow, r.readCount(leastFlow))
	for i := range d.takes {
		d.takes[i] = r.readFlow()
	}
	d.gives = make([]roundGive, r.readCount(leastFlow))
	for i := range d.gives {
		d.gives[i].flow, d.gives[i].toSuspense = r.readFlow(), r.readBool()
	}
	return d
}

func (r *recordReader) readFlow() (f flow) {
	f.party.kind, f.party.ledger = partyKind(r.readBytes(1)[0]), r.readU32()
	if peer := r.readPeer(); peer != "" {
		f.party.peer = r.resolveAccount(f.party.ledger, peer)
	}
	f.amount = r.readAmount()
	return f
}
