package bench

import (
	"fmt"
	"slices"
)

// phase is in how many steps a packet is written.
type phase string

const (
	phaseTwo    phase = "two"    // a hold, then its post
	phaseSingle phase = "single" // at once
)

// operationCount is how many operations a packet is.
func (p phase) operationCount() int64 {
	if p == phaseTwo {
		return 2
	}
	return 1
}

// load is who sends to whom.
type load string

const (
	loadUniform load = "uniform"
	loadHot     load = "hot" // one peer sends or receives every packet
)

// mode is how packets are written.
type mode string

const (
	wayBatched mode = "batched" // (a)
	wayMixed   mode = "mixed"   // (a), of two phases, with holds and posts in each request
	waySingle  mode = "single"  // (b)
	waySubmit  mode = "submit"  // (c)
	wayRecord  mode = "record"  // (d)
)

// isRaw reports whether the way does without the recorder.
func (w mode) isRaw() bool { return w == wayBatched || w == wayMixed || w == waySingle }

// scenario is what a way is measured under.
type scenario struct {
	phase   phase
	lanes   int // sessions of the ledger
	peers   int
	load    load
	settle  bool
	journal bool
}

// measurement is one line of the table.
type measurement struct {
	scenario
	way     mode
	callers int
	varied  string // what is not as in the base scenario; "" is the base
}

func (m measurement) String() string {
	text := fmt.Sprintf("%s-phase %s from %d", m.phase, m.way, m.callers)
	if m.varied != "" {
		text += ", " + m.varied
	}
	return text
}

// planOf is all that is measured in a round, in order: the base scenario with all
// ways, then what is varied, one at a time.
func planOf(opts options) []measurement {
	var plan []measurement
	for _, p := range opts.phases {
		base := baseOf(opts, p)
		plan = append(plan, measurement{scenario: base, way: wayBatched, callers: base.lanes})
		if p == phaseTwo {
			plan = append(plan, measurement{scenario: base, way: wayMixed, callers: base.lanes})
		}
		for _, n := range opts.callers {
			plan = append(plan, measurement{scenario: base, way: waySingle, callers: n})
		}
		plan = append(plan, recorderWays(opts, base, "")...)
		for _, v := range listVariants(opts, base) {
			// Only what the ledger's work depends on changes (a) and (b).
			if v.lanes != base.lanes || v.load != base.load || v.peers != base.peers {
				plan = append(plan,
					measurement{scenario: v.scenario, way: wayBatched, callers: v.lanes, varied: v.name},
					measurement{scenario: v.scenario, way: waySingle, callers: slices.Max(opts.callers), varied: v.name})
			}
			plan = append(plan, recorderWays(opts, v.scenario, v.name)...)
		}
	}
	return slices.DeleteFunc(plan, func(m measurement) bool { return !slices.Contains(opts.ways, m.way) })
}

func recorderWays(opts options, s scenario, varied string) []measurement {
	ways := []measurement{{scenario: s, way: waySubmit, callers: s.lanes, varied: varied}}
	for _, n := range opts.callers {
		ways = append(ways, measurement{scenario: s, way: wayRecord, callers: n, varied: varied})
	}
	return ways
}

func baseOf(opts options, p phase) scenario {
	lanes := opts.lanes[0]
	if slices.Contains(opts.lanes, 2) {
		lanes = 2 // what the recorder does if it is not told otherwise
	}
	return scenario{
		phase: p, lanes: lanes, peers: opts.peers[0], load: opts.loads[0],
		settle: opts.settle[0], journal: opts.journal[0],
	}
}

// variant is a scenario that differs from the base in one thing, which is its name.
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
	for _, l := range opts.loads {
		s := base
		s.load = l
		add(axisLoad, s, "load "+string(l))
	}
	for _, on := range opts.settle {
		s := base
		s.settle = on
		add(axisSettle, s, "settle "+switchAxis(on))
	}
	for _, on := range opts.journal {
		s := base
		s.journal = on
		add(axisJournal, s, "journal "+switchAxis(on))
	}
	for _, n := range opts.peers {
		s := base
		s.peers = n
		add(axisPeers, s, fmt.Sprintf("peers %d", n))
	}
	return all
}

func switchAxis(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// sameWork reports whether other is the raw way w of what m does: under the same load
// and number of sessions. A settlement engine and a journal there are only with a
// recorder.
func (m measurement) sameWork(other measurement, w mode) bool {
	return other.way == w && other.phase == m.phase && other.lanes == m.lanes && other.peers == m.peers && other.load == m.load
}
