package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// TestMain fails if a run leaves a goroutine behind. The process of a step runs the step alone.
func TestMain(m *testing.M) {
	if isStep() {
		if err := Main(context.Background(), nil, os.Stdout, os.Stderr, false); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// smallRun has the flags of a quick run.
var smallRun = []string{"-packets", "60", "-count", "2", "-callers", "1,3", "-lanes", "1,2", "-peers", "3,5", "-instances", "1,2"}

func runBench(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Main(t.Context(), args, &out, io.Discard, false)
	return out.String(), err
}

// TestEverything measures both phases in all modes and on all axes, and reads every output.
func TestEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	csvFile, plotFile := filepath.Join(dir, "bench.csv"), filepath.Join(dir, "bench.svg")
	args := append([]string{"-axes", "all", "-json", "-csv", csvFile, "-plot", plotFile}, smallRun...)
	out, err := runBench(t, args...)
	require.NoError(t, err)

	kinds := map[string]int{}
	for text := range strings.Lines(out) {
		var kind struct{ Kind string }
		require.NoError(t, json.Unmarshal([]byte(text), &kind))
		if kinds[kind.Kind]++; kind.Kind == "throughput" {
			checkJSONLine(t, text)
		}
	}
	opts, err := parseOptions(args, io.Discard)
	require.NoError(t, err)
	plan := makePlan(opts)
	require.Equal(t, map[string]int{"throughput": len(plan), "low load": 2, "memory": 8}, kinds)

	content, err := os.ReadFile(csvFile)
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	require.NoError(t, err) // ReadAll also checks that all rows have the same number of fields
	require.Len(t, rows, 1+len(plan))
	require.Equal(t, []string{"two", "", "batched", "2", "2", "3", "uniform", "false", "false", "2", "60", "60", "60"}, rows[1][:13])

	content, err = os.ReadFile(plotFile)
	require.NoError(t, err)
	require.Contains(t, string(content), "<svg")
	require.Contains(t, string(content), "record, phase single")
}

func checkJSONLine(t *testing.T, text string) {
	t.Helper()
	var line jsonLine
	fields, numbered := strings.CutPrefix(text, `{"json":1,`)
	require.True(t, numbered, "it says which format it has: %s", text)
	decoder := json.NewDecoder(strings.NewReader("{" + fields))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&line))
	require.Equal(t, spread{60, 60, 60}, line.Packets)
	require.Equal(t, 2, line.Rounds)
	for _, s := range []*spread{&line.Rate, &line.P50, &line.P99, &line.P100, &line.Allocs, &line.Bytes, line.ToBatched, line.ToSingle} {
		require.NotNil(t, s, text)
		require.Positive(t, s.Min, text)
		require.LessOrEqual(t, s.Min, s.Median, text)
		require.LessOrEqual(t, s.Median, s.Max, text)
	}
	require.LessOrEqual(t, line.P50.Median, line.P99.Median)
	require.LessOrEqual(t, line.P99.Median, line.P100.Median)
	if line.Way == modeBatched {
		require.Equal(t, spread{1, 1, 1}, *line.ToBatched)
		require.Equal(t, 60/float64(line.Lanes), line.OpsPerBatch.Median)
	}
	if line.Way == modeSingle {
		require.Equal(t, 1.0, line.OpsPerBatch.Median)
	}
	require.Equal(t, line.Varied != "", line.ToBase != nil, text)
	require.Equal(t, line.Way.isInRounds(), line.InRounds != nil)
	if line.Way.isInRounds() {
		checkRoundsLine(t, &line)
	}
}

func checkRoundsLine(t *testing.T, line *jsonLine) {
	t.Helper()
	in := line.InRounds
	require.Equal(t, line.Callers, in.Instances)
	require.NotNil(t, line.ToMixed)
	require.Equal(t, line.Settle, line.ToSubmit == nil || line.Varied == "settle on", "the recorder of the same work")
	require.Equal(t, spread{60, 60, 60}, in.Remembered)
	require.Nil(t, in.BytesPerID, "the process is larger than 60 ids")
	require.Equal(t, line.Way == modeRoundsJournal, in.JournalBytes.Min > 0)
	for _, s := range []spread{in.RequestRate, in.HalfRate, in.FulfillP50, in.FulfillP99} {
		require.Positive(t, s.Min)
	}
	// Two of the first prepares are timed, whether or not they were decided at once.
	require.Positive(t, in.PrepareP50.Max+in.TopUpP50.Max)
	require.LessOrEqual(t, in.PrepareP50.Median, in.PrepareP99.Median)
	if line.Varied == "" {
		require.NotNil(t, in.PrepareToCall)
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	plotFile := filepath.Join(t.TempDir(), "bench.png")
	out, err := runBench(t, append([]string{"-plot", plotFile, "-phase", "two", "-settle", "on"}, smallRun...)...)
	require.NoError(t, err)
	for _, text := range []string{
		"│ (a) batched         │", "│ (b) single          │", "│ (c) submit          │", "│ (d) record          │",
		"│ (e) rounds          │", "│ (f) rounds, journal │", "│ rounds-journal │",
		"lanes 1", "peers 5", // lists given as flags are varied
		"one caller, phase two: Record p50 / raw call p50 = ", "orders paid\n",
	} {
		require.Contains(t, out, text)
	}
	require.NotContains(t, out, "load hot")
	require.NotContains(t, out, "memory of")
	content, err := os.ReadFile(plotFile)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(content, []byte("\x89PNG")))
}

func TestProgress(t *testing.T) {
	t.Parallel()
	var shown bytes.Buffer
	err := Main(t.Context(), append([]string{"-phase", "single"}, smallRun...), io.Discard, &shown, true)
	require.NoError(t, err)
	require.Contains(t, shown.String(), "single-phase")
}

// Every packet taken is written, even if the time is over at once.
func TestTimeIsLimited(t *testing.T) {
	t.Parallel()
	out, err := runBench(t, "-packets", "1000000000", "-max", "1ms", "-count", "1", "-callers", "1,3", "-json")
	require.NoError(t, err)
	require.Equal(t, 15, strings.Count(out, `"kind":"throughput"`))
}

// An interrupt ends every mode and leaves nothing behind.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	opts, err := parseOptions([]string{"-packets", "1000000000", "-max", "1h", "-callers", "2", "-settle", "on"}, io.Discard)
	require.NoError(t, err)
	for _, m := range makePlan(opts) {
		ctx, cancel := context.WithCancel(t.Context())
		b := newBencher(opts, interruptingTarget{embeddedTarget{opts}, cancel})
		_, err := b.measureOnce(ctx, m)
		require.ErrorIs(t, err, context.Canceled, m)
		require.NoError(t, b.closeTargets())
	}
}

// interruptingTarget interrupts the run at the first request with a packet.
type interruptingTarget struct {
	embeddedTarget
	interrupt func()
}

func (s interruptingTarget) prepareTarget(ctx context.Context, sessions int) (preparedTarget, error) {
	st, err := s.embeddedTarget.prepareTarget(ctx, sessions)
	l := interruptingLedger{st.ledger, s.interrupt}
	st.ledger = l
	for i := range st.connections {
		st.connections[i] = l.CreateTransfers
	}
	return st, err
}

type interruptingLedger struct {
	ledger.Ledger
	interrupt func()
}

func (l interruptingLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if code := events[0].Code; code == chart.CodePacket || code == chart.CodeReserve { // no credit line
		l.interrupt()
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"-nothing", "argument", "-ledger disk", "-packets 0", "-count 0", "-max 0s", "-delay -1s", "-delay 1s -ledger cluster",
		"-phase three", "-ways by-hand", "-ways ,", "-ways mixed -phase single", "-ways rounds -phase single", "-callers 0", "-callers 1,x", "-lanes 17", "-lanes 2,2", "-peers 1", "-load cold", "-settle maybe",
		"-journal ,", "-axes all,lanes", "-duration -1s", "-warmup -1s", "-instances 0", "-instances 17", "-requests -ways submit", "-plot bench.gif", "-plot svg",
		"-ledger folder", "-ledger folder -axes all", "-ledger folder -axes memory -rows 3", "-ledger folder -axes memory -tail 1", "-ledger-dir x",
	} {
		_, err := runBench(t, strings.Fields(args)...)
		require.ErrorIs(t, err, ErrUsage, args)
	}
	_, err := runBench(t, "-h")
	require.ErrorIs(t, err, flag.ErrHelp)

	// The error comes before the first measurement.
	_, err = runBench(t, "-csv", filepath.Join(t.TempDir(), "no folder", "bench.csv"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// With a threshold that is never reached, only the checks of the engine are measured.
func TestChecksAlone(t *testing.T) {
	t.Parallel()
	out, err := runBench(t, "-packets", "2000", "-count", "1", "-ways", "submit", "-settle", "on", "-at", "1000000000", "-phase", "single")
	require.NoError(t, err)
	require.Contains(t, out, "single-phase submit from 2: 0 orders paid")
	out, err = runBench(t, "-packets", "400000", "-count", "1", "-ways", "submit", "-settle", "on", "-at", "1", "-phase", "single")
	require.NoError(t, err)
	require.NotContains(t, out, ": 0 orders paid")
}

// Modes are compared only with measured modes.
func TestSomeWays(t *testing.T) {
	t.Parallel()
	out, err := runBench(t, append([]string{"-ways", "submit", "-phase", "two", "-axes", "settle", "-json", "-settle", "off,on"}, smallRun...)...)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var compared int
	for _, text := range lines {
		var line jsonLine
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		require.Equal(t, modeSubmit, line.Way)
		require.Nil(t, line.ToBatched)
		require.Nil(t, line.ToSingle)
		if line.ToBase != nil {
			compared++
		}
	}
	require.Positive(t, compared)
	require.Len(t, lines, 4, "the base, and what small and this vary: lanes, peers, the engine")
}

// The plan varies one axis at a time. Each measurement is compared with a measurement of the same
// work.
func TestPlan(t *testing.T) {
	t.Parallel()
	opts, err := parseOptions([]string{"-phase", "two", "-callers", "1,9", "-lanes", "1,2", "-load", "uniform,hot", "-settle", "off,on", "-instances", "1,2"}, io.Discard)
	require.NoError(t, err)
	plan := makePlan(opts)
	var got []string
	for _, m := range plan {
		batched := findSample(plan, m.isBatchedOf)
		base := findSample(plan, m.isBaseOf)
		got = append(got, fmt.Sprintf("%v / %v / %v", m, plan[batched], plan[base]))
	}
	base := "two-phase batched from 2"
	require.Equal(t, []string{
		"two-phase batched from 2 / " + base + " / " + base,
		"two-phase mixed from 2 / " + base + " / two-phase mixed from 2",
		"two-phase single from 1 / " + base + " / two-phase single from 1",
		"two-phase single from 9 / " + base + " / two-phase single from 9",
		"two-phase submit from 2 / " + base + " / two-phase submit from 2",
		"two-phase record from 1 / " + base + " / two-phase record from 1",
		"two-phase record from 9 / " + base + " / two-phase record from 9",
		"two-phase rounds from 1 / " + base + " / two-phase rounds from 1",
		"two-phase rounds-journal from 1 / " + base + " / two-phase rounds-journal from 1",
		"two-phase batched from 1, lanes 1 / two-phase batched from 1, lanes 1 / " + base,
		"two-phase mixed from 1, lanes 1 / two-phase batched from 1, lanes 1 / two-phase mixed from 2",
		"two-phase single from 9, lanes 1 / two-phase batched from 1, lanes 1 / two-phase single from 9",
		"two-phase submit from 1, lanes 1 / two-phase batched from 1, lanes 1 / two-phase submit from 2",
		"two-phase record from 1, lanes 1 / two-phase batched from 1, lanes 1 / two-phase record from 1",
		"two-phase record from 9, lanes 1 / two-phase batched from 1, lanes 1 / two-phase record from 9",
		"two-phase batched from 2, load hot / two-phase batched from 2, load hot / " + base,
		"two-phase mixed from 2, load hot / two-phase batched from 2, load hot / two-phase mixed from 2",
		"two-phase single from 9, load hot / two-phase batched from 2, load hot / two-phase single from 9",
		"two-phase submit from 2, load hot / two-phase batched from 2, load hot / two-phase submit from 2",
		"two-phase record from 1, load hot / two-phase batched from 2, load hot / two-phase record from 1",
		"two-phase record from 9, load hot / two-phase batched from 2, load hot / two-phase record from 9",
		"two-phase rounds from 1, load hot / two-phase batched from 2, load hot / two-phase rounds from 1",
		"two-phase rounds-journal from 1, load hot / two-phase batched from 2, load hot / two-phase rounds-journal from 1",
		"two-phase submit from 2, settle on / " + base + " / two-phase submit from 2",
		"two-phase record from 1, settle on / " + base + " / two-phase record from 1",
		"two-phase record from 9, settle on / " + base + " / two-phase record from 9",
		"two-phase rounds from 1, settle on / " + base + " / two-phase rounds from 1",
		"two-phase rounds-journal from 1, settle on / " + base + " / two-phase rounds-journal from 1",
		"two-phase rounds from 2, instances 2 / " + base + " / two-phase rounds from 1",
		"two-phase rounds-journal from 2, instances 2 / " + base + " / two-phase rounds-journal from 1",
	}, got)
}
