//go:build cgo && unix

package server_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/unsafecast"
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

// oneIn reports true once in n times.
func (d *differential) oneIn(n int) bool { return d.random.IntN(n) == 0 }

func (d *differential) small(n int) uint64 { return uint64(d.random.IntN(n)) }

func (d *differential) accountID() ledger.ID {
	if d.oneIn(50) {
		return ledger.IDMax
	}
	return ledger.NewID(d.small(14), 0)
}

func (d *differential) transferID() ledger.ID { return ledger.NewID(d.small(1000), 0) }

// mostlyOne returns 1, and one time in twenty another small number.
func (d *differential) mostlyOne() uint64 {
	if d.oneIn(20) {
		return d.small(3)
	}
	return 1
}

func (d *differential) randomID() []byte {
	return unsafecast.Bytes([]ledger.ID{[]ledger.ID{d.accountID(), d.transferID()}[d.random.IntN(2)]})
}

func (d *differential) randomAccount() []byte {
	a := ledger.Account{
		ID: d.accountID(), Ledger: uint32(d.mostlyOne()), Code: uint16(d.mostlyOne()), UserData64: d.small(3),
		UserData32: uint32(d.small(3)), UserData128: uint128.From64(d.small(3)), Flags: ledger.AccountHistory,
	}
	for _, f := range []ledger.AccountFlags{1, 2, 4, 32} {
		if d.oneIn(25) {
			a.Flags |= f
		}
	}
	switch d.random.IntN(30) {
	case 0:
		a.Ledger = 0
	case 1:
		a.Code = 0
	case 2:
		a.Flags |= 1 << 9
	case 3:
		a.Timestamp = 5
	case 4:
		a.Flags |= ledger.AccountImported
		a.Timestamp = 1 + d.small(100)
	case 5:
		a.CreditsPosted = ledger.NewAmount(1)
	case 6:
		a.Reserved = 1
	}
	return unsafecast.Bytes([]ledger.Account{a})
}

func (d *differential) randomTransfer() []byte {
	tr := ledger.Transfer{
		ID: d.transferID(), DebitAccountID: d.accountID(), CreditAccountID: d.accountID(), Amount: ledger.NewAmount(d.small(50)),
		Ledger: uint32(d.mostlyOne()), Code: uint16(d.mostlyOne()), UserData64: d.small(3), UserData32: uint32(d.small(3)),
	}
	switch d.random.IntN(6) {
	case 0:
		tr.Flags = ledger.TransferPending
	case 1:
		tr.Flags, tr.PendingID = ledger.TransferPostPending, d.transferID()
	case 2:
		tr.Flags, tr.PendingID = ledger.TransferVoidPending, d.transferID()
		tr = ledger.Transfer{ID: tr.ID, PendingID: tr.PendingID, Flags: tr.Flags}
	}
	for i, f := range []ledger.TransferFlags{1, 16, 32, 64, 128} {
		if d.oneIn([]int{10, 10, 10, 50, 50}[i]) {
			tr.Flags |= f
		}
	}
	switch d.random.IntN(40) {
	case 0:
		tr.Amount = ledger.AmountMax
	case 1:
		tr.Timeout = 100000
	case 2:
		tr.Flags |= 1 << 12
	case 3:
		tr.Timestamp = 9
	case 4:
		tr.Flags |= ledger.TransferImported
		tr.Timestamp = 1 + d.small(1000)
	}
	return unsafecast.Bytes([]ledger.Transfer{tr})
}

// randomTime returns a timestamp of the real server, or 0.
func (d *differential) randomTime() uint64 {
	if len(d.seen) == 0 || d.oneIn(2) {
		return 0
	}
	return d.seen[d.random.IntN(len(d.seen))]
}

func (d *differential) limit() uint32 {
	return []uint32{0, 1, 2, 5, 100, 8189, 8190, 1 << 31}[d.random.IntN(8)]
}

func (d *differential) randomAccountFilter() []byte {
	f := ledger.AccountFilter{
		AccountID: d.accountID(), UserData64: d.small(3), UserData32: uint32(d.small(2)), Code: uint16(d.small(3)),
		TimestampMin: d.randomTime(), TimestampMax: d.randomTime(), Limit: d.limit() / 5, Flags: ledger.AccountFilterFlags(d.small(8)),
	}
	if d.oneIn(20) {
		f.Reserved[7] = 1
	}
	return unsafecast.Bytes([]ledger.AccountFilter{f})
}

func (d *differential) randomQueryFilter() []byte {
	f := ledger.QueryFilter{
		UserData64: d.small(3), UserData32: uint32(d.small(2)), Ledger: uint32(d.small(3)), Code: uint16(d.small(3)),
		TimestampMin: d.randomTime(), TimestampMax: d.randomTime(), Limit: d.limit() / 5, Flags: ledger.QueryFilterFlags(d.small(2)),
	}
	if d.oneIn(20) {
		f.Flags = 2
	}
	return unsafecast.Bytes([]ledger.QueryFilter{f})
}

func (d *differential) randomChangeFilter() []byte {
	return unsafecast.Bytes([]ledger.ChangeEventsFilter{{TimestampMin: d.randomTime(), TimestampMax: d.randomTime(), Limit: d.limit() / 10}})
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
