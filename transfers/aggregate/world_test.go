package aggregate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

var (
	usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	eur = accounts.Asset{Code: "EUR", Scale: 6, Ledger: 2, AllowLoss: true}
)

// faults are what may happen in a program beside packets.
type faults struct {
	crashes   bool // and fulfills of packets that a restart has forgotten
	oldLives  bool // such fulfills
	late      bool // fulfills of expired holds, pauses, jumps of the wall clock
	operators bool // closings, suspensions, orders
}

// world is a ledger with some instances of the recorder's machine, and what they must agree with.
type world struct {
	tb      testing.TB
	rnd     *rand.Rand
	faults  faults
	limited bool // peers and liquidity have limits
	ledger  *embedded.Ledger
	book    *accounts.Book
	peers   []accounts.PeerAccount
	now     time.Duration // since base

	instances []*instance
	packets   []*modelPacket
	lastID    uint64
	maxLegs   int

	accepted int           // packets, checked against the limits
	refusals map[error]int // by the cause of the limit

	orders map[ledger.ID]accounts.PeerAccount // open orders
	closed map[accounts.PeerAccount]ledger.ID // closing transfers
	paid   map[accounts.PeerAccount]uint64    // by orders
	lines  map[accounts.PeerAccount]uint64
}

var base = time.Unix(1_700_000_000, 0)

func (w *world) rules(number uint64) rules {
	return rules{
		journal: number, timeout: 120, margin: 2 * time.Second, minHold: time.Second, maxHold: 30 * time.Second, outage: 30 * time.Second,
		horizon: time.Minute, interval: 50 * time.Millisecond, poll: time.Second, sharePercent: 50, maxLegs: w.maxLegs,
		seed: [2]uint64{number, 7},
	}
}

// newWorld returns a world with a number of peers in each of two assets.
func newWorld(tb testing.TB, seed uint64, f faults, perAsset int) *world {
	tb.Helper()
	w := &world{
		tb: tb, rnd: rand.New(rand.NewPCG(seed, 1)), faults: f, limited: seed%3 == 0, refusals: map[error]int{},
		orders: map[ledger.ID]accounts.PeerAccount{}, closed: map[accounts.PeerAccount]ledger.ID{},
		paid: map[accounts.PeerAccount]uint64{}, lines: map[accounts.PeerAccount]uint64{},
	}
	w.ledger = embedded.New(embedded.WithClock(func() time.Time { return base.Add(w.now) }))
	w.maxLegs = mostLegsAdded + w.rnd.IntN(50)
	var err error
	w.book, err = accounts.NewBook(w.ledger, worldConfig(w.limited))
	require.NoError(tb, err)
	for _, asset := range []accounts.Asset{usd, eur} {
		for i := range perAsset {
			line := uint64(w.rnd.IntN(4)) * 2000
			a, err := w.book.Provision(context.Background(), accounts.PeerConfig{ID: fmt.Sprint("peer", i), Asset: asset, CreditLine: ledger.NewAmount(line)})
			require.NoError(tb, err)
			w.peers, w.lines[a[0]] = append(w.peers, a[0]), line
		}
	}
	require.NoError(tb, w.book.EnsureTransit(context.Background()))
	for i := range 1 + w.rnd.IntN(3) {
		in := &instance{world: w, number: uint64(i + 1)}
		w.instances = append(w.instances, in)
		in.start()
	}
	return w
}

func (w *world) chance(n int) bool { return w.rnd.IntN(100) < n }

func (w *world) newID() ledger.ID {
	w.lastID++
	return ledger.NewID(w.lastID<<8, 7)
}

// record is a record of a journal.
type record struct {
	kind uint8
	data []byte
}

// instance is a machine with its journal. Records up to synced survive a crash.
type instance struct {
	world   *world
	number  uint64
	machine *machine
	journal []record // of all lives, for the model
	synced  int
	live    []record // of the newest checkpoint; records from from on follow it
	from    int
	base    int // records before this life
	jump    time.Duration
	life    int
	sent    *request
	acks    []ack
	limits  limitsOfWorld
}

// ack is a reply that waits for its record.
type ack struct {
	record int // in instance.journal, counted from 1
	apply  func()
}

func (in *instance) appendRecord(kind uint8, data []byte) {
	in.journal = append(in.journal, record{kind, append([]byte(nil), data...)})
}

func (in *instance) moment() moment {
	return moment{wall: base.Add(in.world.now + in.jump).UnixNano(), mono: in.world.now}
}

// start begins a life: the machine goes on from the journal.
func (in *instance) start() {
	w := in.world
	in.life++
	in.sent, in.acks = nil, nil
	in.base = len(in.journal)
	in.limits = limitsOfWorld{seen: map[accounts.PeerAccount]othersPart{}, open: map[ledger.ID]transfers.Packet{}, records: in.base}
	in.machine = newMachine(w.book, w.rules(in.number), in, w.newID, in.moment())
	r := &replayer{machine: in.machine, account: w.book.AccountIn}
	for _, rec := range append(append([]record(nil), in.live...), in.journal[in.from:]...) {
		require.NoError(w.tb, r.addRecord(rec.kind, rec.data))
	}
	if !r.ownerRead {
		in.machine.appendRecord(packetlog.KindOwner, encodeOwner(in.number, ""))
		in.sync(len(in.journal)) // as openMachine does
		return
	}
	for _, p := range in.resolved(in.from) { // the archive
		require.NoError(w.tb, r.addArchived(&p))
	}
	require.NoError(w.tb, r.restore())
}

// resolved returns the packets of the first n records of the journal.
func (in *instance) resolved(n int) (packets []packetlog.Packet) {
	var d packetlog.Decoder
	for _, rec := range in.journal[:n] {
		switch rec.kind {
		case packetlog.KindParty:
			require.NoError(in.world.tb, d.AddParty(rec.data))
		case packetlog.KindFulfill, packetlog.KindReject:
			p, _, _, err := d.ReadPacket(rec.data)
			require.NoError(in.world.tb, err)
			require.Equal(in.world.tb, rec.kind == packetlog.KindReject, p.IsRejected())
			packets = append(packets, p)
		}
	}
	return packets
}

// crash ends a life. A part of the records behind the synced ones may have reached the disk.
func (in *instance) crash() {
	w := in.world
	kept := in.synced + w.rnd.IntN(len(in.journal)-in.synced+1)
	in.journal, in.synced = in.journal[:kept], kept
	in.start()
}

// checkpoint replaces the journal by the machine's state.
func (in *instance) checkpoint() {
	in.sync(len(in.journal))
	in.live = nil
	in.machine.checkpoint(func(kind uint8, data []byte) {
		in.live = append(in.live, record{kind, append([]byte(nil), data...)})
	})
	in.from = len(in.journal)
}

// sync brings records to the disk, and acknowledges what waits for them.
func (in *instance) sync(upTo int) {
	in.synced = upTo
	in.machine.markSynced(uint64(max(0, upTo-in.base)))
	left := in.acks[:0]
	for _, a := range in.acks {
		if a.record <= in.synced {
			a.apply()
		} else {
			left = append(left, a)
		}
	}
	in.acks = left
}

// step sends the machine's next request. The request or its answer may be lost; then it is sent
// again, or the process crashes.
func (in *instance) step(isReliable bool) (worked bool) {
	w := in.world
	if in.sent == nil {
		in.sent = in.machine.nextRequest(in.moment())
	}
	if in.sent == nil {
		in.takeDecided()
		return false
	}
	if !isReliable && w.chance(5) {
		return true // lost on its way
	}
	answer := w.execute(in.sent)
	w.checkTransit()
	if !isReliable && w.chance(5) {
		return true // the answer is lost
	}
	if in.sent.kind == requestPeers {
		w.noteLookUp(in, in.sent)
	}
	in.sent = nil
	answer(in.machine, in.moment())
	in.takeDecided()
	if in.machine.stopped != nil {
		require.NoError(w.tb, in.machine.stopped)
	}
	return true
}

// execute runs a request on the ledger, and returns the function that gives the answer.
func (w *world) execute(r *request) func(*machine, moment) {
	ctx := context.Background()
	switch r.kind { //nolint:exhaustive // the rest creates transfers
	case requestPeers, requestParties:
		rows, err := w.ledger.LookupAccounts(ctx, r.ids)
		require.NoError(w.tb, err)
		return func(m *machine, now moment) { m.answerAccounts(now, rows) }
	case requestRecover, requestHolds:
		rows, err := w.ledger.LookupTransfers(ctx, r.ids)
		require.NoError(w.tb, err)
		return func(m *machine, now moment) { m.answerRows(now, rows) }
	case requestAdopt:
		rows, err := w.ledger.QueryTransfers(ctx, r.filter)
		require.NoError(w.tb, err)
		return func(m *machine, now moment) { m.answerRows(now, rows) }
	default:
		require.NoError(w.tb, w.book.EnsureArrears(ctx, r.arrears...))
		require.LessOrEqual(w.tb, len(r.transfers), w.maxLegs)
		results, err := w.ledger.CreateTransfers(ctx, r.transfers)
		require.NoError(w.tb, err)
		if r.kind == requestRound && results[0].Status == ledger.TransferCreated {
			w.checkCollected(r.arrears)
		}
		return func(m *machine, now moment) { m.answerTransfers(now, results) }
	}
}

// checkCollected checks that right after a round no sender has arrears beside headroom. An account
// that was closed when the round looked, and is open again, was not collected from.
func (w *world) checkCollected(senders []accounts.PeerAccount) {
	if w.faults.operators {
		return
	}
	for _, a := range senders {
		ids := w.book.PeerIDs(a)
		rows, err := w.ledger.LookupAccounts(context.Background(), []ledger.ID{ids.Peer, ids.Arrears})
		require.NoError(w.tb, err)
		free := rows[0].CreditsPosted.SubFloor(rows[0].DebitsPosted).SubFloor(rows[0].DebitsPending)
		require.True(w.tb, free.IsZero() || posted(&rows[1]) == 0, "arrears of %v beside headroom", a)
	}
}

// operate does what operators and the settlement engine do.
func (w *world) operate() {
	ctx := context.Background()
	a := w.peers[w.rnd.IntN(len(w.peers))]
	ids := w.book.PeerIDs(a)
	own, _ := w.book.AssetIDs(a.Ledger())
	closing, isClosed := w.closed[a]
	switch w.rnd.IntN(5) {
	case 0:
		if isClosed {
			w.send(ledger.Transfer{ID: w.newID(), PendingID: closing, Flags: ledger.TransferVoidPending})
			delete(w.closed, a)
			return
		}
		t := ledger.Transfer{
			ID: w.newID(), DebitAccountID: ids.Peer, CreditAccountID: own.Control, Ledger: a.Ledger(), Code: chart.CodeClose,
			Flags: ledger.TransferPending | ledger.TransferClosingDebit,
		}
		if w.send(t) {
			w.closed[a] = t.ID
		}
	case 1:
		_ = w.book.SuspendPeer(ctx, a)
	case 2:
		_ = w.book.ResumePeer(ctx, a)
	case 3:
		t := ledger.Transfer{
			ID: w.newID(), DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Ledger: a.Ledger(), Code: chart.CodeOrder,
			Amount: ledger.NewAmount(uint64(w.rnd.IntN(3000))), Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
		}
		if w.send(t) {
			w.orders[t.ID] = a
		}
	default:
		w.resolveOrders(1)
	}
}

// resolveOrders posts or voids open orders, at most n.
func (w *world) resolveOrders(n int) {
	for _, id := range sortedIDs(w.orders) {
		if n--; n < 0 {
			return
		}
		a := w.orders[id]
		if _, isClosed := w.closed[a]; isClosed {
			continue
		}
		rows, err := w.ledger.LookupTransfers(context.Background(), []ledger.ID{id})
		require.NoError(w.tb, err)
		t := ledger.Transfer{ID: w.newID(), PendingID: id, Flags: ledger.TransferVoidPending}
		if w.chance(70) {
			t.Flags, t.Amount = ledger.TransferPostPending, ledger.AmountMax
		}
		if delete(w.orders, id); w.send(t) && t.Flags == ledger.TransferPostPending {
			amount, _ := rows[0].Amount.Uint64()
			w.paid[a] += amount
		}
	}
}

func (w *world) send(t ledger.Transfer) bool {
	results, err := w.ledger.CreateTransfers(context.Background(), []ledger.Transfer{t})
	require.NoError(w.tb, err)
	return results[0].Status == ledger.TransferCreated
}

// modelPacket is a packet as its caller knows it.
type modelPacket struct {
	packet    transfers.Packet
	instance  *instance
	life      int // of the instance that accepted it; 0: not accepted
	fulfilled bool
	rejected  bool
	done      bool // its caller resolved it, with or without an answer
}
