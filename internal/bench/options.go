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

// options holds the flags.
type options struct {
	ledger    string
	packets   int // per measurement
	rounds    int
	maxTime   time.Duration
	duration  time.Duration // 0: -packets and -max limit a measurement
	warmup    time.Duration // before duration
	delay     time.Duration
	seed      uint64
	threshold uint64 // in packets; 0: see computeThreshold

	// The values to measure. The base scenario has the first value of each list, and 2 lanes if
	// lanes contains 2.
	phases        []phase
	modes         []mode
	callers       []int
	lanes         []int
	peers         []int
	distributions []distribution
	settle        []bool
	journal       []bool
	instances     []int
	axes          []string // the lists whose other values are measured too

	cluster func() (cluster.Config, error) // nil: cluster.ConfigFromEnv

	journalDir string // of journals; "" is the folder for temporary files

	// Of the ledger in a folder.
	ledgerDir  string // "" is a new one in the folder for temporary files
	rows, tail int64

	requests bool // measure the requests of rounds

	json bool
	csv  string // files; "" is none
	plot string
}

// ledgerFolder is the value of -ledger for an embedded ledger in a folder.
const ledgerFolder = "folder"

// The axes, named after their flags.
const (
	axisLanes     = "lanes"
	axisLoad      = "load"
	axisSettle    = "settle"
	axisJournal   = "journal"
	axisPeers     = "peers"
	axisInstances = "instances"
	axisMemory    = "memory"
)

var allAxes = []string{axisLanes, axisLoad, axisSettle, axisJournal, axisPeers, axisInstances, axisMemory}

func (o *options) variesAxis(axis string) bool { return slices.Contains(o.axes, axis) }

// defineFlags defines the flags and returns parseLists, which reads the lists after the flags are
// parsed.
func defineFlags(flags *flag.FlagSet, opts *options) (parseLists func() error) {
	flags.StringVar(&opts.ledger, "ledger", "embedded",
		"`name` of the ledger: embedded, cluster (set TIGERBEETLE_CLUSTER_ID and TIGERBEETLE_ADDRESSES), or folder (an embedded ledger in a folder, with -axes memory alone)")
	flags.IntVar(&opts.packets, "packets", 40_000, "packets per measurement")
	flags.IntVar(&opts.rounds, "count", 3, "number of `rounds`; each makes all measurements once")
	flags.DurationVar(&opts.maxTime, "max", 3*time.Second, "longest `time` of a measurement")
	flags.DurationVar(&opts.duration, "duration", 0,
		"`time` of a measurement in place of -packets and -max; the embedded ledger keeps all rows in memory")
	flags.DurationVar(&opts.warmup, "warmup", time.Second, "`time` before -duration that does not count")
	flags.DurationVar(&opts.delay, "delay", 0, "`time` by which the embedded ledger delays each answer")
	flags.Uint64Var(&opts.seed, "seed", 1, "`seed` of the random traffic")
	flags.Uint64Var(&opts.threshold, "at", 0,
		"settlement threshold in `packets`; a high one measures the checks alone; 0 is a threshold that a few peers reach")
	flags.BoolVar(&opts.json, "json", false, "print each measurement as a line of JSON")
	flags.StringVar(&opts.csv, "csv", "", "also write the measurements to this CSV `file`")
	flags.StringVar(&opts.plot, "plot", "", "draw throughput against callers into this `file` (.svg or .png)")
	flags.StringVar(&opts.journalDir, "journal-dir", "",
		"`folder` on a disk for the journals; empty is the folder for temporary files")
	flags.BoolVar(&opts.requests, "requests", false,
		"also count, for -max or -duration, the ledger's requests of rounds and a settlement engine at 100000 packets a second and 1000 peers")
	flags.StringVar(&opts.ledgerDir, "ledger-dir", "",
		"existing `folder` on a disk for the ledger of -ledger folder, which stays there; empty is a folder for temporary files, which is removed")
	flags.Int64Var(&opts.rows, "rows", 10_000_000, "rows to write into the ledger of -ledger folder")
	flags.Int64Var(&opts.tail, "tail", 400_000, "rows to write after that before the process is killed")
	phases := flags.String("phase", "two,single", "`list` of phases: two (a hold, then its post), single (one transfer)")
	ways := flags.String("ways", "batched,mixed,single,submit,record,rounds,rounds-journal",
		"`list` of ways to measure; ratios to a missing way are left out")
	callers := flags.String("callers", "1,64,10000", "`list` of numbers of recording goroutines")
	lanes := flags.String(axisLanes, "1,2,4", "`list` of numbers of sessions")
	peers := flags.String(axisPeers, "10,1000,100000", "`list` of numbers of peers")
	loads := flags.String(axisLoad, "uniform,hot", "`list` of distributions of packets: uniform, hot (one peer sends or receives every packet), zipf")
	instances := flags.String(axisInstances, "1,2,3", "`list` of numbers of recorders in rounds on one ledger")
	settle := flags.String(axisSettle, "off,on", "`list` of off and on, for the settlement engine")
	journal := flags.String(axisJournal, "off,on", "`list` of off and on, for the recorder's journal")
	axes := flags.String("axes", "none",
		"`list` of axes to vary, one at a time: lanes, load, settle, journal, peers, instances, memory (a separate table); or all, or none")
	return func() error {
		var errs [10]error
		opts.phases, errs[0] = parseList(*phases, "phase", parseName(phaseTwo, phaseSingle))
		opts.modes, errs[8] = parseList(*ways, "ways", parseName(allModes...))
		opts.instances, errs[9] = parseList(*instances, axisInstances, parseNumber)
		opts.callers, errs[1] = parseList(*callers, "callers", parseNumber)
		opts.lanes, errs[2] = parseList(*lanes, axisLanes, parseNumber)
		opts.peers, errs[3] = parseList(*peers, axisPeers, parseNumber)
		opts.distributions, errs[4] = parseList(*loads, axisLoad, parseName(uniformTraffic, hotTraffic, zipfTraffic))
		opts.settle, errs[5] = parseList(*settle, axisSettle, parseSwitch)
		opts.journal, errs[6] = parseList(*journal, axisJournal, parseSwitch)
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

// parseList reads a comma-separated list. A value may not come twice.
func parseList[T comparable](text, flag string, read func(string) (T, error)) ([]T, error) {
	var values []T
	for element := range strings.SplitSeq(text, ",") {
		v, err := read(strings.TrimSpace(element))
		if err != nil {
			return nil, fmt.Errorf("-%s: %w", flag, err)
		}
		if slices.Contains(values, v) {
			return nil, fmt.Errorf("-%s: %v is given twice", flag, v)
		}
		values = append(values, v)
	}
	return values, nil
}

func parseName[T ~string](known ...T) func(string) (T, error) {
	return func(text string) (T, error) {
		if !slices.Contains(known, T(text)) {
			return "", fmt.Errorf("%q is not one of %v", text, known)
		}
		return T(text), nil
	}
}

func parseSwitch(text string) (bool, error) {
	switch text {
	case "on":
		return true, nil
	case "off":
		return false, nil
	default:
		return false, fmt.Errorf("%q is not off or on", text)
	}
}

func parseNumber(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is not a number from 1 on", text)
	}
	return n, nil
}

// instancesMax bounds the recorders of a measurement. Each has a goroutine for its packets.
const instancesMax = 16

// sessionsMax is the largest Sessions of [cluster.Config].
const sessionsMax = 16

func (o *options) validateOptions() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(slices.Contains([]string{"embedded", "cluster", ledgerFolder}, o.ledger), "-ledger is embedded, cluster or folder, not %q", o.ledger)
	check(o.ledger != ledgerFolder || slices.Equal(o.axes, []string{axisMemory}), "-ledger folder requires -axes memory")
	check(o.ledger == ledgerFolder || o.ledgerDir == "", "-ledger-dir requires -ledger folder")
	check(o.rows >= 2*rowsOfPacket && o.rows%rowsOfPacket == 0, "-rows must be an even number from 4 on, not %d", o.rows)
	check(o.tail >= rowsOfPacket && o.tail%rowsOfPacket == 0, "-tail must be an even number from 2 on, not %d", o.tail)
	check(o.packets > 0, "-packets must be above 0, not %d", o.packets)
	check(o.rounds > 0, "-count must be above 0, not %d", o.rounds)
	check(o.maxTime > 0, "-max must be above 0, not %v", o.maxTime)
	check(o.duration >= 0, "-duration must not be negative: %v", o.duration)
	check(o.warmup >= 0, "-warmup must not be negative: %v", o.warmup)
	check(o.delay >= 0, "-delay must not be negative: %v", o.delay)
	check(o.delay == 0 || o.ledger == "embedded", "-delay requires -ledger embedded")
	check(len(o.lanes) == 0 || slices.Max(o.lanes) <= sessionsMax, "-lanes: at most %d", sessionsMax)
	check(len(o.peers) == 0 || slices.Min(o.peers) >= 2, "-peers: at least 2")
	check(len(o.instances) == 0 || slices.Max(o.instances) <= instancesMax, "-instances: at most %d", instancesMax)
	check(!o.requests || slices.ContainsFunc(o.modes, mode.isInRounds), "-requests requires rounds or rounds-journal in -ways")
	extension := filepath.Ext(o.plot)
	check(o.plot == "" || extension == ".svg" || extension == ".png", "-plot must end in .svg or .png, not %q", o.plot)
	return errors.Join(errs...)
}
