package accounts_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var roundScenarios = []scenario{
	{"statement of rounds", testStatementOfRounds},
	{"comparison of rounds and packets", testCompareRounds},
}

// roundBooks writes rounds of packets between alice, bob and ourselves, as package transfers/aggregate does: into
// the ledger, and into the journal of a folder.
type roundBooks struct {
	t       *testing.T
	ledger  ledger.Ledger
	book    *accounts.Book
	random  *rand.Rand
	own     accounts.AssetIDs
	parties []accounts.PeerAccount // alice, bob; the zero handle is ourselves
	indexes map[string]uint32

	folder          string
	number          uint64 // of the journal
	log             *wal.Log
	reservations    [2][]ledger.Transfer // that no round has posted
	round, fulfills uint64
	clock           int64
	sent, received  [2]int64 // by the last round
	last            uint64   // round
	early           []packetlog.Packet
}

func newRoundBooks(t *testing.T, l ledger.Ledger, number uint64) *roundBooks {
	t.Helper()
	b := &roundBooks{
		t: t, ledger: l, book: newBook(t, l), random: rand.New(rand.NewPCG(ledgertest.Seed(t), number)), number: number,
		folder: filepath.Join(t.TempDir(), fmt.Sprint("journal", number)), clock: 1_700_000_000_000_000_000, indexes: map[string]uint32{},
	}
	require.NoError(t, b.book.EnsureTransit(t.Context()))
	b.parties = append(provision(t, b.book, 100_000_000, "alice", "bob"), accounts.PeerAccount{})
	b.own, _ = b.book.AssetIDs(usd.Ledger)
	log, _, err := wal.OpenFormat(b.folder, packetlog.JournalFormat, func(wal.Record) error { return nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	b.log = log
	b.append(packetlog.KindOwner, binary.BigEndian.AppendUint64(nil, number))
	return b
}

func (b *roundBooks) append(kind uint8, data []byte) {
	b.log.Append(kind, len(data), func(to []byte) []byte { return append(to, data...) })
}

func (b *roundBooks) party(i int) uint32 {
	peer := b.parties[i].Peer()
	index, ok := b.indexes[peer]
	if !ok {
		index = uint32(len(b.indexes))
		b.indexes[peer] = index
		b.append(packetlog.KindParty, packetlog.AppendParty(nil, index, packetlog.Party{Ledger: usd.Ledger, Peer: peer}))
	}
	return index
}

// leg makes a transfer with the numbers of journal and round.
func (b *roundBooks) leg(debit, credit ledger.ID, amount int64, code uint16, flags ledger.TransferFlags) ledger.Transfer {
	return ledger.Transfer{
		ID: randomID(), DebitAccountID: debit, CreditAccountID: credit, Ledger: usd.Ledger, Amount: units(uint64(amount)), Code: code,
		Flags: flags | ledger.TransferLinked, UserData64: b.number, UserData32: uint32(b.round),
	}
}

// reserve writes reservations of a sender.
func (b *roundBooks) reserve(sender int, amounts ...int64) {
	for _, amount := range amounts {
		row := b.leg(b.parties[sender].ID(), b.own.Transit, amount, chart.CodeReserve, ledger.TransferPending)
		row.Flags &^= ledger.TransferLinked
		b.create(row)
		b.reservations[sender] = append(b.reservations[sender], row)
	}
}

func (b *roundBooks) create(rows ...ledger.Transfer) {
	b.t.Helper()
	results, err := b.ledger.CreateTransfers(b.t.Context(), rows)
	require.NoError(b.t, err)
	for _, r := range results {
		require.Equal(b.t, ledger.TransferCreated, r.Status)
	}
}

// packet journals a fulfill, sometimes with a reject, between two random parties.
func (b *roundBooks) packet() packetlog.Packet {
	b.clock += b.random.Int64N(1000)
	b.fulfills++
	from, to := b.random.IntN(3), b.random.IntN(2)
	if from == to {
		to = 1 - to
	}
	p := packetlog.Packet{Number: b.fulfills, ResolvedAt: b.clock, Expiry: b.clock + 1e9, ID: randomID(), In: uint64(b.random.IntN(100)), Out: 0}
	if b.fulfills%13 == 0 {
		p.In = 0 // in no round
	}
	if p.Out = p.In - p.In/10; from == 2 {
		p.In = p.Out
	}
	binary.BigEndian.PutUint64(p.Condition[:], b.fulfills)
	binary.BigEndian.PutUint64(p.Condition[8:], b.random.Uint64())
	fromIndex, toIndex := b.party(from), b.party(to)
	b.append(packetlog.KindFulfill, packetlog.AppendPacket(nil, &p, fromIndex, toIndex))
	p.From.Peer, p.To.Peer = b.parties[from].Peer(), b.parties[to].Peer()
	if b.random.IntN(5) == 0 {
		rejected := p
		rejected.Number, rejected.ID, rejected.In = 0, randomID(), 1_000_000
		b.append(packetlog.KindReject, packetlog.AppendPacket(nil, &rejected, fromIndex, toIndex))
	}
	return p
}

// cut writes a round of the packets: posts, new reservations, arrears, credits, collections.
func (b *roundBooks) cut(packets []packetlog.Packet) {
	b.t.Helper()
	b.round++
	b.sent, b.received = [2]int64{}, [2]int64{}
	revenue, ours := int64(0), int64(0)
	for i := range packets {
		p := &packets[i]
		for n := range 2 {
			if p.From.Peer == b.parties[n].Peer() {
				b.sent[n] += int64(p.In)
				revenue += int64(p.In - p.Out)
			}
			if p.To.Peer == b.parties[n].Peer() {
				b.received[n] += int64(p.Out)
			}
		}
		if p.From.Peer == "" {
			ours += int64(p.Out)
		}
	}
	rows := b.takeLegs()
	rows = append(rows, b.leg(b.own.Liquidity, b.own.Transit, ours, chart.CodeRound, 0))
	for n, amount := range b.received {
		if amount > 0 {
			rows = append(rows, b.leg(b.own.Transit, b.parties[n].ID(), amount, chart.CodeRound, 0))
		}
	}
	rows = append(rows, b.leg(b.own.Transit, b.own.Revenue, revenue, chart.CodeFee, 0))
	for n := range 2 {
		ids := b.book.PeerIDs(b.parties[n])
		collect := chart.Collect(ids.Peer, ids.Arrears, usd.Ledger)
		collect.ID, collect.UserData64, collect.UserData32 = randomID(), b.number, uint32(b.round)
		collect.Flags |= ledger.TransferLinked
		rows = append(rows, collect)
	}
	rows[0].UserData128 = uint128.New(7, 7)
	rows[len(rows)-1].Flags &^= ledger.TransferLinked
	b.create(rows...)
	r := packetlog.Round{Number: b.round, Through: b.fulfills, Packets: uint64(len(packets))}
	// While the round was under way there were packets, and now and then the log became archive.
	if b.early = nil; b.round < b.last {
		b.early = []packetlog.Packet{b.packet(), b.packet(), b.packet()}
	}
	if b.round%4 == 0 {
		b.archive()
	}
	b.append(packetlog.KindApplied, packetlog.AppendRound(nil, &r))
	require.NoError(b.t, b.log.Wait(context.Background(), b.log.Appended()))
}

// takeLegs posts all reservations, charges arrears with what they do not cover, and reserves again.
func (b *roundBooks) takeLegs() (rows []ledger.Transfer) {
	for n := range 2 {
		left := b.sent[n]
		for _, hold := range b.reservations[n] {
			amount, _ := hold.Amount.Uint64()
			posted := min(left, int64(amount))
			left -= posted
			row := b.leg(ledger.ID{}, ledger.ID{}, posted, 0, ledger.TransferPostPending)
			row.PendingID, row.Ledger = hold.ID, 0
			rows = append(rows, row)
		}
		renew := b.leg(b.parties[n].ID(), b.own.Transit, 1000, chart.CodeReserve, ledger.TransferPending)
		rows = append(rows, renew)
		b.reservations[n] = []ledger.Transfer{renew}
		if left > 0 {
			rows = append(rows, b.leg(b.book.PeerIDs(b.parties[n]).Arrears, b.own.Transit, left, chart.CodeCorrection, 0))
		}
	}
	return rows
}

// release voids what is reserved.
func (b *roundBooks) release() {
	for n := range 2 {
		for _, hold := range b.reservations[n] {
			b.create(ledger.Transfer{ID: randomID(), PendingID: hold.ID, Flags: ledger.TransferVoidPending})
		}
	}
}

// archive moves the log into the archive.
func (b *roundBooks) archive() {
	c := b.log.Checkpoint()
	w, err := packetlog.CreateArchive(filepath.Join(b.folder, packetlog.ArchiveFolder), b.number, c.Number())
	require.NoError(b.t, err)
	require.NoError(b.t, c.ReadLog(b.t.Context(), packetlog.JournalFormat, func(r wal.Record) error { return w.AddRecord(r.Kind, r.Data) }))
	require.NoError(b.t, w.Commit())
	require.NoError(b.t, c.Append(packetlog.KindOwner, binary.BigEndian.AppendUint64(nil, b.number)))
	for peer, index := range b.indexes {
		require.NoError(b.t, c.Append(packetlog.KindParty, packetlog.AppendParty(nil, index, packetlog.Party{Ledger: usd.Ledger, Peer: peer})))
	}
	require.NoError(b.t, c.Commit(b.t.Context()))
}

func (b *roundBooks) statement(n int, options ...accounts.StatementOption) *accounts.Statement {
	b.t.Helper()
	s, err := b.book.Statement(b.t.Context(), b.parties[n], time.Time{}, time.Time{}, options...)
	require.NoError(b.t, err)
	return s
}

// run writes random rounds, and moves the log into the archive now and then.
func (b *roundBooks) run(rounds int) (packets []packetlog.Packet) {
	b.last = uint64(rounds)
	b.reserve(0, 300, 500)
	for range rounds {
		list := b.early
		for range b.random.IntN(20) {
			list = append(list, b.packet())
		}
		b.cut(list)
		packets = append(packets, list...)
		if b.random.IntN(3) == 0 {
			b.reserve(b.random.IntN(2), 50)
		}
	}
	b.release()
	return packets
}

// testStatementOfRounds writes random rounds. Without the journal, a statement shows them as rows, without
// reservations; with it, the packets in their order. Both add up to the balance.
func testStatementOfRounds(t *testing.T, l ledger.Ledger) {
	b := newRoundBooks(t, l, 77)
	packets := b.run(15)
	for n := range 2 {
		rows := collectEntries(t, b.statement(n, accounts.WithHolds()).Entries(t.Context()))
		for _, e := range rows[1:] { // without the line
			require.Equal(t, accounts.EntryRound, e.Kind, e)
			require.Equal(t, "transit", e.Counterparty.String())
			require.EqualValues(t, 77, e.Journal)
			require.NotZero(t, e.Round)
			require.NotZero(t, e.Amount.Sign())
			require.Equal(t, e.Amount.Sign() < 0, e.Direction == accounts.DirectionIn)
			require.Equal(t, e.Code == chart.CodeCorrection, e.Late)
			require.Zero(t, e.ConditionTag)
			require.False(t, e.PacketsGone)
		}
		s := b.statement(n, accounts.WithJournals(b.folder))
		got := collectEntries(t, s.Entries(t.Context()))[1:]
		requirePackets(t, b, n, packets, got)
		require.Equal(t, s.Closing.Position, got[len(got)-1].Position)

		var text bytes.Buffer
		require.NoError(t, accounts.WriteCSV(t.Context(), &text, s))
		read := collectEntries(t, accounts.ReadCSV(&text, usd))[1:]
		require.Len(t, read, len(got))
		for i := range read {
			require.Equal(t, got[i].Counterparty.String(), read[i].Counterparty.String())
			got[i].Counterparty = read[i].Counterparty
			require.Equal(t, inText(got[i]), inText(read[i]))
		}
	}
	ledgertest.RequireNothingHeld(t, l)
}

// requirePackets requires the packets of a peer, for each round those from the peer and then those to it.
func requirePackets(t *testing.T, b *roundBooks, n int, packets []packetlog.Packet, got []accounts.Entry) {
	t.Helper()
	want := map[ledger.ID]int64{}
	for i := range packets {
		p := &packets[i]
		if p.In == 0 && p.Out == 0 {
			continue
		}
		if p.From.Peer == b.parties[n].Peer() {
			want[p.ID] = -int64(p.In)
		}
		if p.To.Peer == b.parties[n].Peer() {
			want[p.ID] = int64(p.Out)
		}
	}
	position := new(big.Int)
	for i, e := range got {
		require.Equal(t, accounts.EntryPacket, e.Kind)
		amount, ok := want[e.Packet]
		require.True(t, ok, "%v", e)
		delete(want, e.Packet)
		require.Equal(t, amount, e.Amount.Int64())
		require.Equal(t, e.Amount.Sign() < 0, e.Direction == accounts.DirectionIn)
		require.NotZero(t, e.ConditionTag)
		require.Equal(t, position.Add(position, e.Amount).String(), e.Position.String())
		if i > 0 {
			require.False(t, e.Time.Before(got[i-1].Time))
		}
	}
	require.Empty(t, want)
}

// When the archive no longer has a round's packets, the statement shows its row and says so. Packets that
// are there and do not add up are an error, which names the round.
func TestStatementOfGoneAndWrongPackets(t *testing.T) {
	t.Parallel()
	b := newRoundBooks(t, newLedger(t), 5)
	b.run(12)
	list, err := packetlog.ListArchives(filepath.Join(b.folder, packetlog.ArchiveFolder))
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.NoError(t, os.Remove(list[1].Path))
	gone, shown := 0, 0
	s := b.statement(0, accounts.WithJournals(b.folder))
	entries := collectEntries(t, s.Entries(t.Context()))[1:]
	for _, e := range entries {
		if e.PacketsGone {
			require.Equal(t, accounts.EntryRound, e.Kind)
			gone++
		} else {
			require.Equal(t, accounts.EntryPacket, e.Kind)
			shown++
		}
	}
	require.Positive(t, gone)
	require.Positive(t, shown)
	require.Equal(t, s.Closing.Position, entries[len(entries)-1].Position)
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, s))
	require.Len(t, collectEntries(t, accounts.ReadCSV(&text, usd)), len(entries)+1)

	require.NoError(t, os.Rename(list[0].Path, list[0].Path+".away"))
	rewriteArchive(t, list[0].Path+".away", list[0], func(p *packetlog.Packet) { p.In++ })
	var last error
	for _, last = range b.statement(0, accounts.WithJournals(b.folder)).Entries(t.Context()) {
	}
	require.ErrorIs(t, last, accounts.ErrStatement)
	require.ErrorContains(t, last, "of journal 0000000000000005")

	for _, last = range b.statement(0, accounts.WithJournals(t.TempDir())).Entries(t.Context()) {
	}
	require.ErrorIs(t, last, wal.ErrNoLog)
	for _, last = range b.statement(0, accounts.WithJournals(b.folder, b.folder)).Entries(t.Context()) {
	}
	requireField(t, last, "WithJournals")
}

// rewriteArchive writes the content of a file again, with the first packet changed that has an amount.
func rewriteArchive(t *testing.T, from string, a packetlog.Archive, change func(*packetlog.Packet)) {
	t.Helper()
	old := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.MkdirAll(filepath.Join(old, packetlog.ArchiveFolder), 0o700))
	require.NoError(t, os.Rename(from, filepath.Join(old, packetlog.ArchiveFolder, filepath.Base(a.Path))))
	w, err := packetlog.CreateArchive(filepath.Dir(a.Path), a.Journal, a.Number)
	require.NoError(t, err)
	changed := false
	require.NoError(t, packetlog.Search(t.Context(), old, packetlog.Query{}, func(p *packetlog.Packet) error {
		if !changed && p.Number > 0 && p.In > 0 && p.From.Peer == "alice" {
			change(p)
			changed = true
		}
		return w.Add(p)
	}))
	require.True(t, changed)
	r, err := packetlog.NewReader(old)
	require.NoError(t, err)
	defer r.Close()
	rounds, err := r.Rounds(t.Context(), 0, 1<<40)
	require.NoError(t, err)
	for _, round := range rounds {
		require.NoError(t, w.AddRound(round))
	}
	require.NoError(t, w.Commit())
}

// A statement of two journals has the packets of each whose folder is given.
func TestStatementOfTwoJournals(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	one, two := newRoundBooks(t, l, 1), newRoundBooks(t, l, 2)
	packets := append(one.run(3), two.run(3)...)
	requirePackets(t, one, 1, packets, collectEntries(t, one.statement(1, accounts.WithJournals(one.folder, two.folder)).Entries(t.Context()))[1:])
	for _, e := range collectEntries(t, one.statement(1, accounts.WithJournals(one.folder)).Entries(t.Context()))[1:] {
		require.Equal(t, e.Journal == 2, e.PacketsGone)
		require.Equal(t, e.Journal == 2, e.Kind == accounts.EntryRound)
	}
}

// Our own account shows rounds as rows, also with a journal.
func TestOwnStatementOfRounds(t *testing.T) {
	t.Parallel()
	b := newRoundBooks(t, newLedger(t), 3)
	b.run(4)
	own, err := b.book.OwnAccount(usd)
	require.NoError(t, err)
	s, err := b.book.Statement(t.Context(), own, time.Time{}, time.Time{}, accounts.WithJournals(b.folder))
	require.NoError(t, err)
	entries := collectEntries(t, s.Entries(t.Context()))
	require.NotEmpty(t, entries)
	for _, e := range entries {
		require.Equal(t, accounts.EntryRound, e.Kind)
		require.False(t, e.PacketsGone)
	}
}

// testCompareRounds compares a side with rounds and a side that books each packet. With the journal, all
// packets match but those that one side does not have.
func testCompareRounds(t *testing.T, l ledger.Ledger) {
	b := newRoundBooks(t, l, 9)
	packets := b.run(10)
	them := secondStatementModel(t, l)
	drift, dropped := int64(0), 0
	for i := range packets {
		p := &packets[i]
		amount := int64(0)
		if p.From.Peer == "alice" {
			amount = -int64(p.In)
		}
		if p.To.Peer == "alice" {
			amount += int64(p.Out)
		}
		if amount == 0 {
			continue
		}
		if i%7 == 0 {
			drift += amount
			dropped++
			continue
		}
		row := them.leg(chart.CodePacket, them.peers[1].ID(), -amount, 1)
		row.UserData128, row.UserData64 = uint128.New(uint64(i), 99), binary.BigEndian.Uint64(p.Condition[:])
		them.create(row)
	}
	ours := b.statement(0, accounts.WithJournals(b.folder))
	theirs := them.statement(time.Time{}, time.Time{})
	for _, swapped := range []bool{false, true} {
		a, c := ours.Entries(t.Context()), theirs.Entries(t.Context())
		if swapped {
			a, c = c, a
		}
		got, err := accounts.Compare(a, c)
		require.NoError(t, err)
		require.Len(t, got.Differences, dropped)
		for _, d := range got.Differences {
			require.Equal(t, accounts.EntryPacket, d.Kind)
			require.Equal(t, swapped, d.Class == accounts.MissingOurs)
		}
		require.Equal(t, drift, new(big.Int).Add(got.Ours, got.Theirs).Int64())
	}
	got, err := accounts.Compare(b.statement(0).Entries(t.Context()), theirs.Entries(t.Context()))
	require.NoError(t, err)
	require.Equal(t, drift, new(big.Int).Add(got.Ours, got.Theirs).Int64(), "rounds without packets count too")
	ledgertest.RequireNothingHeld(t, l)
}
