package settlement_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// moneyScenario is the sequence of steps of one peer; see testdata/money/README.md.
type moneyScenario struct {
	Name   string `json:"name"`
	About  string `json:"about"`
	Policy struct {
		SettleThreshold int64 `json:"settle_threshold"`
		SettleTo        int64 `json:"settle_to"`
	} `json:"policy"`
	CreditLine uint64      `json:"credit_line"`
	Steps      []moneyStep `json:"steps"`
}

type moneyStep struct {
	Do     string       `json:"do"`
	Amount uint64       `json:"amount"`
	Name   string       `json:"name"`
	Rail   string       `json:"rail"`
	Result moneyResult  `json:"result"`
	Expect moneyFigures `json:"expect"`
}

type moneyResult struct {
	Refused   bool   `json:"refused"`
	Already   bool   `json:"already"`
	Ordered   uint64 `json:"ordered"`
	Paid      uint64 `json:"paid"`
	Withdrawn bool   `json:"withdrawn"`
}

type moneyFigures struct {
	Position   int64 `json:"position"`
	Prepaid    int64 `json:"prepaid"`
	Arrears    int64 `json:"arrears"`
	Due        int64 `json:"due"`
	CreditLine int64 `json:"credit_line"`
	Headroom   int64 `json:"headroom"`
	HeldIn     int64 `json:"held_in"`
	Settling   int64 `json:"settling"`
	Closed     bool  `json:"closed"`
}

// moneyRun is a way to run the scenarios.
type moneyRun struct {
	fresh     bool // a new engine and a new book for each step, without memory
	noHistory bool
	namespace string
}

// TestMoney runs the scenarios of testdata/money, or of the folder in PEERLEDGER_MONEY.
func TestMoney(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]moneyRun{
		"one engine":             {},
		"a new one at each step": {fresh: true},
		"without history":        {noHistory: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachScenario(t, func(t *testing.T, s *moneyScenario) {
				t.Helper()
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { s.runScenario(t, embedded.New(), run) })
			})
		})
	}
}

// forEachScenario runs a subtest for each scenario, file by file.
func forEachScenario(t *testing.T, play func(*testing.T, *moneyScenario)) {
	t.Helper()
	folder := "testdata/money"
	if other := os.Getenv("PEERLEDGER_MONEY"); other != "" {
		folder = other
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files, "no scenarios in %s", folder)
	for _, path := range files {
		scenarios := readScenarios(t, path)
		t.Run(filepath.Base(path), func(t *testing.T) {
			for i := range scenarios {
				t.Run(scenarios[i].Name, func(t *testing.T) { play(t, &scenarios[i]) })
			}
		})
	}
}

func readScenarios(t *testing.T, path string) []moneyScenario {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	var all struct {
		Format    int             `json:"format"`
		Scenarios []moneyScenario `json:"scenarios"`
	}
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&all), path)
	require.Equal(t, 1, all.Format, path)
	require.NotEmpty(t, all.Scenarios, path)
	return all.Scenarios
}

// scenarioPlayer plays a scenario.
type scenarioPlayer struct {
	*moneyFixture
	*moneyPeer
	run          moneyRun
	steps        []moneyStep
	heldPackets  map[string]transfers.Packet
	sentByPeer   map[string]bool // by the name of the packet
	exactFigures bool            // the figures must equal the scenario's
}

func newScenarioPlayer(d *moneyFixture, p *moneyPeer) *scenarioPlayer {
	return &scenarioPlayer{moneyFixture: d, moneyPeer: p, heldPackets: map[string]transfers.Packet{}, sentByPeer: map[string]bool{}}
}

func (s *moneyScenario) runScenario(t *testing.T, l ledger.Ledger, run moneyRun) {
	t.Helper()
	policy := newThreshold(s.Policy.SettleThreshold, s.Policy.SettleTo)
	d := newMoneyFixture(t, l, accounts.Config{Namespace: run.namespace, NoHistory: run.noHistory}, policy)
	p := newScenarioPlayer(d, d.provisionPeer("alice", s.CreditLine))
	p.run, p.steps, p.exactFigures = run, s.Steps, true
	for i := range s.Steps {
		p.playStep(i)
	}
	ledgertest.RequireConserved(t, l)
}

// playStep applies a step, and compares the result and the figures.
//
// Without history an engine knows only an upper bound of a prepayment. So it may withhold earnings, and from then
// on the figures differ from the scenario's. Even then the rail is never asked for a prepayment (checkOrderAmount).
func (p *scenarioPlayer) playStep(i int) {
	step := &p.steps[i]
	if p.run.fresh && i > 0 {
		p.restartEngine()
		if p.refundRequested {
			p.requestRefund(p.moneyPeer)
		}
	}
	result := p.applyStep(i)
	figures := p.readFigures()
	if p.run.noHistory && (result != step.Result || figures.Prepaid > step.Expect.Prepaid) {
		p.exactFigures = false
	}
	if p.exactFigures {
		require.Equal(p.t, step.Result, result, "result of step %d, %s", i+1, step.Do)
		require.Equal(p.t, step.Expect, figures, "figures after step %d, %s", i+1, step.Do)
	}
	require.Equal(p.t, p.position(), figures.Position, "position after step %d, %s", i+1, step.Do)
	if p.run.noHistory {
		require.GreaterOrEqual(p.t, figures.Prepaid, p.prepaid, "prepaid after step %d, %s", i+1, step.Do)
	} else {
		require.Equal(p.t, p.prepaid, figures.Prepaid, "prepaid after step %d, %s", i+1, step.Do)
	}
}

func (p *scenarioPlayer) applyStep(i int) (result moneyResult) {
	step := &p.steps[i]
	switch step.Do {
	case "earn":
		p.earnByPacket(p.moneyPeer, step.Amount)
	case "earn-in-round":
		p.earnInRound(p.moneyPeer, step.Amount)
	case "send":
		result.Refused = !p.sendByPacket(p.moneyPeer, step.Amount)
	case "hold-in", "hold-out":
		result.Refused = !p.holdPacket(i)
	case "fulfill", "late-fulfill":
		late := p.fulfillPacket(p.heldPackets[step.Name])
		require.Equal(p.t, step.Do == "late-fulfill", late)
		amount := int64(p.heldPackets[step.Name].In)
		if p.sentByPeer[step.Name] {
			p.addSent(amount)
		} else {
			p.addEarned(amount)
		}
	case "reject":
		p.rejectPacket(p.heldPackets[step.Name])
	case "expire":
		p.waitForExpiry(p.moneyPeer)
	case "look":
		p.stopRoundAtOrder(p.moneyPeer)
	case "round":
		r := p.finishRound(p.moneyPeer, step.Rail, step.Amount)
		result.Ordered, result.Paid, result.Withdrawn = r.ordered, r.paid, r.withdrawn
	case "close":
		result.Refused = !p.closePeer(p.moneyPeer)
	default:
		result.Already = p.bookByHand(step)
	}
	return result
}

// bookByHand applies a step of an operator or a rail.
func (p *scenarioPlayer) bookByHand(step *moneyStep) (already bool) {
	switch step.Do {
	case "receive":
		key := step.Name
		if key == "" {
			key = p.nextKey()
		}
		return p.bookIncoming(p.moneyPeer, step.Amount, key)
	case "voucher":
		p.bookVoucher(p.moneyPeer, step.Amount)
	case "returned":
		p.bookReturns(p.moneyPeer, step.Amount, step.Name)
	case "credit":
		p.bookAdjustment(p.moneyPeer, step.Amount, 0)
	case "debit":
		p.bookAdjustment(p.moneyPeer, 0, step.Amount)
	case "paid":
		p.bookOutgoing(p.moneyPeer, step.Amount)
	case "write-off":
		p.bookWriteOff(p.moneyPeer, step.Amount)
	case "refund":
		p.requestRefund(p.moneyPeer)
	case "line":
		p.setCreditLine(p.moneyPeer, step.Amount)
	case "reopen":
		p.reopenPeer(p.moneyPeer)
	case "unpark":
		p.releasePeer(p.moneyPeer)
	default:
		require.Fail(p.t, "no such step", step.Do)
	}
	return false
}

// holdPacket prepares a packet. If a later step lets the hold expire, the hold is as short as possible: on a real
// ledger the step waits for the expiry.
func (p *scenarioPlayer) holdPacket(i int) (ok bool) {
	step := &p.steps[i]
	hold := longHold
	for _, later := range p.steps[i+1:] {
		if later.Name == step.Name && (later.Do == "fulfill" || later.Do == "reject") {
			break
		}
		if later.Do == "expire" {
			hold = time.Second
		}
	}
	from, to := p.ownAccount, p.account
	p.sentByPeer[step.Name] = step.Do == "hold-in"
	if p.sentByPeer[step.Name] {
		from, to = to, from
	}
	p.heldPackets[step.Name], ok = p.preparePacket(from, to, step.Amount, hold)
	return ok
}

func (p *scenarioPlayer) readFigures() moneyFigures {
	b := p.readBalance(p.moneyPeer)
	require.False(p.t, b.PrepaidAtMost && !p.run.noHistory, "with history it is exact")
	return moneyFigures{
		Position: b.Position().Int64(), Prepaid: toInt64(b.Prepaid), Arrears: toInt64(b.Arrears),
		Due: toInt64(p.engine.Due(b)), CreditLine: toInt64(b.CreditLine), Headroom: toInt64(b.Headroom),
		HeldIn: toInt64(b.HeldIn), Settling: toInt64(b.Settling), Closed: b.Closed,
	}
}
