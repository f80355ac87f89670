package segment

import (
	"encoding/binary"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// blockBytes is the largest block without its sum: with the sum, a page.
const blockBytes = 4096 - sealed.SumBytes

// recordKind is a kind of records of a fixed size, which fill blocks.
type recordKind[T any] struct {
	bytes int
	put   func([]byte, *T)
	get   func([]byte) T
}

var (
	startRecords   = recordKind[Start]{70, putStart, getStart}
	expiryRecords  = recordKind[Expiry]{8 + 2*positionBytes + 8, putExpiry, getExpiry}
	lateEndRecords = recordKind[LateEnd]{positionBytes + 1, putLateEnd, getLateEnd}
	fenceRecords   = recordKind[uint32]{4, func(b []byte, v *uint32) { binary.LittleEndian.PutUint32(b, *v) }, binary.LittleEndian.Uint32}
)

func putStart(b []byte, s *Start) {
	binary.LittleEndian.PutUint32(b, s.Account)
	for i, amount := range []ledger.Amount{s.DebitsPending, s.DebitsPosted, s.CreditsPending, s.CreditsPosted} {
		putAmount(b[4+16*i:], amount)
	}
	binary.LittleEndian.PutUint16(b[68:], uint16(s.Flags))
}

func getStart(b []byte) Start {
	return Start{
		Account:        binary.LittleEndian.Uint32(b),
		DebitsPending:  getAmount(b[4:]),
		DebitsPosted:   getAmount(b[20:]),
		CreditsPending: getAmount(b[36:]),
		CreditsPosted:  getAmount(b[52:]),
		Flags:          ledger.AccountFlags(binary.LittleEndian.Uint16(b[68:])),
	}
}

func putAmount(b []byte, a ledger.Amount) {
	binary.LittleEndian.PutUint64(b, a.Lo)
	binary.LittleEndian.PutUint64(b[8:], a.Hi)
}

func getAmount(b []byte) ledger.Amount { return ledger.Amount(getUint128(b)) }

func putExpiry(b []byte, e *Expiry) {
	binary.LittleEndian.PutUint64(b, e.Timestamp)
	putPosition(b[8:], e.Hold)
	putPosition(b[13:], e.NextTransfer)
	binary.LittleEndian.PutUint32(b[18:], e.Debit)
	binary.LittleEndian.PutUint32(b[22:], e.Credit)
}

func getExpiry(b []byte) Expiry {
	return Expiry{
		Timestamp:    binary.LittleEndian.Uint64(b),
		Hold:         getPosition(b[8:]),
		NextTransfer: getPosition(b[13:]),
		Debit:        binary.LittleEndian.Uint32(b[18:]),
		Credit:       binary.LittleEndian.Uint32(b[22:]),
	}
}

func putLateEnd(b []byte, e *LateEnd) {
	putPosition(b, e.Hold)
	b[positionBytes] = e.State
}

func getLateEnd(b []byte) LateEnd { return LateEnd{getPosition(b), b[positionBytes]} }

func (k recordKind[T]) blockRecords() int { return blockBytes / k.bytes }

// blockCount returns the number of blocks of n records.
func (k recordKind[T]) blockCount(n int) int { return (n + k.blockRecords() - 1) / k.blockRecords() }

// byteCount returns the size of n records in the file.
func (k recordKind[T]) byteCount(n int) int64 {
	return int64(n)*int64(k.bytes) + int64(k.blockCount(n))*sealed.SumBytes
}

func (k recordKind[T]) writeAll(to *sealed.Section, records []T) {
	for len(records) > 0 {
		n := min(len(records), k.blockRecords())
		b := to.NextBlock(n * k.bytes)
		for i := range n {
			k.put(b[i*k.bytes:(i+1)*k.bytes], &records[i])
		}
		to.EndBlock()
		records = records[n:]
	}
}

// recordList is n records in a file, from an offset on.
type recordList[T any] struct {
	kind   recordKind[T]
	file   *sealed.Reader
	offset int64
	n      int
}

// readBlock returns the records of block i.
func (l recordList[T]) readBlock(i int) ([]T, error) {
	first := i * l.kind.blockRecords()
	n := min(l.n-first, l.kind.blockRecords())
	offset := l.offset + int64(i)*int64(l.kind.blockRecords()*l.kind.bytes+sealed.SumBytes)
	b, err := l.file.ReadBlock(offset, make([]byte, n*l.kind.bytes+sealed.SumBytes))
	if err != nil {
		return nil, err
	}
	records := make([]T, n)
	for r := range records {
		records[r] = l.kind.get(b[r*l.kind.bytes : (r+1)*l.kind.bytes])
	}
	return records, nil
}

func (l recordList[T]) readAll() ([]T, error) {
	all := make([]T, 0, l.n)
	for i := range l.kind.blockCount(l.n) {
		records, err := l.readBlock(i)
		if err != nil {
			return nil, err
		}
		all = append(all, records...)
	}
	return all, nil
}

// lastBlock returns the index and the records of the last block whose first record is not past a
// point; index -1 if there is none. The records are in ascending order.
func (l recordList[T]) lastBlock(isPast func(T) bool) (index int, records []T, err error) {
	index = -1
	low, high := 0, l.kind.blockCount(l.n)
	for low < high {
		middle := (low + high) / 2
		block, err := l.readBlock(middle)
		if err != nil {
			return 0, nil, err
		}
		if isPast(block[0]) {
			high = middle
			continue
		}
		index, records = middle, block
		low = middle + 1
	}
	return index, records, nil
}
