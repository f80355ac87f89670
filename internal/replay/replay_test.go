package replay

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/trace"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// runReplay runs the command and returns its output.
func runReplay(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Main(t.Context(), args, &out, io.Discard, false)
	return out.String(), err
}

func TestBooksEndWhereTheConnectorsDid(t *testing.T) {
	t.Parallel()
	want := `{"json":1,"peer":"alice","asset":"USD","scale":9,"position":"-2539055","settled_out":"24698999","settled_in":"27459944","fulfilled":47,"rejected":380}
{"json":1,"peer":"bob","asset":"USD","scale":9,"position":"-2249500","settled_out":"62121120","settled_in":"21371620","fulfilled":35,"rejected":320}
{"json":1,"peer":"carol","asset":"USD","scale":6,"position":"-10363","settled_out":"20249","settled_in":"79286","fulfilled":56,"rejected":291}
{"json":1,"peer":"dave","asset":"USD","scale":7,"position":"96001","settled_out":"574434","settled_in":"308435","fulfilled":42,"rejected":264}
`
	got, err := runReplay(t, "-json")
	require.NoError(t, err)
	require.Equal(t, want, got)
	got, err = runReplay(t, "-json", "testdata/reference-connector.jsonl")
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestSecondReplayChangesNothing(t *testing.T) {
	t.Parallel()
	got, err := runReplay(t, "-twice")
	require.NoError(t, err)
	require.Contains(t, got, "2571 operations applied, 0 in the books before, 0 refused\n")
	require.Contains(t, got, "; 0 operations applied, 2571 in the books before, 0 refused\n")
	require.Equal(t, 4, strings.Count(got, "│ yes"))

	// With -json the success is the proof.
	_, err = runReplay(t, "-twice", "-json")
	require.NoError(t, err)
}

// The replay itself fails if a peer is still due after a check, or if the debits of a ledger differ
// from its credits.
func TestOurEngineSettles(t *testing.T) {
	t.Parallel()
	got, err := runReplay(t, "-settle", "engine", "-twice")
	require.NoError(t, err)
	require.Contains(t, got, "payments of our engine: 21,")
	require.Contains(t, got, "  bob: order 1, 6000000 units of USD/9\n")
	again, err := runReplay(t, "-settle", "engine", "-json")
	require.NoError(t, err)
	repeated, err := runReplay(t, "-settle", "engine", "-json")
	require.NoError(t, err)
	require.Equal(t, again, repeated, "what is paid depends on the trace alone")
}

// writeTrace writes the lines into a trace file.
func writeTrace(t *testing.T, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trace.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600))
	return file
}

func TestDifferencesAreShown(t *testing.T) {
	t.Parallel()
	changed := strings.Replace(string(reference), `"peer":"dave","balance":"-96001"`, `"peer":"dave","balance":"-96002"`, 1)
	got, err := runReplay(t, writeTrace(t, changed))
	require.ErrorIs(t, err, errDiffer)
	require.ErrorContains(t, err, "position of dave is 96001, the trace says 96002")
	require.NotContains(t, err.Error(), "alice")
	require.Contains(t, got, "│ no")
}

// A connector that let a peer exceed its credit line is reported.
func TestRefusedPacketsAreShown(t *testing.T) {
	t.Parallel()
	changed := strings.Replace(string(reference), `"maximum":"30000000"`, `"maximum":"2400000"`, 1)
	file := writeTrace(t, changed)
	_, err := runReplay(t, "-twice", file)
	require.ErrorIs(t, err, errRefused)
	require.ErrorContains(t, err, "credit line exceeded")
	require.ErrorContains(t, err, file+":")
}

// No cut of the file ends in a success or in partial output.
func TestCutTraces(t *testing.T) {
	t.Parallel()
	for size := 0; size < len(reference)-1; size += 1 + len(reference)/97 {
		file := writeTrace(t, string(reference[:size]))
		got, err := runReplay(t, file)
		var line *trace.LineError
		require.ErrorAs(t, err, &line, "cut at %d", size)
		require.ErrorContains(t, err, file+":")
		require.Empty(t, got)
	}
}

func TestBadTraces(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(string(reference), "\n")
	tests := map[string]struct {
		lines []string
		where string
	}{
		"no json":       {append([]string{lines[0], "{\n"}, lines[1:]...), ":2:"},
		"unknown peer":  {append([]string{lines[0], `{"ms":48,"ev":"settle_in","peer":"mallory","amount":"1"}` + "\n"}, lines[1:]...), ":2:"},
		"no packet":     {append([]string{lines[0], `{"ms":48,"ev":"in","id":9999,"peer":"bob","packet":"DEYA"}` + "\n"}, lines[1:]...), ":2:"},
		"line too long": {append([]string{strings.Replace(lines[0], `"50000000"`, `"99999999999999999999999999999999"`, 1)}, lines[1:]...), ":1: peer \"alice\" in USD/9: CreditLine"},
		"no end":        {lines[:len(lines)-2], fmt.Sprintf(":%d:", len(lines)-1)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := writeTrace(t, test.lines...)
			got, err := runReplay(t, file)
			require.ErrorContains(t, err, file+test.where)
			require.Empty(t, got)
		})
	}
	_, err := runReplay(t, filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-settle", "nobody"}, {"-nothing"}, {"one", "two"}} {
		_, err := runReplay(t, args...)
		require.ErrorIs(t, err, ErrUsage)
	}
	_, err := runReplay(t, "-h")
	require.ErrorIs(t, err, flag.ErrHelp)
}

func TestProgressEnds(t *testing.T) {
	t.Parallel()
	var bar bytes.Buffer
	require.NoError(t, Main(t.Context(), nil, io.Discard, &bar, true))
	require.Contains(t, bar.String(), "replaying events")
}

func TestLeft(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, out  uint64
		from, to uint8
		want     uint64
	}{
		{in: 1999, out: 1, from: 9, to: 6, want: 999},
		{in: 999, out: 0, from: 9, to: 6, want: 999},
		{in: 1, out: 1000, from: 6, to: 9, want: 0},
		{in: 2, out: 1001, from: 6, to: 9, want: 0},
		{in: 3, out: 1001, from: 6, to: 9, want: 1},
		{in: 5, out: 5, from: 9, to: 9, want: 0},
		{in: 1<<64 - 1, out: 1<<64 - 1, from: 0, to: 255, want: 1<<64 - 2},
	}
	for _, test := range tests {
		got, err := leftOver(&trace.Forward{In: test.in, Out: test.out}, test.from, test.to)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
	_, err := leftOver(&trace.Forward{In: 1999, Out: 2}, 9, 6)
	require.ErrorIs(t, err, errRate)
	_, err = leftOver(&trace.Forward{In: 1, Out: 1 << 63}, 255, 0)
	require.ErrorIs(t, err, errRate)
}

func TestEveryDifferenceIsReported(t *testing.T) {
	t.Parallel()
	good := func() *report {
		return &report{trace: &trace.Trace{}, passes: []tally{{applied: 3}, {}}, totals: []total{{}}}
	}
	require.NoError(t, good().findDifferences())
	for want, change := range map[string]func(*report){
		"refused, and the connector had forwarded it: and 80 more": func(r *report) {
			for range 100 {
				r.passes[0].refused = append(r.passes[0].refused, io.EOF)
			}
		},
		"replay 2 wrote 1 operations":                            func(r *report) { r.passes[1].applied = 1 },
		"payments that replay 2 made after those of replay 1: 1": func(r *report) { r.passes[1].payments = make([]settlement.Payment, 1) },
		"debits of 1, credits of 0":                              func(r *report) { r.totals[0].debits = ledger.NewAmount(1) },
		"1 still held":                                           func(r *report) { r.totals[0].debitsPending = ledger.NewAmount(1) },
		"0 still held":                                           func(r *report) { r.totals[0].creditsPending = ledger.NewAmount(1) },
	} {
		r := good()
		change(r)
		require.ErrorContains(t, r.findDifferences(), want)
	}
}
