package settlement_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// findModel has packets of a real recorder, and what became of each.
type findModel struct {
	t        *testing.T
	random   *rand.Rand
	nanos    atomic.Int64 // the ledger's time; the recorder's goroutines read it too
	ledger   *embedded.Ledger
	book     *accounts.Book
	recorder *transfers.Recorder
	peers    []accounts.PeerAccount
	packets  []*modelPacket
}

type modelPacket struct {
	transfers.Packet
	state accounts.FoundState // held also after the expiry: see stateAt
	until time.Time           // of the hold
}

func (p *modelPacket) stateAt(now time.Time) accounts.FoundState {
	if p.state == accounts.StateHeld && !now.Before(p.until) {
		return accounts.StateExpired
	}
	return p.state
}

func newFindModel(t *testing.T, seed, program uint64) *findModel {
	t.Helper()
	m := &findModel{t: t, random: rand.New(rand.NewPCG(seed, program))}
	m.nanos.Store(1_800_000_000_000_000_000)
	m.ledger = embedded.New(embedded.WithClock(m.now))
	eur := accounts.Asset{Code: "EUR", Scale: 3, Ledger: 2}
	var err error
	m.book, err = accounts.NewBook(m.ledger, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	m.peers, err = m.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1 << 40)},
		accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: units(1 << 40)}, accounts.PeerConfig{ID: "carol", Asset: eur, CreditLine: units(1 << 40)})
	require.NoError(t, err)
	m.recorder, err = transfers.NewRecorder(m.ledger, m.book, transfers.Config{Lanes: 1, MaxBacklog: 16, AllowArrears: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.recorder.Close(t.Context())) })
	return m
}

// now returns the time of the ledger.
func (m *findModel) now() time.Time { return time.Unix(0, m.nanos.Load()).UTC() }

// begin prepares or forwards a packet between any two parties, with one of three conditions.
func (m *findModel) begin() {
	usdOwn, err := m.book.OwnAccount(usd)
	require.NoError(m.t, err)
	parties := append([]accounts.PeerAccount{usdOwn}, m.peers...)
	from, to := parties[m.random.IntN(len(parties))], parties[m.random.IntN(len(parties))]
	if from.IsOwn() && to.IsOwn() {
		return
	}
	p := transfers.Packet{From: from, To: to, Out: 1 + m.random.Uint64N(1000), Hold: time.Duration(1+m.random.IntN(30)) * time.Second}
	p.In = p.Out + m.random.Uint64N(3)
	if from.Ledger() != to.Ledger() {
		p.In = p.Out*2 + 3
		p.Dust = m.random.Uint64N(3)
	}
	binary.BigEndian.PutUint64(p.Condition[:], 1+m.random.Uint64N(3))
	kind, state := transfers.PrepareOp, accounts.StateHeld
	if m.random.IntN(4) == 0 {
		kind, state = transfers.ForwardOp, accounts.StateFulfilled
	}
	result, err := m.recorder.Record(m.t.Context(), kind(p))
	require.NoError(m.t, err)
	m.packets = append(m.packets, &modelPacket{Packet: result.Packet, state: state, until: m.now().Add(p.Hold)})
}

// resolve fulfills or rejects a packet that is held, perhaps too late.
func (m *findModel) resolve() {
	if len(m.packets) == 0 {
		return
	}
	p := m.packets[m.random.IntN(len(m.packets))]
	if p.state != accounts.StateHeld {
		return
	}
	expired := p.stateAt(m.now()) == accounts.StateExpired
	if m.random.IntN(3) == 0 {
		_, err := m.recorder.Reject(m.t.Context(), p.Packet)
		require.NoError(m.t, err)
		if !expired {
			p.state = accounts.StateRejected
		}
		return
	}
	result, err := m.recorder.Fulfill(m.t.Context(), p.Packet)
	require.NoError(m.t, err)
	require.Equal(m.t, expired, result.Late)
	p.state = accounts.StateFulfilled
	if expired {
		p.state = accounts.StateCorrected
	}
}

// requireFound compares what was found with a packet of the model.
func (m *findModel) requireFound(p *modelPacket, got *accounts.Found) {
	m.t.Helper()
	require.Equal(m.t, accounts.FoundPacket, got.Kind)
	require.Equal(m.t, p.ID, got.ID)
	require.Equal(m.t, p.stateAt(m.now()), got.State, "%+v", p)
	require.Equal(m.t, []byte(p.Condition[:8]), got.ConditionTag[:])
	require.Equal(m.t, got.State == accounts.StateHeld, got.Ended.IsZero())
	in, out := p.In, p.Out
	switch { // as booked: see the legs of package transfers
	case p.From.IsOwn():
		in = p.Out
	case p.To.IsOwn() && p.From.Ledger() == usd.Ledger:
		out = p.In
	case p.To.IsOwn():
		out = p.In - p.Dust
	}
	require.Equal(m.t, []ledger.Amount{units(in), units(out)}, []ledger.Amount{got.In, got.Out}, "%+v", p.Packet)
	if !p.From.IsOwn() {
		require.Equal(m.t, p.From.Peer(), got.From.Peer)
	}
	require.Equal(m.t, p.To.Peer(), got.To.Peer)
	require.Equal(m.t, p.From.IsOwn(), got.From.String() == "liquidity")
	require.Equal(m.t, p.To.IsOwn(), got.To.String() == "liquidity")
	stored, err := m.ledger.QueryTransfers(m.t.Context(), ledger.QueryFilter{UserData128: uint128.Uint128(p.ID), Limit: 100})
	require.NoError(m.t, err)
	require.Len(m.t, got.Rows, len(stored), "all rows")
	for i := range stored {
		require.Equal(m.t, stored[i].ID, got.Rows[i].Transfer)
	}
}

// find looks a query up with the model's peers and time.
func (m *findModel) find(query accounts.FindQuery) accounts.FindResult {
	m.t.Helper()
	query.Peers, query.Now = m.peers, m.now()
	got, err := m.book.Find(m.t.Context(), query)
	require.NoError(m.t, err)
	return got
}

// For any packets: each is found by its id, by the id of any of its transfers, and by its condition, with its state,
// its sides and all its rows, also in small pages.
func TestFindPacketsAgainstAModel(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	states := map[accounts.FoundState]int{}
	for program := range uint64(15) {
		m := newFindModel(t, seed, program)
		for range 60 {
			m.nanos.Add(m.random.Int64N(3_000_000_000))
			if m.random.IntN(2) == 0 {
				m.begin()
			} else {
				m.resolve()
			}
		}
		for _, p := range m.packets {
			states[p.stateAt(m.now())]++
			got := m.find(accounts.FindQuery{ID: p.ID})
			require.Len(t, got.Found, 1)
			require.Zero(t, got.Next)
			m.requireFound(p, &got.Found[0])
			rows := got.Found[0].Rows
			again := m.find(accounts.FindQuery{ID: rows[m.random.IntN(len(rows))].Transfer})
			require.Equal(t, got, again, "by any of its transfers")
		}
		m.findByCondition(1 + m.random.IntN(12))
		m.findByCondition(ledger.QueryMax)
	}
	for _, state := range []accounts.FoundState{accounts.StateHeld, accounts.StateFulfilled, accounts.StateRejected, accounts.StateExpired, accounts.StateCorrected} {
		require.NotZero(t, states[state], state)
	}
}

// findByCondition finds all packets in pages of so many rows.
func (m *findModel) findByCondition(limit int) {
	wanted := map[ledger.ID]*modelPacket{}
	for _, p := range m.packets {
		wanted[p.ID] = p
	}
	for condition := range uint64(3) {
		query := accounts.FindQuery{Limit: limit}
		binary.BigEndian.PutUint64(query.ConditionTag[:], condition+1)
		seen := map[ledger.ID]int{}
		for {
			got := m.find(query)
			for i := range got.Found {
				p := wanted[got.Found[i].ID]
				require.NotNil(m.t, p)
				m.requireFound(p, &got.Found[i])
				seen[p.ID]++
			}
			if query.After = got.Next; got.Next.IsZero() {
				break
			}
		}
		for _, p := range m.packets {
			isMatch := [8]byte(p.Condition[:8]) == query.ConditionTag
			if isMatch {
				require.Equal(m.t, 1, seen[p.ID])
			} else {
				require.Zero(m.t, seen[p.ID])
			}
		}
	}
}
