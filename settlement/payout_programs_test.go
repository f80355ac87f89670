package settlement_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// payoutProgram is a random program: three engines with limits, failing requests and restarts, while an operator
// pauses, approves and cancels.
type payoutProgram struct {
	*world
	random *rand.Rand
	rail   *rail

	engines  []*settlement.Engine
	operator *settlement.Engine

	mu       sync.Mutex
	trouble  bool // requests and the rail sometimes fail
	since    *time.Time
	approved map[ledger.ID]time.Time
	payments []payout
	wrong    []string
}

// payout is a payment at the rail.
type payout struct {
	at     time.Time
	to     accounts.PeerAccount
	amount uint64
}

// payoutLimits are the limits of all engines.
var payoutLimits = struct{ peerDay, assetDay, order, approve uint64 }{peerDay: 120, assetDay: 200, order: 50, approve: 40}

func (p *payoutProgram) rollChance(percent int) bool {
	drawn := p.drawNumber(100)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trouble && drawn < percent
}

func (p *payoutProgram) drawNumber(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(n)
}

// startEngine starts an engine with requests that sometimes fail.
func (p *payoutProgram) startEngine(i int) {
	l := &faultyLedger{Ledger: p.ledger, fault: func(call) fault {
		switch {
		case p.rollChance(3):
			return fault{before: errRail}
		case p.rollChance(2):
			return fault{after: errRail}
		}
		return noFault
	}}
	cfg := manualConfig(p.rail, settlement.Threshold{SettleThreshold: units(10)})
	cfg.Instance = fmt.Sprint("engine ", i)
	cfg.OrderCooldown, cfg.Lease = time.Second, time.Hour
	cfg.PeerPayoutLimits.Default = settlement.PayoutLimit{MaxPerDay: units(payoutLimits.peerDay), MaxOrder: units(payoutLimits.order)}
	cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(payoutLimits.assetDay), ApproveAbove: units(payoutLimits.approve)})
	p.engines[i] = p.engineOn(l, cfg)
}

// checkCall checks the first call of the rail for an order.
func (p *payoutProgram) checkCall(o settlement.Order) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, amount := time.Now(), ledgerUnits(o.Amount)
	peer, asset := amount, amount
	for _, paid := range p.payments {
		if now.Sub(paid.at) >= 24*time.Hour {
			continue
		}
		if asset += paid.amount; paid.to == o.Account {
			peer += paid.amount
		}
	}
	rule := func(holds bool, text string) {
		if !holds {
			p.wrong = append(p.wrong, fmt.Sprintf("%s: order %d of %d to %v, with it %d and %d in a day", text, o.Sequence, amount, o.Account, peer, asset))
		}
	}
	rule(amount <= payoutLimits.order, "above the largest order")
	rule(amount <= payoutLimits.approve || !p.approved[o.ID].IsZero(), "not approved")
	rule(peer <= payoutLimits.peerDay, "above the peer's day")
	rule(asset <= payoutLimits.assetDay, "above the asset's day")
	rule(p.since == nil || o.PlacedAt.Before(*p.since), "placed while payments are stopped")
	rule(p.since == nil || p.approved[o.ID].Before(*p.since), "approved while payments are stopped")
}

func ledgerUnits(a ledger.Amount) uint64 {
	n, _ := a.Uint64()
	return n
}

// drawPaid draws the amount that the rail pays for an order.
func (p *payoutProgram) drawPaid(o settlement.Order) ledger.Amount {
	p.checkCall(o)
	paid := o.Amount
	if p.rollChance(10) {
		paid = units(1 + ledgerUnits(o.Amount)/2)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.payments = append(p.payments, payout{time.Now(), o.Account, ledgerUnits(paid)})
	return paid
}

// settleAtOnce lets engines settle at the same moment.
func (p *payoutProgram) settleAtOnce(all bool) {
	var visits sync.WaitGroup
	for i, e := range p.engines {
		if all || p.drawNumber(2) == 0 {
			visits.Go(func() { _, _ = e.Settle(p.t.Context(), p.peers...) })
		} else if p.rollChance(20) {
			_ = e.Close(p.t.Context())
			p.startEngine(i)
		}
	}
	visits.Wait()
}

// decideOrders approves and cancels waiting orders.
func (p *payoutProgram) decideOrders(approveAll bool) {
	open, err := p.operator.Orders(p.t.Context(), p.peers...)
	require.NoError(p.t, err)
	for _, o := range open {
		if !errors.Is(o.Waits, settlement.ErrAwaitsApproval) {
			continue
		}
		if approveAll || p.drawNumber(3) > 0 {
			p.mu.Lock()
			p.approved[o.ID] = time.Now()
			p.mu.Unlock()
			_, err = p.operator.Approve(p.t.Context(), o.Account, o.ID)
		} else {
			_, err = p.operator.Cancel(p.t.Context(), o.Account, o.ID)
		}
		require.NoError(p.t, err)
	}
}

func (p *payoutProgram) switchPayments(on bool) {
	if on {
		require.NoError(p.t, p.operator.StopPayments(p.t.Context()))
		pauses, err := p.operator.Pauses(p.t.Context())
		require.NoError(p.t, err)
		p.since = &pauses[0].Since
		return
	}
	require.NoError(p.t, p.operator.StartPayments(p.t.Context()))
	p.since = nil
}

func (p *payoutProgram) runStep() {
	switch p.drawNumber(10) {
	case 0, 1, 2:
		p.earn(p.peers[p.drawNumber(len(p.peers))], uint64(1+p.drawNumber(70)))
	case 3, 4, 5, 6:
		p.settleAtOnce(false)
	case 7:
		p.decideOrders(false)
	case 8:
		p.switchPayments(p.drawNumber(3) == 0)
	case 9:
		sleepVirtual(time.Duration(p.drawNumber(int(5 * time.Hour))))
	}
	sleepVirtual(time.Duration(p.drawNumber(int(time.Minute))))
}

// No rail is ever asked beyond the limits, without a needed approval, or for an order that was placed while
// payments are stopped; and in the end everything is paid.
func TestPayoutPrograms(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	for n := range programCount(t) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := &payoutProgram{
					world: newWorld(t, "bob", "carol"), random: rand.New(rand.NewPCG(seed, uint64(n))), rail: newRail(),
					engines: make([]*settlement.Engine, 3), trouble: true, approved: map[ledger.ID]time.Time{},
				}
				p.rail.pays = p.drawPaid
				p.rail.before = func(settlement.Order) error { return p.drawFailure() }
				p.rail.after = p.rail.before
				for i := range p.engines {
					p.startEngine(i)
				}
				p.operator = p.engine(settlement.Config{Instance: "operator", NoTakeover: true})
				for range 120 {
					p.runStep()
				}
				p.mu.Lock()
				p.trouble = false
				p.mu.Unlock()
				p.switchPayments(false)
				for range 60 { // days
					sleepVirtual(time.Minute)
					p.settleAtOnce(true)
					p.decideOrders(true)
					sleepVirtual(time.Minute)
					p.settleAtOnce(true)
					sleepVirtual(12 * time.Hour)
				}
				require.Empty(t, p.wrong)
				for _, a := range p.peers {
					require.Less(t, ledgerUnits(p.balance(a).Payable), uint64(10), "%v", a)
				}
				p.requireConserved(p.rail)
			})
		})
	}
}

func (p *payoutProgram) drawFailure() error {
	switch {
	case p.rollChance(10):
		return errRail
	case p.rollChance(5):
		return settlement.ErrPending
	}
	return nil
}

// programCount is the number of random programs.
func programCount(t *testing.T) int {
	t.Helper()
	n := 20
	if text := os.Getenv("PEERLEDGER_PROGRAMS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err, "PEERLEDGER_PROGRAMS")
	}
	return n
}
