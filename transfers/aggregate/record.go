package aggregate

import (
	"encoding/binary"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// The records of a journal are of packetlog's kinds. All integers are big endian. Those of this package are:
//
//	KindOwner    number of the journal u64, then the namespace
//	KindAttempt  an attempt of a round; the ledger gets it when this record is on disk
//	KindState    of a checkpoint: clock i64, then u64: last applied round, its through, last fulfill
//	KindTally    of a checkpoint: the sums of fulfills that no round has
//
// Attempts name accounts by ledger number and peer id, which is empty for our own; tallies name them by index.

const recordVersion = 2

// journalFormat is the format written by this package.
//
// Format 1 is of a journal of package transfers.
var journalFormat = wal.Format{Name: "rounds", Newest: recordVersion, Oldest: recordVersion}

// encodeOwner returns the first record of a journal.
func encodeOwner(number uint64, namespace string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, number), namespace...)
}

func appendState(b []byte, clock int64, round, through, fulfills uint64) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(clock))
	b = binary.BigEndian.AppendUint64(b, round)
	b = binary.BigEndian.AppendUint64(b, through)
	return binary.BigEndian.AppendUint64(b, fulfills)
}

// appendTally appends the sums of a tally.
func appendTally(b []byte, t *tally) []byte {
	for _, n := range [...]uint64{t.through, t.packets, t.digest, uint64(t.begunAt)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	for _, sums := range [...][]peerSum{t.charges, t.gives} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(sums)))
		for i := range sums {
			b = binary.BigEndian.AppendUint32(b, sums[i].peer.logIndex)
			b = appendAmount(b, sums[i].amount)
		}
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.assets)))
	for i := range t.assets {
		s := &t.assets[i]
		b = binary.BigEndian.AppendUint32(b, s.asset.number)
		for _, amount := range [...]ledger.Amount{s.take, s.liquidity, s.revenue, s.dust} {
			b = appendAmount(b, amount)
		}
	}
	return b
}

// readTally reads a tally.
func (m *machine) readTally(r *recordReader) *tally {
	t := m.newTally()
	t.through, t.packets, t.digest, t.begunAt = r.readU64(), r.readU64(), r.readU64(), int64(r.readU64())
	through, packets, digest := t.through, t.packets, t.digest
	for _, add := range [...]func(*peer, ledger.Amount){t.addCharge, t.addGive} {
		const size = 4 + 16
		for range r.readCount(size) {
			index, amount := r.readU32(), r.readAmount()
			if r.err == nil && int(index) >= len(m.logged) {
				r.err = fmt.Errorf("%w: a sum of party %d, which is unknown", transfers.ErrJournalForeign, index)
			}
			if r.err != nil {
				return nil
			}
			add(m.logged[index], amount)
		}
	}
	const size = 4 + 4*16
	for range r.readCount(size) {
		own := r.resolveAccount(r.readU32(), "")
		if r.err != nil {
			return nil
		}
		p, err := m.peerOf(own)
		if err != nil {
			r.err = err
			return nil
		}
		s := t.sumsOf(p.asset)
		s.take, s.liquidity, s.revenue, s.dust = r.readAmount(), r.readAmount(), r.readAmount(), r.readAmount()
	}
	t.through, t.packets, t.digest = through, packets, digest
	return t
}

// appendRound appends an attempt of a round.
func appendRound(b []byte, r *round) []byte {
	for _, n := range [...]uint64{r.number, r.through, r.packets, r.digest} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, r.attempt)
	b = binary.BigEndian.AppendUint32(b, r.timeout)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.senders)))
	for i := range r.senders {
		s := &r.senders[i]
		b = appendName(b, s.account.Ledger(), s.account.Peer())
		b = appendAmount(b, s.amount)
		b = binary.BigEndian.AppendUint64(b, s.covered)
		b = binary.BigEndian.AppendUint64(b, s.renewed)
		b = appendBool(b, s.closed)
		b = append(b, byte(len(s.holds)))
		for _, h := range s.holds {
			b = binary.BigEndian.AppendUint64(b, h.id.Hi)
			b = binary.BigEndian.AppendUint64(b, h.id.Lo)
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

// appendName appends an account by its ledger number and its peer's id, "" for our own.
func appendName(b []byte, number uint32, peer string) []byte {
	b = binary.BigEndian.AppendUint32(b, number)
	b = binary.BigEndian.AppendUint16(b, uint16(len(peer)))
	return append(b, peer...)
}

func appendAmount(b []byte, a ledger.Amount) []byte {
	b = binary.BigEndian.AppendUint64(b, a.Hi)
	return binary.BigEndian.AppendUint64(b, a.Lo)
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
