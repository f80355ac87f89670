//go:build unix

package realtest_test

import (
	"context"
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

const (
	adaAddress   = "test.ada"
	aliceAddress = nodeAddress + ".alice"
)

// rustPair is a connector of ours, "ada", and interledger-rs as its peer, "rust", each with an engine. Alice is a
// customer of the peer: packets go from us to her and back.
type rustPair struct {
	t       *testing.T
	setup   setup
	redis   redisServer
	ours    *connector
	closing func()
	node    *rustNode
	account string // our account at the node, and at the node's engine
	engines [2]*program
	orders  *witness // of the node, to its engine
	reports *witness // of the node's engine, to the node
}

func startRustPair(t *testing.T, version rustVersion) *rustPair {
	t.Helper()
	node, modules := findEngine(t)
	p := &rustPair{t: t, redis: startRedis(t)}
	p.node = startRustNode(t, version, p.redis)
	enginePorts := [2]int{freePort(t), freePort(t)}
	p.setup = setup{Name: "ada", Peer: "rust", Folder: t.TempDir(), Engine: formatURL(enginePorts[0]), Port: freePort(t)}
	p.orders = startWitness(t, formatURL(enginePorts[1]))
	p.reports = startWitness(t, formatURL(p.node.reports))
	for i, config := range [2]engineConfig{
		{Name: "ada", Peer: "rust", Connector: formatURL(p.setup.Port)},
		{Name: "rust", Peer: "ada", Connector: p.reports.url},
	} {
		config.Port, config.Redis, config.Database = enginePorts[i], p.redis.port, databaseOf(i)
		p.engines[i] = newEngine(t, node, modules, config)
		ready := p.engines[i].start("ready ")
		if i == 0 {
			logTakingPart(t, ready, p.redis)
		}
	}
	p.startOurs()
	p.addAccounts()
	return p
}

// startOurs starts our connector in the test's process.
func (p *rustPair) startOurs() {
	t := p.t
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ours, err := openConnector(ctx, p.setup)
	require.NoError(t, err)
	p.ours = ours
	ours.deliver = func(ctx context.Context, _ accounts.PeerAccount, prepare []byte) ([]byte, error) {
		return p.node.sendPacket(ctx, "ada", prepare)
	}
	reports, err := ours.server.Listen(ctx, listenConfig(p.setup))
	require.NoError(t, err)
	var served sync.WaitGroup
	served.Go(func() { require.NoError(t, ours.server.Serve(ctx, reports)) })
	p.closing = sync.OnceFunc(func() {
		cancel()
		served.Wait()
		ctx := context.WithoutCancel(t.Context())
		require.NoError(t, ours.recorder.Close(ctx))
		require.NoError(t, ours.engine.Close(ctx))
		require.NoError(t, ours.ledger.Close())
	})
	t.Cleanup(p.closing)
	require.NoError(t, ours.settler.CreateAccount(ctx, ours.peer[eur]))
}

// addAccounts opens our account and Alice's at the node, with the servers for packets to us and to her.
func (p *rustPair) addAccounts() {
	t := p.t
	t.Helper()
	ours := httptest.NewServer(handleILP(p.takePacket))
	t.Cleanup(ours.Close)
	alice := httptest.NewServer(handleILP(func(_ context.Context, prepare ilp.Prepare, _ []byte) (ilp.Packet, error) {
		return answerPacket(prepare), nil
	}))
	t.Cleanup(alice.Close)
	p.account = p.node.addAccount(nodeAccount{
		Name: "ada", Address: adaAddress, URL: ours.URL, Engine: p.orders.url, SettleThreshold: 200, SettleTo: 50,
	})
	p.node.addAccount(nodeAccount{Name: "alice", Address: aliceAddress, URL: alice.URL})
}

// sendPacket sends a packet to Alice, and books what the node answers.
func (p *rustPair) sendPacket(amount uint64, data []byte) ilp.Packet {
	t := p.t
	ctx := context.WithoutCancel(t.Context())
	prepare := newTestPacket(aliceAddress, amount, data)
	result, err := p.ours.recorder.Prepare(ctx, transfers.Packet{
		From: p.ours.own[eur], To: p.ours.peer[eur], In: amount, Out: amount, Hold: packetHold,
	})
	require.NoError(t, err)
	packet, err := prepare.AppendBinary(nil)
	require.NoError(t, err)
	answer, err := p.node.sendPacket(ctx, "ada", packet)
	require.NoError(t, err)
	decoded, err := ilp.Decode(answer)
	require.NoError(t, err)
	require.NoError(t, p.ours.resolvePacket(ctx, result.Packet, decoded.Type() == ilp.TypeReject))
	return decoded
}

// takePacket books a packet from the node, and answers it. The node's messages go to our engine.
func (p *rustPair) takePacket(ctx context.Context, prepare ilp.Prepare, packet []byte) (ilp.Packet, error) {
	ctx = context.WithoutCancel(ctx)
	if prepare.Destination == "peer.settle" {
		answer, err := p.ours.takeMessage(ctx, eur, packet)
		if err != nil {
			return nil, err
		}
		return ilp.Decode(answer)
	}
	result, err := p.ours.recorder.Prepare(ctx, transfers.Packet{
		From: p.ours.peer[eur], To: p.ours.own[eur], In: prepare.Amount, Out: prepare.Amount, Hold: packetHold,
	})
	if err != nil {
		return nil, err
	}
	answer := answerPacket(prepare)
	return answer, p.ours.resolvePacket(ctx, result.Packet, answer.Type() == ilp.TypeReject)
}

// sendToUs sends a packet from Alice to us.
func (p *rustPair) sendToUs(amount uint64, data []byte) ilp.Packet {
	packet, err := newTestPacket(adaAddress, amount, data).AppendBinary(nil)
	require.NoError(p.t, err)
	answer, err := p.node.sendPacket(context.WithoutCancel(p.t.Context()), "alice", packet)
	require.NoError(p.t, err)
	decoded, err := ilp.Decode(answer)
	require.NoError(p.t, err)
	return decoded
}

// trade sends random packets in both directions. The receiver rejects every eighth.
func (p *rustPair) trade(toAlice, toUs int, random *rand.Rand) {
	var senders sync.WaitGroup
	for _, way := range []struct {
		packets int
		send    func(amount uint64, data []byte) ilp.Packet
	}{{toAlice, p.sendPacket}, {toUs, p.sendToUs}} {
		amounts := make([]uint64, way.packets)
		for i := range amounts {
			amounts[i] = random.Uint64N(100) + 1
		}
		senders.Go(func() {
			for i, amount := range amounts {
				want, data := ilp.TypeFulfill, []byte(nil)
				if i%8 == 7 {
					want, data = ilp.TypeReject, rejectMe
				}
				if answer := way.send(amount, data); answer.Type() != want {
					p.t.Errorf("%+v instead of a %v", answer, want)
				}
			}
		})
	}
	senders.Wait()
}

// settle waits until the node's balance is as its packets and settlements tell, lets us pay what we owe, and waits until
// all payments have come to an end.
func (p *rustPair) settle() {
	p.t.Helper()
	ctx := context.WithoutCancel(p.t.Context())
	p.waitForBalance()
	require.NoError(p.t, p.ours.settleAll(ctx))
	for _, command := range []string{"pay", "report"} {
		for _, engine := range p.engines {
			engine.ask(command)
		}
	}
	p.waitForBalance()
}

// TestSettlesWithInterledgerRS has a connector of ours and interledger-rs trade packets and settle, each with a real
// engine. Their figures differ by what interledger-rs pays or books again, and by nothing else:
//   - it puts an amount back whose order got no answer, and pays it again under another key, whether or not the engine
//     had taken it;
//   - it answers a repeated report with 409, and settlement-core adds the amount to the next report;
//   - it answers each report with a text. The settlement-core of the test wants a Quantity, and adds the amount to the
//     next report.
//
// We book each payment of the rail once, in both directions.
func TestSettlesWithInterledgerRS(t *testing.T) {
	t.Parallel()
	version := findRustNode(t)
	t.Run("as they are", func(t *testing.T) {
		t.Parallel()
		p := startRustPair(t, version)
		random := rand.New(rand.NewPCG(ledgertest.Seed(t), 0))
		p.trade(60, 5, random)
		p.trade(5, 60, random)
		p.settle()
		paidAgain, bookedAgain := p.compare()
		require.Zero(t, paidAgain)
		require.NotZero(t, bookedAgain)
		p.audit()
	})
	t.Run("with Quantities in the answers", func(t *testing.T) {
		t.Parallel()
		p := startRustPair(t, version)
		p.reports.quantity = true
		random := rand.New(rand.NewPCG(ledgertest.Seed(t), 1))
		p.trade(40, 5, random)
		p.trade(5, 80, random)
		p.settle()
		paidAgain, bookedAgain := p.compare()
		require.Zero(t, paidAgain+bookedAgain)
		require.False(t, p.readBalance().SettledIn.IsZero())
		require.False(t, p.readBalance().SettledOut.IsZero())

		p.orders.fail(refused, answerLost, noFault, answerLost)
		p.reports.fail(answerLost, noFault, noFault, answerLost)
		p.trade(5, 80, random)
		p.trade(80, 5, random)
		p.settle()
		p.trade(60, 5, random) // a report after the last fault has what settlement-core had put aside
		p.settle()
		paidAgain, bookedAgain = p.compare()
		require.NotZero(t, paidAgain)
		require.NotZero(t, bookedAgain)
		p.audit()
	})
}
