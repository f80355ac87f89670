package monitoring

import (
	"context"
	"math"
	"math/big"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

// Metrics of settlement engines of RFC 0038. The label engine is the key of Sources.Engines.
var (
	engineRequests   = describeMetric("peerledger_rfc0038_requests_total", "Requests to settlement engines that have ended, by kind and outcome.", "engine", "kind", "outcome")
	engineUnanswered = describeMetric("peerledger_rfc0038_unanswered", "Orders that the engine has not answered to the end; those that wait for an operator are included.", "engine")
	engineOldest     = describeMetric("peerledger_rfc0038_oldest_unanswered_seconds", "Time since the first request of the oldest order without a final answer that waits for no operator; 0 without any.", "engine")
	engineStuck      = describeMetric("peerledger_rfc0038_stuck", "Settlements that wait for an operator: parked, the engine may have paid; stopped, the engine refuses or was not asked.", "engine", "state")
	engineReports    = describeMetric("peerledger_rfc0038_reports_total", "Requests of settlement engines to us, by outcome.", "outcome")
	engineRemainder  = describeOfAsset("peerledger_rfc0038_remainder", "The parts of the peers' payments below a unit of the asset that are not booked yet, of all peers.")
)

var requestKinds = []rfc0038.RequestKind{rfc0038.KindCreate, rfc0038.KindDelete, rfc0038.KindSettlement, rfc0038.KindMessage}

var requestOutcomes = []rfc0038.Outcome{
	rfc0038.OutcomeTaken, rfc0038.OutcomeNoAccount, rfc0038.OutcomeSeen, rfc0038.OutcomeRefused, rfc0038.OutcomeUnknown,
}

// addEngines adds the figures of the settlers. They need no request.
func (o *output) addEngines(engines map[string]*rfc0038.Settler) {
	for name, settler := range engines {
		s := settler.Stats()
		for _, kind := range requestKinds {
			for _, outcome := range requestOutcomes {
				n := s.Requests[rfc0038.RequestClass{Kind: kind, Outcome: outcome}]
				o.addMetric(engineRequests, prometheus.CounterValue, float64(n), []string{name, string(kind), labelOutcome(outcome)})
			}
		}
		o.addGauge(engineUnanswered, float64(s.Unanswered), name)
		o.addGauge(engineOldest, s.OldestUnanswered.Seconds(), name)
		o.addGauge(engineStuck, float64(s.Parked), name, "parked")
		o.addGauge(engineStuck, float64(s.Stopped), name, "stopped")
	}
}

// labelOutcome returns the outcome in the form of the other labels.
func labelOutcome(outcome rfc0038.Outcome) string {
	if outcome == rfc0038.OutcomeNoAccount {
		return "no_account"
	}
	return string(outcome)
}

// addReports adds the counts of a server.
func (o *output) addReports(s rfc0038.ServerStats) {
	for outcome, n := range map[string]uint64{
		"booked": s.Booked, "repeated": s.Repeated, "zero": s.Zero, "conflict": s.Conflicts, "parked": s.Parked, "unanswered": s.Unanswered,
		"unread": s.Unread, "refused": s.Refused, "message_relayed": s.Relayed, "message_failed": s.MessagesFailed,
	} {
		o.addMetric(engineReports, prometheus.CounterValue, float64(n), []string{outcome})
	}
}

// maxRemainders is the number of peers whose remainders are read: each takes a request.
const maxRemainders = 100

// readRemainders adds the sum of the peers' remainders of each asset. A sum without some peers would be wrong, so
// beyond maxRemainders there is none.
func (w *watcher) readRemainders(ctx context.Context, s Sources, out *output) {
	if s.EngineAccounts == nil {
		return
	}
	peers := s.EngineAccounts()
	if len(peers) > maxRemainders {
		return
	}
	sums := map[accounts.Asset]*big.Rat{}
	for _, peer := range peers {
		remainder, err := s.Settlement.Remainder(ctx, peer)
		if err != nil {
			w.reportFailure(readRemainder, err)
			return
		}
		asset, _ := s.Book.Asset(peer.Ledger())
		if sums[asset] == nil {
			sums[asset] = new(big.Rat)
		}
		sums[asset].Add(sums[asset], remainder)
	}
	for asset, sum := range sums {
		units, _ := sum.Float64()
		out.addGauge(engineRemainder, units/math.Pow10(int(asset.Scale)), assetLabels(asset)...)
	}
}
