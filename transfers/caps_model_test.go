package transfers_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// capsModel runs two recorders on the same ledger, one or both with caps, and computes how far a
// recorder's own packets use up its caps. The model does not look into the recorder: it takes
// the balances of the recorder's last read, and adds the changes made since by the recorder's
// own packets, as the rows in the ledger show them.
type capsModel struct {
	t      *testing.T
	random *rand.Rand // of the test's goroutine
	ledger *embedded.Ledger
	book   *accounts.Book // without caps
	sides  [2]*capsSide
	peers  []accounts.PeerAccount
	us     accounts.PeerAccount

	mu         sync.Mutex              // over all requests, so that values read together are of one moment
	drawSource *rand.Rand              // of the recorders' goroutines
	newest     uint64                  // ledger time of the newest row
	late       map[ledger.ID]*capsSide // the recorder that booked a packet late

	known   []transfers.Packet
	refused int
	taken   int
}

// capsSide is a recorder of the model, with caps or without.
type capsSide struct {
	*capsModel
	capped    bool
	recorder  *transfers.Recorder
	lastReads map[ledger.ID]*balanceRead // the last read of each peer
	own       []ownPacket                // packets submitted to the recorder
}

// balanceRead is the result of a read, and its moment.
type balanceRead struct {
	clock, newest uint64
	accounts      map[ledger.ID]ledger.Account
}

// ownPacket is a packet submitted to a recorder and admitted.
type ownPacket struct {
	packet  transfers.Packet
	forward bool
	future  *transfers.Future // nil if the caller has gone
}

// change is the effect of a packet on the accounts of sender and receiver.
type change struct{ held, moved bool }

const (
	modelCap  = 100 // PayableCap, and the in-flight share of the lines of alice and bob
	modelLine = 1000
)

// lossyTap is the ledger of a recorder with caps: slow, and losing answers.
type lossyTap struct {
	ledger.Ledger
	m *capsSide
}

func (m *capsModel) drawBelow(n int) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.drawSource.IntN(n)
}

// delayRandomly lets a random time pass, often none.
func (m *capsModel) delayRandomly() {
	if m.drawBelow(3) == 0 {
		time.Sleep(time.Duration(m.drawBelow(900)) * time.Millisecond) //nolint:forbidigo // virtual time
	}
}

// applyRequest executes a recorder's request in the ledger.
func (m *capsSide) applyRequest(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	results, err := m.ledger.CreateTransfers(ctx, batch)
	for i, r := range results {
		m.newest = max(m.newest, r.Timestamp)
		if phase := batch[i].ID.Lo & 15; r.Status == ledger.TransferCreated && (phase == 4 || phase == 5 || phase >= 14) {
			m.late[ledger.ID(batch[i].UserData128)] = m
		}
	}
	return results, err
}

func (t lossyTap) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	t.m.delayRandomly()
	if t.m.drawBelow(10) == 0 {
		return nil, ledger.ErrOutcomeUnknown
	}
	results, err := t.m.applyRequest(ctx, batch)
	t.m.delayRandomly()
	if t.m.drawBelow(6) == 0 {
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

func (t lossyTap) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	t.m.delayRandomly()
	t.m.delayRandomly()
	t.m.mu.Lock()
	rows, err := t.m.ledger.LookupAccounts(ctx, ids)
	now := t.m.currentRead()
	t.m.mu.Unlock()
	t.m.delayRandomly()
	t.m.delayRandomly()
	if t.m.drawBelow(8) == 0 {
		return nil, errors.New("no connection")
	}
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	for _, a := range rows {
		now.accounts[a.ID] = a
	}
	for _, peer := range t.m.peers {
		if _, read := now.accounts[peer.ID()]; read {
			t.m.lastReads[peer.ID()] = now
		}
	}
	return rows, err
}

// currentRead returns an empty read of the current moment.
func (m *capsModel) currentRead() *balanceRead {
	return &balanceRead{clock: uint64(time.Now().UnixNano()), newest: m.newest, accounts: make(map[ledger.ID]ledger.Account)}
}

// directTap is the ledger of a recorder without caps.
type directTap struct {
	ledger.Ledger
	m *capsSide
}

func (d directTap) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return d.m.applyRequest(ctx, batch)
}

// newCapsModel returns a model whose first recorder has caps; with both, the second too.
func newCapsModel(t *testing.T, seed, program uint64, both bool) *capsModel {
	t.Helper()
	m := &capsModel{
		t: t, random: rand.New(rand.NewPCG(seed, 2*program)), drawSource: rand.New(rand.NewPCG(seed, 2*program+1)),
		ledger: embedded.New(), late: make(map[ledger.ID]*capsSide),
	}
	var err error
	m.book, err = accounts.NewBook(m.ledger, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	// carol's line is small, so that its forwards are often late.
	m.peers, err = m.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(modelLine)},
		accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: units(modelLine)}, accounts.PeerConfig{ID: "carol", Asset: usd, CreditLine: units(40)})
	require.NoError(t, err)
	m.us, err = m.book.OwnAccount(usd)
	require.NoError(t, err)
	for i := range m.sides {
		side := &capsSide{capsModel: m, capped: i == 0 || both, lastReads: make(map[ledger.ID]*balanceRead)}
		m.sides[i] = side
		var l ledger.Ledger = directTap{m.ledger, side}
		book, cfg := m.book, transfers.Config{AllowArrears: true}
		if side.capped {
			l, cfg.Lanes = lossyTap{m.ledger, side}, 1
			book, err = accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}, Limits: capSettings(modelCap, "0.1")})
			require.NoError(t, err)
		}
		side.recorder, err = transfers.NewRecorder(l, book, cfg)
		require.NoError(t, err)
		if side.capped {
			side.loadAllLimits()
		}
	}
	return m
}

// loadAllLimits waits until the recorder has read every peer.
func (m *capsSide) loadAllLimits() {
	for _, a := range m.peers {
		for {
			_, err := m.recorder.TrySubmit(transfers.PrepareOp(transfers.Packet{From: a, To: a, Hold: time.Second, In: modelLine, Out: modelLine}))
			if !errors.Is(err, transfers.ErrLimitsNotLoaded) {
				break
			}
			time.Sleep(time.Second) //nolint:forbidigo // virtual time
		}
	}
}

// closeModel closes both recorders.
func (m *capsModel) closeModel() {
	for _, side := range m.sides {
		require.NoError(m.t, side.recorder.Close(m.t.Context()))
	}
	ledgertest.RequireConserved(m.t, m.ledger)
	require.NoError(m.t, m.ledger.Close())
}

// randomPacket returns a packet between random peers.
func (m *capsModel) randomPacket() transfers.Packet {
	p := transfers.Packet{
		From: m.peers[m.random.IntN(3)], To: m.peers[m.random.IntN(3)], In: 1 + m.random.Uint64N(35),
		Hold: time.Duration(1+m.random.IntN(6)) * time.Second,
	}
	p.Out = p.In - m.random.Uint64N(min(3, p.In))
	switch m.random.IntN(8) {
	case 0:
		p.From = m.us
	case 1:
		p.To = m.us
	}
	return p
}

// runStep runs one random action.
func (m *capsModel) runStep() {
	time.Sleep(time.Duration(max(0, m.random.IntN(200)-50)) * time.Millisecond) //nolint:forbidigo // virtual time
	synctest.Wait()
	first, second := m.sides[0], m.sides[1]
	if second.capped && m.random.IntN(2) == 0 {
		first, second = second, first
	}
	switch m.random.IntN(24) {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		first.prepare(m.randomPacket())
	case 8, 9:
		first.forward(m.randomPacket())
	case 10, 11, 12, 13:
		if p, ok := m.pick(); ok {
			_, _ = first.recorder.TrySubmit(transfers.FulfillOp(p))
		}
	case 14, 15, 16, 17:
		if p, ok := m.pick(); ok {
			_, _ = first.recorder.TrySubmit(transfers.RejectOp(p))
		}
	case 18:
		second.prepare(m.randomPacket())
	case 19, 20:
		if p, ok := m.pick(); ok {
			second.resolve(p)
		}
	case 21, 22:
		first.abandon(m.randomPacket())
	default:
		time.Sleep(time.Duration(m.random.IntN(3000)) * time.Millisecond) //nolint:forbidigo // virtual time
	}
}

// resolve fulfills or rejects a packet, mostly of the other recorder, and waits for the result.
func (m *capsSide) resolve(p transfers.Packet) {
	if m.random.IntN(2) == 0 {
		_, _ = m.recorder.Reject(m.t.Context(), p)
	} else {
		_, _ = m.recorder.Fulfill(m.t.Context(), p)
	}
}

func (m *capsModel) pick() (transfers.Packet, bool) {
	if len(m.known) == 0 {
		return transfers.Packet{}, false
	}
	if n := len(m.known); n > 5 && m.random.IntN(4) > 0 { // mostly a recent packet
		return m.known[n-1-m.random.IntN(5)], true
	}
	return m.known[m.random.IntN(len(m.known))], true
}

// prepare submits a prepare. If a recorder with caps admits it, all of the recorder's own packets
// must be within the caps.
func (m *capsSide) prepare(p transfers.Packet) {
	if !m.capped {
		if held, err := m.recorder.Prepare(m.t.Context(), p); err == nil {
			m.known = append(m.known, held.Packet)
		}
		return
	}
	future, err := m.recorder.TrySubmit(transfers.PrepareOp(p))
	var limit *transfers.PacketLimitError
	switch {
	case errors.As(err, &limit):
		m.refused++
		// A packet of exactly the reported rest must be admitted: it uses up the cap.
		rest, _ := limit.Limit.SubFloor(limit.Used).Uint64()
		if p.In, p.Out = rest, rest; rest > 0 && !p.From.IsOwn() && !p.To.IsOwn() {
			m.prepare(p)
		}
	case err == nil:
		m.taken++
		m.own = append(m.own, ownPacket{packet: future.Packet(), future: &future})
		m.known = append(m.known, future.Packet())
		m.checkCaps(future.Packet())
	default:
		require.NoError(m.t, err)
	}
}

func (m *capsSide) forward(p transfers.Packet) {
	future, err := m.recorder.TrySubmit(transfers.ForwardOp(p))
	require.NoError(m.t, err)
	m.own = append(m.own, ownPacket{packet: future.Packet(), forward: true, future: &future})
}

// abandon submits a prepare whose caller soon goes away: its hold is voided.
func (m *capsSide) abandon(p transfers.Packet) {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Duration(m.random.IntN(300))*time.Millisecond)
	defer cancel()
	got, err := m.recorder.Prepare(ctx, p)
	if err == nil || errors.Is(err, transfers.ErrAbandoned) {
		m.own = append(m.own, ownPacket{packet: got.Packet})
		m.known = append(m.known, got.Packet)
	}
}

// changeAt returns the effect of a packet on the books as of a read. Late bookings of the other
// recorder are left out: this recorder cannot know them before its next read.
func (m *capsSide) changeAt(p *transfers.Packet, at *balanceRead) (c change) {
	rows, err := m.ledger.QueryTransfers(m.t.Context(), ledger.QueryFilter{UserData128: uint128.Uint128(p.ID), Limit: 100})
	require.NoError(m.t, err)
	for _, row := range rows {
		if row.Timestamp > at.newest {
			continue
		}
		switch phase := row.ID.Lo & 15; phase {
		case 0:
			if ends := row.Timestamp + uint64(row.Timeout)*uint64(time.Second); !c.moved && at.clock < ends {
				c.held = true
			}
		case 2, 10, 11, 12, 13:
			return change{}
		default:
			by := m.late[p.ID]
			c = change{moved: by == nil || by == m}
		}
	}
	return c
}

// now returns the current effect of a packet on the books. An admitted packet counts before it
// is in the books.
func (m *capsSide) now(own *ownPacket, now *balanceRead) change {
	c := m.changeAt(&own.packet, now)
	under := own.future != nil && own.future.Wait(canceled(m.t.Context())).Outcome == ledger.OutcomeUnknown
	if under && c == (change{}) && len(m.rowsOf(&own.packet)) == 0 {
		return change{held: !own.forward, moved: own.forward}
	}
	return c
}

func (m *capsModel) rowsOf(p *transfers.Packet) []ledger.Transfer {
	rows, err := m.ledger.QueryTransfers(m.t.Context(), ledger.QueryFilter{UserData128: uint128.Uint128(p.ID), Limit: 1})
	require.NoError(m.t, err)
	return rows
}

// peerUsage is a peer's balance by the last read and the recorder's own packets since.
type peerUsage struct{ position, heldIn, heldOut int64 }

func (m *capsSide) usageOf(a accounts.PeerAccount) (s peerUsage) {
	ids, then, present := m.book.PeerIDs(a), m.lastReads[a.ID()], m.currentRead()
	net := func(id ledger.ID) int64 {
		row := then.accounts[id]
		return int64(row.CreditsPosted.Lo) - int64(row.DebitsPosted.Lo)
	}
	s.position = net(ids.Peer) + net(ids.Line) + net(ids.Arrears)
	s.heldIn = int64(then.accounts[ids.Peer].DebitsPending.Lo)
	s.heldOut = int64(then.accounts[ids.Peer].CreditsPending.Lo)
	for i := range m.own {
		before, by := m.changeAt(&m.own[i].packet, then), m.now(&m.own[i], present)
		in, out := int64(m.own[i].packet.In), int64(m.own[i].packet.Out)
		if m.own[i].packet.From == a {
			s.heldIn += in * (toInt(by.held) - toInt(before.held))
			s.position -= in * (toInt(by.moved) - toInt(before.moved))
		}
		if m.own[i].packet.To == a {
			s.heldOut += out * (toInt(by.held) - toInt(before.held))
			s.position += out * (toInt(by.moved) - toInt(before.moved))
		}
	}
	return s
}

func toInt(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// checkCaps checks the caps of a packet admitted now.
func (m *capsSide) checkCaps(p transfers.Packet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !p.To.IsOwn() {
		s := m.usageOf(p.To)
		require.LessOrEqual(m.t, s.position+s.heldOut, int64(modelCap), "owed to %v: %+v", p.To, s)
	}
	if !p.From.IsOwn() {
		s, share := m.usageOf(p.From), int64(modelCap)
		if p.From == m.peers[2] {
			share = 4
		}
		require.LessOrEqual(m.t, s.heldIn, share+max(0, s.position), "held from %v: %+v", p.From, s)
	}
}

// programCount returns the number of random programs: PEERLEDGER_PROGRAMS, or usual.
func programCount(t *testing.T, usual uint64) uint64 {
	t.Helper()
	text := os.Getenv("PEERLEDGER_PROGRAMS")
	if text == "" {
		return usual
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, "PEERLEDGER_PROGRAMS")
	return n
}

// runCaps runs random programs, and checks that prepares were both admitted and refused often.
func runCaps(t *testing.T, both bool, usual uint64) {
	t.Helper()
	seed, n := ledgertest.Seed(t), programCount(t, usual)
	taken, refused := 0, 0
	for program := range n {
		ok := t.Run(fmt.Sprint("program ", program), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newCapsModel(t, seed, program, both)
				for range 150 {
					m.runStep()
				}
				m.closeModel()
				taken, refused = taken+m.taken, refused+m.refused
			})
		})
		if !ok {
			break
		}
	}
	t.Logf("%d prepares let in, %d refused", taken, refused)
	require.Greater(t, taken, 2*int(n))
	require.Greater(t, refused, 2*int(n))
}

// Two recorders work on a ledger that is slow and loses answers; packets are late, voided and
// expire. The packets of the recorder with caps never exceed them, counting the other
// recorder's packets as of the last read.
func TestOwnPacketsStayWithinTheCaps(t *testing.T) {
	t.Parallel()
	runCaps(t, false, 500)
}

// The same with two recorders that both enforce caps and lose answers: each resolves the
// other's packets, and neither exceeds a cap with its own packets.
func TestOwnPacketsOfTwoStayWithinTheCaps(t *testing.T) {
	t.Parallel()
	runCaps(t, true, 200)
}
