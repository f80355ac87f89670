package bench

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strconv"

	"github.com/peerledger/peerledger/internal/jsonline"
)

// jsonLine is a measurement in JSON.
type jsonLine struct {
	Kind    string       `json:"kind"` // "throughput"
	Phase   phase        `json:"phase"`
	Varied  string       `json:"varied"` // "" is the base scenario
	Way     mode         `json:"way"`
	Callers int          `json:"callers"`
	Lanes   int          `json:"lanes"`
	Peers   int          `json:"peers"`
	Load    distribution `json:"load"`
	Settle  bool         `json:"settle"`
	Journal bool         `json:"journal"`

	Rounds      int     `json:"rounds"`
	Packets     spread  `json:"packets"`
	Rate        spread  `json:"packets_per_second"`
	P50         spread  `json:"p50_us"`
	P99         spread  `json:"p99_us"`
	P100        spread  `json:"p100_us"`
	OpsPerBatch spread  `json:"ops_per_batch"` // 0: not counted
	Allocs      spread  `json:"allocs_per_op"`
	Bytes       spread  `json:"bytes_per_op"`
	Orders      spread  `json:"orders"`
	Cost        spread  `json:"cpu_ns_per_packet"` // of this process; 0: not known
	ToBatched   *spread `json:"of_batched,omitempty"`
	ToSingle    *spread `json:"of_single,omitempty"`
	ToBase      *spread `json:"of_base,omitempty"`
	ToMixed     *spread `json:"of_mixed,omitempty"`
	ToSubmit    *spread `json:"of_submit,omitempty"`

	InRounds *roundsLine `json:"in_rounds,omitempty"`
}

func (l *resultLine) toJSON() jsonLine {
	return jsonLine{
		Kind: "throughput", Phase: l.phase, Varied: l.varied, Way: l.mode, Callers: l.callers,
		Lanes: l.lanes, Peers: l.peers, Load: l.distribution, Settle: l.settle, Journal: l.journal,
		Rounds: l.rounds, Packets: l.packets, Rate: l.rate, P50: l.p50, P99: l.p99, P100: l.p100,
		OpsPerBatch: l.opsPerBatch, Allocs: l.allocs, Bytes: l.bytes, Orders: l.orders,
		Cost: l.cost, ToBatched: l.toBatched, ToSingle: l.toSingle, ToBase: l.toBase,
		ToMixed: l.toMixed, ToSubmit: l.toSubmit, InRounds: l.inRounds,
	}
}

// jsonLowLoad is a [lowLoad] in JSON.
type jsonLowLoad struct {
	Kind   string `json:"kind"` // "low load"
	Phase  phase  `json:"phase"`
	Record spread `json:"record_p50_us"`
	Raw    spread `json:"raw_p50_us"`
	Ratio  spread `json:"ratio"`
}

// jsonMemory is a row of the memory table in JSON.
type jsonMemory struct {
	Kind string `json:"kind"` // "memory"
	memoryRow
}

// writeJSON prints one object a line.
func (r *report) writeJSON(w io.Writer) error {
	var objects []any
	for _, l := range r.lines {
		objects = append(objects, l.toJSON())
	}
	for _, l := range r.lowLoad {
		objects = append(objects, jsonLowLoad{"low load", l.phase, l.record, l.raw, l.ratio})
	}
	for _, m := range r.memory {
		objects = append(objects, jsonMemory{"memory", m})
	}
	for _, d := range r.demands {
		objects = append(objects, d.toJSON())
	}
	for _, o := range objects {
		if err := jsonline.Write(w, o); err != nil {
			return err
		}
	}
	return nil
}

// csvColumn is a figure in CSV. It has three columns: name (the median), name_min and name_max.
type csvColumn struct {
	name string
	of   func(*resultLine) *spread
}

var csvColumns = []csvColumn{
	{"packets", func(l *resultLine) *spread { return &l.packets }},
	{"packets_per_second", func(l *resultLine) *spread { return &l.rate }},
	{"p50_us", func(l *resultLine) *spread { return &l.p50 }},
	{"p99_us", func(l *resultLine) *spread { return &l.p99 }},
	{"p100_us", func(l *resultLine) *spread { return &l.p100 }},
	{"ops_per_batch", func(l *resultLine) *spread { return &l.opsPerBatch }},
	{"allocs_per_op", func(l *resultLine) *spread { return &l.allocs }},
	{"bytes_per_op", func(l *resultLine) *spread { return &l.bytes }},
	{"orders", func(l *resultLine) *spread { return &l.orders }},
	{"of_batched", func(l *resultLine) *spread { return l.toBatched }},
	{"of_single", func(l *resultLine) *spread { return l.toSingle }},
	{"of_base", func(l *resultLine) *spread { return l.toBase }},
	{"cpu_ns_per_packet", func(l *resultLine) *spread { return &l.cost }},
	{"of_mixed", func(l *resultLine) *spread { return l.toMixed }},
	{"of_submit", func(l *resultLine) *spread { return l.toSubmit }},
	{"requests_per_second", ofRounds(func(l *roundsLine) *spread { return &l.RequestRate })},
	{"rss_bytes_per_id", ofRounds(func(l *roundsLine) *spread { return l.BytesPerID })},
	{"journal_bytes_per_packet", ofRounds(func(l *roundsLine) *spread { return &l.JournalBytes })},
	{"prepare_p50_us", ofRounds(func(l *roundsLine) *spread { return &l.PrepareP50 })},
	{"prepare_p99_us", ofRounds(func(l *roundsLine) *spread { return &l.PrepareP99 })},
	{"prepare_top_up_p99_us", ofRounds(func(l *roundsLine) *spread { return &l.TopUpP99 })},
	{"fulfill_p50_us", ofRounds(func(l *roundsLine) *spread { return &l.FulfillP50 })},
	{"fulfill_p99_us", ofRounds(func(l *roundsLine) *spread { return &l.FulfillP99 })},
}

// ofRounds returns a column that is empty for ways without rounds.
func ofRounds(of func(*roundsLine) *spread) func(*resultLine) *spread {
	return func(l *resultLine) *spread {
		if l.inRounds == nil {
			return nil
		}
		return of(l.inRounds)
	}
}

// writeCSV writes the measurements with the median, minimum and maximum of each figure.
func (r *report) writeCSV(w io.Writer) error {
	header := []string{"phase", "varied", "way", "callers", "lanes", "peers", "load", "settle", "journal", "rounds"}
	for _, c := range csvColumns {
		header = append(header, c.name, c.name+"_min", c.name+"_max")
	}
	out := csv.NewWriter(w)
	rows := [][]string{header}
	for _, l := range r.lines {
		rows = append(rows, l.toCSV())
	}
	return out.WriteAll(rows)
}

func (l *resultLine) toCSV() []string {
	row := []string{
		string(l.phase), l.varied, string(l.mode), strconv.Itoa(l.callers), strconv.Itoa(l.lanes), strconv.Itoa(l.peers),
		string(l.distribution), strconv.FormatBool(l.settle), strconv.FormatBool(l.journal), strconv.Itoa(l.rounds),
	}
	decimal := func(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }
	for _, c := range csvColumns {
		if s := c.of(l); s != nil {
			row = append(row, decimal(s.Median), decimal(s.Min), decimal(s.Max))
		} else {
			row = append(row, "", "", "")
		}
	}
	return row
}

// writeFiles writes the CSV file and the plot, if the options name them.
func (r *report) writeFiles(opts options) error {
	var errs []error
	if opts.csv != "" {
		var b bytes.Buffer
		errs = append(errs, r.writeCSV(&b), os.WriteFile(opts.csv, b.Bytes(), 0o644))
	}
	if opts.plot != "" {
		errs = append(errs, r.writePlot(opts.plot))
	}
	return errors.Join(errs...)
}

// openWritable checks that file can be written. The content of file stays.
func openWritable(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
