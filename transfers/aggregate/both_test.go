package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

var _ transfers.PacketRecorder = (*aggregate.Recorder)(nil)

// bothFixture runs a scenario with one of the two recorders.
type bothFixture struct {
	*fixture

	t        *testing.T
	recorder transfers.PacketRecorder
	seen     []string // what the recorder answered
}

// sentinels are the errors that a connector tells apart.
var sentinels = []error{
	transfers.ErrPacket, transfers.ErrAmounts, transfers.ErrHoldTooShort, transfers.ErrCreditLine, transfers.ErrInArrears,
	transfers.ErrPacketConflict, transfers.ErrRecorderClosed, transfers.ErrAbandoned, transfers.ErrBacklogFull, transfers.ErrJournal,
	accounts.ErrUnknownAsset, accounts.ErrSuspended, accounts.ErrPeerClosed, accounts.ErrNotProvisioned,
	ledger.ErrIDConflict, ledger.ErrOutcomeUnknown,
}

// note keeps what a caller can see of a result. Three differences are left out: rounds burn no ids, a
// forward that no reservation covers is late whatever the line, and a closed peer is suspended too.
func (f *bothFixture) note(r transfers.Result, err error) transfers.Packet {
	f.t.Helper()
	require.Equal(f.t, r.Err, err)
	if r.Outcome == ledger.OutcomeIDBurnt {
		r.Outcome = ledger.OutcomeRefused
	}
	if errors.Is(err, accounts.ErrPeerClosed) {
		err = fmt.Errorf("%w: and closed", accounts.ErrSuspended)
	}
	text := fmt.Sprintf("%v %v late=%t code=%q", r.Kind, r.Outcome, r.Late && r.Kind != transfers.KindForward, transfers.ILPCode(err))
	for _, s := range sentinels {
		if errors.Is(err, s) {
			text += fmt.Sprintf(" [%v]", s)
		}
	}
	var fault *transfers.PacketError
	if errors.As(err, &fault) {
		text += " field " + fault.Field
	}
	f.seen = append(f.seen, text)
	return r.Packet
}

func (f *bothFixture) record(op transfers.Op) transfers.Packet {
	f.t.Helper()
	return f.note(f.recorder.Record(f.t.Context(), op))
}

// passPolls lets the recorder see what an operator has changed.
func (f *bothFixture) passPolls() {
	time.Sleep(3 * f.book.SuspensionPollInterval()) //nolint:forbidigo // virtual time in synctest
	synctest.Wait()
}

// bothScenarios run with either recorder, and must give the same answers and the same books.
var bothScenarios = map[string]func(f *bothFixture){
	"fulfilled, again, and rejected": func(f *bothFixture) {
		held := f.record(transfers.PrepareOp(f.packet(0, 1, 100, 99)))
		f.record(transfers.FulfillOp(held))
		f.record(transfers.FulfillOp(held))
		f.record(transfers.RejectOp(held))
	},
	"rejected, again, and fulfilled": func(f *bothFixture) {
		held := f.record(transfers.PrepareOp(f.packet(0, 1, 100, 99)))
		f.record(transfers.RejectOp(held))
		f.record(transfers.RejectOp(held))
		f.record(transfers.FulfillOp(held))
	},
	"the four operations by name": func(f *bothFixture) {
		ctx := f.t.Context()
		first := f.note(f.recorder.Prepare(ctx, f.packet(0, 1, 10, 9)))
		second := f.note(f.recorder.Prepare(ctx, f.packet(1, 2, 20, 20)))
		f.note(f.recorder.Fulfill(ctx, first))
		f.note(f.recorder.Reject(ctx, second))
		f.note(f.recorder.Forward(ctx, f.packet(2, 0, 30, 29)))
	},
	"an id of the caller, again, and with another amount": func(f *bothFixture) {
		p := f.packet(0, 1, 100, 99)
		p.ID, p.Hold = ledger.NewID(1<<8, 1), 32*time.Second
		f.record(transfers.PrepareOp(p))
		f.record(transfers.PrepareOp(p))
		other := p
		other.In, other.Out = 50, 50
		f.record(transfers.PrepareOp(other))
		f.record(transfers.RejectOp(p))
	},
	"up to the line, and beyond": func(f *bothFixture) {
		held := f.record(transfers.PrepareOp(f.packet(0, 1, bothLine, bothLine)))
		f.record(transfers.PrepareOp(f.packet(0, 1, 1, 1)))
		f.record(transfers.RejectOp(held))
		held = f.record(transfers.PrepareOp(f.packet(0, 1, 1, 1)))
		f.record(transfers.FulfillOp(held))
		f.record(transfers.PrepareOp(f.packet(0, 1, bothLine, bothLine)))
	},
	"earnings are headroom": func(f *bothFixture) {
		held := f.record(transfers.PrepareOp(f.packet(0, 1, 500, 400)))
		f.record(transfers.FulfillOp(held))
		require.NoError(f.t, f.recorder.Flush(f.t.Context()))
		held = f.record(transfers.PrepareOp(f.packet(1, 2, bothLine+400, 10)))
		f.record(transfers.PrepareOp(f.packet(1, 2, 1, 1)))
		f.record(transfers.FulfillOp(held))
	},
	"operations with faults": func(f *bothFixture) {
		for _, change := range []func(*transfers.Packet){
			func(p *transfers.Packet) { p.From = accounts.PeerAccount{} },
			func(p *transfers.Packet) { p.To = accounts.PeerAccount{} },
			func(p *transfers.Packet) { p.ID = ledger.NewID(1, 0) },
			func(p *transfers.Packet) { p.Dust = 1 },
			func(p *transfers.Packet) { p.Dust = 1000 },
			func(p *transfers.Packet) { p.Out = p.In + 1 },
			func(p *transfers.Packet) { p.Expiry = time.Now().Add(100 * time.Millisecond) },
		} {
			p := f.packet(0, 1, 100, 99)
			change(&p)
			f.record(transfers.PrepareOp(p))
		}
		f.record(transfers.FulfillOp(f.packet(0, 1, 100, 99)))
		f.record(transfers.Op{Kind: 9, Packet: f.packet(0, 1, 100, 99)})
	},
	"two assets, a loss, dust, nothing, ourselves": func(f *bothFixture) {
		usdOwn, err := f.book.OwnAccount(usd)
		require.NoError(f.t, err)
		dusty := f.packet(0, 4, 100, 70)
		dusty.Dust = 3
		loss := f.packet(3, 4, 10, 15)
		for _, p := range []transfers.Packet{
			dusty, loss, f.packet(0, 1, 0, 0), f.packet(0, 0, 5, 5),
			{From: usdOwn, To: f.peers[1], In: 40, Out: 40, Expiry: dusty.Expiry},
			{From: f.peers[1], To: usdOwn, In: 30, Out: 30, Expiry: dusty.Expiry},
		} {
			held := f.record(transfers.PrepareOp(p))
			f.record(transfers.FulfillOp(held))
			f.record(transfers.ForwardOp(p))
		}
	},
	"a forward beyond the line, and packets in arrears": func(f *bothFixture) {
		f.record(transfers.ForwardOp(f.packet(0, 1, bothLine+50, bothLine)))
		require.NoError(f.t, f.recorder.Flush(f.t.Context()))
		f.passPolls()
		f.record(transfers.PrepareOp(f.packet(0, 1, 1, 1)))
		f.record(transfers.FulfillOp(f.record(transfers.PrepareOp(f.packet(1, 0, 10, 10))))) // to a peer in arrears
	},
	"suspended and resumed": func(f *bothFixture) {
		ctx := f.t.Context()
		held := f.record(transfers.PrepareOp(f.packet(0, 1, 100, 99)))
		require.NoError(f.t, f.book.SuspendPeer(ctx, f.peers[0]))
		f.passPolls()
		f.record(transfers.PrepareOp(f.packet(0, 1, 1, 1)))
		f.record(transfers.PrepareOp(f.packet(2, 0, 1, 1)))
		f.record(transfers.FulfillOp(held)) // it was promised
		require.NoError(f.t, f.recorder.Flush(ctx))
		require.NoError(f.t, f.book.ResumePeer(ctx, f.peers[0]))
		f.passPolls()
		f.record(transfers.RejectOp(f.record(transfers.PrepareOp(f.packet(0, 1, 1, 1)))))
	},
	"closed": func(f *bothFixture) {
		err := f.book.ClosePeer(f.t.Context(), f.peers[2])
		require.NoError(f.t, err)
		f.passPolls()
		f.record(transfers.PrepareOp(f.packet(0, 2, 1, 1)))
		f.record(transfers.PrepareOp(f.packet(2, 0, 1, 1)))
	},
	"peers without accounts, and of another book": func(f *bothFixture) {
		dave, err := f.book.PeerAccount("dave", usd)
		require.NoError(f.t, err)
		foreign, err := accounts.NewBook(f.ledger, accounts.Config{Assets: []accounts.Asset{{Code: "XAU", Scale: 3, Ledger: 9}}})
		require.NoError(f.t, err)
		gold, err := foreign.PeerAccount("alice", foreign.Assets()[0])
		require.NoError(f.t, err)
		for _, to := range []accounts.PeerAccount{dave, gold} {
			p := f.packet(0, 1, 1, 1)
			p.To = to
			f.record(transfers.PrepareOp(p))
		}
	},
	"all at once": func(f *bothFixture) {
		ctx := f.t.Context()
		results, err := f.recorder.RecordAll(ctx, transfers.PrepareOp(f.packet(0, 1, 10, 10)), transfers.Op{},
			transfers.PrepareOp(f.packet(1, 2, 2*bothLine, 1)), transfers.PrepareOp(f.packet(0, 2, 20, 19)))
		require.ErrorIs(f.t, err, transfers.ErrPacket)
		require.ErrorIs(f.t, err, transfers.ErrCreditLine)
		for _, r := range results {
			f.note(r, r.Err)
		}
		results, err = f.recorder.RecordAll(ctx, transfers.FulfillOp(results[0].Packet), transfers.RejectOp(results[3].Packet))
		require.NoError(f.t, err)
		require.Len(f.t, results, 2)
	},
	"submitted": func(f *bothFixture) {
		ctx := f.t.Context()
		op := transfers.PrepareOp(f.packet(0, 1, 10, 9))
		prepared, err := f.recorder.Submit(ctx, op)
		require.NoError(f.t, err)
		require.NotZero(f.t, prepared.Packet().ID)
		held := prepared.Wait(ctx)
		require.Equal(f.t, held.Packet.ID, prepared.Packet().ID)
		f.note(held, held.Err)
		require.NoError(f.t, prepared.Journaled(ctx))
		posted, err := f.recorder.TrySubmit(transfers.FulfillOp(held.Packet))
		require.NoError(f.t, err)
		answer := posted.Wait(ctx)
		f.note(answer, answer.Err)
		refused, err := f.recorder.Submit(ctx, transfers.PrepareOp(f.packet(0, 1, 2*bothLine, 1)))
		require.NoError(f.t, err)
		for range 2 { // a Future can be asked again
			r := refused.Wait(ctx)
			f.note(r, r.Err)
		}
	},
	"closed recorder": func(f *bothFixture) {
		ctx := f.t.Context()
		held := f.record(transfers.PrepareOp(f.packet(0, 1, 10, 9)))
		f.record(transfers.FulfillOp(held))
		require.NoError(f.t, f.recorder.Close(ctx))
		f.record(transfers.PrepareOp(f.packet(0, 1, 10, 9)))
		f.record(transfers.ForwardOp(f.packet(0, 1, 10, 9)))
		_, err := f.recorder.Submit(ctx, transfers.PrepareOp(f.packet(0, 1, 10, 9)))
		require.ErrorIs(f.t, err, transfers.ErrRecorderClosed)
		_, err = f.recorder.TrySubmit(transfers.PrepareOp(f.packet(0, 1, 10, 9)))
		require.ErrorIs(f.t, err, transfers.ErrRecorderClosed)
		require.NoError(f.t, f.recorder.Flush(ctx), "everything is in the ledger")
		require.Zero(f.t, f.recorder.Stats().Backlog)
	},
}

const bothLine = 1000

func TestBothRecorders(t *testing.T) {
	t.Parallel()
	for name, scenario := range bothScenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			single, singleBooks := runScenario(t, scenario, func(f *fixture) (transfers.PacketRecorder, error) {
				return transfers.NewRecorder(f.ledger, f.book, transfers.Config{})
			})
			rounds, roundBooks := runScenario(t, scenario, func(f *fixture) (transfers.PacketRecorder, error) {
				return aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{LoseFulfillsWithProcess: true})
			})
			require.NotEmpty(t, single)
			require.Equal(t, single, rounds)
			require.Equal(t, singleBooks, roundBooks)
		})
	}
}

// runScenario returns what a recorder answers, and the books that are left.
func runScenario(t *testing.T, scenario func(*bothFixture), open func(*fixture) (transfers.PacketRecorder, error)) (seen []string, books map[string]string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &bothFixture{fixture: newFixture(t, embedded.New(), bothLine), t: t}
		var err error
		f.recorder, err = open(f.fixture)
		require.NoError(t, err)
		scenario(f)
		require.NoError(t, f.recorder.Close(context.WithoutCancel(t.Context())))
		seen, books = f.seen, f.figures(t)
		ledgertest.RequireConserved(t, f.ledger)
	})
	return seen, books
}
