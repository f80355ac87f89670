package aggregate_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// refusals are the errors that both recorders may refuse an operation with.
var refusals = []error{
	transfers.ErrPacket, transfers.ErrAmounts, transfers.ErrHoldTooShort, transfers.ErrCreditLine, transfers.ErrInArrears,
	transfers.ErrPacketConflict, transfers.ErrUnknownPacket, transfers.ErrRecorderClosed, ledger.ErrIDConflict, ledger.ErrOutcomeUnknown,
	accounts.ErrUnknownAsset, accounts.ErrNotProvisioned, accounts.ErrSuspended, accounts.ErrPeerClosed,
}

// refusalText is what a caller can tell of a refused operation. A refusal by the ledger burns a packet's id,
// and one in memory does not: that difference is left out.
func refusalText(result transfers.Result, err error) string {
	if err == nil {
		return "accepted"
	}
	text := "refused, " + transfers.ILPCode(err)
	if result.Outcome != ledger.OutcomeRefused && result.Outcome != ledger.OutcomeIDBurnt {
		text = fmt.Sprint(result.Outcome)
	}
	for _, sentinel := range refusals {
		if errors.Is(err, sentinel) {
			text += fmt.Sprint(", ", sentinel)
		}
	}
	var packet *transfers.PacketError
	if errors.As(err, &packet) {
		text += fmt.Sprintf(", field %s of %v %v", packet.Field, packet.Kind, packet.ID)
	}
	return text
}

// refusedField is refusalText of an operation with a bad field.
func refusedField(kind transfers.Kind, id ledger.ID, field string) string {
	return fmt.Sprintf("refused, T00, %v, field %s of %v %v", transfers.ErrPacket, field, kind, id)
}

// badOp is a fault of an operation.
type badOp struct {
	kinds  func(transfers.Kind) bool
	change func(*transfers.Packet)
	field  string // named by both; "" if another error is wanted
	differ string // field that only this package refuses
	err    error  // of both
}

// badOps returns the faults of packets between peers of a fixture. Another book knows foreign.
func (f *fixture) badOps(now time.Time, stranger, foreign accounts.PeerAccount) map[string]badOp {
	always := func(transfers.Kind) bool { return true }
	prepares := func(k transfers.Kind) bool { return k == transfers.KindPrepare }
	resolves := func(k transfers.Kind) bool { return k == transfers.KindFulfill || k == transfers.KindReject }
	return map[string]badOp{
		"no ID":                     {kinds: resolves, change: func(p *transfers.Packet) { p.ID = ledger.ID{} }, field: "ID"},
		"ID with low bits":          {kinds: always, change: func(p *transfers.Packet) { p.ID.Lo |= 1 }, field: "ID"},
		"no From":                   {kinds: always, change: func(p *transfers.Packet) { p.From = accounts.PeerAccount{} }, field: "From"},
		"no To":                     {kinds: always, change: func(p *transfers.Packet) { p.To = accounts.PeerAccount{} }, field: "To"},
		"Dust within an asset":      {kinds: always, change: func(p *transfers.Packet) { p.Dust = 1 }, field: "Dust"},
		"Dust above In":             {kinds: always, change: func(p *transfers.Packet) { p.To, p.Dust = f.peers[4], 11 }, field: "Dust"},
		"From in an unknown asset":  {kinds: always, change: func(p *transfers.Packet) { p.From = foreign }, err: accounts.ErrUnknownAsset},
		"To in an unknown asset":    {kinds: always, change: func(p *transfers.Packet) { p.To = foreign }, err: accounts.ErrUnknownAsset},
		"Out above In":              {kinds: always, change: func(p *transfers.Packet) { p.Out = 11 }, err: transfers.ErrAmounts},
		"From not provisioned":      {kinds: prepares, change: func(p *transfers.Packet) { p.From = stranger }, err: accounts.ErrNotProvisioned},
		"To not provisioned":        {kinds: prepares, change: func(p *transfers.Packet) { p.To = stranger }, err: accounts.ErrNotProvisioned},
		"beyond the line":           {kinds: prepares, change: func(p *transfers.Packet) { p.In, p.Out = 1001, 1001 }, err: transfers.ErrCreditLine},
		"largest amount":            {kinds: prepares, change: func(p *transfers.Packet) { p.In, p.Out = math.MaxUint64, math.MaxUint64 }, err: transfers.ErrCreditLine},
		"Expiry too early":          {kinds: prepares, change: func(p *transfers.Packet) { p.Expiry, p.Hold = now.Add(time.Millisecond), 0 }, err: transfers.ErrHoldTooShort},
		"no Expiry, no Hold":        {kinds: prepares, change: func(p *transfers.Packet) { p.Expiry, p.Hold = time.Time{}, 0 }, field: "Expiry"},
		"Hold below 0":              {kinds: prepares, change: func(p *transfers.Packet) { p.Hold = -1 }, field: "Hold"},
		"Hold above the ledger's":   {kinds: prepares, change: func(p *transfers.Packet) { p.Hold = math.MaxUint32*time.Second + 1 }, field: "Hold"},
		"no Expiry, but Hold":       {kinds: always, change: func(p *transfers.Packet) { p.Expiry = time.Time{} }, differ: "Expiry"},
		"Expiry before 1970":        {kinds: always, change: func(p *transfers.Packet) { p.Expiry = time.Unix(-1, 0) }, differ: "Expiry"},
		"Expiry in 2200":            {kinds: always, change: func(p *transfers.Packet) { p.Expiry = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) }, differ: "Expiry"},
		"Expiry later than MaxHold": {kinds: prepares, change: func(p *transfers.Packet) { p.Expiry = now.Add(61 * time.Second) }, differ: "Expiry"},
		"from ourselves":            {kinds: prepares, change: func(p *transfers.Packet) { p.From, _ = f.book.OwnAccount(usd) }},
	}
}

// Operations with impossible fields are refused as transfers.Recorder refuses them, and the
// table names the differences.
func TestBadInput(t *testing.T) {
	t.Parallel()
	now := time.Now()
	singles, rounds := newFixture(t, embedded.New(), 1000), newFixture(t, embedded.New(), 1000)
	stranger, err := singles.book.PeerAccount("stranger", usd)
	require.NoError(t, err)
	gbp := accounts.Asset{Code: "GBP", Scale: 2, Ledger: 3}
	other, err := accounts.NewBook(singles.ledger, accounts.Config{Assets: []accounts.Asset{gbp}})
	require.NoError(t, err)
	foreign, err := other.PeerAccount("alice", gbp)
	require.NoError(t, err)
	id := ledger.NewID(1<<16, 8)
	good := transfers.Packet{ID: id, From: rounds.peers[0], To: rounds.peers[1], In: 10, Out: 10, Expiry: now.Add(30 * time.Second), Hold: 32 * time.Second}
	single, err := transfers.NewRecorder(singles.ledger, singles.book, transfers.Config{Clock: func() time.Time { return now }})
	require.NoError(t, err)
	round := rounds.open(t, func(c *aggregate.Config) { c.Clock = func() time.Time { return now } })
	next := uint64(0)
	for name, c := range rounds.badOps(now, stranger, foreign) {
		for kind := transfers.KindPrepare; kind <= transfers.KindForward; kind++ {
			if !c.kinds(kind) {
				continue
			}
			op := transfers.Op{Kind: kind, Packet: good}
			next++
			op.Packet.ID = ledger.NewID(next<<8, 9)
			c.change(&op.Packet)
			result, err := round.Record(t.Context(), op)
			got := refusalText(result, err)
			if c.differ != "" {
				require.Equal(t, refusedField(kind, op.Packet.ID, c.differ), got, "%s: %v", name, kind)
				continue
			}
			require.Equal(t, op.Packet.ID, result.Packet.ID)
			require.Equal(t, refusalText(single.Record(t.Context(), op)), got, "%s: %v", name, kind)
			switch {
			case c.field != "":
				require.Equal(t, refusedField(kind, op.Packet.ID, c.field), got, "%s: %v", name, kind)
			case c.err != nil:
				require.ErrorIs(t, err, c.err, "%s: %v", name, kind)
			default:
				require.NoError(t, err, "%s: %v", name, kind)
			}
		}
	}
	for _, kind := range []transfers.Kind{0, transfers.KindForward + 1, math.MaxUint8} {
		op := transfers.Op{Kind: kind, Packet: good}
		got := refusalText(round.Record(t.Context(), op))
		require.Equal(t, refusedField(kind, id, "Kind"), got)
		require.Equal(t, refusalText(single.Record(t.Context(), op)), got)
	}
	require.NoError(t, single.Close(t.Context()))
	require.NoError(t, round.Close(t.Context()))
	for _, f := range []*fixture{singles, rounds} {
		require.Equal(t, "owed 0 owes 0 arrears 0 sent 0 earned 0 held 0", f.figures(t)[f.peers[0].String()])
	}
}
