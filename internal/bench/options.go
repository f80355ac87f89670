package bench

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/peerledger/peerledger/ledger/cluster"
)

// options are the command line.
type options struct {
	ledger  string
	packets int // of each measurement
	count   int // rounds
	most    time.Duration
	delay   time.Duration
	seed    uint64
	at      uint64 // packets; 0: see settleAt

	// What to measure. The base scenario is the first of each list, and of the
	// lanes 2 if it is there.
	phases  []phase
	ways    []mode
	callers []int
	lanes   []int
	peers   []int
	loads   []load
	settle  []bool
	journal []bool
	axes    []string // the lists of which the other values are measured too

	cluster func() (cluster.Config, error) // which cluster; nil: what the environment says

	json bool
	csv  string // files; "" is none
	plot string
}

// The axes.
const (
	axisLanes   = "lanes"
	axisLoad    = "load"
	axisSettle  = "settle"
	axisJournal = "journal"
	axisPeers   = "peers"
	axisMemory  = "memory"
)

var allAxes = []string{axisLanes, axisLoad, axisSettle, axisJournal, axisPeers, axisMemory}

func (o *options) variesAxis(axis string) bool { return slices.Contains(o.axes, axis) }

// defineFlags defines the flags. What it returns reads the lists, when they are parsed.
func defineFlags(flags *flag.FlagSet, opts *options) (read func() error) {
	flags.StringVar(&opts.ledger, "ledger", "embedded",
		"`which` ledger: embedded, or cluster, which TIGERBEETLE_CLUSTER_ID and TIGERBEETLE_ADDRESSES name")
	flags.IntVar(&opts.packets, "packets", 40_000, "packets of each measurement")
	flags.IntVar(&opts.count, "count", 3, "`rounds` of all measurements")
	flags.DurationVar(&opts.most, "max", 3*time.Second, "`time` after which a measurement takes no more packets")
	flags.DurationVar(&opts.delay, "delay", 0, "`time` that the embedded ledger holds each answer back")
	flags.Uint64Var(&opts.seed, "seed", 1, "`number` that the traffic is drawn from")
	flags.Uint64Var(&opts.at, "at", 0,
		"the settlement engine pays a peer that is owed so many `packets`: many for its checks alone; 0 is about as far as positions stray")
	flags.BoolVar(&opts.json, "json", false, "print one JSON object a line per measurement")
	flags.StringVar(&opts.csv, "csv", "", "write the measurements to this `file` too")
	flags.StringVar(&opts.plot, "plot", "", "draw throughput against callers into this `file`, .svg or .png")
	phases := flags.String("phase", "two,single", "`list` of two (a hold, then its post) and single")
	ways := flags.String("ways", "batched,mixed,single,submit,record",
		"`list` of ways to measure: what is left out is not compared with")
	callers := flags.String("callers", "1,64,10000", "`list` of how many goroutines record")
	lanes := flags.String(axisLanes, "1,2,4", "`list` of how many sessions there are")
	peers := flags.String(axisPeers, "10,1000,100000", "`list` of how many peers there are")
	loads := flags.String(axisLoad, "uniform,hot", "`list` of uniform and hot: one peer sends or receives every packet")
	settle := flags.String(axisSettle, "off,on", "`list` of off and on: the settlement engine")
	journal := flags.String(axisJournal, "off,on", "`list` of off and on: the recorder's journal")
	axes := flags.String("axes", "none",
		"`list` of what to vary, one at a time: lanes, load, settle, journal, peers, memory (a table of its own); all or none")
	return func() error {
		var errs [9]error
		opts.phases, errs[0] = parseList(*phases, "phase", parseName(phaseTwo, phaseSingle))
		opts.ways, errs[8] = parseList(*ways, "ways", parseName(wayBatched, wayMixed, waySingle, waySubmit, wayRecord))
		opts.callers, errs[1] = parseList(*callers, "callers", parseNumber)
		opts.lanes, errs[2] = parseList(*lanes, axisLanes, parseNumber)
		opts.peers, errs[3] = parseList(*peers, axisPeers, parseNumber)
		opts.loads, errs[4] = parseList(*loads, axisLoad, parseName(loadUniform, loadHot))
		opts.settle, errs[5] = parseList(*settle, axisSettle, onOff)
		opts.journal, errs[6] = parseList(*journal, axisJournal, onOff)
		switch *axes {
		case "all":
			opts.axes = slices.Clone(allAxes)
		case "none", "":
		default:
			opts.axes, errs[7] = parseList(*axes, "axes", parseName(allAxes...))
		}
		return errors.Join(errs[:]...)
	}
}

// parseList reads values with commas between; none may come twice.
func parseList[T comparable](text, flag string, read func(string) (T, error)) ([]T, error) {
	var values []T
	for element := range strings.SplitSeq(text, ",") {
		v, err := read(strings.TrimSpace(element))
		if err != nil {
			return nil, fmt.Errorf("-%s: %w", flag, err)
		}
		if slices.Contains(values, v) {
			return nil, fmt.Errorf("-%s: %v comes twice", flag, v)
		}
		values = append(values, v)
	}
	return values, nil
}

func parseName[T ~string](known ...T) func(string) (T, error) {
	return func(text string) (T, error) {
		if !slices.Contains(known, T(text)) {
			return "", fmt.Errorf("%q is none of %v", text, known)
		}
		return T(text), nil
	}
}

func onOff(text string) (bool, error) {
	switch text {
	case "on":
		return true, nil
	case "off":
		return false, nil
	default:
		return false, fmt.Errorf("%q is neither off nor on", text)
	}
}

func parseNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number from 1 on", text)
	}
	return n, nil
}

// sessionsMax is how many sessions cluster.Config takes.
const sessionsMax = 16

func (o *options) validateOptions() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(o.ledger == "embedded" || o.ledger == "cluster", "-ledger is embedded or cluster, not %q", o.ledger)
	check(o.packets > 0, "-packets must be above 0, not %d", o.packets)
	check(o.count > 0, "-count must be above 0, not %d", o.count)
	check(o.most > 0, "-max must be above 0, not %v", o.most)
	check(o.delay >= 0, "-delay must not be negative: %v", o.delay)
	check(o.delay == 0 || o.ledger == "embedded", "-delay is for the embedded ledger")
	check(len(o.lanes) == 0 || slices.Max(o.lanes) <= sessionsMax, "-lanes: at most %d", sessionsMax)
	check(len(o.peers) == 0 || slices.Min(o.peers) >= 2, "-peers: a packet needs 2")
	extension := filepath.Ext(o.plot)
	check(o.plot == "" || extension == ".svg" || extension == ".png", "-plot ends in .svg or .png, not %q", o.plot)
	return errors.Join(errs...)
}
