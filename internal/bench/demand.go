package bench

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/peerledger/peerledger/ledger"
)

// demand is what rounds and a settlement engine ask of the ledger at a fixed load.
type demand struct {
	mode       mode
	instances  int
	packetRate float64 // reached
	seconds    float64
	requests   requestCounts
	paced      pacedSample
}

// The fixed load. The engine's threshold is out of reach: its checks count, and no payments.
const (
	demandRate      = 100_000 // packets per second
	demandPeers     = 1000
	demandThreshold = 1 << 62
)

// measureDemands measures each way in rounds with each number of instances.
func (b *bencher) measureDemands(ctx context.Context) (all []demand, err error) {
	for _, w := range b.opts.modes {
		if !w.isInRounds() {
			continue
		}
		for _, n := range b.opts.instances {
			d, err := b.measureDemand(ctx, w, n)
			if err != nil {
				return nil, fmt.Errorf("requests of %s, instances %d: %w", w, n, err)
			}
			all = append(all, d)
		}
	}
	return all, nil
}

func (b *bencher) measureDemand(ctx context.Context, way mode, instances int) (d demand, err error) {
	m := measurement{scenario: newBaseScenario(b.opts, phaseTwo), mode: way, callers: instances}
	m.peers, m.settle, m.instances = demandPeers, true, instances
	timed := *b // the first top-ups belong to the warm-up
	timed.opts.duration = cmp.Or(b.opts.duration, b.opts.maxTime)
	err = b.withWorkload(ctx, m, func(prepared preparedTarget, w *workload) error {
		s, paced, err := timed.measureLoad(ctx, m, prepared, w, load{rate: demandRate, threshold: ledger.NewAmount(demandThreshold)})
		d = demand{
			mode: way, instances: instances, packetRate: s.computePacketRate(), seconds: s.elapsed.Seconds(),
			requests: s.requests, paced: paced,
		}
		return err
	})
	return d, err
}

// jsonDemand is a [demand] in JSON.
type jsonDemand struct {
	Kind        string             `json:"kind"` // "requests"
	Way         mode               `json:"way"`
	Instances   int                `json:"instances"`
	Peers       int                `json:"peers"`
	Rate        float64            `json:"packets_per_second"`
	Seconds     float64            `json:"seconds"`
	RequestRate float64            `json:"requests_per_second"`
	ByOperation map[string]float64 `json:"requests_per_second_by_operation"`
	PrepareP50  float64            `json:"prepare_p50_us"`
	PrepareP99  float64            `json:"prepare_p99_us"`
	FulfillP50  float64            `json:"fulfill_p50_us"`
	FulfillP99  float64            `json:"fulfill_p99_us"`
}

func (d demand) toJSON() jsonDemand {
	j := jsonDemand{
		Kind: "requests", Way: d.mode, Instances: d.instances, Peers: demandPeers, Rate: d.packetRate, Seconds: d.seconds,
		RequestRate: float64(d.requests.sum()) / d.seconds, ByOperation: map[string]float64{},
		PrepareP50: toMicroseconds(d.paced.prepareP50), PrepareP99: toMicroseconds(d.paced.prepareP99),
		FulfillP50: toMicroseconds(d.paced.fulfillP50), FulfillP99: toMicroseconds(d.paced.fulfillP99),
	}
	for op, n := range d.requests {
		if n > 0 {
			j.ByOperation[operationNames[op]] = float64(n) / d.seconds
		}
	}
	return j
}

// renderDemands returns the table of requests, or "" if they were not measured.
func (r *report) renderDemands() string {
	if len(r.demands) == 0 {
		return ""
	}
	t := newTable(table.Row{"way", "a second, by operation", "instances", "peers", "packets/s", "requests/s", "prepare p50", "p99"}, 2)
	for _, d := range r.demands {
		j := d.toJSON()
		var parts []string
		for _, name := range operationNames {
			if rate, counted := j.ByOperation[name]; counted {
				parts = append(parts, fmt.Sprintf("%s %.1f", name, rate))
			}
		}
		t.AppendRow(table.Row{
			d.mode, strings.Join(parts, ", "), d.instances, demandPeers, fmt.Sprintf("%.0f", j.Rate), fmt.Sprintf("%.1f", j.RequestRate),
			formatDuration(j.PrepareP50), formatDuration(j.PrepareP99),
		})
	}
	return "\n" + t.Render() + "\n"
}
