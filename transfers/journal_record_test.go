package transfers

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// storedFields returns the parts of a packet that a record keeps: all but the account ids.
func storedFields(p Packet) journalRecord {
	r := journalRecord{packet: p, from: p.From.Peer(), to: p.To.Peer(), fromLedger: p.From.Ledger(), toLedger: p.To.Ledger()}
	r.packet.From, r.packet.To = accounts.PeerAccount{}, accounts.PeerAccount{}
	if !p.Expiry.IsZero() {
		r.packet.Expiry = p.Expiry.UTC().Round(0)
	}
	return r
}

// encodeRecord returns the record in bytes, put together from its parts.
func (r *journalRecord) encodeRecord() []byte {
	b := appendRecord(nil, &r.packet)[:recordFixed-8]
	for _, number := range []uint32{r.fromLedger, r.toLedger} {
		b = append(b, byte(number>>24), byte(number>>16), byte(number>>8), byte(number))
	}
	return appendPeer(appendPeer(b, r.from), r.to)
}

func TestRecordsReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
	p := newParties(t)
	handles := []accounts.PeerAccount{p.alice, p.bob, p.aliceEUR, p.bobEUR, p.us, p.usEUR}
	expiries := []time.Time{
		{},
		time.Unix(0, 0), time.Unix(-1, 999_999_999), time.UnixMilli(1_800_000_000_123), time.Now(),
		time.Date(2026, 11, 25, 23, 59, 59, 7, time.FixedZone("", 3600)),
	}
	any64 := func() uint64 { return random.Uint64() >> random.IntN(64) }
	var all []byte
	for range 10_000 {
		packet := Packet{
			ID: ledger.NewID(any64()<<8, any64()), From: handles[random.IntN(6)], To: handles[random.IntN(6)],
			In: any64(), Out: any64(), Dust: any64(), Expiry: expiries[random.IntN(len(expiries))], Hold: time.Duration(any64()),
		}
		for i := range packet.Condition {
			packet.Condition[i] = byte(random.Uint32())
		}
		b := appendRecord(slices.Clone(all), &packet)[len(all):]
		require.Len(t, b, recordSize(&packet))
		got, err := readRecord(b)
		require.NoError(t, err)
		require.Equal(t, storedFields(packet), got)
		require.Equal(t, b, got.encodeRecord())
		all = b // the next record goes behind this one
	}
}

// Later versions of the package read journals, so the format must never change without a new
// recordVersion.
func TestRecordsOfVersion1(t *testing.T) {
	t.Parallel()
	p := newParties(t)
	packet := Packet{
		ID: ledger.NewID(0x0900, 0x0102030405060708), From: p.alice, To: p.usEUR, In: 1005, Out: 7, Dust: 5,
		Expiry: time.Unix(1_800_000_000, 123_456_789), Hold: 32 * time.Second,
		Condition: [32]byte{0: 0xc0, 31: 0xcf},
	}
	id := packet.ID.Bytes()
	want := hex.EncodeToString(id[:]) +
		"00000000000003ed" + "0000000000000007" + "0000000000000005" +
		"000000006b49d200" + "075bcd15" + "0000000773594000" +
		"c0" + strings.Repeat("00", 30) + "cf" +
		"00000001" + "00000002" + "0005" + hex.EncodeToString([]byte("alice")) + "0000"
	require.Equal(t, want, hex.EncodeToString(appendRecord(nil, &packet)))
	require.Equal(t, "0102030405060708"+"0000000000000900", hex.EncodeToString(id[:]), "an id's bytes are in big endian order")
	require.Equal(t, uint8(1), recordOwner)
	require.Equal(t, uint8(2), recordFulfill)
	require.Equal(t, uint8(3), recordRefused)
	require.Equal(t, uint32(1), journalFormat.Newest)
	require.Equal(t, "\x01prod", string(ownerRecord("prod")))
}

func TestOwners(t *testing.T) {
	t.Parallel()
	for _, namespace := range []string{"", "prod", "prod\x00", "\x01"} {
		require.NoError(t, checkOwner(ownerRecord(namespace), namespace))
		err := checkOwner(ownerRecord(namespace), namespace+"2")
		require.ErrorIs(t, err, ErrJournalForeign)
		require.ErrorContains(t, err, "namespace")
	}
	for _, other := range []string{"", "\x00", "\x02", "\x02prod"} {
		err := checkOwner([]byte(other), "prod")
		require.ErrorIs(t, err, ErrJournalForeign)
		require.ErrorContains(t, err, "format")
	}
	require.ErrorContains(t, checkOwner([]byte("\x02prod"), "prod"), "journal of format 2, this program reads up to 1")
}

// A record with missing or added bytes is refused. From the fixed fields' end on, the error names
// the peer names as the damaged part.
func TestRecordsOfAnotherLength(t *testing.T) {
	t.Parallel()
	p := newParties(t)
	whole := appendRecord(nil, &Packet{ID: ledger.NewID(256, 1), From: p.alice, To: p.bob, In: 1, Out: 1})
	for n := range whole {
		_, err := readRecord(whole[:n])
		require.ErrorIs(t, err, ErrJournalForeign, n)
		require.Equal(t, n >= recordFixed, strings.Contains(err.Error(), "peer names"), "%d bytes: %v", n, err)
	}
	_, err := readRecord(append(bytes.Clone(whole), 0))
	require.ErrorIs(t, err, ErrJournalForeign)
}

// Nanoseconds beyond a second are refused: no Packet encodes to them.
func TestRecordOfAnImpossibleMoment(t *testing.T) {
	t.Parallel()
	b := (&journalRecord{}).encodeRecord()
	copy(b[48:], []byte{0x3b, 0x9a, 0xc9, 0xff})
	_, err := readRecord(b)
	require.NoError(t, err)
	copy(b[48:], []byte{0x3b, 0x9a, 0xca, 0x00})
	_, err = readRecord(b)
	require.ErrorIs(t, err, ErrJournalForeign)
}

func FuzzRecord(f *testing.F) {
	packet := Packet{ID: ledger.NewID(256, 1), In: 10, Out: 9, Expiry: time.Unix(1_800_000_000, 5), Hold: time.Minute}
	plain := journalRecord{packet: packet, from: "alice", to: "bob", fromLedger: 1, toLedger: 2}
	f.Add(plain.encodeRecord())
	f.Add((&journalRecord{}).encodeRecord())
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, recordFixed+4))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readRecord(b)
		if err != nil {
			require.ErrorIs(t, err, ErrJournalForeign)
			return
		}
		require.Equal(t, b, r.encodeRecord())
	})
}
