package packetlog_test

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
)

// journalWriter writes the log of a journal as package aggregate does.
type journalWriter struct {
	tb      testing.TB
	log     *wal.Log
	parties map[packetlog.Party]uint32
}

const journalNumber = 77

func newJournal(tb testing.TB, folder string) *journalWriter {
	tb.Helper()
	log, _, err := wal.OpenFormat(folder, packetlog.JournalFormat, func(wal.Record) error { return nil })
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, log.Close()) })
	j := &journalWriter{tb, log, map[packetlog.Party]uint32{}}
	j.append(packetlog.KindOwner, binary.BigEndian.AppendUint64(nil, journalNumber))
	return j
}

func (j *journalWriter) append(kind uint8, data []byte) {
	j.log.Append(kind, len(data), func(b []byte) []byte { return append(b, data...) })
}

func (j *journalWriter) party(p packetlog.Party) uint32 {
	index, ok := j.parties[p]
	if !ok {
		index = uint32(len(j.parties))
		j.parties[p] = index
		j.append(packetlog.KindParty, packetlog.AppendParty(nil, index, p))
	}
	return index
}

func (j *journalWriter) addPackets(packets []packetlog.Packet) {
	for i := range packets {
		p := &packets[i]
		kind := packetlog.KindFulfill
		if p.IsRejected() {
			kind = packetlog.KindReject
		}
		from, to := j.party(p.From), j.party(p.To)
		j.append(kind, packetlog.AppendPacket(nil, p, from, to))
	}
}

func (j *journalWriter) addRounds(rounds ...packetlog.Round) {
	for i := range rounds {
		j.append(packetlog.KindApplied, packetlog.AppendRound(nil, &rounds[i]))
	}
}

func (j *journalWriter) sync() {
	require.NoError(j.tb, j.log.Wait(context.Background(), j.log.Appended()))
}

// checkpoint archives what is in the log, and removes it there.
func (j *journalWriter) checkpoint(folder string) {
	c := j.log.Checkpoint()
	w, err := packetlog.CreateArchive(filepath.Join(folder, packetlog.ArchiveFolder), journalNumber, c.Number())
	require.NoError(j.tb, err)
	require.NoError(j.tb, c.ReadLog(context.Background(), packetlog.JournalFormat, func(r wal.Record) error { return w.AddRecord(r.Kind, r.Data) }))
	require.NoError(j.tb, w.Commit())
	require.NoError(j.tb, c.Append(packetlog.KindOwner, binary.BigEndian.AppendUint64(nil, journalNumber)))
	for p, index := range j.parties {
		require.NoError(j.tb, c.Append(packetlog.KindParty, packetlog.AppendParty(nil, index, p)))
	}
	require.NoError(j.tb, c.Commit(context.Background()))
}

func search(tb testing.TB, folder string, q packetlog.Query) (found []packetlog.Packet) {
	tb.Helper()
	require.NoError(tb, packetlog.Search(context.Background(), folder, q, func(p *packetlog.Packet) error {
		found = append(found, *p)
		return nil
	}))
	return found
}

// model is a journal whose packets are in archive files, in the log, or in both.
type model struct {
	folder string
	all    []packetlog.Packet // in the order of a search
	rounds []packetlog.Round
}

// makeModel writes some files, the newest in part out of order and with packets of others, and the log.
func makeModel(t *testing.T, rng *rand.Rand) *model {
	t.Helper()
	m := &model{folder: filepath.Join(t.TempDir(), "journal")}
	j := newJournal(t, m.folder)
	archive := filepath.Join(m.folder, packetlog.ArchiveFolder)
	g := newTraffic(rng.Uint64(), 1+rng.IntN(40))
	var carried []packetlog.Packet
	for number := range uint64(rng.IntN(4)) {
		packets := g.packets(rng.IntN(6000))
		m.all = append(m.all, packets...)
		written := append(carried, packets...)
		if rng.IntN(2) == 0 {
			rng.Shuffle(len(written), func(a, b int) { written[a], written[b] = written[b], written[a] })
		}
		writeArchive(t, archive, number, written, m.cutRound(g))
		carried = slices.Clone(written[:rng.IntN(len(written)+1)])
	}
	packets := g.packets(rng.IntN(2000))
	m.all = append(m.all, packets...)
	j.addPackets(append(carried, packets...))
	j.addRounds(m.rounds...)
	j.addRounds(m.cutRound(g))
	j.sync()
	slices.SortFunc(m.all, comparePackets)
	return m
}

// cutRound returns a round of the fulfills behind the round before.
func (m *model) cutRound(g *traffic) packetlog.Round {
	r := packetlog.Round{Number: uint64(len(m.rounds) + 1), Through: g.fulfils, At: uint64(g.clock)}
	r.Packets = r.Through - m.through()
	m.rounds = append(m.rounds, r)
	return r
}

func (m *model) through() uint64 {
	if n := len(m.rounds); n > 0 {
		return m.rounds[n-1].Through
	}
	return 0
}

func comparePackets(a, b packetlog.Packet) int {
	return cmp.Or(cmp.Compare(a.ResolvedAt, b.ResolvedAt), cmp.Compare(a.Number, b.Number), a.ID.Compare(b.ID))
}

func (m *model) randomQuery(rng *rand.Rand) (q packetlog.Query) {
	anyPacket := packetlog.Packet{ResolvedAt: 1, Condition: [32]byte{1}}
	if len(m.all) > 0 {
		anyPacket = m.all[rng.IntN(len(m.all))]
	}
	times := []int64{anyPacket.ResolvedAt, anyPacket.ResolvedAt + rng.Int64N(100e6)}
	choices := []func(){
		func() { q.Peer, q.Ledger = anyPacket.From.Peer, anyPacket.From.Ledger },
		func() { q.Peer = anyPacket.To.Peer },
		func() { q.Ledger = uint32(1 + rng.IntN(3)) },
		func() { q.Peer = "nobody" },
		func() { q.Since = times[0] },
		func() { q.Since, q.Until = times[0], times[1] },
		func() { q.ID = anyPacket.ID },
		func() { q.Condition = anyPacket.Condition[:8] },
		func() { q.Condition = anyPacket.Condition[:] },
		func() { q.Condition = make([]byte, 32) },
		func() { q.After, q.Through = anyPacket.Number, anyPacket.Number+rng.Uint64N(3000) },
		func() { q.Limit = 1 + rng.IntN(50) },
		func() { q.Limit = 1 + rng.IntN(5000) },
		func() { q.Newest = true },
	}
	for range 1 + rng.IntN(4) {
		choices[rng.IntN(len(choices))]()
	}
	return q
}

// linear is the search without an index.
func (m *model) linear(q packetlog.Query) (found []packetlog.Packet) {
	for _, p := range m.all {
		isParty := func(a packetlog.Party) bool {
			return (q.Peer == "" || a.Peer == q.Peer) && (q.Ledger == 0 || a.Ledger == q.Ledger)
		}
		switch {
		case !isParty(p.From) && !isParty(p.To):
		case p.ResolvedAt < q.Since || q.Until != 0 && p.ResolvedAt >= q.Until:
		case !q.ID.IsZero() && p.ID != q.ID:
		case len(q.Condition) == 8 && string(p.Condition[:8]) != string(q.Condition):
		case len(q.Condition) == 32 && string(p.Condition[:]) != string(q.Condition):
		case q.Through != 0 && (p.Number <= q.After || p.Number > q.Through):
		default:
			found = append(found, p)
		}
	}
	if q.Newest {
		slices.Reverse(found)
	}
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
	}
	return found
}

// Random queries over random journals find what a search without an index finds.
func TestSearchProperty(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	found := 0
	for journal := range 8 {
		m := makeModel(t, rng)
		for range 40 {
			q := m.randomQuery(rng)
			want := m.linear(q)
			got := search(t, m.folder, q)
			if !slices.Equal(want, got) {
				require.FailNow(t, "wrong packets", "seed %d, journal %d, query %+v: %d packets, want %d", seed, journal, q, len(got), len(want))
			}
			found += len(got)
		}
		requireRounds(t, m)
	}
	require.Positive(t, found)
}

// requireRounds finds each round, and its packets by the round's numbers.
func requireRounds(t *testing.T, m *model) {
	t.Helper()
	r, err := packetlog.NewReader(m.folder)
	require.NoError(t, err)
	defer r.Close()
	got, err := r.Rounds(t.Context(), 0, 100)
	require.NoError(t, err)
	require.Equal(t, m.rounds, got)
	var before packetlog.Round
	for _, round := range m.rounds {
		after, through, err := r.RoundNumbers(t.Context(), round.Number)
		require.NoError(t, err)
		require.Equal(t, []uint64{before.Through, round.Through}, []uint64{after, through})
		before = round
	}
	_, _, err = r.RoundNumbers(t.Context(), uint64(len(m.rounds)+1))
	require.ErrorIs(t, err, packetlog.ErrNoRound)
	_, _, err = r.RoundNumbers(t.Context(), 0)
	require.ErrorIs(t, err, packetlog.ErrNoRound)
	journal, err := r.Journal(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, journalNumber, journal)
}

// While a recorder appends, archives and removes, each search finds all packets appended before it, once.
func TestSearchBesideARecorder(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "journal")
	j := newJournal(t, folder)
	j.sync()
	packets := newTraffic(5, 5).packets(3000)
	appended := make(chan int, 1)
	appended <- 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; i < len(packets); i += 100 {
			j.addPackets(packets[i : i+100])
			j.sync()
			<-appended
			appended <- i + 100
			if i%300 == 0 {
				j.checkpoint(folder)
			}
		}
	}()
	for least := 0; least < len(packets); {
		least = <-appended
		appended <- least
		got := search(t, folder, packetlog.Query{})
		require.GreaterOrEqual(t, len(got), least)
		require.True(t, slices.Equal(packets[:len(got)], got), "%d packets", len(got))
	}
	<-done
	list, err := packetlog.ListArchives(filepath.Join(folder, packetlog.ArchiveFolder))
	require.NoError(t, err)
	require.Len(t, list, 10)
}

// A file of more than one group of blocks has an index for each.
func TestSearchInGroups(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.Mkdir(folder, 0o700))
	packets := newTraffic(3, 5).packets(2048*256 + 3000)
	packets[700].From.Peer, packets[len(packets)-2].To.Peer = "rare", "rare"
	writeArchive(t, filepath.Join(folder, packetlog.ArchiveFolder), 1, packets)
	for _, i := range []int{0, 2048*256 - 1, 2048 * 256, len(packets) - 1} {
		p := packets[i]
		require.Equal(t, []packetlog.Packet{p}, search(t, folder, packetlog.Query{ID: p.ID}))
		require.Equal(t, []packetlog.Packet{p}, search(t, folder, packetlog.Query{Condition: p.Condition[:8]}))
	}
	require.Equal(t, []packetlog.Packet{packets[700], packets[len(packets)-2]}, search(t, folder, packetlog.Query{Peer: "rare"}))
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "journal")
	none := func(*packetlog.Packet) error { return nil }
	require.ErrorIs(t, packetlog.Search(t.Context(), folder, packetlog.Query{}, none), wal.ErrNoLog)
	for _, q := range []packetlog.Query{{Condition: make([]byte, 9)}, {Since: 2, Until: 1}, {After: 2, Through: 1}, {Limit: -1}} {
		require.ErrorIs(t, packetlog.Search(t.Context(), folder, q, none), packetlog.ErrQuery)
	}
	j := newJournal(t, folder)
	packets := newTraffic(5, 5).packets(5000)
	j.addPackets(packets)
	j.sync()
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, packetlog.Search(canceled, folder, packetlog.Query{}, none), context.Canceled)
	stop := errors.New("stop")
	calls := 0
	require.ErrorIs(t, packetlog.Search(t.Context(), folder, packetlog.Query{}, func(*packetlog.Packet) error { calls++; return stop }), stop)
	require.Equal(t, 1, calls)

	w, err := packetlog.CreateArchive(filepath.Join(folder, packetlog.ArchiveFolder), journalNumber+1, 5)
	require.NoError(t, err)
	require.NoError(t, w.Commit())
	err = packetlog.Search(t.Context(), folder, packetlog.Query{}, none)
	require.ErrorIs(t, err, packetlog.ErrForeignArchive)
	require.ErrorContains(t, err, "packets-0000000000000005")
}

// A reader notices that a file was replaced by one with more packets, as after a checkpoint that failed.
func TestReaderOfAReplacedFile(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.Mkdir(folder, 0o700))
	packets := newTraffic(4, 2).packets(200)
	writeArchive(t, filepath.Join(folder, packetlog.ArchiveFolder), 1, packets[:100])
	r, err := packetlog.NewReader(folder)
	require.NoError(t, err)
	defer r.Close()
	count := func(first int) (n int) {
		q := packetlog.Query{Since: packets[first].ResolvedAt}
		require.NoError(t, r.Search(t.Context(), q, func(*packetlog.Packet) error { n++; return nil }))
		return n
	}
	require.Equal(t, 50, count(50))
	writeArchive(t, filepath.Join(folder, packetlog.ArchiveFolder), 1, packets)
	require.Equal(t, 50, count(150))
}

// A query takes packets up to its bounds, also where a file or a block begins or ends.
func TestSearchBounds(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.Mkdir(folder, 0o700))
	archive := filepath.Join(folder, packetlog.ArchiveFolder)
	var packets []packetlog.Packet
	for n := range uint64(6000) {
		packets = append(packets, packetlog.Packet{Number: n + 1, ResolvedAt: int64(10 * n), Expiry: int64(10*n) + 5, From: packetlog.Party{Ledger: 1}, To: packetlog.Party{Ledger: 1}})
	}
	writeArchive(t, archive, 1, packets[:3000])
	writeArchive(t, archive, 2, packets[3000:])
	for _, n := range []int{0, 1, 2047, 2048, 2999, 3000, 3001, 5047, 5048, 5999} {
		at := packets[n].ResolvedAt
		require.Equal(t, packets[n:], search(t, folder, packetlog.Query{Since: at}), n)
		require.Equal(t, packets[:n+1], search(t, folder, packetlog.Query{Until: at + 1}), n)
		require.Equal(t, packets[n:n+1], search(t, folder, packetlog.Query{Since: at, Until: at + 1}), n)
		require.Equal(t, packets[n:n+1], search(t, folder, packetlog.Query{After: uint64(n), Through: uint64(n + 1)}), n)
		if n > 0 {
			require.Equal(t, packets[:n], search(t, folder, packetlog.Query{Until: at}), n)
		}
		for _, later := range []int64{0, 1} {
			first := packets[n].Expiry + later
			var got []packetlog.Packet
			_, err := packetlog.ReadRecent(archive, first, func(p *packetlog.Packet) error {
				got = append(got, *p)
				return nil
			})
			require.NoError(t, err)
			require.Len(t, got, 6000-n-int(later), n)
		}
	}
}
