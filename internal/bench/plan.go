package bench

import (
	"fmt"
	"slices"
)

// phase is the number of steps in which a packet is written.
type phase string

const (
	phaseTwo    phase = "two"    // a hold, then its post
	phaseSingle phase = "single" // at once
)

// countOperations returns the number of operations per packet.
func (p phase) countOperations() int64 {
	if p == phaseTwo {
		return 2
	}
	return 1
}

// distribution is the distribution of packets over pairs of peers.
type distribution string

const (
	uniformTraffic distribution = "uniform"
	hotTraffic     distribution = "hot"  // one peer sends or receives every packet
	zipfTraffic    distribution = "zipf" // peer k sends and receives in proportion to 1/(k+1)^1.1
)

// mode is the way in which packets are written. The package comment of examples/bench explains (a)
// to (f).
type mode string

const (
	modeBatched mode = "batched" // (a)
	modeMixed   mode = "mixed"   // (a) in two phases, with holds and posts in each request
	modeSingle  mode = "single"  // (b)
	modeSubmit  mode = "submit"  // (c)
	modeRecord  mode = "record"  // (d)

	modeRounds        mode = "rounds"         // (e)
	modeRoundsJournal mode = "rounds-journal" // (f)
)

var allModes = []mode{modeBatched, modeMixed, modeSingle, modeSubmit, modeRecord, modeRounds, modeRoundsJournal}

// isRaw reports whether the mode works without the recorder.
func (w mode) isRaw() bool { return w == modeBatched || w == modeMixed || w == modeSingle }

// isInRounds reports whether the mode uses [aggregate.Recorder].
func (w mode) isInRounds() bool { return w == modeRounds || w == modeRoundsJournal }

// scenario is the set of conditions of a measurement.
type scenario struct {
	phase        phase
	lanes        int // sessions of the ledger
	peers        int
	distribution distribution
	settle       bool
	journal      bool // of a [transfers.Recorder]; in rounds the mode tells
	instances    int  // recorders in rounds
}

// measurement is one line of the table.
type measurement struct {
	scenario
	mode    mode
	callers int
	varied  string // the difference from the base scenario; "" is the base scenario
}

func (m measurement) String() string {
	text := fmt.Sprintf("%s-phase %s from %d", m.phase, m.mode, m.callers)
	if m.varied != "" {
		text += ", " + m.varied
	}
	return text
}

// makePlan returns the measurements of a round in order: the base scenario in all modes, then the
// variants, one axis at a time.
func makePlan(opts options) []measurement {
	var plan []measurement
	for _, p := range opts.phases {
		base := newBaseScenario(opts, p)
		plan = append(plan, measurement{scenario: base, mode: modeBatched, callers: base.lanes})
		if p == phaseTwo {
			plan = append(plan, measurement{scenario: base, mode: modeMixed, callers: base.lanes})
		}
		for _, n := range opts.callers {
			plan = append(plan, measurement{scenario: base, mode: modeSingle, callers: n})
		}
		plan = append(plan, listRecorderMeasurements(opts, base, "")...)
		plan = append(plan, listRoundsMeasurements(base, "")...)
		for _, v := range listVariants(opts, base) {
			plan = append(plan, listVariantMeasurements(opts, base, v)...)
		}
	}
	return slices.DeleteFunc(plan, func(m measurement) bool { return !slices.Contains(opts.modes, m.mode) })
}

func listRecorderMeasurements(opts options, s scenario, varied string) []measurement {
	ways := []measurement{{scenario: s, mode: modeSubmit, callers: s.lanes, varied: varied}}
	for _, n := range opts.callers {
		ways = append(ways, measurement{scenario: s, mode: modeRecord, callers: n, varied: varied})
	}
	return ways
}

// listRoundsMeasurements returns the measurements in rounds. They have two phases.
func listRoundsMeasurements(s scenario, varied string) []measurement {
	if s.phase != phaseTwo {
		return nil
	}
	return []measurement{
		{scenario: s, mode: modeRounds, callers: s.instances, varied: varied},
		{scenario: s, mode: modeRoundsJournal, callers: s.instances, varied: varied},
	}
}

// listVariantMeasurements returns the modes that the variant changes.
func listVariantMeasurements(opts options, base scenario, v variant) (plan []measurement) {
	// Modes (a) and (b) depend on the ledger's work alone.
	if v.lanes != base.lanes || v.distribution != base.distribution || v.peers != base.peers {
		plan = append(plan, measurement{scenario: v.scenario, mode: modeBatched, callers: v.lanes, varied: v.name})
		if v.phase == phaseTwo {
			plan = append(plan, measurement{scenario: v.scenario, mode: modeMixed, callers: v.lanes, varied: v.name})
		}
		plan = append(plan, measurement{scenario: v.scenario, mode: modeSingle, callers: slices.Max(opts.callers), varied: v.name})
	}
	if v.instances == base.instances {
		plan = append(plan, listRecorderMeasurements(opts, v.scenario, v.name)...)
	}
	// Rounds use one session, and their mode tells whether they have a journal.
	if v.lanes == base.lanes && v.journal == base.journal {
		plan = append(plan, listRoundsMeasurements(v.scenario, v.name)...)
	}
	return plan
}

func newBaseScenario(opts options, p phase) scenario {
	lanes := opts.lanes[0]
	if slices.Contains(opts.lanes, 2) {
		lanes = 2 // the recorder's default
	}
	return scenario{
		phase: p, lanes: lanes, peers: opts.peers[0], distribution: opts.distributions[0],
		settle: opts.settle[0], journal: opts.journal[0],
		instances: opts.instances[0],
	}
}

// variant is a scenario that differs from the base in one axis. name names the difference.
type variant struct {
	scenario
	name string
}

func listVariants(opts options, base scenario) []variant {
	var all []variant
	add := func(axis string, s scenario, name string) {
		if s != base && opts.variesAxis(axis) {
			all = append(all, variant{s, name})
		}
	}
	for _, n := range opts.lanes {
		s := base
		s.lanes = n
		add(axisLanes, s, fmt.Sprintf("lanes %d", n))
	}
	for _, l := range opts.distributions {
		s := base
		s.distribution = l
		add(axisLoad, s, "load "+string(l))
	}
	for _, on := range opts.settle {
		s := base
		s.settle = on
		add(axisSettle, s, "settle "+formatSwitch(on))
	}
	for _, on := range opts.journal {
		s := base
		s.journal = on
		add(axisJournal, s, "journal "+formatSwitch(on))
	}
	for _, n := range opts.peers {
		s := base
		s.peers = n
		add(axisPeers, s, fmt.Sprintf("peers %d", n))
	}
	for _, n := range opts.instances {
		s := base
		s.instances = n
		add(axisInstances, s, fmt.Sprintf("instances %d", n))
	}
	return all
}

func formatSwitch(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// hasSameWork reports whether other is mode w with the work of m: the same distribution of packets and
// number of sessions. The settlement engine and the journal are left out of the comparison, because
// only a recorder has them.
func (m measurement) hasSameWork(other measurement, w mode) bool {
	return other.mode == w && other.phase == m.phase && other.lanes == m.lanes && other.peers == m.peers && other.distribution == m.distribution
}
