package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

var usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}

// The receiver of a packet gets amountOut. A packet of two legs has our fee too.
const (
	amountOut = 2
	fee       = 1
	holdTime  = 60 * time.Second

	creditLine = int64(1) << 60 // enforced, and never reached
)

// balances has the sums of an account: debits pending, credits pending, debits posted, credits posted.
type balances [4]int64

// traffic is the packets of a measurement, the same for both sides.
type traffic struct {
	peers    []accounts.PeerAccount
	revenue  ledger.ID
	fee      int64   // 0: one leg
	from, to []int32 // of packet i modulo the length
}

const trafficPeriod = 1 << 16

// newTraffic provisions the peers on a ledger, and draws senders and receivers.
func newTraffic(ctx context.Context, l ledger.Ledger, peers, legs int, seed uint64) (*traffic, *accounts.Book, error) {
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "sqlite", Assets: []accounts.Asset{usd}})
	if err != nil {
		return nil, nil, err
	}
	configs := make([]accounts.PeerConfig, peers)
	for i := range configs {
		configs[i] = accounts.PeerConfig{ID: fmt.Sprintf("peer-%d", i), Asset: usd, CreditLine: ledger.NewAmount(uint64(creditLine))}
	}
	t := &traffic{}
	if legs == 2 {
		t.fee = fee
	}
	if t.peers, err = book.Provision(ctx, configs...); err != nil {
		return nil, nil, err
	}
	own, _ := book.AssetIDs(usd.Ledger)
	t.revenue = own.Revenue
	random := rand.New(rand.NewPCG(seed, 0))
	for range trafficPeriod {
		from := random.Int32N(int32(peers))
		t.from = append(t.from, from)
		t.to = append(t.to, (from+1+random.Int32N(int32(peers-1)))%int32(peers))
	}
	return t, book, nil
}

func (t *traffic) choose(i int64) (from, to accounts.PeerAccount) {
	n := i % trafficPeriod
	return t.peers[t.from[n]], t.peers[t.to[n]]
}

// tag is in place of the execution condition.
func tag(i int64) uint64 { return (uint64(i) + 1) * 0x9e3779b97f4a7c15 }

// prepare returns packet i for the recorder.
func (t *traffic) prepare(i int64) transfers.Op {
	from, to := t.choose(i)
	p := transfers.Packet{From: from, To: to, In: uint64(amountOut + t.fee), Out: amountOut, Hold: holdTime}
	binary.BigEndian.PutUint64(p.Condition[:8], tag(i))
	return transfers.PrepareOp(p)
}

// appendHold appends the rows of packet i's prepare, as the recorder writes them.
func (t *traffic) appendHold(to []ledger.Transfer, i int64) []ledger.Transfer {
	from, receiver := t.choose(i)
	id := packetID(i)
	row := ledger.Transfer{
		ID: id, DebitAccountID: from.ID(), CreditAccountID: receiver.ID(), Amount: ledger.NewAmount(amountOut),
		UserData128: uint128.Uint128(id), UserData64: tag(i), UserData32: uint32(tag(i)), Timeout: uint32(holdTime / time.Second),
		Ledger: usd.Ledger, Code: chart.CodePacket, Flags: ledger.TransferPending,
	}
	if t.fee == 0 {
		return append(to, row)
	}
	second := row
	row.Flags |= ledger.TransferLinked
	second.ID.Lo |= 1 << 4
	second.CreditAccountID, second.Amount, second.Code = t.revenue, ledger.NewAmount(uint64(t.fee)), chart.CodeFee
	return append(to, row, second)
}

// appendPost appends the rows of packet i's fulfill.
func (t *traffic) appendPost(to []ledger.Transfer, i int64) []ledger.Transfer {
	rows := t.appendHold(to, i)
	for k := len(to); k < len(rows); k++ {
		row := &rows[k]
		row.PendingID, row.Timeout = row.ID, 0
		row.ID.Lo |= 1
		row.Flags = row.Flags&^ledger.TransferPending | ledger.TransferPostPending
	}
	return rows
}

// packetID is in the order of time. The low 8 bits are for the leg and the phase.
func packetID(i int64) ledger.ID { return ledger.NewID(uint64(i+1)<<8, 1) }

// expect returns the balances of all accounts after n packets.
func (t *traffic) expect(n int64) map[ledger.ID]balances {
	all := map[ledger.ID]balances{}
	add := func(id ledger.ID, debits, credits int64) {
		b := all[id]
		b[2], b[3] = b[2]+debits, b[3]+credits
		all[id] = b
	}
	for i := range n {
		from, to := t.choose(i)
		add(from.ID(), amountOut+t.fee, 0)
		add(to.ID(), 0, amountOut)
	}
	add(t.revenue, 0, n*t.fee)
	for _, p := range t.peers {
		add(p.ID(), 0, creditLine)
	}
	return all
}
