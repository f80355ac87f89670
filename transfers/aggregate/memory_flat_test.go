package aggregate_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// heapBytes returns the live heap.
func heapBytes() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// meter runs packets by a clock of its own: 100,000 packets a second.
type meter struct {
	fixture  *fixture
	recorder *aggregate.Recorder
	wall     atomic.Int64
	rows     rowCounter
}

// rowCounter counts the rows that a ledger keeps.
type rowCounter struct {
	ledger.Ledger
	count atomic.Int64
}

func (l *rowCounter) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	l.count.Add(int64(len(events)))
	return l.Ledger.CreateTransfers(ctx, events)
}

func newMeter(t *testing.T, peers int) *meter {
	t.Helper()
	m := &meter{}
	m.wall.Store(time.Now().UnixNano())
	clock := func() time.Time { return time.Unix(0, m.wall.Load()) }
	m.rows.Ledger = embedded.New(embedded.WithClock(clock))
	l := &m.rows
	m.fixture = &fixture{ledger: l}
	var err error
	m.fixture.book, err = accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	configs := make([]accounts.PeerConfig, peers)
	for i := range configs {
		configs[i] = accounts.PeerConfig{ID: fmt.Sprint("peer-", i), Asset: usd, CreditLine: ledger.NewAmount(1 << 50)}
	}
	m.fixture.peers, err = m.fixture.book.Provision(t.Context(), configs...)
	require.NoError(t, err)
	m.recorder, err = aggregate.NewRecorder(t.Context(), l, m.fixture.book, aggregate.Config{
		LoseFulfillsWithProcess: true, Clock: clock, MinHold: time.Millisecond, MaxHold: time.Second, HoldMargin: 100 * time.Millisecond,
		Horizon: 500 * time.Millisecond, RoundInterval: time.Second,
	})
	require.NoError(t, err)
	return m
}

func (m *meter) prepare(t *testing.T, from, to int) transfers.Packet {
	t.Helper()
	now := m.wall.Add(int64(10 * time.Microsecond))
	held, err := m.recorder.Prepare(t.Context(), transfers.Packet{
		From: m.fixture.peers[from], To: m.fixture.peers[to], In: 3, Out: 2, Expiry: time.Unix(0, now).Add(500 * time.Millisecond),
	})
	if err != nil {
		t.Fatal(err)
	}
	return held.Packet
}

// run prepares and fulfills packets.
func (m *meter) run(t *testing.T, packets int) {
	t.Helper()
	peers := len(m.fixture.peers)
	for i := range packets {
		p := m.prepare(t, i%peers, (i+1)%peers)
		if _, err := m.recorder.Fulfill(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

// Memory does not grow with the number of packets, but for what the embedded ledger keeps of rounds. PEERLEDGER_ROUND_PACKETS sets it.
func TestRecorderMemoryIsFlat(t *testing.T) { //nolint:paralleltest // it measures the heap
	packets := 300_000
	if text := os.Getenv("PEERLEDGER_ROUND_PACKETS"); text != "" {
		var err error
		packets, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	m := newMeter(t, 10)
	const warmUp = 400_000 // more than twice what the horizon has
	m.run(t, warmUp)
	before, rows := heapBytes(), m.rows.count.Load()
	m.run(t, packets)
	after := heapBytes()
	rows = m.rows.count.Load() - rows
	t.Logf("heap after %d packets %d KiB, after %d more %d KiB; %d rows of rounds in the embedded ledger", warmUp, before>>10, packets, after>>10, rows)
	const row, slack = 256, 2 << 20 // ids that are kept would take half as much again
	require.Less(t, after, before+rows*row+slack)
	require.NoError(t, m.recorder.Close(t.Context()))
}

// What a peer and an open packet take is bounded.
func TestMemoryOfPeersAndPackets(t *testing.T) { //nolint:paralleltest // it measures the heap
	const peers, packets = 4000, 50_000
	m := newMeter(t, 2*peers)
	m.prepare(t, 0, 1)
	before := heapBytes()
	for i := range peers {
		m.prepare(t, 2*i, 2*i+1)
	}
	withPeers := heapBytes()
	for i := range packets {
		m.prepare(t, 2*(i%peers), 2*(i%peers)+1)
	}
	withPackets := heapBytes()
	ofPeer, ofPacket := (withPeers-before)/(2*peers), (withPackets-withPeers)/packets
	t.Logf("%d bytes a peer, with its reservation's rows in the embedded ledger; %d bytes an open packet", ofPeer, ofPacket)
	require.Less(t, ofPeer, int64(3000))
	require.Less(t, ofPacket, int64(200))
	require.NoError(t, m.recorder.Close(t.Context()))
	runtime.KeepAlive(m)
}
