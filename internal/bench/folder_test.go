package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// runFolderBench runs the program with -ledger folder. TestMain runs the steps' processes.
func runFolderBench(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, shown bytes.Buffer
	b, flags, err := parseFlags(append([]string{"-ledger", "folder", "-axes", "memory"}, args...), io.Discard)
	require.NoError(t, err)
	b.newStep = func(ctx context.Context) (*exec.Cmd, error) { return exec.CommandContext(ctx, os.Args[0]), nil }
	err = b.Run(t.Context(), wasGiven(flags), &out, &shown, false)
	return out.String(), shown.String(), err
}

// A folder is filled, opened after a close and after a kill, and kept.
func TestFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	out, shown, err := runFolderBench(t, "-ledger-dir", folder, "-rows", "3000", "-tail", "600", "-peers", "3", "-json")
	require.NoError(t, err, shown)
	line, _, _ := strings.Cut(out, "\n")
	var got jsonFolder
	require.NoError(t, json.Unmarshal([]byte(line), &got))
	require.Equal(t, "folder", got.Kind)
	require.Len(t, got.Marks, 1)
	require.Equal(t, int64(3000), got.Rows)
	require.Equal(t, got.folderMark, got.Marks[0])
	require.Positive(t, got.Rate)
	require.InEpsilon(t, rowsOfPacket*got.Rate, got.RowRate, 1e-9)
	require.Greater(t, got.Disk, int64(3000*128))
	require.InEpsilon(t, float64(got.Disk)/3000, got.DiskRow, 1e-9)
	require.Contains(t, shown, "3000 rows: ")
	for _, times := range []lookupTimes{got.Cached, got.Missing} {
		require.Equal(t, lookupsMax, times.Count)
		require.Positive(t, times.P50)
		require.LessOrEqual(t, times.P50, times.P99)
		require.LessOrEqual(t, times.P99, times.P100)
	}
	for _, opened := range []folderOpened{got.Clean, got.CleanCold, got.Killed} {
		require.Positive(t, opened.Open)
		require.Greater(t, opened.Query, opened.Open)
		require.Greater(t, opened.Lookup, opened.Query)
	}
	require.GreaterOrEqual(t, got.Clean.Rows, 3000)
	require.GreaterOrEqual(t, got.Killed.Rows, got.Clean.Rows+600, "the rows written before the kill")
	require.Equal(t, got.Cold.Count > 0, got.CleanCold.Cold)

	_, _, err = runFolderBench(t, "-ledger-dir", folder, "-rows", "4")
	require.ErrorIs(t, err, ErrUsage, "there is a ledger")
}

func TestFolderTables(t *testing.T) {
	t.Parallel()
	out, shown, err := runFolderBench(t, "-rows", "2000", "-tail", "2")
	require.NoError(t, err, shown)
	for _, text := range []string{"memory B/row", "an unknown id", "a close, files not cached", "kill -9"} {
		require.Contains(t, out, text)
	}
}

// The figures are taken at each power of ten, and at the end.
func TestFolderMarks(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int64{10}, listMarks(10))
	require.Equal(t, []int64{1e6}, listMarks(1e6))
	require.Equal(t, []int64{1e6, 1e7, 25e6}, listMarks(25e6))
}

// A step that fails ends the run with its error.
func TestFolderStepFails(t *testing.T) {
	t.Parallel()
	_, shown, err := runFolderBench(t, "-ledger-dir", filepath.Join(t.TempDir(), "missing"), "-rows", "4")
	require.ErrorContains(t, err, "step fill: the process ended without a result")
	require.Contains(t, shown, "no such file or directory")
}

// A wrong answer about a packet is an error.
func TestProbes(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	w, err := newWorkload(t.Context(), l, folderNamespace, 2, 1)
	require.NoError(t, err)
	raw := &rawRun{traffic: w.newTraffic(uniformTraffic), phase: phaseTwo}
	hold := raw.newFirstTransfer(0)
	require.NoError(t, connection(l.CreateTransfers).createNew(t.Context(), []ledger.Transfer{hold}))
	probe := folderProbe{hold.ID, hold.DebitAccountID, hold.CreditAccountID, hold.UserData64}
	require.NoError(t, probe.checkLookup(t.Context(), l))
	require.ErrorIs(t, probe.checkQuery(t.Context(), l), errProbe, "it has no post")
	post := raw.newPostTransfer(&hold)
	require.NoError(t, connection(l.CreateTransfers).createNew(t.Context(), []ledger.Transfer{post}))
	require.NoError(t, probe.checkQuery(t.Context(), l))
	for _, change := range []func(*folderProbe){
		func(p *folderProbe) { p.Hold = post.ID },
		func(p *folderProbe) { p.Hold.Lo++ },
		func(p *folderProbe) { p.Debit = p.Credit },
		func(p *folderProbe) { p.Tag++ },
	} {
		wrong := probe
		change(&wrong)
		require.ErrorIs(t, wrong.checkLookup(t.Context(), l), errProbe)
		require.ErrorIs(t, wrong.checkQuery(t.Context(), l), errProbe)
	}
	require.NoError(t, l.Close())
}
