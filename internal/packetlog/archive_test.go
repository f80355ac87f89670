package packetlog_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
)

// traffic makes the packets of a journal: in the order of ResolvedAt, most of them fulfilled.
type traffic struct {
	rng     *rand.Rand
	parties []packetlog.Party
	fulfils uint64
	clock   int64
}

func newTraffic(seed uint64, peers int) *traffic {
	g := &traffic{rng: rand.New(rand.NewPCG(seed, 0)), parties: []packetlog.Party{{Ledger: 1}}, clock: 1_700_000_000_000_000_000}
	for n := range peers {
		g.parties = append(g.parties, packetlog.Party{Ledger: uint32(1 + n%2), Peer: fmt.Sprintf("peer-%d", n+1)})
	}
	return g
}

func (g *traffic) party() packetlog.Party { return g.parties[g.rng.IntN(len(g.parties))] }

func (g *traffic) packet() packetlog.Packet {
	g.clock += g.rng.Int64N(20_000)
	p := packetlog.Packet{
		ResolvedAt: g.clock, Expiry: g.clock + g.rng.Int64N(30e9) - 1e9, ID: ledger.NewID(uint64(g.clock), g.rng.Uint64()),
		From: g.party(), To: g.party(), In: g.rng.Uint64N(1_000_000),
	}
	p.Out = p.In - p.In/1000
	p.Dust = uint64(g.rng.IntN(10) / 9)
	for i := range 4 {
		binary.BigEndian.PutUint64(p.Condition[8*i:], g.rng.Uint64())
	}
	if g.rng.IntN(10) > 0 {
		g.fulfils++
		p.Number = g.fulfils
	}
	return p
}

func (g *traffic) packets(n int) []packetlog.Packet {
	list := make([]packetlog.Packet, n)
	for i := range list {
		list[i] = g.packet()
	}
	return list
}

// writeArchive writes a file with packets and rounds, and returns its path.
func writeArchive(tb testing.TB, folder string, number uint64, packets []packetlog.Packet, rounds ...packetlog.Round) string {
	tb.Helper()
	w, err := packetlog.CreateArchive(folder, 77, number)
	require.NoError(tb, err)
	for i := range packets {
		require.NoError(tb, w.Add(&packets[i]))
	}
	for _, r := range rounds {
		require.NoError(tb, w.AddRound(r))
	}
	require.NoError(tb, w.Commit())
	require.NoError(tb, w.Discard(), "nothing after a commit")
	path := filepath.Join(folder, fmt.Sprintf("packets-%016x", number))
	require.FileExists(tb, path)
	require.NoFileExists(tb, path+".tmp")
	return path
}

func readAll(tb testing.TB, folder string) (packets []packetlog.Packet) {
	tb.Helper()
	_, err := packetlog.ReadRecent(folder, math.MinInt64, func(p *packetlog.Packet) error {
		packets = append(packets, *p)
		return nil
	})
	require.NoError(tb, err)
	return packets
}

// What was written is read: of no packet, of blocks and groups that are full to the packet, and beyond.
func TestArchiveRoundTrip(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2047, 2048, 2049, 5000} {
		folder := filepath.Join(t.TempDir(), "archive")
		want := newTraffic(uint64(n), 50).packets(n)
		rounds := []packetlog.Round{{Number: 3, Attempt: 1, Through: 9, Packets: 4, At: 100}, {Number: 4, Through: 20, Packets: 11, At: 200}}
		path := writeArchive(t, folder, 0xa, want, rounds...)
		require.Equal(t, want, append([]packetlog.Packet{}, readAll(t, folder)...))
		info, err := os.Stat(path)
		require.NoError(t, err)
		list, err := packetlog.ListArchives(folder)
		require.NoError(t, err)
		a := packetlog.Archive{
			Path: path, Number: 0xa, Journal: 77, Size: info.Size(), Packets: uint64(n), Rounds: 2,
			OldestResolvedAt: 100, NewestResolvedAt: 200, NewestExpiry: math.MinInt64,
		}
		if n > 0 {
			a.OldestResolvedAt, a.NewestResolvedAt = want[0].ResolvedAt, want[n-1].ResolvedAt
			for i := range want {
				a.NewestExpiry = max(a.NewestExpiry, want[i].Expiry)
			}
		}
		require.Equal(t, []packetlog.Archive{a}, list)
	}
}

// Version 1 had each condition behind its id. The file is of the writer of commit 0898b95.
func TestArchiveOfVersion1IsRead(t *testing.T) {
	t.Parallel()
	require.Equal(t, newTraffic(1, 3).packets(40), readAll(t, filepath.Join("testdata", "version1")))
}

// Fields at their bounds, in an order of time that no journal has, are as written.
func TestArchiveKeepsExtremes(t *testing.T) {
	t.Parallel()
	extremes := []packetlog.Packet{
		{},
		{Number: math.MaxInt64, ResolvedAt: math.MaxInt64, Expiry: math.MinInt64, ID: ledger.IDMax, In: math.MaxUint64, Out: math.MaxUint64, Dust: math.MaxUint64},
		{Number: 1, ResolvedAt: math.MinInt64, Expiry: math.MaxInt64, From: packetlog.Party{Ledger: math.MaxUint32, Peer: "ü\x00"}},
		{Number: math.MaxInt64, Expiry: -1, Condition: [32]byte{31: 1}},
	}
	folder := t.TempDir()
	writeArchive(t, folder, math.MaxUint64, extremes)
	require.Equal(t, extremes, readAll(t, folder))

	w, err := packetlog.CreateArchive(folder, 1, 1)
	require.NoError(t, err)
	require.ErrorContains(t, w.Add(&packetlog.Packet{Number: 1 << 63}), "number 9223372036854775808")
	require.Error(t, w.AddRound(packetlog.Round{Number: 1}), "the error stays")
	require.Error(t, w.Commit())
	require.NoError(t, w.Discard())
	w, err = packetlog.CreateArchive(folder, 1, 1)
	require.NoError(t, err)
	require.ErrorContains(t, w.AddRound(packetlog.Round{Number: 5, Packets: 2, Through: 1}), "round 5")
	require.NoError(t, w.Discard())
	require.Error(t, w.Add(&extremes[0]), "after Discard")
	list, err := packetlog.ListArchives(folder)
	require.NoError(t, err)
	require.Len(t, list, 1)
}

// ReadRecent passes what expires at the time or later, and reads nothing else: the damaged blocks of
// other packets are no error.
func TestReadRecentSkips(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	g := newTraffic(1, 3)
	old, recent := g.packets(3000), g.packets(10_000)
	for i := range old {
		old[i].Expiry = old[i].ResolvedAt
	}
	path := writeArchive(t, folder, 1, old)
	writeArchive(t, folder, 2, recent)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[100] ^= 1
	require.NoError(t, os.WriteFile(path, content, 0o600))
	since := recent[5000].ResolvedAt + 20e9
	want := slices.DeleteFunc(slices.Clone(recent), func(p packetlog.Packet) bool { return p.Expiry < since })
	require.NotEmpty(t, want)
	var got []packetlog.Packet
	read, err := packetlog.ReadRecent(folder, since, func(p *packetlog.Packet) error {
		got = append(got, *p)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, want, got)
	listed, err := packetlog.ListArchives(folder)
	require.NoError(t, err)
	require.Equal(t, listed, read)
	stop := errors.New("stop")
	_, err = packetlog.ReadRecent(folder, since, func(*packetlog.Packet) error { return stop })
	require.ErrorIs(t, err, stop)
	_, err = packetlog.ReadRecent(folder, math.MinInt64, func(*packetlog.Packet) error { return nil })
	require.ErrorIs(t, err, packetlog.ErrArchiveCorrupt)
}

func TestRemoveArchives(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	removed, err := packetlog.RemoveArchives(filepath.Join(folder, "none"), math.MaxInt64)
	require.NoError(t, err)
	require.Empty(t, removed)
	g := newTraffic(2, 3)
	first, second := g.packets(10), g.packets(10)
	for i := range 10 {
		first[i].Expiry, second[i].Expiry = first[i].ResolvedAt, second[i].ResolvedAt
	}
	first[3].Expiry = second[4].ResolvedAt
	firstPath := writeArchive(t, folder, 1, first)
	secondPath := writeArchive(t, folder, 2, second)
	last := writeArchive(t, folder, 4, g.packets(1))
	rounds := writeArchive(t, folder, 3, nil, packetlog.Round{Number: 1, At: uint64(second[9].ResolvedAt)})
	damaged := filepath.Join(folder, "packets-0000000000000000")
	require.NoError(t, os.WriteFile(damaged, []byte("no archive"), 0o600))

	for _, before := range []int64{first[9].ResolvedAt + 1, first[3].Expiry} { // a fulfill may come again until its packet has expired
		removed, err = packetlog.RemoveArchives(folder, before)
		require.ErrorIs(t, err, packetlog.ErrArchiveCorrupt)
		require.Empty(t, removed)
	}
	removed, err = packetlog.RemoveArchives(folder, first[3].Expiry+1)
	require.ErrorContains(t, err, damaged)
	require.Len(t, removed, 1)
	require.Equal(t, firstPath, removed[0].Path)
	require.NoFileExists(t, firstPath)
	require.FileExists(t, secondPath)
	require.FileExists(t, rounds)
	removed, err = packetlog.RemoveArchives(folder, second[9].ResolvedAt+1)
	require.Error(t, err)
	require.Len(t, removed, 2)
	require.FileExists(t, damaged, "what cannot be read stays")
	require.NoError(t, os.Remove(damaged))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "packets-0000000000000005"), []byte("no archive"), 0o600))
	removed, err = packetlog.RemoveArchives(folder, second[9].ResolvedAt+1)
	require.NoError(t, err, "files behind the first that stays are not read")
	require.Empty(t, removed)
	require.FileExists(t, last)
}

// AddRecord adds what the records of a journal have, and fails for a record that no journal has.
func TestArchiveTakesRecords(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	w, err := packetlog.CreateArchive(folder, 1, 1)
	require.NoError(t, err)
	alice, bob := packetlog.Party{Ledger: 1, Peer: "alice"}, packetlog.Party{Ledger: 2, Peer: "bob"}
	want := []packetlog.Packet{
		{Number: 1, ResolvedAt: 1, ID: ledger.NewID(0, 1), From: alice, To: bob, In: 2, Out: 1},
		{ResolvedAt: 2, ID: ledger.NewID(0, 2), From: bob, To: alice, In: 3, Out: 3},
	}
	round := packetlog.Round{Number: 1, Through: 1, Packets: 1, At: 5}
	require.NoError(t, w.AddRecord(packetlog.KindOwner, nil))
	require.NoError(t, w.AddRecord(packetlog.KindParty, packetlog.AppendParty(nil, 0, alice)))
	require.ErrorIs(t, w.AddRecord(packetlog.KindFulfill, packetlog.AppendPacket(nil, &want[0], 0, 1)), packetlog.ErrRecord)
	require.NoError(t, w.AddRecord(packetlog.KindParty, packetlog.AppendParty(nil, 1, bob)))
	require.NoError(t, w.AddRecord(packetlog.KindFulfill, packetlog.AppendPacket(nil, &want[0], 0, 1)))
	require.NoError(t, w.AddRecord(packetlog.KindReject, packetlog.AppendPacket(nil, &want[1], 1, 0)))
	require.NoError(t, w.AddRecord(packetlog.KindApplied, packetlog.AppendRound(nil, &round)))
	require.ErrorIs(t, w.AddRecord(packetlog.KindApplied, nil), packetlog.ErrRecord)
	require.ErrorIs(t, w.AddRecord(packetlog.KindParty, nil), packetlog.ErrRecord)
	require.NoError(t, w.Commit())
	require.Equal(t, want, readAll(t, folder))
	list, err := packetlog.ListArchives(folder)
	require.NoError(t, err)
	require.EqualValues(t, 1, list[0].Rounds)
}
