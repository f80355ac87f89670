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

// moneyScenario is one peer's story, see testdata/money/README.md.
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

// moneyRun says in which way the scenarios are run.
type moneyRun struct {
	fresh     bool // a new engine and a new book for each step, which remember nothing
	noHistory bool
	namespace string
}

// TestMoney runs the scenarios of testdata/money, or those of another folder (PEERLEDGER_MONEY).
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
				synctest.Test(t, func(t *testing.T) { s.run(t, embedded.New(), run) })
			})
		})
	}
}

// forEachScenario runs a subtest for each scenario, by file.
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

// player plays a scenario.
type player struct {
	*desk
	*purse
	run    moneyRun
	steps  []moneyStep
	held   map[string]transfers.Packet
	from   map[string]bool // and whether the packet is from the peer
	strict bool            // the figures must be those of the scenario
}

func newPlayer(d *desk, p *purse) *player {
	return &player{desk: d, purse: p, held: map[string]transfers.Packet{}, from: map[string]bool{}}
}

func (s *moneyScenario) run(t *testing.T, l ledger.Ledger, run moneyRun) {
	t.Helper()
	policy := threshold(s.Policy.SettleThreshold, s.Policy.SettleTo)
	d := newDesk(t, l, accounts.Config{Namespace: run.namespace, NoHistory: run.noHistory}, policy)
	p := newPlayer(d, d.peer("alice", s.CreditLine))
	p.run, p.steps, p.strict = run, s.Steps, true
	for i := range s.Steps {
		p.play(i)
	}
	ledgertest.RequireConserved(t, l)
}

// play does a step, and compares what it came to.
//
// Without history an engine knows no more of a prepayment than an upper bound, so it may
// withhold what packets earned, and from then on the figures are others than the scenario's.
// That the rail is never asked for a prepayment (mayPay) holds all the same.
func (p *player) play(i int) {
	step := &p.steps[i]
	if p.run.fresh && i > 0 {
		p.renew()
		if p.refund {
			p.askRefund(p.purse)
		}
	}
	result := p.do(i)
	figures := p.figures()
	if p.run.noHistory && (result != step.Result || figures.Prepaid > step.Expect.Prepaid) {
		p.strict = false
	}
	if p.strict {
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

func (p *player) do(i int) (result moneyResult) {
	step := &p.steps[i]
	switch step.Do {
	case "earn":
		p.earns(p.purse, step.Amount)
	case "send":
		result.Refused = !p.sends(p.purse, step.Amount)
	case "hold-in", "hold-out":
		result.Refused = !p.hold(i)
	case "fulfill", "late-fulfill":
		late := p.fulfill(p.held[step.Name])
		require.Equal(p.t, step.Do == "late-fulfill", late)
		amount := int64(p.held[step.Name].In)
		if p.from[step.Name] {
			p.send(amount)
		} else {
			p.earn(amount)
		}
	case "reject":
		p.reject(p.held[step.Name])
	case "expire":
		p.expire(p.purse)
	case "look":
		p.look(p.purse)
	case "round":
		r := p.round(p.purse, step.Rail, step.Amount)
		result.Ordered, result.Paid, result.Withdrawn = r.ordered, r.paid, r.withdrawn
	case "close":
		result.Refused = !p.close(p.purse)
	default:
		result.Already = p.bookByHand(step)
	}
	return result
}

// bookByHand does a step in which somebody who is no recorder has something booked.
func (p *player) bookByHand(step *moneyStep) (already bool) {
	switch step.Do {
	case "receive":
		key := step.Name
		if key == "" {
			key = p.key()
		}
		return p.receive(p.purse, step.Amount, key)
	case "voucher":
		p.receiveVoucher(p.purse, step.Amount)
	case "returned":
		p.returned(p.purse, step.Amount, step.Name)
	case "credit":
		p.adjust(p.purse, step.Amount, 0)
	case "debit":
		p.adjust(p.purse, 0, step.Amount)
	case "paid":
		p.payByHand(p.purse, step.Amount)
	case "write-off":
		p.writeOff(p.purse, step.Amount)
	case "refund":
		p.askRefund(p.purse)
	case "line":
		p.setLine(p.purse, step.Amount)
	case "reopen":
		p.reopen(p.purse)
	case "unpark":
		p.release(p.purse)
	default:
		require.Fail(p.t, "no such step", step.Do)
	}
	return false
}

// hold prepares a packet. What a later step lets expire is held as short as can be: on a real
// ledger that step waits for it.
func (p *player) hold(i int) (ok bool) {
	step := &p.steps[i]
	hold := long
	for _, later := range p.steps[i+1:] {
		if later.Name == step.Name && (later.Do == "fulfill" || later.Do == "reject") {
			break
		}
		if later.Do == "expire" {
			hold = time.Second
		}
	}
	from, to := p.own, p.account
	p.from[step.Name] = step.Do == "hold-in"
	if p.from[step.Name] {
		from, to = to, from
	}
	p.held[step.Name], ok = p.prepare(from, to, step.Amount, hold)
	return ok
}

func (p *player) figures() moneyFigures {
	b := p.balance(p.purse)
	require.False(p.t, b.PrepaidAtMost && !p.run.noHistory, "with history it is exact")
	return moneyFigures{
		Position: b.Position().Int64(), Prepaid: small(b.Prepaid), Arrears: small(b.Arrears),
		Due: small(p.engine.Due(b)), CreditLine: small(b.CreditLine), Headroom: small(b.Headroom),
		HeldIn: small(b.HeldIn), Settling: small(b.Settling), Closed: b.Closed,
	}
}
