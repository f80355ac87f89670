//go:build cgo && unix

package server_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
	"github.com/peerledger/peerledger/ledger/server"
)

var (
	differentialSeed  = flag.Uint64("differential-seed", 0, "the seed of TestAnswersOfTigerBeetle; 0 takes a random one")
	differentialSteps = flag.Int("differential-steps", 400, "the number of requests of TestAnswersOfTigerBeetle")
)

// A hand-made client sends the same random requests to TigerBeetle and to this server: packed
// batches, every operation of every release, and bodies that no client sends. The answers must be
// equal but for the servers' own values.
func TestAnswersOfTigerBeetle(t *testing.T) {
	t.Parallel()
	seed := *differentialSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-differential-seed=%d", seed)
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{ClusterID: cluster, Real: true})
	l := embedded.New(embedded.WithBatchMax(253))
	_, address := start(t, l, server.Config{Cluster: cluster, RequestMax: server.RequestMaxDevelopment})
	d := &differential{
		t: t, random: rand.New(rand.NewPCG(seed, 1)),
		real:       vsrtest.OpenSession(t, c.Addresses()[0], 77, uint8(server.Noop)),
		ours:       vsrtest.OpenSession(t, address, 77, uint8(server.Noop)),
		timestamps: map[uint64]uint64{},
	}
	for step := range *differentialSteps {
		d.compareStep(step)
	}
	stored, err := l.QueryTransfers(t.Context(), ledger.QueryFilter{Limit: ledger.QueryMax})
	require.NoError(t, err)
	t.Logf("%d transfers", len(stored))
	require.NotEmpty(t, stored)
	ledgertest.RequireConserved(t, l)
}

// differential sends requests to two servers.
type differential struct {
	t          *testing.T
	random     *rand.Rand
	real, ours *vsrtest.Session

	timestamps map[uint64]uint64 // of the real server, and ours
	seen       []uint64          // of the real server
}

// compareStep sends a random request to both servers and compares the answers.
func (d *differential) compareStep(step int) {
	operation, realBody := d.randomRequest()
	ourBody := d.ourFilters(realBody)
	realHeader, realAnswer := d.ask(d.real, operation, realBody)
	ourHeader, ourAnswer := d.ask(d.ours, operation, ourBody)
	require.Equal(d.t, realHeader.Command(), ourHeader.Command(), "step %d, %v", step, operation)
	if realHeader.Command() == vsr.CommandEviction {
		require.Equal(d.t, realHeader.EvictionReason(), ourHeader.EvictionReason(), "step %d, %v of %d bytes", step, operation, len(realBody))
		return
	}
	require.Len(d.t, ourAnswer, len(realAnswer), "step %d, %v", step, operation)
	for _, at := range timestampsOf(operation, len(realAnswer)) {
		theirs, our := binary.LittleEndian.Uint64(realAnswer[at:]), binary.LittleEndian.Uint64(ourAnswer[at:])
		before, known := d.timestamps[theirs]
		if !known {
			if theirs != our { // not a trailer, nor an imported timestamp
				d.seen = append(d.seen, theirs)
			}
			d.timestamps[theirs] = our
			before = our
		}
		require.Equal(d.t, before, our, "step %d, %v: the timestamp %d", step, operation, theirs)
		copy(ourAnswer[at:], realAnswer[at:at+8])
	}
	require.Equal(d.t, realAnswer, ourAnswer, "step %d, %v", step, operation)
}

func (d *differential) ask(s *vsrtest.Session, operation server.Operation, body []byte) (vsr.Header, []byte) {
	s.Next.Operation = uint8(operation)
	h, answer := s.Ask(body)
	if h.Command() == vsr.CommandReply {
		s.Next.Number++
		s.Next.Parent = vsr.DecodeReply(&h).Context
		s.Next.View = h.View()
	}
	return h, answer
}

// shape is the form of an operation's requests.
type shape struct {
	operation server.Operation
	element   int
	batched   bool
	filter    bool
	random    func(*differential) []byte
}

func shapes() []shape {
	accounts, transfers, ids := (*differential).randomAccount, (*differential).randomTransfer, (*differential).randomID
	accountFilter, queryFilter := (*differential).randomAccountFilter, (*differential).randomQueryFilter
	return []shape{
		{server.CreateAccounts, 128, true, false, accounts},
		{server.CreateTransfers, 128, true, false, transfers},
		{server.CreateTransfers, 128, true, false, transfers},
		{server.CreateTransfers, 128, true, false, transfers},
		{server.LookupAccounts, 16, true, false, ids},
		{server.LookupTransfers, 16, true, false, ids},
		{server.GetAccountTransfers, 128, true, true, accountFilter},
		{server.GetAccountBalances, 128, true, true, accountFilter},
		{server.QueryAccounts, 64, true, true, queryFilter},
		{server.QueryTransfers, 64, true, true, queryFilter},
		{server.GetChangeEvents, 64, false, true, (*differential).randomChangeFilter},
		// Of release 0.16: sparse results, then bodies of one batch without a trailer.
		{138, 128, true, false, accounts},
		{139, 128, true, false, transfers},
		{129, 128, false, false, accounts},
		{130, 128, false, false, transfers},
		{131, 16, false, false, ids},
		{132, 16, false, false, ids},
		{133, 128, false, true, accountFilter},
		{134, 128, false, true, accountFilter},
		{135, 64, false, true, queryFilter},
		{136, 64, false, true, queryFilter},
	}
}

// randomRequest returns a request with values of the real server.
func (d *differential) randomRequest() (server.Operation, []byte) {
	switch d.random.IntN(40) {
	case 0:
		return server.Noop, nil
	case 1:
		return server.Operation(148 + d.random.IntN(100)), make([]byte, 128)
	}
	all := shapes()
	s := all[d.random.IntN(len(all))]
	var elements, trailer []byte
	counts := d.randomCounts(s)
	for _, n := range counts {
		for range n {
			elements = append(elements, s.random(d)...)
		}
	}
	if s.batched {
		trailer = encodeTrailer(counts, s.element)
		switch d.random.IntN(60) {
		case 0:
			trailer = nil
		case 1:
			trailer[0] ^= 0x20
		case 2:
			trailer[len(trailer)-3]++
		case 3:
			return s.operation, nil
		}
	}
	return s.operation, append(elements, trailer...)
}

// ourFilters returns the body with our timestamps in place of the real server's.
func (d *differential) ourFilters(body []byte) []byte {
	body = bytes.Clone(body)
	for at := 0; at+8 <= len(body); at += 8 {
		if ours, known := d.timestamps[binary.LittleEndian.Uint64(body[at:])]; known && binary.LittleEndian.Uint64(body[at:]) > 1<<40 {
			binary.LittleEndian.PutUint64(body[at:], ours)
		}
	}
	return body
}
